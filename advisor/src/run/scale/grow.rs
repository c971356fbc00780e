//! Adds nodes, and sees whether they come.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::time::Time;
use tokio::sync::mpsc;

use super::{Means, News, beside};
use crate::aws::{Api, AwsError};
use crate::plan::{Deed, ScaleOut, ScalingPlan};

/// From one look at a launch to the next.
const EVERY: Duration = Duration::from_secs(15);

pub(super) fn begin(means: &Arc<Means>, tell: &mpsc::Sender<News>, plan: &Arc<ScalingPlan>) {
    let (means, plan) = (Arc::clone(means), Arc::clone(plan));
    beside(tell, News::Grown, async move {
        for step in &plan.scale_out {
            let (group, nodes) = (&step.group, step.to - step.from);
            let began = means.core.clock.now();
            match grow(&means, step, plan.generation).await {
                Ok("raised") => {
                    means.core.metrics.acted("scale_out", "raised");
                    tracing::info!(%group, nodes, to = step.to, subnet = ?step.subnet, "scaling out");
                    let note = format!("{group}: {nodes} more nodes, {} in all, for {} pods", step.to, step.pods);
                    means.tell(means.about_group(), false, "ScaledOut", "ScaleOut", &note).await;
                    tokio::spawn(follow(Arc::clone(&means), step.clone(), began));
                }
                Ok(outcome) => {
                    means.core.metrics.acted("scale_out", outcome);
                    tracing::info!(%group, outcome, "not scaled out");
                }
                Err(error) => {
                    means.core.metrics.acted("scale_out", "failed");
                    tracing::warn!(%group, error = format!("{error:#}"), "scale-out failed");
                    // What AWS refuses once it refuses again: not at once.
                    if error.is::<AwsError>() {
                        failed(&means, step, &format!("{error:#}"), means.core.clock.now()).await;
                    }
                }
            }
        }
        News::Grown
    });
}

/// What became of it, as a metric label.
async fn grow(means: &Means, step: &ScaleOut, generation: u64) -> anyhow::Result<&'static str> {
    let api = Api::new(&means.aws);
    let done = grow_by(means, &api, step, generation).await;
    means.core.count(api);
    done
}

async fn grow_by(means: &Means, api: &Api<'_>, step: &ScaleOut, generation: u64) -> anyhow::Result<&'static str> {
    if !means.may_act() {
        return Ok("not_leading");
    }
    let Some(by) = NonZeroU32::new(step.to.saturating_sub(step.from)) else { return Ok("group_changed") };
    let now = means.core.clock.now();
    means.journal.intend(Deed::ScaleOut, &step.group, by.get(), now).await?;
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
    let token = token(means.core.term().unwrap_or(0), generation, &step.group, now);
    let launched = api.launch_instances(&step.group, by.get(), subnet, &token).await?;
    if let Some(error) = launched.errors.first() {
        failed(means, step, error, now).await;
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

/// Looks until the nodes are there with addresses, or AWS says why they do not come.
async fn follow(means: Arc<Means>, step: ScaleOut, began: Time) {
    let core = &means.core;
    let deadline = means.books.in_flight_deadline;
    loop {
        core.clock.sleep(EVERY).await;
        let now = core.clock.now();
        if !core.leads() {
            return;
        }
        if let Some(nodes) = with_addresses(&means, &step).filter(|nodes| *nodes >= step.to) {
            let secs = now.since(began).as_secs();
            core.metrics.acted("scale_out", "arrived");
            tracing::info!(group = %step.group, nodes, secs, "the nodes are there and have addresses");
            return;
        }
        let api = Api::new(&means.aws);
        let activities = api.failed_launches(&step.group).await;
        core.count(api);
        // Activities are dated in seconds.
        let since = Time::from_secs(began.as_secs());
        let fault = activities.ok().and_then(|all| all.into_iter().find(|one| one.at >= since));
        let why = match fault {
            Some(fault) => fault.message,
            None if now.since(began) >= deadline => format!("no node with addresses within {} s", deadline.as_secs()),
            None => continue,
        };
        failed(&means, &step, &why, now).await;
        return;
    }
}

/// Ready nodes of the group whose pools have addresses.
fn with_addresses(means: &Means, step: &ScaleOut) -> Option<u32> {
    let ledger = means.core.ledger.load_full()?;
    let of_group = ledger.nodes.values().filter(|node| node.group.as_ref() == Some(&step.group));
    u32::try_from(of_group.filter(|node| !node.attached.is_zero()).count()).ok()
}

async fn failed(means: &Means, step: &ScaleOut, why: &str, now: Time) {
    means.core.metrics.acted("scale_out", "launch_failed");
    tracing::warn!(group = %step.group, why, "a launch failed");
    means.journal.record(Deed::LaunchFailed, &step.group, step.to - step.from, now).await;
    let note = format!("{}: {why}", step.group);
    means.tell(means.about_group(), true, "ScaleOutFailed", "ScaleOut", &note).await;
}
