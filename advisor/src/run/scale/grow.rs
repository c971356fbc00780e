//! Adds nodes, and sees whether they come.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::time::Time;
use tokio::sync::mpsc;

use super::{Means, News, beside};
use crate::aws::{Api, AwsError, Launched};
use crate::inventory::Inventory;
use crate::plan::{Launch, ScaleOut, ScalingPlan};

/// From one look at a launch to the next.
const EVERY: Duration = Duration::from_secs(15);

pub(super) fn begin(means: &Arc<Means>, tell: &mpsc::Sender<News>, plan: &Arc<ScalingPlan>) {
    let (means, plan) = (Arc::clone(means), Arc::clone(plan));
    beside(tell, News::Grown, async move {
        for step in &plan.scale_out {
            let (group, nodes) = (&step.group, step.to - step.from);
            let at_ms = means.core.clock.now().as_millis();
            let launch = Launch { at_ms, group: group.to_string(), from: step.from, to: step.to };
            match grow(&means, step, &launch, plan.generation).await {
                Ok(Grown::Asked) => {
                    means.core.metrics.acted("scale_out", "raised");
                    tracing::info!(%group, nodes, to = step.to, subnet = ?step.subnet, "scaling out");
                    let note = format!("{group}: {nodes} more nodes, {} in all, for {} pods", step.to, step.pods);
                    means.tell(means.about_group(), false, "ScaledOut", "ScaleOut", &note).await;
                    tokio::spawn(follow(Arc::clone(&means), launch, at_ms));
                }
                Ok(Grown::Short { launched, why }) => {
                    let now = means.core.clock.now();
                    failed(&means, &launch, launched, "refused", &why, now).await;
                    if launched > 0 {
                        // What this call was refused has been counted.
                        tokio::spawn(follow(Arc::clone(&means), launch.cut(launched), now.as_millis() + 1000));
                    }
                }
                Ok(Grown::Not(outcome)) => {
                    means.core.metrics.acted("scale_out", outcome);
                    tracing::info!(%group, outcome, "not scaled out");
                    means.journal.settle(&launch).await;
                }
                // What AWS refuses once it refuses again: not at once.
                Err(error) if error.is::<AwsError>() => {
                    failed(&means, &launch, 0, "failed", &format!("{error:#}"), means.core.clock.now()).await;
                }
                Err(error) => {
                    means.core.metrics.acted("scale_out", "failed");
                    tracing::warn!(%group, error = format!("{error:#}"), "scale-out failed");
                    means.journal.settle(&launch).await;
                }
            }
        }
        News::Grown
    });
}

