//! What of the ledger is for the extenders.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::instance::{Hypervisor, InstanceLimits};
use headroom_proto::v1::{FreeSlots, InstanceType, NodeCapacity, SubnetCapacity};

use crate::ledger::{Ledger, NodeAccount, SubnetAccount};

/// All that the feed tells. Values are shared with the states before and after that have the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeedState {
    /// Nodes by name.
    pub nodes: BTreeMap<String, Arc<NodeCapacity>>,
    /// Subnets by ID.
    pub subnets: BTreeMap<String, Arc<SubnetCapacity>>,
    /// Instance types by name.
    pub types: BTreeMap<String, Arc<InstanceType>>,
}

/// The feed's part of the ledger, and the limits of `types` that the clients' own table may not know.
///
/// An extender predicts how the pools of the nodes that it sees grow, and takes that off what is free. Taken off here is only what
/// it cannot see: instances that are no nodes yet, which fill their first pool before anyone can do anything about it. What is in flight for
/// nodes is left in, or it would be taken off twice.
#[must_use]
pub fn view(ledger: &Ledger, types: &BTreeMap<Arc<str>, InstanceLimits>) -> FeedState {
    let mut of_nodes: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for coming in ledger.nodes.values().flat_map(|node| &node.in_flight) {
        let (ips, prefixes) = of_nodes.entry(coming.subnet.as_str()).or_default();
        *ips = ips.saturating_add(coming.ips.get());
        *prefixes = prefixes.saturating_add(coming.prefixes.get());
    }
    let subnet = |id: &str, account: &SubnetAccount| {
        let (ips, prefixes) = of_nodes.get(id).copied().unwrap_or_default();
        let hidden = |all: u32, of_nodes: u32| all.saturating_sub(of_nodes);
        SubnetCapacity {
            id: id.to_owned(),
            free_ips: account.free_ips.get().saturating_sub(hidden(account.in_flight_ips.get(), ips)),
            free_prefixes: account
                .free_prefixes
                .get()
                .saturating_sub(hidden(account.in_flight_prefixes.get(), prefixes)),
        }
    };
    FeedState {
        nodes: ledger.nodes.iter().map(|(name, account)| (name.to_string(), Arc::new(node(name, account)))).collect(),
        subnets: ledger
            .subnets
            .iter()
            .map(|(id, account)| (id.to_string(), Arc::new(subnet(id.as_str(), account))))
            .collect(),
        types: types.iter().map(|(name, limits)| (name.to_string(), Arc::new(instance_type(name, limits)))).collect(),
    }
}

fn node(name: &str, account: &NodeAccount) -> NodeCapacity {
    let free_slots = account.free_slots.iter().filter(|(_, slots)| **slots > 0);
    NodeCapacity {
        name: name.to_owned(),
        enis: account.enis.get(),
        pod_enis: account.pod_enis.get(),
        unmanaged_enis: account.unmanaged.get(),
        excluded_enis: account.excluded.get(),
        trunk_attached: account.trunk,
        attached_ips: account.attached.get(),
        free_slots: free_slots.map(|(subnet, slots)| FreeSlots { subnet: subnet.to_string(), slots: *slots }).collect(),
        new_eni_subnets: account.new_eni_subnets.iter().map(ToString::to_string).collect(),
    }
}

fn instance_type(name: &str, limits: &InstanceLimits) -> InstanceType {
    InstanceType {
        name: name.to_owned(),
        enis: limits.enis.get(),
        ipv4_per_eni: limits.ipv4_per_eni,
        hypervisor: match limits.hypervisor {
            Hypervisor::Nitro => "nitro",
            Hypervisor::Xen => "xen",
            Hypervisor::Unknown => "",
        }
        .to_owned(),
        bare_metal: limits.bare_metal,
        network_cards: limits.network_cards,
    }
}
