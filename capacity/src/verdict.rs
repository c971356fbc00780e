//! Can this node give an IP to one more pod: now, within seconds, or not?

mod account;
mod explain;
mod pod_ip;
mod reason;

pub use explain::explain;
pub use reason::Reason;

use std::fmt;

use crate::budget::Budget;
use crate::settings::CniSettings;
use crate::time::Time;
use crate::units::{Enis, Ips, Prefixes};
use account::Account;

/// The answer for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// So many more pods get an address at once.
    Now(Ips),
    /// None at once; ipamd will attach more within seconds, and so many more pods can come.
    Soon(Ips),
    /// No address until something changes.
    Never(Reason),
    /// It cannot be told; the caller's policy decides.
    Unknown(Reason),
}

impl Verdict {
    /// How many more pods may come; none where it is `Never` or `Unknown`.
    #[must_use]
    pub const fn grants(self) -> Ips {
        match self {
            Verdict::Now(ips) | Verdict::Soon(ips) => ips,
            Verdict::Never(_) | Verdict::Unknown(_) => Ips::ZERO,
        }
    }

    /// Why nothing is granted.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Verdict::Now(_) | Verdict::Soon(_) => None,
            Verdict::Never(reason) | Verdict::Unknown(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Now(Ips(u32::MAX)) => f.write_str("now, without limit"),
            Verdict::Now(ips) => write!(f, "now, {ips} more"),
            Verdict::Soon(ips) => write!(f, "soon, {ips} more"),
            Verdict::Never(reason) => write!(f, "never: {reason}"),
            Verdict::Unknown(reason) => write!(f, "unknown: {reason}"),
        }
    }
}

/// Where a node's pool can still grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Nobody has looked at the subnets (no capacity feed).
    Unknown,
    /// What the subnets that this node can use still hold.
    Known {
        /// Free addresses in the subnets of ENIs that have a free slot: of each subnet no more than those slots can hold, since
        /// an ENI takes addresses from its own subnet only.
        on_attached_ips: Ips,
        /// Free aligned /28s there, of each subnet no more than those slots.
        on_attached_prefixes: Prefixes,
        /// Free addresses in the best subnet that a new ENI could be made in: the one with most, in prefix mode the one with
        /// most free /28s. Where ipamd tries another one first, it comes to this one in the same step (CNI `createENI`).
        for_new_eni_ips: Ips,
        /// Free aligned /28s in that subnet.
        for_new_eni_prefixes: Prefixes,
    },
}

impl Room {
    /// Room of which everything is known: in the subnet of each attached ENI with free slots how many those are and what is free there, and
    /// what the best subnet for a new ENI has free.
    pub fn known(on_attached: impl IntoIterator<Item = (u32, Ips, Prefixes)>, for_new_eni: (Ips, Prefixes)) -> Room {
        let (mut ips, mut prefixes) = (Ips::ZERO, Prefixes::ZERO);
        for (slots, free_ips, free_prefixes) in on_attached {
            ips += free_ips.min(Ips(slots));
            prefixes += free_prefixes.min(Prefixes(slots));
        }
        Room::Known {
            on_attached_ips: ips,
            on_attached_prefixes: prefixes,
            for_new_eni_ips: for_new_eni.0,
            for_new_eni_prefixes: for_new_eni.1,
        }
    }
}

/// One node's pool and the demand on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Its hard limits.
    pub budget: Budget,
    /// Attached addresses usable for pods, whatever their state.
    pub total: Ips,
    /// Held by pods.
    pub assigned: Ips,
    /// Released and not yet usable again.
    pub cooling: Ips,
    /// Pods bound here that still wait for theirs, those with a branch ENI not among them.
    pub waiting: Ips,
    /// Claims of pods on their way here, those for a branch ENI not among them.
    pub claims: Ips,
    /// ENIs attached that take pod addresses.
    pub pod_enis: Enis,
    /// Free slots on attached ENIs that take pod addresses, in units of the mode.
    pub free_slots: u32,
    /// Room in the subnets.
    pub room: Room,
    /// Cordoned (`spec.unschedulable`).
    pub cordoned: bool,
    /// Until when ipamd makes no call, where it is known.
    pub back_off_until: Option<Time>,
    /// Branch ENIs of pods bound here, and those that cool: the resource controller frees a slot only when it has deleted the
    /// ENI, a cool-down after the pod's end (VPC resource controller `pkg/provider/branch/trunk`, `canCreateMore`).
    pub branch_used: Enis,
    /// Claims on branch ENIs by pods on their way here.
    pub branch_claims: Enis,
    /// Windows pod addresses used, those that cool included.
    pub windows_used: Ips,
}

