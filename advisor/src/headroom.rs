//! How many more pods can still get an address, over several nodes that share subnets.

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headroom_capacity::budget::{Budget, Mode};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::{Demand, NodeState, Room, Verdict, verdict};

use crate::in_flight::Units;
use crate::ledger::{Ledger, NodeAccount};
use crate::state::ClusterState;

/// Room of the cluster, and of each zone and each group as if it alone grew: where two of them share a subnet, their figures
/// count its free addresses both, the cluster's counts them once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Pods that the cluster's nodes can still give an address.
    pub cluster: u64,
    /// Of the cluster's figure, what each node that takes pods contributes.
    pub nodes: Vec<u32>,
    /// By availability zone.
    pub by_az: BTreeMap<Arc<str>, u64>,
    /// By Auto Scaling group.
    pub by_group: BTreeMap<Arc<str>, u64>,
}

/// Pods that need a pod IP and can still get one: of each node what its verdict grants, now and later, in what the nodes before
/// it have left in the subnets.
///
/// A node counts while kube-scheduler would place a pod there, that is Ready and not cordoned, and while pods there take their
/// addresses from an ENI. Addresses that are on their way to instances that are no nodes yet are not free. Nodes with the fewest
/// subnets to choose from come first; another order could find a few more.
#[must_use]
pub fn headroom(ledger: &Ledger, state: &ClusterState, now: Time) -> Headroom {
    let mut nodes: Vec<(&Arc<str>, &NodeAccount)> = ledger.nodes.iter().filter(|(name, _)| open(state, name)).collect();
    nodes.sort_by_key(|(name, node)| (choices(node), Arc::clone(name)));
    let free = Free::of(ledger);
    let grants = |members: &[&NodeAccount]| -> Vec<u32> {
        let mut free = free.clone();
        members.iter().map(|node| free.take(node, &state.settings, now)).collect()
    };
    let sum = |members: &[&NodeAccount]| grants(members).into_iter().map(u64::from).sum::<u64>();
    let all: Vec<&NodeAccount> = nodes.iter().map(|(_, node)| *node).collect();
    let by_node = grants(&all);
    Headroom {
        cluster: by_node.iter().copied().map(u64::from).sum(),
        nodes: by_node,
        by_az: by(&all, |node| node.az.clone()).into_iter().map(|(az, nodes)| (az, sum(&nodes))).collect(),
        by_group: by(&all, |node| node.group.clone()).into_iter().map(|(group, nodes)| (group, sum(&nodes))).collect(),
    }
}

/// What each node grants, by name, without one of them: the others' share of [`Headroom::cluster`] once it is gone, what it holds
/// itself not yet given back.
#[must_use]
pub fn grants_without(ledger: &Ledger, state: &ClusterState, without: &str, now: Time) -> BTreeMap<Arc<str>, u32> {
    let others = ledger.nodes.iter().filter(|(name, _)| ***name != *without && open(state, name));
    let mut nodes: Vec<(&Arc<str>, &NodeAccount)> = others.collect();
    nodes.sort_by_key(|(name, node)| (choices(node), Arc::clone(name)));
    let mut free = Free::of(ledger);
    nodes.into_iter().map(|(name, node)| (Arc::clone(name), free.take(node, &state.settings, now))).collect()
}

fn by<'a>(
    nodes: &[&'a NodeAccount],
    key: impl Fn(&NodeAccount) -> Option<Arc<str>>,
) -> BTreeMap<Arc<str>, Vec<&'a NodeAccount>> {
    let mut sets: BTreeMap<Arc<str>, Vec<&NodeAccount>> = BTreeMap::new();
    for node in nodes {
        if let Some(key) = key(node) {
            sets.entry(key).or_default().push(node);
        }
    }
    sets
}

fn open(state: &ClusterState, name: &str) -> bool {
    state.nodes.get(name).is_some_and(|info| info.node.ready && !info.node.unschedulable)
}

fn choices(node: &NodeAccount) -> usize {
    node.free_slots.keys().chain(&node.new_eni_subnets).collect::<BTreeSet<_>>().len()
}

/// What the subnets still hold.
#[derive(Clone, Debug)]
struct Free<'a>(BTreeMap<&'a SubnetId, Units>);

