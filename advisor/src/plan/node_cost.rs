//! How many pods a node to come has addresses for.

use std::cell::OnceCell;
use std::collections::HashSet;

use headroom_capacity::budget::Ipv4Budget;

use super::class::Coming;
use super::facts::Facts;
use super::gate;
use crate::in_flight::{self, Daemons, OnEach};
use crate::inventory::{Group, InstanceId};
use crate::ledger::Known;

/// What nodes to come hold, and what DaemonSets take of it.
pub(super) struct NodeCosts<'a> {
    known: &'a Known<'a>,
    /// Made when it is asked for: it may take a walk over all pods.
    daemons: OnceCell<Daemons<'a>>,
}

impl<'a> NodeCosts<'a> {
    pub(super) const fn new(known: &'a Known<'a>) -> NodeCosts<'a> {
        NodeCosts { known, daemons: OnceCell::new() }
    }

    pub(super) fn daemons(&self, group: &Group) -> OnEach {
        self.daemons.get_or_init(|| Daemons::of(self.known)).on_each(group)
    }

    /// Pods that a node of the group has addresses for beside those of DaemonSets: of the types that its members have, the one with
    /// fewest. `None` where none is known.
    pub(super) fn pods_per_node(&self, group: &Group) -> Option<u32> {
        let budgets = group.subnets.iter().flat_map(|subnet| in_flight::budgets(self.known, group, subnet));
        let OnEach { with_ip, on_host } = self.daemons(group);
        let with_address = |budget: Ipv4Budget| budget.ceiling.get().min(budget.max_pods.saturating_sub(on_host));
        Some(budgets.map(with_address).min()?.saturating_sub(with_ip))
    }
}

/// Pods that the nodes which are coming will have addresses for: what groups want and has not registered as a Ready node. Not those that
/// should have come by now, nor those of a group whose launches fail.
pub(super) fn coming<'a>(facts: &Facts<'a>, costs: &NodeCosts<'_>) -> Coming<'a> {
    let ready: HashSet<&InstanceId> =
        facts.cluster.nodes.values().filter(|node| node.node.ready).filter_map(|node| node.instance.as_ref()).collect();
    let is_there = |id: &InstanceId| {
        let launched = facts.inventory.instances.get(id).map(|instance| instance.launched_at);
        ready.contains(id) || launched.is_some_and(|at| facts.now.since(at) >= facts.known.policy().in_flight_deadline)
    };
    let deadline = facts.known.policy().in_flight_deadline;
    let awaited = |name: &str| facts.journal.awaits_nodes(name, deadline, facts.now);
    let mut coming = Coming::new();
    for (name, group) in facts.inventory.groups.iter().filter(|(name, _)| awaited(name)) {
        let mut nodes = in_flight::to_come(group, is_there);
        // Most groups wait for none, and need not be looked at further.
        if nodes == 0 {
            continue;
        }
        let pods = costs.pods_per_node(group).unwrap_or(0);
        let launched = group.members.iter().filter(|one| in_flight::counts(&one.lifecycle) && !is_there(&one.instance));
        for az in launched.filter_map(|one| gate::zone(facts, &one.instance)) {
            nodes = nodes.saturating_sub(1);
            *coming.entry((name, Some(az))).or_default() += pods;
        }
        *coming.entry((name, None)).or_default() += nodes.saturating_mul(pods);
    }
    coming
}
