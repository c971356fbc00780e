//! What other settings of the VPC CNI, or other subnets, would come to: the same nodes and pods, counted twice.
//!
//! Pure: a [`Fleet`] comes from a running advisor or from a file.

mod fleet;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use headroom_capacity::budget::{Budget, Ipv4Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::instance;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::{Steady, steady};
use headroom_capacity::units::{Enis, Ips, Prefixes};
use thiserror::Error;

pub use fleet::{Fleet, Nodes, Subnet, VARIABLES, fleet};

/// Why a fleet cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WhatIfError {
    /// A node's type is in no table.
    #[error(
        "nodes: instance_type '{0}' is not in the CNI's table; see its release notes, or name a type of the same size"
    )]
    UnknownType(String),
    /// A node's subnet is not among the subnets.
    #[error("nodes: subnet '{0}' is not among subnets")]
    UnknownSubnet(String),
    /// A setting has a value that ipamd does not take.
    #[error("cni: {0}")]
    Setting(String),
    /// Pods have IPv6 addresses, of which there are enough.
    #[error("cni: ENABLE_IPv6 is true: pods do not take IPv4 addresses")]
    Ipv6,
}

/// What a subnet comes to under one set of settings, every node's pool at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Addresses that can be held at all.
    pub usable: Ips,
    /// Addresses that are held: nodes', their pools', and others'.
    pub held: Ips,
    /// Of these, those that are attached for pods and that no pod has.
    pub warm: Ips,
    /// /28 blocks among them.
    pub prefixes: Prefixes,
    /// Pods that the nodes can ever give an address and kubelet admits, as far as the subnet has room.
    pub pods: u32,
    /// More nodes, like those that are there and with as many pods each, that the subnet can feed.
    pub more_nodes: u32,
}

/// Counts each subnet. The nodes are taken to be new under these settings: what a pool grew by before is gone.
///
/// # Errors
/// When a type, a subnet or a setting is not known.
pub fn count(fleet: &Fleet) -> Result<BTreeMap<String, Count>, WhatIfError> {
    let settings = settings(fleet)?;
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for subnet in &fleet.subnets {
        let others = Ips(subnet.other_ips.min(subnet.usable_ips));
        let count = Count { usable: Ips(subnet.usable_ips), held: others, ..Count::default() };
        counts.insert(subnet.id.clone(), count);
    }
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for nodes in &fleet.nodes {
        let budget = budget_of(nodes, &settings)?;
        let rest = steady(&settings, &budget, nodes.pods_each);
        let own = nodes.subnet.as_str();
        let of_pods = nodes.pod_subnet.as_deref().filter(|_| settings.custom_networking).unwrap_or(own);
        let count = find(&mut counts, of_pods)?;
        count.held += Ips(rest.subnet_ips.get().saturating_mul(nodes.count));
        count.warm += Ips(rest.ips_attached.get().saturating_sub(nodes.pods_each).saturating_mul(nodes.count));
        count.prefixes += Prefixes(rest.prefixes.get().saturating_mul(nodes.count));
        tallies.entry(of_pods).or_default().add(nodes, &budget, &rest);
        if !rest.node_subnet_ips.is_zero() {
            find(&mut counts, own)?.held += Ips(rest.node_subnet_ips.get().saturating_mul(nodes.count));
            tallies.entry(own).or_default().typical(nodes.count, rest.node_subnet_ips);
        }
    }
    for (id, count) in &mut counts {
        if let Some(tally) = tallies.get(id.as_str()) {
            tally.finish(count);
        }
    }
    Ok(counts)
}

/// What the nodes of a subnet come to together.
#[derive(Default)]
struct Tally {
    pods: u64,
    more_pods: u64,
    /// Addresses that ENIs have for themselves.
    primaries: u64,
    slots_per_eni: u64,
    /// Of the most frequent kind of node: how many there are, and what each holds.
    typical: (u32, Ips),
}

impl Tally {
    fn add(&mut self, nodes: &Nodes, budget: &Ipv4Budget, rest: &Steady) {
        let nodes_count = u64::from(nodes.count);
        let most = budget.ceiling.get().min(nodes.max_pods);
        self.pods += u64::from(nodes.pods_each) * nodes_count;
        self.more_pods += u64::from(most.saturating_sub(nodes.pods_each)) * nodes_count;
        self.primaries += u64::from(rest.enis.get()) * nodes_count;
        if nodes.count >= self.typical.0 {
            self.slots_per_eni = u64::from(budget.slots_per_eni * budget.mode.ips_per_slot());
        }
        self.typical(nodes.count, rest.subnet_ips);
    }

    fn typical(&mut self, nodes: u32, each: Ips) {
        self.typical = self.typical.max((nodes, each));
    }

    fn finish(&self, count: &mut Count) {
        let free = u64::from(count.usable.saturating_sub(count.held).get());
        // Each further ENI takes an address of its own.
        let for_pods = (free * self.slots_per_eni).checked_div(self.slots_per_eni + 1).unwrap_or_default();
        let more = self.more_pods.min(for_pods + u64::from(count.warm.get()));
        let others =
            u64::from(count.held.get()).saturating_sub(self.pods + u64::from(count.warm.get()) + self.primaries);
        let room = u64::from(count.usable.get()).saturating_sub(others + self.primaries);
        count.pods = u32::try_from((self.pods + more).min(room)).unwrap_or(u32::MAX);
        let each = u64::from(self.typical.1.get());
        count.more_nodes = u32::try_from(free.checked_div(each).unwrap_or_default()).unwrap_or(u32::MAX);
    }
}

/// ipamd's reading of the fleet's environment.
///
/// # Errors
/// When ipamd would not take a value at its word.
pub fn settings(fleet: &Fleet) -> Result<CniSettings, WhatIfError> {
    let (settings, problems) =
        CniSettings::from_env(fleet.cni.iter().map(|(variable, value)| (variable.as_str(), value.as_str())));
    if let Some(problem) = problems.first() {
        let text = format!("{} '{}': {}", problem.variable, problem.value, problem.effect);
        return Err(WhatIfError::Setting(text));
    }
    if settings.ipv6 { Err(WhatIfError::Ipv6) } else { Ok(settings) }
}

fn find<'a>(counts: &'a mut BTreeMap<String, Count>, id: &str) -> Result<&'a mut Count, WhatIfError> {
    counts.get_mut(id).ok_or_else(|| WhatIfError::UnknownSubnet(id.to_owned()))
}

fn budget_of(nodes: &Nodes, settings: &CniSettings) -> Result<Ipv4Budget, WhatIfError> {
    let unknown = || WhatIfError::UnknownType(nodes.instance_type.clone());
    let facts = NodeFacts {
        kind: NodeKind::Linux,
        limits: Some(instance::lookup(&nodes.instance_type).ok_or_else(unknown)?),
        settings,
        max_pods: nodes.max_pods,
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        // One that is to come is counted by itself, on types that can have it.
        trunk_attached: false,
        windows_prefix_delegation: false,
    };
    match budget(&facts) {
        Budget::Ipv4(budget) => Ok(budget),
        _ => Err(unknown()),
    }
}
