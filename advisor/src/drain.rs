//! One node on its way out: what to do next, from what is seen.
//!
//! Nothing is remembered between two steps but the [`Mark`] on the node itself. So whoever leads next goes on where the last one
//! stopped, or gives the node back:
//!
//! ```text
//! mark ──settle──> evict ──empty──> note the call, terminate ──> gone
//!   └───────┴────────┴── anything speaks against it ──> give back
//! ```
//!
//! Once the termination was sent it may have been carried out, whatever became of its answer: then the group is read until it tells, and
//! the node is not given back before. Pods that came to it in between would end with it.

use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use headroom_cluster::drain::{Mark, Tenant};

use crate::inventory::{Group, Member};
use crate::plan::{Because, Refusal};

/// What is seen of the node, all of it read for this step.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The time.
    pub now: Time,
    /// The mark on it; `None` while it has none.
    pub mark: Option<&'a Mark>,
    /// The node is there.
    pub there: bool,
    /// Its pods.
    pub tenants: &'a [Tenant],
    /// Its group; `None` where it could not be read, or there is none.
    pub group: Option<&'a Group>,
    /// Whether a scale-in may still go on.
    pub may: Result<(), Because>,
    /// Whether each of its pods may be moved.
    pub pods_may: Result<(), Because>,
    /// The desired capacity that the plan was made from, where there is a plan.
    pub desired: Option<u32>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the mark until the pods are looked at.
    pub settle: Duration,
    /// From the mark until the termination.
    pub drain: Duration,
    /// How long a termination may be on its way, longer than any call lasts. Until then a group that shows the instance in service does
    /// not say that it will not come.
    pub in_doubt: Duration,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Taint, cordon and mark it.
    Mark,
    /// Nothing for now.
    Wait(&'static str),
    /// Ask for these pods to be evicted.
    Evict(Vec<PodUid>),
    /// Note on the node that the termination is sent, then send it.
    Terminate,
    /// Take the mark back.
    GiveBack(Because),
    /// The instance is gone or on its way out for good.
    Done,
}

/// The next step for `instance`.
#[must_use]
pub fn next(instance: &str, seen: &Seen<'_>, limits: &Limits) -> Step {
    if !seen.there {
        return Step::Done;
    }
    let member = seen.group.map(|group| group.members.iter().find(|member| member.instance.as_str() == instance));
    match member {
        Some(Some(member)) if is_leaving(member) => return Step::Done,
        // Auto Scaling forgets an instance that has ended, and one that somebody detached: that one goes on running.
        Some(None) if seen.mark.is_some_and(|mark| mark.terminate_sent_at_ms.is_some()) => return Step::Done,
        Some(None) => return Step::GiveBack(Because::new(Refusal::GroupChanged, "the instance is in no group")),
        _ => {}
    }
    let Some(mark) = seen.mark else { return begin(member.flatten().zip(seen.group), seen) };
    if mark.instance != instance {
        return Step::GiveBack(Because::new(Refusal::GroupChanged, "the node's name belongs to another instance"));
    }
    if let Some(sent) = mark.terminate_sent_at_ms.map(Time::from_millis) {
        let in_doubt = seen.now.since(sent) < limits.in_doubt;
        if member.is_none() {
            return Step::Wait("the group, to know whether the instance ends");
        }
        if in_doubt {
            return Step::Wait("the termination");
        }
    }
    if let Err(because) = &seen.may {
        return Step::GiveBack(because.clone());
    }
    if let Some(because) = member.flatten().zip(seen.group).and_then(|(member, group)| speaks_against(member, group)) {
        return Step::GiveBack(because);
    }
    let since = seen.now.since(mark.began_at());
    if since >= limits.drain {
        return Step::GiveBack(Because::new(Refusal::DrainTimeout, format!("{} s", since.as_secs())));
    }
    if since < limits.settle {
        return Step::Wait("kube-scheduler, to see the taint");
    }
    let left: Vec<&Tenant> = seen.tenants.iter().filter(|pod| pod.must_leave()).collect();
    if let Err(because) = &seen.pods_may {
        return Step::GiveBack(because.clone());
    }
    let to_evict: Vec<PodUid> = left.iter().filter(|pod| !pod.deleting).map(|pod| pod.uid.clone()).collect();
    if !to_evict.is_empty() {
        return Step::Evict(to_evict);
    }
    if !left.is_empty() {
        return Step::Wait("its pods, to end");
    }
    if member.is_none() {
        return Step::Wait("the group, to be read");
    }
    Step::Terminate
}

/// The first step is only taken with the group at hand, read a moment ago: that is one more proof that AWS can be reached.
fn begin(found: Option<(&Member, &Group)>, seen: &Seen<'_>) -> Step {
    let Some((member, group)) = found else {
        return Step::GiveBack(Because::new(Refusal::EndpointNotReachable, "the group could not be read"));
    };
    let changed = seen.desired.is_some_and(|desired| desired != group.desired);
    let stale = changed.then(|| Because::new(Refusal::GroupChanged, format!("desired capacity {}", group.desired)));
    let against = seen.may.clone().err().or(stale).or_else(|| speaks_against(member, group));
    against.map_or(Step::Mark, Step::GiveBack)
}

/// Whether the instance is on its way out of the group (Auto Scaling user guide, "Lifecycle of an instance"): nothing brings it back.
fn is_leaving(member: &Member) -> bool {
    member.lifecycle.starts_with("Terminat")
}

/// What of the group may have changed since the plan.
fn speaks_against(member: &Member, group: &Group) -> Option<Because> {
    if group.desired <= group.min {
        return Some(Because::new(Refusal::MinSize, group.min.to_string()));
    }
    if group.suspended.iter().any(|process| process == "Terminate") {
        return Some(Refusal::TerminateSuspended.into());
    }
    if member.protected {
        return Some(Refusal::Protected.into());
    }
    (&*member.lifecycle != "InService").then(|| Because::new(Refusal::NotInService, &*member.lifecycle))
}

#[cfg(test)]
mod tests;
