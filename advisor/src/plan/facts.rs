//! All that a plan is made from.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;

use super::inspect::Findings;
use super::journal::Journal;
use super::refusal::Because;
use crate::config::Scaling;
use crate::headroom::Headroom;
use crate::inventory::{Group, Inventory};
use crate::ledger::{Known, Ledger};
use crate::state::ClusterState;

/// What is known at one moment.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "it would print whole clusters")]
pub struct Facts<'a> {
    /// The time.
    pub now: Time,
    /// The configuration.
    pub policy: &'a Scaling,
    /// The books.
    pub ledger: &'a Ledger,
    /// What they were made from.
    pub inventory: &'a Inventory,
    /// What Kubernetes says.
    pub cluster: &'a ClusterState,
    /// Both, indexed.
    pub(crate) known: &'a Known<'a>,
    /// How many more pods get an address.
    pub headroom: &'a Headroom,
    /// How old the books may be.
    pub max_age: Duration,
    /// Pods to come.
    pub ahead: &'a Ahead,
    /// Whether AWS can be reached.
    pub reach: &'a Reach,
    /// Whether Cluster Autoscaler runs; `None` where nobody knows.
    pub autoscaler: Option<bool>,
    /// What was done lately.
    pub journal: &'a Journal,
    /// What closer looks at nodes found.
    pub findings: &'a Findings,
    /// Stuck pods that were found not to be made anew elsewhere.
    pub unmovable: &'a HashSet<PodUid>,
    /// What is being done, in words; `None` for nothing.
    pub busy: Option<&'a str>,
}

/// Pods to come in each group within [`ScaleOut::lead_secs`](crate::config::ScaleOut), by the P90 of the forecast, beyond those that
/// it has now. Groups of which too little is known yet are left out.
pub type Ahead = BTreeMap<Arc<str>, u32>;

/// Whether AWS can be reached well enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// To raise a desired capacity: the endpoint of Auto Scaling.
    pub scale_out: Result<(), Because>,
    /// To remove a node: those of Auto Scaling and EC2, several times in a row, and STS where credentials come from it.
    pub scale_in: Result<(), Because>,
    /// How long the credentials are good for; `None` where they do not end.
    pub credentials: Option<Duration>,
}

impl<'a> Facts<'a> {
    /// Groups that are the advisor's to scale.
    pub(super) fn managed(&self) -> impl Iterator<Item = (&'a Arc<str>, &'a Group)> + use<'a> {
        let tag = &self.policy.group_tag;
        self.inventory.groups.iter().filter(move |(_, group)| group.tags.contains_key(tag))
    }

    /// Whether Cluster Autoscaler scales the group, as far as can be known: by its tag, unless it is known not to run. EKS puts the tag
    /// on the groups of managed node groups by itself.
    pub(super) fn is_autoscalers(&self, group: &Group) -> bool {
        !self.policy.with_cluster_autoscaler
            && self.autoscaler != Some(false)
            && group.tags.contains_key("k8s.io/cluster-autoscaler/enabled")
    }

    /// Of the pods to come, those for which the group's nodes have no addresses.
    pub(super) fn expected_short(&self, group: &str) -> u32 {
        let room = self.headroom.by_group.get(group).copied().unwrap_or(0);
        let more = self.ahead.get(group).copied().unwrap_or(0);
        more.saturating_sub(u32::try_from(room).unwrap_or(u32::MAX))
    }

    pub(super) fn books_are_stale(&self) -> bool {
        let read = [self.inventory.read_at.enis, self.inventory.read_at.groups, self.inventory.read_at.subnets];
        let oldest = read.into_iter().min().flatten();
        self.cluster.failing_since.is_some() || oldest.is_none_or(|at| self.now.since(at) > self.max_age)
    }
}
