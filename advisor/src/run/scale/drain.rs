//! Takes one node out, step by step as [`crate::drain::next`] says, and sees whether its addresses come back.

use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_cluster::About;
use headroom_cluster::drain::{self as node, Bears, DrainError, Evicted, Mark, Tenant};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::look::own_pod;
use super::{CALL_WITHIN, Means, News, beside};
use crate::aws::{Api, AwsError};
use crate::drain::{Limits, Seen, Step, next};
use crate::inventory::{Group, InstanceId, Inventory};
use crate::plan::{Because, Deed, Refusal, ScaleIn, may_leave};

/// From one step to the next.
const EVERY: Duration = Duration::from_secs(2);
/// Calls of the API server for one step.
const WITHIN: Duration = Duration::from_secs(20);
/// What a termination may take on its way beside the call and the note that goes before it.
const DOUBT_MARGIN: Duration = Duration::from_secs(20);
/// From one look for the addresses to the next.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The node that is to go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    node: Arc<str>,
    instance: InstanceId,
    /// Its group, as far as the plan knew.
    group: Option<Arc<str>>,
    /// The group's desired capacity, as the plan was made.
    desired: Option<u32>,
    /// The plan that asks for it; `None` where it was begun by another, or by this process before it died.
    generation: Option<u64>,
}

impl Target {
    pub(super) fn planned(step: &ScaleIn, generation: u64) -> Target {
        Target {
            node: Arc::clone(&step.node),
            instance: step.instance.clone(),
            group: Some(Arc::clone(&step.group)),
            desired: Some(step.desired),
            generation: Some(generation),
        }
    }

    /// From the mark on a node.
    pub(super) fn found(node: &Arc<str>, instance: &str) -> Target {
        let instance = InstanceId::from(instance);
        Target { node: Arc::clone(node), instance, group: None, desired: None, generation: None }
    }

    /// Groups may not have been read when a mark is found.
    fn group(&self, inventory: &Inventory) -> Option<Arc<str>> {
        let has = |group: &&Group| group.members.iter().any(|member| member.instance == self.instance);
        let found = || inventory.groups.values().find(has).map(|group| Arc::clone(&group.name));
        self.group.clone().or_else(found)
    }
}

/// How it ended.
enum End {
    Gone,
    GivenBack(Because),
    /// Another leads now, and goes on.
    Left,
}

pub(super) fn begin(means: &Arc<Means>, tell: &mpsc::Sender<News>, target: Target) {
    let means = Arc::clone(means);
    let failed = News::Drained(Arc::clone(&target.node), None);
    beside(tell, failed, async move {
        let (node, instance) = (Arc::clone(&target.node), target.instance.clone());
        let resumed = target.generation.is_none();
        tracing::info!(%node, %instance, resumed, "scaling in");
        let end = run(&means, &target).await;
        let now = means.core.clock.now();
        let group = target.group(&means.core.inventory.borrow()).unwrap_or_default();
        let about = || About::Node(Arc::clone(&node));
        let gone = matches!(end, End::Gone).then(|| instance.clone());
        match end {
            End::Gone => {
                means.core.metrics.acted("scale_in", "gone");
                tracing::info!(%node, %instance, "scaled in");
                means.tell(about(), false, "ScaledIn", "ScaleIn", &format!("instance {instance} ends")).await;
                means.journal.record(Deed::ScaleInOver, &group, 1, now).await;
                tokio::spawn(follow(Arc::clone(&means), instance, now));
            }
            End::GivenBack(because) => {
                means.core.metrics.acted("scale_in", "given_back");
                tracing::warn!(%node, %instance, why = %because, "scale-in given up; the node is back");
                means.tell(about(), true, "ScaleInGivenUp", "ScaleIn", &because.to_string()).await;
                means.journal.record(Deed::ScaleInOver, &group, 1, now).await;
            }
            End::Left => {
                means.core.metrics.acted("scale_in", "left");
                tracing::info!(%node, "another advisor leads: it goes on with the scale-in");
            }
        }
        News::Drained(node, gone)
    });
}

