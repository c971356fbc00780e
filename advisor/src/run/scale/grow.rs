//! Adds nodes, and sees whether they come.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::time::Time;
use tokio::sync::mpsc;

use super::{Means, News, beside};
use crate::aws::{Api, AwsError};
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
                Ok("raised") => {
                    means.core.metrics.acted("scale_out", "raised");
                    tracing::info!(%group, nodes, to = step.to, subnet = ?step.subnet, "scaling out");
                    let note = format!("{group}: {nodes} more nodes, {} in all, for {} pods", step.to, step.pods);
                    means.tell(means.about_group(), false, "ScaledOut", "ScaleOut", &note).await;
                    tokio::spawn(follow(Arc::clone(&means), launch));
                }
                Ok(outcome) => {
                    means.core.metrics.acted("scale_out", outcome);
                    tracing::info!(%group, outcome, "not scaled out");
                    means.journal.settle(&launch, None).await;
                }
                Err(error) => {
                    means.core.metrics.acted("scale_out", "failed");
                    tracing::warn!(%group, error = format!("{error:#}"), "scale-out failed");
                    // What AWS refuses once it refuses again: not at once.
                    if error.is::<AwsError>() {
                        failed(&means, &launch, &format!("{error:#}"), means.core.clock.now()).await;
                    } else {
                        means.journal.settle(&launch, None).await;
                    }
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
        tokio::spawn(follow(Arc::clone(means), launch.clone()));
    }
}

/// What became of it, as a metric label.
async fn grow(means: &Means, step: &ScaleOut, launch: &Launch, generation: u64) -> anyhow::Result<&'static str> {
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
) -> anyhow::Result<&'static str> {
    if !means.may_act() {
        return Ok("not_leading");
    }
    let Some(by) = NonZeroU32::new(step.to.saturating_sub(step.from)) else { return Ok("group_changed") };
    means.journal.intend_launch(launch).await?;
    let Some(fresh) = api.group(&step.group).await? else { return Ok("group_changed") };
    // Somebody else has answered the same shortage, or has another one in mind.
    if fresh.desired != step.from || step.to > fresh.max {
        return Ok("group_changed");
    }
    if !means.may_act() {
        return Ok("not_leading");
    }
    let Some(subnet) = &step.subnet else {
        api.raise_desired_capacity(&fresh, by).await?;
        return Ok("raised");
    };
    let token = token(means.core.term().unwrap_or(0), generation, &step.group, launch.at());
    let launched = api.launch_instances(&step.group, by.get(), subnet, &token).await?;
    if let Some(error) = launched.errors.first() {
        failed(means, launch, error, means.core.clock.now()).await;
        return Ok("refused");
    }
    Ok("raised")
}

/// The same step of the same plan of the same leader launches once, whatever becomes of the answer. At most 64 characters (API reference,
/// `ClientToken`).
fn token(term: u32, generation: u64, group: &str, now: Time) -> String {
    let mut hasher = DefaultHasher::new();
    (group, generation).hash(&mut hasher);
    format!("headroom-{term}-{}-{:016x}", now.as_secs(), hasher.finish())
}

/// Looks until the nodes are there with addresses, or AWS says why they do not come, or nobody asks for them: the leader that noted them
/// may have died before it did.
async fn follow(means: Arc<Means>, launch: Launch) {
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
            means.journal.settle(&launch, None).await;
            return;
        }
        if !is_asked_for(&core.inventory.borrow(), &launch, since) {
            core.metrics.acted("scale_out", "group_changed");
            tracing::info!(group = launch.group, to = launch.to, "the nodes are not asked for any more");
            means.journal.settle(&launch, None).await;
            return;
        }
        let api = Api::new(&means.aws);
        let activities = api.failed_launches(&launch.group).await;
        core.count(api);
        // Activities are dated in seconds.
        let from = Time::from_secs(began.as_secs());
        let fault = activities.ok().and_then(|all| all.into_iter().find(|one| one.at >= from));
        let why = match fault {
            Some(fault) => fault.message,
            None if now.since(began) >= deadline => format!("no node with addresses within {} s", deadline.as_secs()),
            None => continue,
        };
        failed(&means, &launch, &why, now).await;
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

async fn failed(means: &Means, launch: &Launch, why: &str, now: Time) {
    means.core.metrics.acted("scale_out", "launch_failed");
    tracing::warn!(group = launch.group, why, "a launch failed");
    means.journal.settle(launch, Some(now)).await;
    let note = format!("{}: {why}", launch.group);
    means.tell(means.about_group(), true, "ScaleOutFailed", "ScaleOut", &note).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::inventory::{Group, ReadAt};

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
