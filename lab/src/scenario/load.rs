//! What happens in a scenario: pods and faults.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Quantity, Span};

/// Pods of one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    /// Name of the owner (a ReplicaSet, or a Job where `runFor` is given) and stem of the pods' names.
    pub name: String,
    /// `default`, and `kube-system` for system pods.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How many pods.
    #[serde(default = "one")]
    pub replicas: u32,
    /// When the first one is created.
    #[serde(default)]
    pub at: Span,
    /// The time over which the others follow, evenly.
    #[serde(default)]
    pub over: Span,
    /// CPU request of each.
    #[serde(default)]
    pub cpu: Option<Quantity>,
    /// Memory request of each.
    #[serde(default)]
    pub memory: Option<Quantity>,
    /// Whether they use the node's address.
    #[serde(default)]
    pub host_network: bool,
    /// Whether each asks for a branch ENI (`vpc.amazonaws.com/pod-eni`).
    #[serde(default)]
    pub pod_eni: bool,
    /// Labels beside `app`.
    #[serde(default)]
    pub pod_labels: BTreeMap<String, String>,
    /// `spec.nodeSelector`.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// `spec.schedulerName`.
    #[serde(default = "default_scheduler")]
    pub scheduler_name: String,
    /// How long each runs before it has succeeded; left out, for ever.
    #[serde(default)]
    pub run_for: Option<Span>,
    /// When all of them are deleted.
    #[serde(default)]
    pub delete_at: Option<Span>,
    /// Whether a pod that somebody else deleted, or that failed, is replaced by a new one.
    #[serde(default)]
    pub replace: bool,
}

/// Something that goes wrong, or that a person does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// EC2 terminates an instance.
    TerminateInstance {
        /// When.
        at: Span,
        /// Its node group.
        node_group: String,
        /// Which one, counted from 0 in the order of launch.
        #[serde(default)]
        index: u32,
    },
    /// Somebody cordons a node.
    Cordon {
        /// When.
        at: Span,
        /// Its node group.
        node_group: String,
        /// Which one, counted from 0 in the order of launch.
        #[serde(default)]
        index: u32,
    },
    /// Somebody uncordons a node.
    Uncordon {
        /// When.
        at: Span,
        /// Its node group.
        node_group: String,
        /// Which one, counted from 0 in the order of launch.
        #[serde(default)]
        index: u32,
    },
    /// Others take addresses of a subnet.
    TakeAddresses {
        /// When.
        at: Span,
        /// The subnet.
        subnet: String,
        /// How many; fewer when fewer are free.
        count: u32,
    },
    /// An AWS API misbehaves, towards ipamd too.
    Aws {
        /// From when.
        at: Span,
        /// For how long.
        lasts: Span,
        /// `DescribeSubnets` for example; left out, every operation.
        #[serde(default)]
        operation: Option<String>,
        /// How.
        how: AwsTrouble,
        /// Every how many calls: 1 for each of them.
        #[serde(default = "one")]
        every: u32,
    },
    /// The API server ends every open watch.
    BreakWatches {
        /// When.
        at: Span,
    },
    /// The API server forgets its history: whoever is behind gets `410 Gone` and must list again.
    Compact {
        /// When.
        at: Span,
    },
    /// Watches show changes later than they happen.
    DelayWatches {
        /// From when.
        at: Span,
        /// For how long.
        lasts: Span,
        /// How much later.
        by: Span,
    },
}

/// How an AWS API misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AwsTrouble {
    /// As if the account's token bucket were empty.
    Throttle,
    /// Status 503.
    Unavailable,
    /// There is never an answer.
    Drop,
    /// The caller's credentials have expired.
    ExpiredToken,
    /// `ScalingActivityInProgress`.
    Busy,
    /// AWS's clock is 20 minutes ahead of the caller's, and signatures are good for 5.
    ClockSkew,
    /// EC2 gives 5 rows a page, whatever it is asked for.
    ShortPages,
}

impl Fault {
    /// When it happens, counted from the start.
    #[must_use]
    pub const fn at(&self) -> Span {
        match self {
            Fault::TerminateInstance { at, .. }
            | Fault::Cordon { at, .. }
            | Fault::Uncordon { at, .. }
            | Fault::TakeAddresses { at, .. }
            | Fault::Aws { at, .. }
            | Fault::BreakWatches { at }
            | Fault::Compact { at }
            | Fault::DelayWatches { at, .. } => *at,
        }
    }
}

fn default_scheduler() -> String {
    "default-scheduler".to_owned()
}

const fn one() -> u32 {
    1
}
