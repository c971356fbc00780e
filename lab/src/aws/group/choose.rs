//! Which subnet gets the next instance, and which instance goes.

use headroom_capacity::ids::SubnetId;

use super::{Group, LifecycleState, Member};
use crate::aws::InstanceId;

/// The group's subnets in the order in which a launch tries them: zones with the fewest instances first (Auto Scaling user
/// guide, "Availability Zone distribution"), subnets of one zone in a random order.
pub(super) fn launch_order(group: &Group, mut below: impl FnMut(usize) -> usize) -> Vec<SubnetId> {
    let mut subnets: Vec<&(SubnetId, String)> = group.subnets.iter().collect();
    for last in (1..subnets.len()).rev() {
        subnets.swap(last, below(last + 1));
    }
    let zones: Vec<&str> = group.subnets.iter().map(|(_, az)| az.as_str()).collect();
    let listed = |az: &str| zones.iter().position(|zone| *zone == az);
    subnets.sort_by_key(|(_, az)| (count(group, az), listed(az)));
    subnets.into_iter().map(|(id, _)| id.clone()).collect()
}

/// The member that a scale-in takes: from the zone with the most members, never a protected one; `below` chooses among those that
/// the default termination policy does not tell apart.
pub(super) fn victim(group: &Group, mut below: impl FnMut(usize) -> usize) -> Option<InstanceId> {
    let takeable = |member: &&Member| !member.protected;
    let most = group.active().filter(takeable).map(|member| count(group, &member.az)).max()?;
    let candidates: Vec<&Member> =
        group.active().filter(takeable).filter(|member| count(group, &member.az) == most).collect();
    candidates.get(below(candidates.len())).map(|member| member.id.clone())
}

/// The zone that a rebalance would add an instance to: more than one behind the fullest, and everything in service.
pub(super) fn zone_to_grow(group: &Group) -> Option<&str> {
    if group.active().any(|member| member.state != LifecycleState::InService) {
        return None;
    }
    let zones = group.zones();
    let least = zones.iter().min_by_key(|az| count(group, az))?;
    let most = zones.iter().map(|az| count(group, az)).max()?;
    (most > count(group, least) + 1).then_some(least)
}

fn count(group: &Group, az: &str) -> usize {
    group.active().filter(|member| member.az == az).count()
}
