//! The books, as a bundle holds them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use headroom_capacity::budget::Budget;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::{self, InstanceLimits, LimitSource};
use headroom_capacity::verdict::Demand;
use headroom_doctor::bundle::{Group, Leak, Limits, Node, Pool, Section, Subnet};

use crate::inventory::Inventory;
use crate::ledger::{Ledger, NodeAccount, Owner};
use crate::state::{ClusterState, NodeInfo};

/// Most leaked ENIs of a subnet that are named.
const MOST_LEAKS: usize = 50;

/// Nodes on which pods wait for an address.
pub(super) fn waited_on(state: &ClusterState) -> BTreeSet<Arc<str>> {
    let waiting = state.pods.values().filter(|pod| !pod.over && pod.ip.is_none() && pod.waiting_since.is_some());
    waiting.filter(|pod| pod.demand != Demand::None).filter_map(|pod| pod.node.clone()).collect()
}

/// Nodes by name, without what AWS and the nodes themselves say.
pub(super) fn nodes(state: &ClusterState) -> Vec<Node> {
    let mut counts: HashMap<&str, [u32; 3]> = HashMap::new();
    for pod in state.pods.values().filter(|pod| !pod.over) {
        let Some(node) = &pod.node else { continue };
        let [all, host, with_ip] = counts.entry(node).or_default();
        *all += 1;
        *host += u32::from(pod.demand == Demand::None);
        *with_ip += u32::from(pod.demand == Demand::PodIp && pod.ip.is_some());
    }
    let mut nodes: Vec<Node> = state
        .nodes
        .values()
        .map(|info| {
            let [pods, host_pods, with_ip] = counts.get(&*info.node.name).copied().unwrap_or_default();
            Node { pods, host_pods, with_ip, ..node(info) }
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes
}

fn node(info: &NodeInfo) -> Node {
    let node = &info.node;
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    Node {
        name: node.name.to_string(),
        instance: info.instance.as_ref().map(ToString::to_string),
        instance_type: text(&node.instance_type),
        zone: text(&node.zone),
        kind: node.kind.into(),
        ready: node.ready,
        cordoned: node.unschedulable,
        max_pods: node.max_pods,
        // The system's share is less than one.
        vcpus: u32::try_from(node.allocatable.cpu_millis.unwrap_or(0).div_ceil(1000)).unwrap_or(0),
        pod_enis: node.pod_enis,
        ..Node::default()
    }
}

/// What a node has attached.
pub(super) fn pool(account: &NodeAccount, instance_type: Option<&str>, inventory: &Inventory) -> Pool {
    let ids = |ids: &[SubnetId]| ids.iter().map(ToString::to_string).collect();
    Pool {
        limits: limits(account, instance_type, inventory),
        group: account.group.as_deref().map(str::to_owned),
        primary_subnet: account.primary_subnet.as_ref().map(ToString::to_string),
        enis: account.enis.get(),
        pod_enis: account.pod_enis.get(),
        unmanaged: account.unmanaged.get(),
        excluded: account.excluded.get(),
        trunk: account.trunk,
        attached: account.attached.get(),
        prefixes: account.prefixes.get(),
        assigned: account.assigned.get(),
        cooling: account.cooling.get(),
        waiting: account.waiting,
        branch: account.branch.get(),
        free_slots: account.free_slots.iter().map(|(id, slots)| (id.to_string(), *slots)).collect(),
        new_eni_subnets: ids(&account.new_eni_subnets),
    }
}

/// Of the type where a table or EC2 knows it, else what the account was made with: as seen on the node.
fn limits(account: &NodeAccount, instance_type: Option<&str>, inventory: &Inventory) -> Option<Limits> {
    let known = |name: &str| instance::lookup(name).or_else(|| inventory.types.get(name)).map(Limits::from);
    let seen = match account.budget {
        Budget::Ipv4(budget) if budget.source == LimitSource::Observed => {
            InstanceLimits::observed(budget.max_enis, budget.slots_per_eni, budget.prefixes_supported)
        }
        _ => None,
    };
    instance_type.and_then(known).or(seen.as_ref().map(Limits::from))
}

/// Subnets by ID.
pub(super) fn subnets(ledger: &Ledger, inventory: &Inventory) -> Vec<Subnet> {
    let subnets = ledger.subnets.iter().map(|(id, account)| {
        let held = Owner::ALL.into_iter().map(|owner| (owner.label().to_owned(), account.held_by(owner).get()));
        let leaks = ledger.leaks.iter().filter(|leak| leak.subnet == *id).take(MOST_LEAKS);
        Subnet {
            id: id.to_string(),
            name: inventory.subnets.get(id).and_then(|subnet| subnet.tags.get("Name")).cloned(),
            zone: account.az.to_string(),
            cidr: account.cidr.to_string(),
            usable: account.usable().get(),
            held: held.filter(|(_, count)| *count > 0).collect(),
            free: account.free_ips.get(),
            free_prefixes: account.free_prefixes.get(),
            in_flight: account.in_flight_ips.get(),
            reported_free: account.reported_free.get(),
            leaks: leaks.map(|leak| Leak { eni: leak.eni.to_string(), ips: leak.ips.get() }).collect(),
        }
    });
    subnets.collect()
}

/// Auto Scaling groups by name.
pub(super) fn groups(inventory: &Inventory) -> Vec<Group> {
    let groups = inventory.groups.values().map(|group| Group {
        name: group.name.to_string(),
        subnets: group.subnets.iter().map(ToString::to_string).collect(),
        size: (group.min, group.desired, group.max),
    });
    groups.collect()
}

/// Puts each node's pool in its place; of one that the books do not know, why.
pub(super) fn fill(nodes: &mut [Node], ledger: &Ledger, inventory: &Inventory) {
    for node in nodes {
        node.pool = match ledger.nodes.get(node.name.as_str()) {
            Some(account) if account.primary_subnet.is_some() => {
                Section::Read(pool(account, node.instance_type.as_deref(), inventory))
            }
            _ => {
                let id = node.instance.as_deref().unwrap_or("without an ID");
                Section::NotRead(format!("EC2 shows no instance {id} in the cluster's VPC"))
            }
        };
    }
}
