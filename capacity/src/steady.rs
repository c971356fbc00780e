//! Where the pool comes to rest: closed forms of ipamd's rules on the growing side.
//!
//! After churn a node usually holds more: pods scatter over ENIs and prefixes (ipamd walks Go maps), and only what is wholly
//! free can be given back.

use crate::budget::{Ipv4Budget, Mode};
use crate::ipamd::targets::PoolRules;
use crate::settings::CniSettings;
use crate::units::{Enis, Ips, Prefixes};

/// A node's footprint when its pool has come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Steady {
    /// ENIs that give pod addresses; the primary ENI counts unless custom networking is on.
    pub enis: Enis,
    /// Prefixes attached; none in secondary-IP mode.
    pub prefixes: Prefixes,
    /// Addresses for pods that are attached.
    pub ips_attached: Ips,
    /// Addresses taken in the pods' subnets: `ips_attached` and each ENI's primary address.
    pub subnet_ips: Ips,
    /// Addresses taken in the node's own subnet beside those: the primary ENI's under custom networking.
    pub node_subnet_ips: Ips,
}

/// The footprint of a node on which `pods` pods have been started one after another and hold an address each (as many as
/// the node can serve), the pool settling in between. Closed forms of CNI `isDatastorePoolTooLow` and
/// `increaseDatastorePool`; they reproduce the tables of the CNI's `docs/eni-and-ip-target.md` and
/// `docs/prefix-and-ip-target.md`.
///
/// Two settings have no rest at some pod counts, and the result is the top of what ipamd then does in turns, grow and give
/// back: `WARM_ENI_TARGET=0` when the pods fill the ENIs exactly, and `WARM_PREFIX_TARGET=0` whenever a prefix is free. With
/// `WARM_PREFIX_TARGET` above 1 the result holds while pods fill one prefix before the next; scattered, they leave fewer
/// prefixes free, and a step asks for more. A trunk ENI is not counted.
#[must_use]
pub fn steady(settings: &CniSettings, budget: &Ipv4Budget, pods: u32) -> Steady {
    let rules = PoolRules::new(settings, budget);
    let slots = if settings.provisioning_disabled { 0 } else { slots(&rules, budget.pod_enis, pods) };
    let pod_enis = slots.div_ceil(rules.slots_per_eni.max(1));
    let enis = if settings.custom_networking { pod_enis } else { pod_enis.max(1) };
    let ips = slots.saturating_mul(rules.mode.ips_per_slot());
    Steady {
        enis: Enis(enis),
        prefixes: Prefixes(if rules.mode == Mode::Prefix { slots } else { 0 }),
        ips_attached: Ips(ips),
        subnet_ips: Ips(ips) + Ips(enis),
        node_subnet_ips: Ips(u32::from(settings.custom_networking)),
    }
}

/// Slots filled at rest. Without a pod the pool is filled ENI by ENI, so that the step that reaches max-pods may overshoot
/// it by most of an ENI; from then on pod by pod, in the smallest steps that the mode has.
fn slots(rules: &PoolRules, pod_enis: Enis, pods: u32) -> u32 {
    let per_eni = rules.slots_per_eni;
    if per_eni == 0 {
        return 0;
    }
    let unit = rules.mode.ips_per_slot();
    let cap = pod_enis.get().saturating_mul(per_eni);
    let enough = rules.max_pods.div_ceil(unit);
    let whole = |step: u32| enough.checked_next_multiple_of(step).unwrap_or(u32::MAX);
    let step = if rules.by_ips() || rules.mode == Mode::Prefix { 1 } else { per_eni };

    let first = wanted(rules, 0).min(whole(per_eni)).min(cap);
    if first >= enough {
        return first;
    }
    wanted(rules, pods).max(first).min(whole(step)).min(cap)
}

/// Slots that the targets ask for with `pods` pods, limits aside.
fn wanted(rules: &PoolRules, pods: u32) -> u32 {
    let unit = rules.mode.ips_per_slot();
    if rules.by_ips() {
        let minimum = rules.minimum_ips.div_ceil(unit);
        // Without WARM_IP_TARGET the pool stops at the minimum, however many pods wait.
        let warm = if rules.warm_ips == 0 { 0 } else { pods.saturating_add(rules.warm_ips).div_ceil(unit) };
        return warm.max(minimum);
    }
    let (warm, ips, slots) = match rules.mode {
        Mode::SecondaryIp => (rules.warm_enis, rules.slots_per_eni, rules.slots_per_eni),
        Mode::Prefix => (rules.warm_prefixes, unit, 1),
    };
    let blocks = if warm == 0 { (pods / ips).saturating_add(1) } else { pods.div_ceil(ips).saturating_add(warm) };
    blocks.saturating_mul(slots)
}
