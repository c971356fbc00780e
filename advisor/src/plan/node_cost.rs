//! How many pods a node to come has addresses for.

use std::collections::HashSet;

use super::class::Coming;
use super::facts::Facts;
use super::gate;
use crate::in_flight;
use crate::inventory::{Group, InstanceId};

/// Pods that a node of the group has addresses for: of the types that its members have, the one with fewest. `None` where none is
/// known.
pub(super) fn pods_per_node(facts: &Facts<'_>, group: &Group) -> Option<u32> {
    group
        .subnets
        .iter()
        .flat_map(|subnet| in_flight::budgets(facts.known, group, subnet))
        .map(|budget| budget.ceiling.get().min(budget.max_pods))
        .min()
}

/// Pods that the nodes which are coming will have addresses for: what groups want and has not registered as a Ready node. Not those that
/// should have come by now, nor those of a group whose launches fail.
pub(super) fn coming<'a>(facts: &Facts<'a>) -> Coming<'a> {
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
        let pods = pods_per_node(facts, group).unwrap_or(0);
        let launched = group.members.iter().filter(|one| in_flight::counts(&one.lifecycle) && !is_there(&one.instance));
        for az in launched.filter_map(|one| gate::zone(facts, &one.instance)) {
            nodes = nodes.saturating_sub(1);
            *coming.entry((name, Some(az))).or_default() += pods;
        }
        *coming.entry((name, None)).or_default() += nodes.saturating_mul(pods);
    }
    coming
}