/// What kind of address the pod needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// Host network: none.
    None,
    /// A secondary IP or one out of a prefix.
    PodIp,
    /// A branch ENI (`vpc.amazonaws.com/pod-eni`).
    BranchEni,
    /// `vpc.amazonaws.com/PrivateIPv4Address`.
    WindowsIp,
}

/// The verdict on `node` for one more pod. Monotone: more free addresses, more room, fewer claims or fewer waiting pods never
/// make it worse.
///
/// `Now(n)` and `Soon(n)` never promise more than the node's ceiling and max-pods leave. `Soon(n)` is what the pool reaches
/// step by step, each a few seconds apart. Without a view of the subnets ([`Room::Unknown`]) the pool is taken to grow up to
/// the ceiling. Host-network pods, and nodes that the VPC CNI does not manage, pass without limit.
///
/// Where several reasons hold for a pod IP, the first of this table is given: what the node already has and cannot hand out
/// yet, then what stops its pool from growing, what lasts longest first.
///
/// | reason | when |
/// |---|---|
/// | `Claimed` | without the claims on this node the answer would be now or soon |
/// | `CoolingDown` | once the cooling addresses are usable there is one left |
/// | `InstanceIpLimit`, `MaxPods` | the lower of the two limits first, the ceiling where they are equal |
/// | `ProvisioningDisabled` | ipamd never allocates |
/// | `PoolNotGrowing` | with every assignable address taken the pool would still not be low (CNI `isDatastorePoolTooLow`) |
/// | `SubnetFragmented`, `SubnetExhausted` | [`Room`] has nothing of the shape that ipamd would ask for |
/// | `Cordoned` | unless `AWS_MANAGE_ENIS_NON_SCHEDULABLE` |
/// | `IpamdBackOff` | until `back_off_until`, that instant included |
///
/// `InstanceIpLimit` turns into `Unknown(UnknownInstanceType)` where the limits are only observed: they are a lower bound.
/// `BranchEniLimit` and `WindowsIpLimit` are the only reasons of their demands, beside unknown limits; IPv6 nodes know
/// `MaxPods` only. `AssignFailed`, `UnknownNode`, `StaleState`, `UnknownSubnet` and `Several` are for callers, who know how they came by
/// a `NodeState`.
#[must_use]
pub fn verdict(node: &NodeState, settings: &CniSettings, demand: Demand, now: Time) -> Verdict {
    match (demand, &node.budget) {
        (Demand::None, _) | (_, Budget::NotManaged(_)) => Verdict::Now(Ips(u32::MAX)),
        (_, Budget::Unknown(reason)) => Verdict::Unknown(*reason),
        (Demand::BranchEni, Budget::Ipv4(_) | Budget::Ipv6 { .. }) => match branch_account(node) {
            Some(account) => account.verdict(Reason::BranchEniLimit),
            None if settings.pod_eni => Verdict::Unknown(Reason::UnknownInstanceType),
            None => Verdict::Never(Reason::BranchEniLimit),
        },
        (Demand::BranchEni, Budget::Windows { .. }) => Verdict::Never(Reason::BranchEniLimit),
        (Demand::WindowsIp, Budget::Ipv4(_) | Budget::Ipv6 { .. }) => Verdict::Never(Reason::WindowsIpLimit),
        (_, Budget::Windows { ceiling }) => windows_account(node, *ceiling).verdict(Reason::WindowsIpLimit),
        (_, Budget::Ipv6 { max_pods, .. }) => ipv6_account(node, *max_pods).verdict(Reason::MaxPods),
        (_, Budget::Ipv4(budget)) => pod_ip::Pool::new(node, budget, settings, now).verdict(),
    }
}

/// `None` where the node's type has no known number of branch ENIs, or security groups for pods are off.
fn branch_account(node: &NodeState) -> Option<Account<2>> {
    let limit = match node.budget {
        Budget::Ipv4(budget) => budget.branch,
        Budget::Ipv6 { branch, .. } => branch,
        Budget::Windows { .. } | Budget::NotManaged(_) | Budget::Unknown(_) => None,
    }?;
    Some(Account {
        have: (limit.get(), "branch ENIs"),
        less: [(node.branch_used.get(), "used"), (node.branch_claims.get(), "claimed")],
    })
}

fn windows_account(node: &NodeState, ceiling: Ips) -> Account<3> {
    Account {
        have: (ceiling.get(), "on the primary ENI"),
        less: [(node.windows_used.get(), "used"), (node.waiting.get(), "waiting"), (node.claims.get(), "claimed")],
    }
}

fn ipv6_account(node: &NodeState, max_pods: u32) -> Account<3> {
    Account {
        have: (max_pods, "max-pods"),
        less: [(node.assigned.get(), "assigned"), (node.waiting.get(), "waiting"), (node.claims.get(), "claimed")],
    }
}
