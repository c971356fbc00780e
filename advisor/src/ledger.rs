//! Who holds each address of each subnet.
//!
//! ```text
//! Inventory ──┐                       ┌─> occupancy ──> SubnetAccount
//!             ├─> known ──> whose ────┤                     ^ in_flight
//! ClusterState┘                       └─> tally ──> node ──> NodeAccount
//! ```

mod build;
mod known;
mod node;
mod occupancy;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
mod whose;

pub use build::{Policy, build, owners};
pub(crate) use known::{Known, Member};

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::budget::{Budget, Ipv4Budget};
use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use crate::inventory::InstanceId;
use crate::leaks::LeakReason;

/// Who holds an address. Every address that is neither AWS's nor free has exactly one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The primary address of the primary ENI of one of the cluster's instances.
    NodePrimary,
    /// The primary address of a further ENI of such an instance, the trunk's among them: no pod can have it. Also what ipamd
    /// gives to no pod any more: leftovers of the other mode, and what is on ENIs in excluded subnets.
    EniPrimary,
    /// Attached for pods, or on an ENI that is on its way to its instance, and no pod has it.
    Warm,
    /// A pod has it.
    Pod,
    /// A pod had it, and ipamd does not hand it out again yet.
    Cooling,
    /// A branch ENI's.
    Branch,
    /// On an ENI that the CNI made, attached to nothing and too old to be on its way to an instance.
    Leaked,
    /// Anything else: load balancers, endpoints, other clusters, instances that are not the cluster's.
    Foreign,
}

impl Owner {
    /// All of them.
    pub const ALL: [Owner; 8] = [
        Owner::NodePrimary,
        Owner::EniPrimary,
        Owner::Warm,
        Owner::Pod,
        Owner::Cooling,
        Owner::Branch,
        Owner::Leaked,
        Owner::Foreign,
    ];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Owner::NodePrimary => "node_primary",
            Owner::EniPrimary => "eni_primary",
            Owner::Warm => "warm",
            Owner::Pod => "pod",
            Owner::Cooling => "cooling",
            Owner::Branch => "branch",
            Owner::Leaked => "leaked",
            Owner::Foreign => "foreign",
        }
    }
}

/// The books at one moment.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// When they were made.
    pub at: Time,
    /// Subnets by ID.
    pub subnets: BTreeMap<SubnetId, SubnetAccount>,
    /// The cluster's nodes by name.
    pub nodes: BTreeMap<Arc<str>, NodeAccount>,
    /// ENIs that leaked, the ones with most addresses first.
    pub leaks: Vec<Leak>,
    /// Pods that are bound, need an address and have none.
    pub pods_without_ip: u32,
    /// Of these, those for which the CNI had no address.
    pub pods_refused: u32,
}

/// One subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetAccount {
    /// Its block.
    pub cidr: Cidr,
    /// Its availability zone.
    pub az: Arc<str>,
    /// AWS's own: the first four and the last (Amazon VPC user guide, "Subnet CIDR blocks").
    pub reserved: Ips,
    /// Free addresses inside CIDR reservations of type `explicit`, and single ones inside `prefix` reservations: EC2 does not
    /// choose them by itself.
    pub cidr_reserved: Ips,
    /// Held addresses by owner, in the order of [`Owner::ALL`].
    pub held: [Ips; Owner::ALL.len()],
    /// Free addresses that EC2 may choose.
    pub free_ips: Ips,
    /// Free aligned /28 blocks that EC2 may choose.
    pub free_prefixes: Prefixes,
    /// What nodes and ENIs that are coming will still take, 16 for each prefix: of `free_ips` this much is spoken for.
    pub in_flight_ips: Ips,
    /// The /28 blocks among it.
    pub in_flight_prefixes: Prefixes,
    /// EC2's `AvailableIpAddressCount`.
    pub reported_free: Ips,
    /// Addresses that EC2 told of twice, or outside of what the subnet can give: what it shows is not of one moment. The first
    /// ENI that was told of has it.
    pub conflicts: Ips,
}

impl SubnetAccount {
    /// Addresses that `owner` holds.
    #[must_use]
    pub fn held_by(&self, owner: Owner) -> Ips {
        self.held[owner as usize]
    }

