//! How many pods lack an address.

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_capacity::verdict::{Demand, Reason};

use super::facts::Facts;
use super::node_cost;
use crate::state::PodInfo;

/// A pod that waits for longer, kube-scheduler having tried it again, cannot use the room that nodes have.
const PASSED_OVER: Duration = Duration::from_secs(60);

/// What lacks addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortage {
    /// Pods that the extender keeps from every node, by its reason; those whose reason passes by itself within seconds are left out.
    pub waiting: BTreeMap<Reason, u32>,
    /// Pods that are bound to a node that has no address for them.
    pub stuck: u32,
    /// Pods for which the nodes have addresses.
    pub room: u64,
    /// Pods for which nodes that are coming will have.
    pub coming: u32,
    /// Pods for which nodes have to be added.
    pub need: u32,
}

pub(super) fn shortage(facts: &Facts<'_>) -> Shortage {
    let mut shortage = Shortage { room: facts.headroom.cluster, ..Shortage::default() };
    let grace = Duration::from_secs(facts.policy.stuck_pods.grace_secs);
    let mut passed_over = 0;
    for pod in facts.cluster.pods.values().filter(|pod| !pod.over && pod.demand == Demand::PodIp) {
        if let Some((reason, since)) = pod.shortage.filter(|(reason, _)| pod.node.is_none() && lasts(*reason)) {
            *shortage.waiting.entry(reason).or_default() += 1;
            passed_over += u32::from(facts.now.since(since) >= PASSED_OVER);
        }
        shortage.stuck += u32::from(is_stuck(pod, grace, facts));
    }
    shortage.coming = node_cost::pods_of_nodes_to_come(facts);
    let wanted = u64::from(shortage.waiting.values().sum::<u32>() + shortage.stuck);
    // What room there is has not been theirs: taints, selectors, CPU.
    let missing = wanted.saturating_sub(shortage.room).max(passed_over.into()).saturating_sub(shortage.coming.into());
    shortage.need = u32::try_from(missing).unwrap_or(u32::MAX);
    shortage
}

/// Whether a node more is the answer: not where released addresses cool, pools grow or claims end within seconds.
const fn lasts(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::InstanceIpLimit
            | Reason::MaxPods
            | Reason::SubnetExhausted
            | Reason::SubnetFragmented
            | Reason::PoolNotGrowing
            | Reason::ProvisioningDisabled
            | Reason::AssignFailed
            | Reason::Several
    )
}

/// Bound, without an address for longer than `grace`, and refused one by the CNI.
pub(super) fn is_stuck(pod: &PodInfo, grace: Duration, facts: &Facts<'_>) -> bool {
    let waited = pod.waiting_since.filter(|_| pod.refused_at.is_some() && pod.node.is_some());
    waited.is_some_and(|since| facts.now.since(since) >= grace)
}
