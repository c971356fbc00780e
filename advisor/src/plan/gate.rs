//! What must hold before a node is removed, and while it is being emptied.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::facts::Facts;
use super::journal::Deed;
use super::refusal::{Because, Refusal};
use super::window;
use crate::config::Scaling;
use crate::in_flight::counts;
use crate::inventory::{Group, InstanceId};

const HOUR: Duration = Duration::from_secs(3600);
/// What an eviction, the termination and their answers may take beside the drain itself.
const MARGIN: Duration = Duration::from_secs(120);

/// Whether a scale-in that was begun may go on: AWS is reachable, the credentials last for what is left to do, and the books are fresh.
/// Asked for again at each step.
///
/// # Errors
/// The first thing that speaks against it.
pub fn go_on(facts: &Facts<'_>) -> Result<(), Because> {
    reachable(facts, MARGIN)
}

fn reachable(facts: &Facts<'_>, credentials: Duration) -> Result<(), Because> {
    if facts.books_are_stale() {
        return Err(Refusal::StaleBooks.into());
    }
    facts.reach.scale_in.clone()?;
    match facts.reach.credentials.filter(|left| *left < credentials) {
        Some(left) => {
            let detail = format!("{} s left, {} s needed", left.as_secs(), credentials.as_secs());
            Err(Because::new(Refusal::CredentialsExpiring, detail))
        }
        None => Ok(()),
    }
}

/// How long credentials must be good for when a drain begins.
#[must_use]
pub fn drain_budget(policy: &Scaling) -> Duration {
    Duration::from_secs(policy.scale_in.drain_secs) + MARGIN
}

/// What speaks against beginning one, on any node.
pub(super) fn begin(facts: &Facts<'_>) -> Result<(), Because> {
    reachable(facts, drain_budget(facts.policy))?;
    let (policy, journal, now) = (&facts.policy.scale_in, facts.journal, facts.now);
    if let Some(busy) = facts.busy {
        return Err(Because::new(Refusal::Busy, busy));
    }
    if facts.policy.blackout.iter().any(|one| window::lasts(one, now)) {
        return Err(Refusal::Blackout.into());
    }
    for (deed, secs) in [
        (Deed::ScaleOut, policy.after_scale_out_secs),
        (Deed::LaunchFailed, policy.after_scale_out_secs),
        (Deed::ScaleIn, policy.cool_down_secs),
        (Deed::ScaleInOver, policy.cool_down_secs),
    ] {
        let over = journal.last(deed, None).map(|at| at + Duration::from_secs(secs)).filter(|over| *over > now);
        if let Some(over) = over {
            return Err(Because::new(Refusal::CoolDown, format!("{} s to go", over.since(now).as_secs())));
        }
    }
    let removed = journal.count(Deed::ScaleIn, HOUR, now);
    if removed >= policy.max_per_hour {
        return Err(Because::new(Refusal::HourlyBudget, format!("{removed} nodes")));
    }
    let nodes = u32::try_from(facts.cluster.nodes.len()).unwrap_or(u32::MAX);
    let share = (nodes.saturating_mul(policy.max_share_percent) / 100).max(1);
    if removed >= share {
        return Err(Because::new(Refusal::ShareSpent, format!("{removed} of {nodes} nodes")));
    }
    Ok(())
}

/// What speaks against taking a node from the group.
pub(super) fn group(facts: &Facts<'_>, group: &Group) -> Result<(), Because> {
    if facts.is_autoscalers(group) {
        return Err(Refusal::ClusterAutoscaler.into());
    }
    if group.suspended.iter().any(|process| process == "Terminate") {
        return Err(Refusal::TerminateSuspended.into());
    }
    if group.desired <= group.min {
        return Err(Because::new(Refusal::MinSize, group.min.to_string()));
    }
    Ok(())
}

/// Whether AZRebalance would answer the loss of `instance` by launching in one zone and ending a node in another, which nobody drains: it
/// does where the zones' counts differ by more than one (Auto Scaling user guide, "Rebalancing activities"). A loss that makes the
/// difference smaller is none of its business.
pub(super) fn balance(facts: &Facts<'_>, group: &Group, instance: &InstanceId) -> Result<(), Because> {
    if !rebalances(group) {
        return Ok(());
    }
    let zones = zones(facts, group, Some(instance));
    let home = zone(facts, instance).and_then(|zone| zones.get(zone)).copied().unwrap_or(0);
    if zones.values().max().is_some_and(|most| *most > home + 1) {
        let counts: Vec<String> = zones.iter().map(|(az, count)| format!("{count} in {az}")).collect();
        return Err(Because::new(Refusal::AzRebalance, counts.join(", ")));
    }
    Ok(())
}

/// Whether Auto Scaling keeps the group's zones in balance.
pub(super) fn rebalances(group: &Group) -> bool {
    !group.suspended.iter().any(|process| process == "AZRebalance")
}

/// The zone of an instance that EC2 shows.
pub(super) fn zone<'a>(facts: &Facts<'a>, instance: &InstanceId) -> Option<&'a Arc<str>> {
    let subnet = facts.inventory.instances.get(instance)?.subnet.as_ref()?;
    facts.inventory.subnets.get(subnet).map(|subnet| &subnet.az)
}

/// Members in each zone of the group that count against its desired capacity, one of them left out.
pub(super) fn zones<'a>(facts: &Facts<'a>, group: &Group, without: Option<&InstanceId>) -> BTreeMap<&'a Arc<str>, u32> {
    let subnets = group.subnets.iter().filter_map(|subnet| facts.inventory.subnets.get(subnet));
    let mut zones: BTreeMap<&Arc<str>, u32> = subnets.map(|subnet| (&subnet.az, 0)).collect();
    let members = group.members.iter().filter(|member| Some(&member.instance) != without && counts(&member.lifecycle));
    for member in members {
        if let Some(count) = zone(facts, &member.instance).and_then(|zone| zones.get_mut(zone)) {
            *count += 1;
        }
    }
    zones
}