    /// Addresses that can be held at all.
    #[must_use]
    pub fn usable(&self) -> Ips {
        self.used() + self.free_ips
    }

    /// Addresses that someone holds.
    #[must_use]
    pub fn used(&self) -> Ips {
        Ips(self.held.iter().map(|ips| ips.get()).sum())
    }

    /// Share of the free addresses that no free /28 contains, 0 to 1: how much of the room prefix delegation cannot use. 0
    /// where nothing is free.
    #[must_use]
    pub fn fragmentation(&self) -> f64 {
        if self.free_ips.is_zero() {
            return 0.0;
        }
        let whole = f64::from(self.free_prefixes.get() * headroom_capacity::units::IPS_PER_PREFIX);
        (1.0 - whole / f64::from(self.free_ips.get())).max(0.0)
    }

    /// How many more addresses EC2 counts as free than the ledger: what is not seen is negative, what EC2 has not noticed yet
    /// positive. Addresses in CIDR reservations count as free for EC2.
    #[must_use]
    pub fn difference(&self) -> i64 {
        i64::from(self.reported_free.get()) - i64::from((self.free_ips + self.cidr_reserved).get())
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAccount {
    /// Its instance.
    pub instance: Option<InstanceId>,
    /// Its Auto Scaling group.
    pub group: Option<Arc<str>>,
    /// Its availability zone.
    pub az: Option<Arc<str>>,
    /// The subnet of its primary ENI.
    pub primary_subnet: Option<SubnetId>,
    /// Its hard limits.
    pub budget: Budget,
    /// ENIs attached, the trunk and those that ipamd leaves alone included.
    pub enis: Enis,
    /// Of these, those that take addresses for pods.
    pub pod_enis: Enis,
    /// ENIs that ipamd leaves alone.
    pub unmanaged: Enis,
    /// ENIs in a subnet tagged `kubernetes.io/role/cni=0`.
    pub excluded: Enis,
    /// A trunk ENI is attached.
    pub trunk: bool,
    /// Addresses attached for pods, 16 for each prefix: warm ones, those that pods have and those that cool.
    pub attached: Ips,
    /// Prefixes that pods can get addresses from.
    pub prefixes: Prefixes,
    /// Of the attached, those that pods have.
    pub assigned: Ips,
    /// Those that cool down.
    pub cooling: Ips,
    /// Pods that are bound here, need an address of the pool and have none.
    pub waiting: u32,
    /// Branch ENIs.
    pub branch: Enis,
    /// Free slots on attached ENIs that take pod addresses, by subnet.
    pub free_slots: BTreeMap<SubnetId, u32>,
    /// Subnets in which a new ENI could be made, in the order in which ipamd tries them at equal room; empty where none may be.
    pub new_eni_subnets: Vec<SubnetId>,
    /// Addresses that the node is expected to attach beyond these, and the subnet that will give them.
    pub in_flight: Vec<InFlight>,
}

impl NodeAccount {
    /// Pods that have an address of the pool or need one.
    #[must_use]
    pub fn pods(&self) -> u32 {
        self.assigned.get() + self.waiting
    }

    /// Its limits, where its pods take IPv4 addresses from ENIs that ipamd manages.
    #[must_use]
    pub fn ipv4(&self) -> Option<Ipv4Budget> {
        match self.budget {
            Budget::Ipv4(budget) => Some(budget),
            _ => None,
        }
    }

    /// Attached for pods and nobody's, cooling ones not counted.
    #[must_use]
    pub fn warm(&self) -> Ips {
        self.attached.saturating_sub(self.assigned).saturating_sub(self.cooling)
    }
}

/// What is on its way to a node out of one subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// The subnet.
    pub subnet: SubnetId,
    /// Single addresses, ENI primaries among them.
    pub ips: Ips,
    /// /28 blocks.
    pub prefixes: Prefixes,
}

/// An ENI that leaked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The ENI.
    pub eni: EniId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// The instance that it was made for.
    pub instance: Option<InstanceId>,
    /// Why it counts as leaked.
    pub reason: LeakReason,
    /// It carries this cluster's name. Without, it may be another cluster's, and is told but never deleted.
    pub of_cluster: bool,
    /// When it was made, by its tag.
    pub created_at: Option<Time>,
    /// Addresses that it holds, its primary one and 16 for each prefix included.
    pub ips: Ips,
}