async fn run(means: &Means, target: &Target) -> End {
    let (mut first, mut marked) = (true, target.generation.is_none());
    loop {
        if !std::mem::take(&mut first) {
            means.core.clock.sleep(EVERY).await;
        }
        if !means.core.leads() {
            return End::Left;
        }
        let step = match tokio::time::timeout(WITHIN, look_and_choose(means, target)).await {
            Ok(Ok(step)) => step,
            Ok(Err(error)) => {
                tracing::warn!(node = %target.node, error = format!("{:#}", anyhow::Error::from(error)), "trying again");
                continue;
            }
            Err(_) => continue,
        };
        tracing::debug!(node = %target.node, ?step, "scale-in");
        // The look may have taken its time.
        if !means.core.leads() {
            return End::Left;
        }
        // A mark that somebody has taken back is not set again.
        if step.step == Step::Mark && std::mem::replace(&mut marked, true) {
            return End::GivenBack(Because::new(Refusal::GroupChanged, "somebody has taken the mark back"));
        }
        match take(means, target, step).await {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(error) => tracing::warn!(node = %target.node, error = format!("{error:#}"), "trying again"),
        }
    }
}

/// A step with what it takes.
#[derive(Debug)]
struct Chosen {
    step: Step,
    mark: Option<Mark>,
    tenants: Vec<Tenant>,
}

async fn look_and_choose(means: &Means, target: &Target) -> Result<Chosen, DrainError> {
    let look = node::look(&means.client, &target.node).await?;
    let give_back = |why: &str| {
        let because = Because::new(Refusal::GroupChanged, why);
        Ok(Chosen { step: Step::GiveBack(because), mark: None, tenants: Vec::new() })
    };
    let mark = match look.as_ref().map(|look| &look.bears) {
        Some(Bears::Mark(mark)) => Some(mark.clone()),
        Some(Bears::Unreadable) => return give_back("the mark on the node is not of this version"),
        _ => None,
    };
    let runs_on = look.as_ref().and_then(|look| InstanceId::of_provider_id(look.provider_id.as_deref()?));
    if runs_on.is_some_and(|instance| instance != target.instance) {
        return give_back("the node's name belongs to another instance");
    }
    let mut tenants = match &look {
        Some(_) => node::tenants(&means.client, &target.node).await?,
        None => Vec::new(),
    };
    node::pin(&means.client, &mut tenants).await?;
    let empty = !tenants.iter().any(Tenant::must_leave);
    let sent = mark.as_ref().is_some_and(|mark| mark.terminate_sent_at_ms.is_some());
    // In between, while pods end, there is nothing to ask the group.
    let name = target.group(&means.core.inventory.borrow());
    let group = match name {
        Some(name) if mark.is_none() || empty || sent => group(means, &name).await.ok().flatten(),
        _ => None,
    };
    let scaling = &means.core.config.scaling;
    let call = Duration::from_millis(means.core.config.aws.call_timeout_ms);
    let limits = Limits {
        settle: Duration::from_secs(scaling.scale_in.settle_secs),
        drain: Duration::from_secs(scaling.scale_in.drain_secs),
        // On the clock of the cluster, which in a simulation runs faster than calls do.
        in_doubt: (call + CALL_WITHIN + DOUBT_MARGIN).mul_f64(means.core.clock.rate()),
    };
    let now = means.core.clock.now();
    let seen = Seen {
        now,
        mark: mark.as_ref(),
        there: look.is_some(),
        tenants: &tenants,
        group: group.as_ref(),
        may: may(means, now),
        pods_may: may_leave(&tenants, own_pod().as_deref()),
        desired: target.desired,
    };
    let step = next(target.instance.as_str(), &seen, &limits);
    Ok(Chosen { step, mark, tenants })
}

/// Whether this advisor may go on with it.
fn may(means: &Means, now: Time) -> Result<(), Because> {
    if !means.may_act() {
        return Err(Because::new(Refusal::NotLeading, format!("mode {}", means.core.config.scaling.mode.label())));
    }
    means.core.may_go_on(now)
}

async fn group(means: &Means, name: &Arc<str>) -> Result<Option<Group>, AwsError> {
    let api = Api::new(&means.aws);
    let group = api.group(name).await;
    means.core.count(api);
    group
}

