//! A plan as it goes over the wire.

use serde::{Deserialize, Serialize};

use super::ScalingPlan;

/// The latest plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// One more with each plan of the advisor's process.
    pub generation: u64,
    /// When it was made, Unix time.
    pub made_at_secs: u64,
    /// `advise`, or `act` where the leader carries it out.
    pub mode: String,
    /// All of it for people.
    pub text: String,
    /// Pods for which nodes have to be added.
    pub pods_needing_nodes: u32,
    /// Groups that get nodes.
    pub scale_out: Vec<GroupRaised>,
    /// The node that is drained and ended.
    pub scale_in: Option<NodeRemoved>,
    /// Stuck pods that are evicted.
    pub evictions: Vec<PodEvicted>,
    /// What is not done.
    pub refused: Vec<NotDone>,
}

/// An Auto Scaling group that gets nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRaised {
    /// Its name.
    pub group: String,
    /// Desired capacity before.
    pub from: u32,
    /// Desired capacity after.
    pub to: u32,
    /// The one subnet that can feed them; `None` where the group may choose.
    pub subnet: Option<String>,
    /// Pods that they are for.
    pub pods: u32,
    /// `waiting` or `forecast`.
    pub cause: String,
}

/// A node that is drained and ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRemoved {
    /// Its Auto Scaling group.
    pub group: String,
    /// Its name.
    pub node: String,
    /// Its instance.
    pub instance: String,
    /// Pods that have to move.
    pub pods: u32,
    /// Addresses that come back.
    pub ips: u32,
}

/// A stuck pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodEvicted {
    /// `namespace/name`.
    pub pod: String,
    /// Its node.
    pub node: String,
    /// For how long it has had no address.
    pub waiting_secs: u64,
}

/// Something that is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotDone {
    /// `scale_out`, `scale_in` or `evict`.
    pub action: String,
    /// Group, node or pod; empty for all.
    pub of: String,
    /// A label.
    pub reason: String,
    /// The same for people.
    pub text: String,
}

impl Report {
    /// Of a plan.
    #[must_use]
    pub fn new(plan: &ScalingPlan) -> Report {
        let raised = plan.scale_out.iter().map(|step| GroupRaised {
            group: step.group.to_string(),
            from: step.from,
            to: step.to,
            subnet: step.subnet.as_ref().map(ToString::to_string),
            pods: step.pods,
            cause: step.cause.label().to_owned(),
        });
        let evictions = plan.evictions.iter().map(|pod| PodEvicted {
            pod: pod.name.to_string(),
            node: pod.node.to_string(),
            waiting_secs: pod.waiting.as_secs(),
        });
        let refused = plan.refused.iter().map(|one| NotDone {
            action: one.what.label().to_owned(),
            of: one.of.to_string(),
            reason: one.why.refusal.label().to_owned(),
            text: one.why.to_string(),
        });
        Report {
            generation: plan.generation,
            made_at_secs: plan.made_at.as_secs(),
            mode: plan.mode.label().to_owned(),
            text: plan.to_string(),
            pods_needing_nodes: plan.shortage.need,
            scale_out: raised.collect(),
            scale_in: plan.scale_in.as_ref().map(|one| NodeRemoved {
                group: one.group.to_string(),
                node: one.node.to_string(),
                instance: one.instance.to_string(),
                pods: one.pods,
                ips: one.frees.get(),
            }),
            evictions: evictions.collect(),
            refused: refused.collect(),
        }
    }
}
