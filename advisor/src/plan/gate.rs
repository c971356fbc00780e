//! What must hold before a node is removed, and while it is being emptied.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::facts::Facts;
use super::journal::Deed;
use super::refusal::{Because, Refusal};
use super::window;
use crate::config::Scaling;
use crate::inventory::{Group, InstanceId};

const HOUR: Duration = Duration::from_secs(3600);
/// What an eviction, the termination and their answers may take beside the drain itself.
const MARGIN: Duration = Duration::from_secs(120);

/// Whether a scale-in may go on: AWS is reachable, the credentials last and the books are fresh. Asked for again at each step of one that
/// was begun.
///
/// # Errors
/// The first thing that speaks against it.
pub fn scale_in(facts: &Facts<'_>) -> Result<(), Because> {
    if facts.books_are_stale() {
        return Err(Refusal::StaleBooks.into());
    }
    facts.reach.scale_in.clone()?;
    let need = drain_budget(facts.policy);
    match facts.reach.credentials.filter(|left| *left < need) {
        Some(left) => {
            let detail = format!("{} s left, {} s needed", left.as_secs(), need.as_secs());
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
    scale_in(facts)?;
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
/// does where the zones' counts differ by more than one (Auto Scaling user guide, "Rebalancing activities").
pub(super) fn balance(facts: &Facts<'_>, group: &Group, instance: &InstanceId) -> Result<(), Because> {
    if group.suspended.iter().any(|process| process == "AZRebalance") {
        return Ok(());
    }
    let az = |subnet| facts.inventory.subnets.get(subnet).map(|subnet| &subnet.az);
    let mut zones: BTreeMap<&Arc<str>, u32> =
        group.subnets.iter().filter_map(|subnet| Some((az(subnet)?, 0))).collect();
    for member in group.members.iter().filter(|member| member.instance != *instance) {
        let placed = facts.inventory.instances.get(&member.instance).and_then(|one| az(one.subnet.as_ref()?));
        if let Some(count) = placed.and_then(|az| zones.get_mut(az)) {
            *count += 1;
        }
    }
    let most = zones.values().max().copied().unwrap_or(0);
    let least = zones.values().min().copied().unwrap_or(0);
    if most > least + 1 {
        let counts: Vec<String> = zones.iter().map(|(az, count)| format!("{count} in {az}")).collect();
        return Err(Because::new(Refusal::AzRebalance, counts.join(", ")));
    }
    Ok(())
}
