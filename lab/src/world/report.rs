//! The state of a lab in numbers.

use std::time::Duration;

use headroom_capacity::units::{Enis, Ips, Prefixes};

/// A lab at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lab time since the start.
    pub elapsed: Duration,
    /// Registered nodes, by name.
    pub nodes: Vec<NodeReport>,
    /// Subnets, in the scenario's order.
    pub subnets: Vec<SubnetReport>,
    /// Sums over all pods that need an address of their own.
    pub totals: Totals,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its instance type.
    pub instance_type: String,
    /// Whether its Ready condition is true.
    pub ready: bool,
    /// kubelet's max-pods.
    pub max_pods: u32,
    /// Pods bound here that have not ended, host-network ones included: what max-pods counts.
    pub pods_bound: u32,
    /// Those that have an address of their own.
    pub pods_with_ip: u32,
    /// Addresses for pods that are attached.
    pub ips_total: Ips,
    /// Held by pods.
    pub ips_assigned: Ips,
    /// Released, not yet usable.
    pub ips_cooling: Ips,
    /// ENIs attached.
    pub enis_attached: Enis,
    /// ENIs that the instance type allows.
    pub enis_max: Enis,
    /// Pods that asked for an address and did not get one yet, by namespace and name.
    pub waiting: Vec<WaitingPod>,
}

/// A pod that is bound and has no address, although kubelet has asked for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// CNI ADDs that failed.
    pub failed_adds: u32,
    /// kubelet's last message.
    pub last_message: String,
}

/// One subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetReport {
    /// Its name in the scenario.
    pub name: String,
    /// Its ID.
    pub id: String,
    /// Free addresses.
    pub free_ips: Ips,
    /// Free aligned /28 blocks.
    pub free_prefixes: Prefixes,
}

/// Sums over all pods that need an address of their own and have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bound to a node.
    pub bound: u32,
    /// Of the bound ones, those with an address.
    pub with_ip: u32,
    /// Of the bound ones, those without an address that at least one CNI ADD failed for.
    pub hanging: u32,
    /// Not bound to a node.
    pub unbound: u32,
    /// CNI ADDs that failed for want of an address, since the start, of ended pods too.
    pub failed_adds: u64,
}
