//! A node's pool as far as Kubernetes shows it, and the advisor's feed where there is one.
//!
//! Attached addresses are in no Kubernetes object. Two lower bounds are: what pods prove (held and cooling addresses are
//! attached), and what ipamd has had the time to attach ([`headroom_capacity::floor`]), since EC2 was read where the feed tells. The larger
//! one is taken, never more than the hard ceiling. What the subnets hold is known from the feed only.

use headroom_capacity::allot::Ahead;
use headroom_capacity::budget::{Budget, Ipv4Budget};
use headroom_capacity::units::{Enis, Ips};
use headroom_capacity::verdict::{NodeState, Room};

use super::feed;

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

pub(super) fn estimate(budget: Budget, pool: Pool, shown: Option<&feed::Pool>) -> NodeState {
    let proven = Ips(pool.assigned + pool.cooling);
    let (total, pod_enis, free_slots, room) = match (&budget, shown) {
        (Budget::Ipv4(ipv4), Some(shown)) => {
            let total = attached(ipv4, pool, proven);
            let Ahead { made, free_slots, room } = ahead(ipv4, shown, total);
            (total, shown.pod_enis + made, free_slots, room)
        }
        (Budget::Ipv4(ipv4), None) => {
            let total = attached(ipv4, pool, proven);
            let per_eni = ipv4.slots_per_eni * ipv4.mode.ips_per_slot();
            let enis = Enis(total.get().div_ceil(per_eni.max(1))).min(ipv4.pod_enis);
            let units = total.get().div_ceil(ipv4.mode.ips_per_slot());
            (total, enis, (enis.get() * ipv4.slots_per_eni).saturating_sub(units), Room::Unknown)
        }
        (Budget::Windows { ceiling }, _) => (*ceiling, Enis(1), 0, Room::Unknown),
        _ => (proven, Enis::ZERO, 0, Room::Unknown),
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
        room,
        cordoned: pool.cordoned,
        back_off_until: None,
        branch_used: Enis(pool.branch),
        branch_claims: Enis::ZERO,
        windows_used: Ips(pool.windows),
    }
}

fn attached(ipv4: &Ipv4Budget, pool: Pool, proven: Ips) -> Ips {
    // A prefix is attached as a whole.
    let proven = Ips(proven.get().next_multiple_of(ipv4.mode.ips_per_slot()));
    proven.max(pool.attached).min(ipv4.ceiling)
}

/// Where the pool stands now that so much counts as attached.
fn ahead(ipv4: &Ipv4Budget, shown: &feed::Pool, total: Ips) -> Ahead {
    let unit = ipv4.mode.ips_per_slot();
    let grown = total.saturating_sub(shown.attached).get().div_ceil(unit);
    let given_back = shown.attached.min(ipv4.ceiling).saturating_sub(total).get() / unit;
    shown.share.ahead(&shown.grower, grown, given_back)
}
