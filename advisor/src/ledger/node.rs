//! One node's account out of its tally.

use std::collections::BTreeMap;

use headroom_capacity::budget::{Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use super::known::{Known, Member};
use super::tally::Tally;
use super::{InFlight, NodeAccount};
use crate::in_flight::{self, Pool};

/// The account of a member; of one that has not registered as a node only what is on its way is of use.
pub(super) fn account(known: &Known<'_>, member: &Member<'_>, tally: &Tally) -> NodeAccount {
    let limits = member
        .limits
        .or_else(|| InstanceLimits::observed(Enis(tally.on_default_card), tally.fullest, tally.has_prefix));
    let max_pods = member.node.map_or(0, |node| node.node.max_pods);
    let primary = member.instance.and_then(|instance| instance.subnet.as_ref());
    let new_eni_subnets = new_eni_subnets(known, member, primary);
    let free_slots = free_slots(known, member, tally, limits.as_ref());
    let in_flight = in_flight(known, member, tally, (&free_slots, new_eni_subnets.first()));
    let az = primary.and_then(|id| known.inventory().subnets.get(id)).map(|subnet| subnet.az.clone());
    NodeAccount {
        instance: member.id.cloned(),
        group: member.instance.and_then(|instance| instance.group.clone()),
        az: az.or_else(|| member.node.and_then(|node| node.node.zone.clone())),
        primary_subnet: primary.cloned(),
        budget: limits_of(known, member, tally, limits.as_ref(), max_pods),
        enis: Enis(tally.enis),
        pod_enis: Enis(tally.pod_enis),
        unmanaged: Enis(tally.unmanaged),
        excluded: Enis(tally.excluded),
        trunk: tally.trunk,
        attached: Ips(tally.attached()),
        prefixes: Prefixes(tally.prefixes),
        assigned: Ips(tally.assigned),
        cooling: Ips(tally.cooling),
        waiting: member.waiting,
        branch: Enis(tally.branch),
        free_slots,
        new_eni_subnets,
        in_flight,
    }
}

fn limits_of(
    known: &Known<'_>,
    member: &Member<'_>,
    tally: &Tally,
    limits: Option<&InstanceLimits>,
    max_pods: u32,
) -> Budget {
    budget(&NodeFacts {
        kind: member.kind(),
        limits,
        settings: known.settings(),
        max_pods,
        unmanaged: Enis(tally.unmanaged),
        excluded: Enis(tally.excluded),
        trunk_attached: tally.trunk,
        // Its ConfigMap is not watched: a prefix on the node tells.
        windows_prefix_delegation: tally.has_prefix,
    })
}

fn new_eni_subnets(known: &Known<'_>, member: &Member<'_>, primary: Option<&SubnetId>) -> Vec<SubnetId> {
    let settings = known.settings();
    if member.kind() != NodeKind::Linux || settings.ipv6 || settings.provisioning_disabled {
        return Vec::new();
    }
    let eni_config = match member.node {
        Some(node) => node.eni_config_subnet.as_ref(),
        None => {
            let group = member.instance.and_then(|instance| known.inventory().groups.get(instance.group.as_ref()?));
            in_flight::eni_config_of(known, group, primary)
        }
    };
    known.new_eni_subnets(primary, eni_config)
}

/// Slots of the type that are not taken, on ENIs that take more.
fn free_slots(
    known: &Known<'_>,
    member: &Member<'_>,
    tally: &Tally,
    limits: Option<&InstanceLimits>,
) -> BTreeMap<SubnetId, u32> {
    let mut free = BTreeMap::new();
    let most = match (member.kind(), limits) {
        (NodeKind::Linux, Some(limits)) if !known.settings().ipv6 => limits.ipv4_per_eni.saturating_sub(1),
        (NodeKind::Windows, Some(limits)) => limits.ipv4_per_eni.saturating_sub(1),
        _ => return free,
    };
    for &(at, taken) in &tally.slots {
        let left = most.saturating_sub(taken);
        if left > 0 {
            *free.entry(known.subnet_at(at).clone()).or_default() += left;
        }
    }
    free
}

/// The primary address of an instance whose ENI EC2 does not show yet, and what its pool will attach.
fn in_flight(
    known: &Known<'_>,
    member: &Member<'_>,
    tally: &Tally,
    (free_slots, new_eni): (&BTreeMap<SubnetId, u32>, Option<&SubnetId>),
) -> Vec<InFlight> {
    if !member.lives() {
        return Vec::new();
    }
    let Some(instance) = member.instance else { return Vec::new() };
    let overdue = known.now().since(instance.launched_at) >= known.policy().in_flight_deadline;
    let mut coming = Vec::new();
    if !tally.has_primary && !overdue {
        let subnet = instance.subnet.clone();
        coming.extend(subnet.map(|subnet| InFlight { subnet, ips: Ips(1), prefixes: Prefixes::ZERO }));
    }
    let cordoned = member.node.is_some_and(|node| node.node.unschedulable);
    if cordoned && !known.settings().manage_enis_non_schedulable {
        return coming;
    }
    // kubelet has not said yet how many pods it takes: EKS's default.
    let said = member.node.map_or(0, |node| node.node.max_pods);
    let limits = member.limits.as_ref();
    let max_pods = if said > 0 { said } else { limits.map_or(0, InstanceLimits::default_max_pods) };
    let Budget::Ipv4(budget) = limits_of(known, member, tally, limits, max_pods) else { return coming };
    // An instance whose primary ENI is not shown yet has its slots all the same.
    let unseen = in_flight::primary_to_come(known, instance.subnet.as_ref(), &budget).filter(|_| !tally.has_primary);
    let mut free_slots = free_slots.clone();
    free_slots.extend(unseen.clone());
    let pool = Pool {
        settings: known.settings(),
        budget: &budget,
        attached: Ips(tally.pool()),
        available: Ips(tally.pool().saturating_sub(tally.assigned + tally.cooling)),
        pods: member.pods,
        waiting: member.waiting,
        pod_enis: Enis(tally.pod_enis + u32::from(unseen.is_some())),
        free_slots: &free_slots,
        new_eni,
        overdue,
    };
    in_flight::add(&mut coming, in_flight::of_pool(&pool));
    coming
}
