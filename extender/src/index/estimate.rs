//! A node's pool as far as Kubernetes alone shows it.
//!
//! Attached addresses are in no Kubernetes object. Two lower bounds are: what pods prove (held and cooling addresses are
//! attached), and what ipamd has had the time to attach ([`headroom_capacity::floor`]). The larger one is taken, never more than
//! the hard ceiling. What the subnets hold stays unknown.

use headroom_capacity::budget::Budget;
use headroom_capacity::units::{Enis, Ips};
use headroom_capacity::verdict::{NodeState, Room};

/// What the pods of one node show.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pool {
    /// Addresses that are attached at least, in IPv4 on Linux.
    pub(super) attached: Ips,
    /// Pods with an address.
    pub(super) assigned: u32,
    /// Pods bound and without.
    pub(super) waiting: u32,
    /// Addresses released within the cool-down.
    pub(super) cooling: u32,
    /// Branch ENIs used or cooling.
    pub(super) branch: u32,
    /// Windows addresses used or cooling.
    pub(super) windows: u32,
    /// `spec.unschedulable`.
    pub(super) cordoned: bool,
}

pub(super) fn estimate(budget: Budget, pool: Pool) -> NodeState {
    let proven = Ips(pool.assigned + pool.cooling);
    let (total, pod_enis, free_slots) = match &budget {
        Budget::Ipv4(ipv4) => {
            // A prefix is attached as a whole.
            let proven = Ips(proven.get().next_multiple_of(ipv4.mode.ips_per_slot()));
            let total = proven.max(pool.attached).min(ipv4.ceiling);
            let per_eni = ipv4.slots_per_eni * ipv4.mode.ips_per_slot();
            let enis = Enis(total.get().div_ceil(per_eni.max(1))).min(ipv4.pod_enis);
            let units = total.get().div_ceil(ipv4.mode.ips_per_slot());
            (total, enis, (enis.get() * ipv4.slots_per_eni).saturating_sub(units))
        }
        Budget::Windows { ceiling } => (*ceiling, Enis(1), 0),
        _ => (proven, Enis::ZERO, 0),
    };
    NodeState {
        budget,
        total,
        assigned: Ips(pool.assigned),
        cooling: Ips(pool.cooling),
        waiting: Ips(pool.waiting),
        claims: Ips::ZERO,
        pod_enis,
        free_slots,
        room: Room::Unknown,
        cordoned: pool.cordoned,
        back_off_until: None,
        branch_used: Enis(pool.branch),
        branch_claims: Enis::ZERO,
        windows_used: Ips(pool.windows),
    }
}