impl<'a> Free<'a> {
    /// What is on its way to nodes is theirs to take; to instances that are none yet it is gone.
    fn of(ledger: &'a Ledger) -> Free<'a> {
        let mut of_nodes: BTreeMap<&SubnetId, Units> = BTreeMap::new();
        for part in ledger.nodes.values().flat_map(|node| &node.in_flight) {
            let sum = of_nodes.entry(&part.subnet).or_default();
            *sum = sum.plus(Units::from(part));
        }
        let left = ledger.subnets.iter().map(|(id, subnet)| {
            let others = Units::in_flight(subnet).beyond(of_nodes.get(id).copied().unwrap_or_default());
            (id, Units::free(subnet).less(others))
        });
        Free(left.collect())
    }

    fn get(&self, subnet: &SubnetId) -> Units {
        self.0.get(subnet).copied().unwrap_or_default()
    }

    /// Pods that the node takes from here on; what its pool grows by for them is gone from the subnets.
    fn take(&mut self, node: &NodeAccount, settings: &CniSettings, now: Time) -> u32 {
        if matches!(node.budget, Budget::NotManaged(_)) {
            return 0;
        }
        let state = self.node_state(node);
        let ask = |state: &NodeState| verdict(state, settings, Demand::PodIp, now);
        let (at_once, growth) = match ask(&state) {
            Verdict::Now(ips) => (ips, ask(&NodeState { claims: ips, ..state }).grants()),
            later => (Ips::ZERO, later.grants()),
        };
        if let Budget::Ipv4(budget) = node.budget {
            self.spend(node, budget.mode, budget.slots_per_eni, growth);
        }
        (at_once + growth).get()
    }

    fn node_state(&self, node: &NodeAccount) -> NodeState {
        let mode = match node.budget {
            Budget::Ipv4(budget) => budget.mode,
            _ => Mode::SecondaryIp,
        };
        let free = |subnet| {
            let Units { ips, prefixes } = self.get(subnet);
            (Ips(ips), Prefixes(prefixes))
        };
        let on_attached = node.free_slots.iter().map(|(subnet, slots)| {
            let (ips, prefixes) = free(subnet);
            (*slots, ips, prefixes)
        });
        NodeState {
            budget: node.budget,
            total: node.attached,
            assigned: node.assigned,
            cooling: node.cooling,
            waiting: Ips(node.waiting),
            claims: Ips::ZERO,
            pod_enis: node.pod_enis,
            free_slots: node.free_slots.values().sum(),
            room: Room::known(on_attached, self.best(node, mode).map(free).unwrap_or_default()),
            cordoned: false,
            back_off_until: None,
            branch_used: node.branch,
            branch_claims: Enis::ZERO,
            windows_used: node.assigned + node.cooling,
        }
    }

    /// The subnet in which a new ENI finds most.
    fn best<'n>(&self, node: &'n NodeAccount, mode: Mode) -> Option<&'n SubnetId> {
        node.new_eni_subnets.iter().min_by_key(|subnet| {
            let Units { ips, prefixes } = self.get(subnet);
            Reverse(if mode == Mode::Prefix { (prefixes, ips) } else { (ips, 0) })
        })
    }

    /// Takes the addresses of `growth` more pods: free slots of attached ENIs first, then new ENIs with their own addresses.
    fn spend(&mut self, node: &NodeAccount, mode: Mode, slots_per_eni: u32, growth: Ips) {
        let mut slots = growth.get().div_ceil(mode.ips_per_slot());
        for (subnet, free) in &node.free_slots {
            let left = self.get(subnet);
            let units = if mode == Mode::Prefix { left.prefixes } else { left.ips };
            let taken = slots.min(*free).min(units);
            self.subtract(subnet, mode, taken, 0);
            slots -= taken;
        }
        let best = self.best(node, mode).filter(|_| slots > 0);
        if let Some(subnet) = best {
            self.subtract(subnet, mode, slots, slots.div_ceil(slots_per_eni.max(1)));
        }
    }

    fn subtract(&mut self, subnet: &SubnetId, mode: Mode, units: u32, primaries: u32) {
        if let Some(left) = self.0.get_mut(subnet) {
            let ips = units.saturating_mul(mode.ips_per_slot()).saturating_add(primaries);
            *left = left.less(Units { ips, prefixes: if mode == Mode::Prefix { units } else { 0 } });
        }
    }
}