/// Goes on with what the last leader followed.
pub(super) fn resume(means: &Arc<Means>) {
    for launch in means.journal.get().launches() {
        tracing::info!(group = launch.group, to = launch.to, "following a launch of the last leader");
        tokio::spawn(follow(Arc::clone(means), launch.clone(), launch.at_ms));
    }
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Grown {
    /// The nodes are asked for.
    Asked,
    /// Only so many, and why not the others.
    Short { launched: u32, why: String },
    /// Nothing was done, as a metric label.
    Not(&'static str),
}

impl Grown {
    fn of(launched: &Launched) -> Grown {
        match launched.errors.first() {
            None => Grown::Asked,
            Some(why) => {
                Grown::Short { launched: u32::try_from(launched.instances.len()).unwrap_or(u32::MAX), why: why.clone() }
            }
        }
    }
}

async fn grow(means: &Means, step: &ScaleOut, launch: &Launch, generation: u64) -> anyhow::Result<Grown> {
    let api = Api::new(&means.aws);
    let done = grow_by(means, &api, step, launch, generation).await;
    means.core.count(api);
    done
}

async fn grow_by(
    means: &Means,
    api: &Api<'_>,
    step: &ScaleOut,
    launch: &Launch,
    generation: u64,
) -> anyhow::Result<Grown> {
    if !means.may_act() {
        return Ok(Grown::Not("not_leading"));
    }
    let Some(by) = NonZeroU32::new(step.to.saturating_sub(step.from)) else { return Ok(Grown::Not("group_changed")) };
    means.journal.intend_launch(launch).await?;
    let Some(fresh) = api.group(&step.group).await? else { return Ok(Grown::Not("group_changed")) };
    // Somebody else has answered the same shortage, or has another one in mind.
    if fresh.desired != step.from || step.to > fresh.max {
        return Ok(Grown::Not("group_changed"));
    }
    if !means.may_act() {
        return Ok(Grown::Not("not_leading"));
    }
    let Some(subnet) = &step.subnet else {
        api.raise_desired_capacity(&fresh, by).await?;
        return Ok(Grown::Asked);
    };
    let token = token(means.core.term().unwrap_or(0), generation, &step.group, launch.at());
    Ok(Grown::of(&api.launch_instances(&step.group, by.get(), subnet, &token).await?))
}

/// The same step of the same plan of the same leader launches once, whatever becomes of the answer. At most 64 characters (API reference,
/// `ClientToken`).
fn token(term: u32, generation: u64, group: &str, now: Time) -> String {
    let mut hasher = DefaultHasher::new();
    (group, generation).hash(&mut hasher);
    format!("headroom-{term}-{}-{:016x}", now.as_secs(), hasher.finish())
}

/// Looks until the nodes are there with addresses, or AWS says why they do not come, or nobody asks for them: the leader that noted them
/// may have died before it did. Failures count from `failures_from_ms` on.
async fn follow(means: Arc<Means>, launch: Launch, failures_from_ms: u64) {
    let core = &means.core;
    let (deadline, began) = (means.books.in_flight_deadline, launch.at());
    let (term, since) = (core.term(), core.clock.now());
    loop {
        core.clock.sleep(EVERY).await;
        let now = core.clock.now();
        // Whoever leads then goes on with it.
        if term.is_none() || core.term() != term {
            return;
        }
        if let Some(nodes) = with_addresses(&means, &launch.group).filter(|nodes| *nodes >= launch.to) {
            let secs = now.since(began).as_secs();
            core.metrics.acted("scale_out", "arrived");
            tracing::info!(group = launch.group, nodes, secs, "the nodes are there and have addresses");
            means.journal.settle(&launch).await;
            return;
        }
        if !is_asked_for(&core.inventory.borrow(), &launch, since) {
            core.metrics.acted("scale_out", "group_changed");
            tracing::info!(group = launch.group, to = launch.to, "the nodes are not asked for any more");
            means.journal.settle(&launch).await;
            return;
        }
        let api = Api::new(&means.aws);
        let activities = api.failed_launches(&launch.group).await;
        core.count(api);
        // Activities are dated in seconds.
        let from = Time::from_secs(Time::from_millis(failures_from_ms).as_secs());
        let fault = activities.ok().and_then(|all| all.into_iter().find(|one| one.at >= from));
        let why = match fault {
            Some(fault) => fault.message,
            None if now.since(began) >= deadline => format!("no node with addresses within {} s", deadline.as_secs()),
            None => continue,
        };
        // Reading them may have taken its time.
        if core.term() != term {
            return;
        }
        failed(&means, &launch, 0, "launch_failed", &why, now).await;
        return;
    }
}

/// Whether the group wants them, as far as it was read after `since`.
fn is_asked_for(inventory: &Inventory, launch: &Launch, since: Time) -> bool {
    let read = inventory.read_at.groups.is_some_and(|at| at > since);
    let wanted = inventory.groups.get(launch.group.as_str()).is_some_and(|group| group.desired >= launch.to);
    !read || wanted
}

/// Ready nodes of the group whose pools have addresses.
fn with_addresses(means: &Means, group: &str) -> Option<u32> {
    let ledger = means.core.ledger.load_full()?;
    let of_group = ledger.nodes.values().filter(|node| node.group.as_deref() == Some(group));
    u32::try_from(of_group.filter(|node| !node.attached.is_zero()).count()).ok()
}

/// Counts a failure once, as `outcome`; of the launch `came` nodes are left to be followed.
async fn failed(means: &Means, launch: &Launch, came: u32, outcome: &'static str, why: &str, now: Time) {
    means.core.metrics.acted("scale_out", outcome);
    tracing::warn!(group = launch.group, outcome, came, why, "a launch failed");
    means.journal.came_short(launch, came, now).await;
    let note = format!("{}: {why}", launch.group);
    means.tell(means.about_group(), true, "ScaleOutFailed", "ScaleOut", &note).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::inventory::{Group, ReadAt};

    #[test]
    fn what_a_call_launched_is_told_from_what_it_was_refused() {
        let answer = |instances: &[&str], errors: &[&str]| Launched {
            instances: instances.iter().map(|id| (*id).into()).collect(),
            errors: errors.iter().map(|error| (*error).to_owned()).collect(),
        };
        let short = |launched| Grown::Short { launched, why: "InsufficientFreeAddressesInSubnet: b".to_owned() };
        let why = "InsufficientFreeAddressesInSubnet: b";
        assert_eq!(Grown::of(&answer(&["i-1", "i-2"], &[])), Grown::Asked);
        assert_eq!(Grown::of(&answer(&["i-1"], &[why])), short(1));
        assert_eq!(Grown::of(&answer(&[], &[why, "another"])), short(0));
    }

    #[test]
    fn nodes_that_the_group_does_not_want_are_not_waited_for_once_it_was_read() {
        let at = Time::from_secs(1000);
        let launch = Launch { at_ms: at.as_millis(), group: "workers".to_owned(), from: 2, to: 4 };
        let seen = |desired: Option<u32>, read: Option<Time>| {
            let group = |desired| Group {
                name: "workers".into(),
                min: 0,
                max: 9,
                desired,
                subnets: Vec::new(),
                members: Vec::new(),
                types: Vec::new(),
                suspended: Vec::new(),
                tags: Default::default(),
            };
            let groups = desired.map(|desired| ("workers".into(), group(desired))).into_iter().collect();
            Inventory { groups, read_at: ReadAt { groups: read, ..ReadAt::default() }, ..Inventory::default() }
        };
        let later = Some(at + Duration::from_secs(1));
        for (desired, read, asked) in [
            (Some(4), later, true),
            (Some(5), later, true),
            (Some(2), Some(at), true),
            (Some(2), None, true),
            (Some(2), later, false),
            (None, later, false),
        ] {
            assert_eq!(is_asked_for(&seen(desired, read), &launch, at), asked, "{desired:?} {read:?}");
        }
    }
}
