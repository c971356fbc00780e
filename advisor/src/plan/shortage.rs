//! How many pods lack an address.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::verdict::{Demand, Reason};

use super::class::{self, Class};
use super::facts::Facts;
use super::node_cost::{self, NodeCosts};
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
    /// Of these, those that no group which is scaled could have a node for.
    pub nowhere: u32,
}

impl Shortage {
    /// Pods for which nodes have to be added and can be.
    #[must_use]
    pub const fn servable(&self) -> u32 {
        self.need.saturating_sub(self.nowhere)
    }
}

/// The sums, and the pods by where they may be.
pub(super) fn shortage<'a>(facts: &Facts<'a>, costs: &NodeCosts<'_>) -> (Shortage, Vec<Class<'a>>) {
    let mut shortage = Shortage { room: facts.headroom.cluster, ..Shortage::default() };
    let grace = Duration::from_secs(facts.policy.stuck_pods.grace_secs);
    let mut lacking = Vec::new();
    for pod in facts.cluster.pods.values().filter(|pod| !pod.over && pod.demand == Demand::PodIp) {
        if let Some((reason, since)) = pod.shortage.filter(|(reason, _)| pod.node.is_none() && lasts(*reason)) {
            *shortage.waiting.entry(reason).or_default() += 1;
            lacking.push((pod, facts.now.since(since) >= PASSED_OVER));
        } else if is_stuck(pod, grace, facts) {
            shortage.stuck += 1;
            lacking.push((pod, false));
        }
    }
    let coming = node_cost::coming(facts, costs);
    shortage.coming = coming.values().fold(0, |sum, pods| sum.saturating_add(*pods));
    let mut classes = class::classes(facts, lacking.into_iter());
    class::count_needs(facts, &mut classes, coming);
    shortage.need = classes.iter().map(|class| class.need).sum();
    let managed: BTreeSet<&Arc<str>> = facts.managed().map(|(name, _)| name).collect();
    for class in &mut classes {
        class.groups.retain(|name, _| managed.contains(name));
    }
    shortage.nowhere = classes.iter().filter(|class| class.groups.is_empty()).map(|class| class.need).sum();
    (shortage, classes)
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
