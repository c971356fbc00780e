//! What nodes and ENIs that are coming will still take of the subnets.
//!
//! Karpenter keeps such a number too, and its maintainers gave two reasons why it bounds nothing
//! (karpenter-provider-aws#7623). Both are met here:
//!
//! - *The instance that comes may hold more pods than the one that was planned with.* What is reserved for an instance follows
//!   from its own type as soon as EC2 shows it, and not from how many pods fit but from what ipamd will attach by its settings
//!   ([`steady`]), in the subnet that will give it: the ENIConfig's under custom networking. Before, the largest of the types
//!   that the group's other members have counts.
//! - *A refresh throws away how the launched nodes will still grow.* Nothing here is remembered from one refresh to the next,
//!   so that there is nothing to throw away. What is reserved is the target less what EC2 shows attached, worked out anew from
//!   each observation: an address that is observed moves from reserved to held, and a refresh that shows nothing new changes
//!   nothing. The deadline only ends the wait for what does not come.
//!
//! Left out: the trunk ENI where one is to come, branch ENIs of waiting pods, and Windows.

mod daemons;
mod groups;
mod likeness;
mod spread;
mod units;

use std::collections::BTreeMap;

use headroom_capacity::budget::{Ipv4Budget, Mode};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::steady;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use crate::ledger::{InFlight, Known};
pub(crate) use daemons::{Daemons, OnEach};
pub(crate) use groups::{
    NewNode, budgets, counts, eni_config_of, eni_config_to_come, footprint, of_groups, of_new_node, of_node_to_come,
    to_come,
};
pub(crate) use likeness::{Likeness, has_template};
pub(crate) use spread::spread;
pub use units::Units;

/// A node's pool as far as EC2 and Kubernetes show it.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// aws-node's settings.
    pub settings: &'a CniSettings,
    /// The node's limits.
    pub budget: &'a Ipv4Budget,
    /// Addresses that pods can get or have, 16 for each prefix.
    pub attached: Ips,
    /// Of these, those that no pod has and that do not cool.
    pub available: Ips,
    /// Pods bound to the node that need such an address.
    pub pods: u32,
    /// Those that have none.
    pub waiting: u32,
    /// ENIs attached that take addresses for pods.
    pub pod_enis: Enis,
    /// Free slots on them, by subnet.
    pub free_slots: &'a BTreeMap<SubnetId, u32>,
    /// The subnet that ipamd tries first for a new ENI.
    pub new_eni: Option<&'a SubnetId>,
    /// Its instance was launched longer ago than the deadline.
    pub overdue: bool,
}

/// What ipamd will attach for `pool`, at most one entry for each subnet: up to the steady state of the pods bound to the node,
/// free slots first and then new ENIs with their primary addresses (CNI `increaseDatastorePool`).
///
/// Past the deadline a pool that is smaller than that is taken to stay so, but for what the pods that wait make ipamd ask for:
/// their part of the steady state, and no less than it takes to serve them.
#[must_use]
pub fn of_pool(pool: &Pool<'_>) -> Vec<InFlight> {
    let unit = pool.budget.mode.ips_per_slot();
    let target = |pods| steady(pool.settings, pool.budget, pods).ips_attached.get() / unit;
    let wanted = target(pool.pods);
    let missing = wanted.saturating_sub(pool.attached.get() / unit);
    let due = if pool.overdue {
        let caused = wanted.saturating_sub(target(pool.pods.saturating_sub(pool.waiting)));
        let short = pool.waiting.saturating_sub(pool.available.get()).div_ceil(unit);
        missing.min(caused.max(short))
    } else {
        missing
    };
    place(pool, due)
}

fn place(pool: &Pool<'_>, mut slots: u32) -> Vec<InFlight> {
    let mut coming = Vec::new();
    for (subnet, free) in pool.free_slots {
        let here = slots.min(*free);
        slots -= here;
        if here > 0 {
            add(&mut coming, [block(pool.budget.mode, subnet, here, 0)]);
        }
    }
    let per_eni = pool.budget.slots_per_eni.max(1);
    let room = pool.budget.pod_enis.saturating_sub(pool.pod_enis).get();
    let enis = slots.div_ceil(per_eni).min(room);
    if let Some(subnet) = pool.new_eni.filter(|_| enis > 0) {
        add(&mut coming, [block(pool.budget.mode, subnet, slots.min(enis * per_eni), enis)]);
    }
    coming
}

fn block(mode: Mode, subnet: &SubnetId, slots: u32, primaries: u32) -> InFlight {
    let (ips, prefixes) = match mode {
        Mode::SecondaryIp => (slots, 0),
        Mode::Prefix => (0, slots),
    };
    InFlight { subnet: subnet.clone(), ips: Ips(ips + primaries), prefixes: Prefixes(prefixes) }
}

/// Adds `more` to `coming`, one entry for each subnet.
pub(crate) fn add(coming: &mut Vec<InFlight>, more: impl IntoIterator<Item = InFlight>) {
    for one in more {
        match coming.iter_mut().find(|known| known.subnet == one.subnet) {
            Some(known) => {
                known.ips += one.ips;
                known.prefixes += one.prefixes;
            }
            None => coming.push(one),
        }
    }
}

/// The slots that the primary ENI of an instance in `subnet` will bring; `None` where it takes no addresses for pods.
pub(crate) fn primary_to_come(
    known: &Known<'_>,
    subnet: Option<&SubnetId>,
    budget: &Ipv4Budget,
) -> Option<(SubnetId, u32)> {
    let settings = known.settings();
    let subnet = subnet?;
    let takes_none = settings.custom_networking || (settings.subnet_discovery && known.is_excluded(subnet));
    (!takes_none).then(|| (subnet.clone(), budget.slots_per_eni))
}

#[cfg(test)]
mod tests;