/// Does it; how the whole ended, if this was the end.
async fn take(means: &Means, target: &Target, chosen: Chosen) -> anyhow::Result<Option<End>> {
    let Chosen { step, mark, tenants } = chosen;
    let now = means.core.clock.now();
    match step {
        Step::Wait(_) => {}
        Step::Done => return Ok(Some(End::Gone)),
        Step::Mark => {
            let Some(generation) = target.generation else {
                return Ok(Some(End::GivenBack(Refusal::GroupChanged.into())));
            };
            let group = target.group.as_deref().unwrap_or_default();
            if let Err(error) = means.journal.intend(Deed::ScaleIn, group, 1, now).await {
                return Ok(Some(End::GivenBack(Because::new(Refusal::InspectionFailed, format!("{error:#}")))));
            }
            let began_at_ms = now.as_millis();
            let mark =
                Mark { began_at_ms, generation, instance: target.instance.to_string(), terminate_sent_at_ms: None };
            match timeout(CALL_WITHIN, node::mark(&means.client, &target.node, &mark)).await {
                Ok(Ok(())) => {}
                // Whether it was written or not: what is not there need not be taken back.
                Ok(Err(error)) => {
                    let because = Because::new(Refusal::InspectionFailed, format!("{:#}", anyhow::Error::from(error)));
                    return unmark(means, target, because).await;
                }
                Err(_) => return unmark(means, target, Because::new(Refusal::InspectionFailed, "no answer")).await,
            }
            let about = About::Node(Arc::clone(&target.node));
            means.tell(about, false, "ScalingIn", "ScaleIn", "tainted and cordoned; its pods are evicted").await;
        }
        Step::Evict(uids) => {
            for pod in tenants.iter().filter(|pod| uids.contains(&pod.uid)) {
                // Evictions may take their time, and others must not wait for one that fails.
                if may(means, means.core.clock.now()).is_err() {
                    break;
                }
                match timeout(CALL_WITHIN, node::evict(&means.client, pod)).await {
                    Ok(Ok(Evicted::NotNow(why))) => {
                        tracing::info!(pod = pod.full_name(), why, "its budget does not allow an eviction now");
                    }
                    Ok(Ok(Evicted::Yes | Evicted::Gone)) => {
                        tracing::info!(pod = pod.full_name(), node = %target.node, "evicted");
                    }
                    Ok(Err(error)) => {
                        tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "not evicted")
                    }
                    Err(_) => tracing::warn!(pod = pod.full_name(), "not evicted: no answer"),
                }
            }
        }
        Step::Terminate => {
            let Some(mark) = mark else { return Ok(None) };
            let noted = Mark { terminate_sent_at_ms: Some(now.as_millis()), ..mark };
            // The doubt about the call is counted from the note.
            timeout(CALL_WITHIN, node::mark(&means.client, &target.node, &noted)).await??;
            if !means.may_act() {
                return Ok(Some(End::Left));
            }
            let api = Api::new(&means.aws);
            let sent = api.terminate_with_decrement(&target.instance).await;
            means.core.count(api);
            sent?;
        }
        Step::GiveBack(because) => return unmark(means, target, because).await,
    }
    Ok(None)
}

async fn unmark(means: &Means, target: &Target, because: Because) -> anyhow::Result<Option<End>> {
    timeout(CALL_WITHIN, node::unmark(&means.client, &target.node)).await??;
    Ok(Some(End::GivenBack(because)))
}

/// Looks until EC2 shows no ENI of the instance any more: only then its addresses are back in the subnet.
async fn follow(means: Arc<Means>, instance: InstanceId, began: Time) {
    let core = &means.core;
    loop {
        core.clock.sleep(LOOK_EVERY).await;
        let (now, inventory) = (core.clock.now(), Arc::clone(&core.inventory.borrow()));
        if inventory.read_at.enis.is_none_or(|at| at <= began) {
            continue;
        }
        let of_it = |id: &Option<InstanceId>| id.as_ref() == Some(&instance);
        let left = inventory
            .enis
            .iter()
            .filter(|eni| eni.attachment.as_ref().is_some_and(|at| of_it(&at.instance)) || of_it(&eni.tags.instance));
        let left: Vec<&str> = left.map(|eni| eni.id.as_str()).collect();
        let secs = now.since(began).as_secs();
        if left.is_empty() {
            core.metrics.acted("scale_in", "ips_returned");
            tracing::info!(%instance, secs, "its ENIs are gone and their addresses are back");
            return;
        }
        if now.since(began) >= means.books.in_flight_deadline {
            core.metrics.acted("scale_in", "enis_left");
            let note = format!("instance {instance} ended {secs} s ago and {} still hold addresses", left.join(", "));
            tracing::warn!(%instance, enis = left.join(", "), secs, "ENIs of an ended instance are left");
            means.tell(means.about_group(), true, "ENIsLeft", "ScaleIn", &note).await;
            return;
        }
    }
}
