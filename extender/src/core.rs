//! What every protocol answers from: read the snapshot, decide, claim. Of HTTP also the bytes on both sides. Never waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::{Demand, Reason};
use headroom_shell::admin;
use tokio::sync::watch;

use crate::claims::{Claimant, Claims, Outcome};
use crate::config::{Config, OnUnknown};
use crate::explain::Explanation;
use crate::filter::{Answer, Candidate, Counts, Decision, Room, decide, offers, scores};
use crate::metrics::{Metrics, PolicyUse, Verb};
use crate::snapshot::Snapshot;
use crate::waiting::{Rejection, Waiting, WaitingPod};
use crate::wire::{self, Args, Pod, RequestError};

/// Unix time that never goes back: read once, then carried by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    /// Starts at the system's time.
    #[must_use]
    pub fn start() -> Clock {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { started: Instant::now(), epoch }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::ZERO + self.epoch + self.started.elapsed()
    }
}

/// What requests share with the writer.
#[derive(Debug)]
pub struct Core {
    /// What it decides by.
    pub config: Config,
    /// What it counts.
    pub metrics: Metrics,
    snapshot: ArcSwap<Snapshot>,
    /// A plain mutex, held for the microseconds of one decision and never across an await. The snapshot is read under it: a claim
    /// ends only after the snapshot that counts its pod is published, so whoever finds the claim gone also finds the pod counted.
    claims: Mutex<Claims>,
    /// Pods that found no node. `claims` may be locked while this is, never the other way round.
    waiting: Mutex<Waiting>,
    ready: watch::Sender<bool>,
}

impl Core {
    /// Not ready until a snapshot is published.
    #[must_use]
    pub fn new(config: Config) -> Core {
        let empty = Snapshot { missing: crate::index::KINDS.to_vec(), ..Snapshot::default() };
        Core {
            config,
            metrics: Metrics::new(),
            snapshot: ArcSwap::from_pointee(empty),
            claims: Mutex::new(Claims::default()),
            waiting: Mutex::default(),
            ready: watch::Sender::new(false),
        }
    }

    /// The current snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Follows [`Snapshot::is_ready`].
    #[must_use]
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Publishes a snapshot and then ends the claims of the pods that it counts.
    pub fn publish(&self, snapshot: Snapshot, outcomes: &[Outcome], now: Time) {
        self.metrics.published(&snapshot, now);
        let is_ready = snapshot.is_ready();
        self.snapshot.store(Arc::new(snapshot));
        self.ready.send_if_modified(|ready| std::mem::replace(ready, is_ready) != is_ready);
        let mut claims = self.claims();
        claims.expire(now);
        for outcome in outcomes {
            claims.settle(outcome, now, &self.config.claims);
        }
        drop(claims);
        let mut waiting = self.waiting();
        for outcome in outcomes {
            if let Outcome::Settled(uid) = outcome {
                waiting.forget(uid);
            }
        }
    }

    /// The waiting pods that kube-scheduler shall try again now.
    #[must_use]
    pub fn wake(&self, now: Time) -> Vec<WaitingPod> {
        let mut waiting = self.waiting();
        if waiting.is_empty() {
            return Vec::new();
        }
        let snapshot = self.snapshot();
        waiting.look(&snapshot, &self.config, now);
        let claims = self.claims();
        waiting.wake(&snapshot, &claims, &self.config, now)
    }

    /// The pod is not there to be woken.
    pub fn wake_gone(&self, pod: &WaitingPod) {
        self.waiting().forget(&pod.uid);
    }

    /// The pod could not be woken; it will be tried again after its back-off.
    pub fn wake_failed(&self, pod: &WaitingPod) {
        self.metrics.wake_errors.inc();
        self.waiting().not_woken(&pod.uid);
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// As [`Metrics::encode`].
    pub fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        let (claims, expired) = {
            let claims = self.claims();
            (claims.len(), claims.expired_total)
        };
        let waiting = self.waiting().len();
        self.metrics.encode(claims, expired, waiting)
    }

    /// Answers `POST /v1/filter`.
    #[must_use]
    pub fn filter(&self, body: &[u8], now: Time) -> Vec<u8> {
        let started = Instant::now();
        let reply = wire::decode(body).and_then(|args| self.filter_args(&args, now));
        let reply = reply.unwrap_or_else(|error| self.refuse(Verb::Filter, &error));
        self.metrics.filter_took(started.elapsed());
        reply
    }

    /// Answers `POST /v1/prioritize`. Its reply has no place for an error; an empty list leaves kube-scheduler's scores alone.
    #[must_use]
    pub fn prioritize(&self, body: &[u8], now: Time) -> Vec<u8> {
        let reply = wire::decode(body).and_then(|args| {
            let scores = self.score(&args.pod, &args.names.list(), now)?;
            Ok(wire::priorities(&args.names, scores.into_iter()))
        });
        reply.unwrap_or_else(|error| self.refuse(Verb::Prioritize, &error))
    }

    /// The HTTP reply to a request that gets no answer, counted.
    #[must_use]
    pub fn refuse(&self, verb: Verb, error: &RequestError) -> Vec<u8> {
        self.count_refusal(verb, error);
        match verb {
            Verb::Prioritize => wire::no_priorities(),
            _ => wire::failed(error),
        }
    }

    /// Counts a request that gets no answer.
    pub fn count_refusal(&self, verb: Verb, error: &RequestError) {
        tracing::debug!(%error, ?verb, "request refused");
        self.metrics.request(verb, error.label());
    }

    fn filter_args(&self, args: &Args<'_>, now: Time) -> Result<Vec<u8>, RequestError> {
        let names = &args.names;
        Ok(match self.decide(&args.pod, &names.list(), now)? {
            Decision::All => wire::passed_all(names),
            Decision::Some(passing) => wire::passed(names, passing.iter().copied()),
            Decision::None(reasons) => wire::rejected(names, reasons.iter().copied()),
            Decision::NoneOfMany(reason) => wire::rejected_all(names, reason),
        })
    }

    /// Decides which of `names` the pod may go to, whichever protocol asks, and makes the pod's claim.
    ///
    /// # Errors
    /// When the state may not be decided by.
    pub fn decide(&self, pod: &Pod<'_>, names: &[&str], now: Time) -> Result<Decision, RequestError> {
        if pod.demand == Demand::None {
            self.metrics.request(Verb::Filter, "all");
            return Ok(Decision::All);
        }
        let placed = self.place(candidate(pod), names, now)?;
        self.remember(pod, names.len(), &placed, now);
        let decision = placed.answer.decision;
        let answer = match &decision {
            Decision::All => "all",
            Decision::Some(_) => "some",
            Decision::None(_) | Decision::NoneOfMany(_) => "none",
        };
        self.metrics.request(Verb::Filter, answer);
        Ok(decision)
    }

    /// Scores 0 to 10 in the order of `names`, whichever protocol asks; empty for a pod that needs no address. Claims nothing.
    ///
    /// # Errors
    /// As [`Core::decide`].
    pub fn score(&self, pod: &Pod<'_>, names: &[&str], now: Time) -> Result<Vec<u8>, RequestError> {
        if pod.demand == Demand::None {
            self.metrics.request(Verb::Prioritize, "all");
            return Ok(Vec::new());
        }
        let rooms: Vec<Room> = {
            let claims = self.claims();
            let snapshot = self.snapshot.load();
            self.usable(&snapshot, now)?;
            offers(&snapshot, &claims, &candidate(pod), names, &self.config).iter().map(|offer| offer.room).collect()
        };
        self.metrics.request(Verb::Prioritize, "some");
        Ok(scores(&rooms))
    }

    /// What [`Core::decide`] would go by now for each of `names`, or for every node if there is none. Claims nothing, and answers
    /// from stale state too, whatever the policy.
    ///
    /// # Errors
    /// When the first lists are not complete.
    pub fn explain(&self, pod: &Pod<'_>, names: &[&str]) -> Result<Explanation, RequestError> {
        let claims = self.claims();
        let snapshot = self.snapshot.load_full();
        if !snapshot.is_ready() {
            return Err(RequestError::NotReady);
        }
        let explanation = Explanation::new(&snapshot, &claims, &candidate(pod), names, &self.config);
        drop(claims);
        self.metrics.request(Verb::Explain, if explanation.passes_any() { "some" } else { "none" });
        Ok(explanation)
    }

    /// Decides for a pod and makes its claim, in place of any that it held.
    fn place(&self, pod: Candidate, names: &[&str], now: Time) -> Result<Placed, RequestError> {
        let mut claims = self.claims();
        let snapshot = self.snapshot.load_full();
        self.usable(&snapshot, now)?;
        claims.expire(now);
        claims.release(&pod.claimant.uid);
        let mut answer = decide(&snapshot, &claims, &pod, names, &self.config);
        claims.make(pod.claimant, std::mem::take(&mut answer.claim), now, &self.config.claims);
        let given_back = claims.given_back_total;
        drop(claims);
        self.count(&answer.counts);
        Ok(Placed { answer, snapshot, given_back })
    }

    /// Keeps a pod that no node is open for; one that found a node waits no more.
    fn remember(&self, pod: &Pod<'_>, names: usize, placed: &Placed, now: Time) {
        if !self.config.wake_up.enabled {
            return;
        }
        let uid = PodUid::from(&*pod.uid);
        if !placed.answer.decision.rejects() {
            return self.waiting().forget(&uid);
        }
        let claimed = placed.answer.counts.never().any(|(reason, _)| reason == Reason::Claimed);
        let rejection = Rejection {
            pod: WaitingPod { uid, namespace: (*pod.namespace).into(), name: (*pod.name).into() },
            demand: pod.demand,
            priority: pod.priority,
            claims: claimed.then_some(placed.given_back),
            sampled: placed.answer.room_elsewhere.then_some(names),
        };
        self.waiting().reject(rejection, &placed.snapshot, now);
    }

    /// Whether the state may be decided by.
    fn usable(&self, snapshot: &Snapshot, now: Time) -> Result<(), RequestError> {
        if !snapshot.is_ready() {
            return Err(RequestError::NotReady);
        }
        let failure = &self.config.failure;
        if failure.is_stale(snapshot.failing_since, now) {
            self.metrics.policy(PolicyUse::StaleState, failure.on_stale_state, 1);
            if failure.on_stale_state == OnUnknown::Reject {
                return Err(RequestError::Stale);
            }
        }
        Ok(())
    }

    fn count(&self, counts: &Counts) {
        self.metrics.nodes(counts);
        let failure = &self.config.failure;
        let nodes = counts.by_policy(Reason::UnknownNode);
        self.metrics.policy(PolicyUse::UnknownNode, failure.on_unknown_node, nodes);
        let capacity = counts.by_policy(Reason::UnknownInstanceType) + counts.by_policy(Reason::UnknownSubnet);
        self.metrics.policy(PolicyUse::UnknownCapacity, failure.on_unknown_capacity, capacity);
    }

    /// What is kept in it is only ever a hint.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic while the lock was held would have left a claim too many at worst, and its deadline ends it.
    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl admin::Status for Core {
    fn missing(&self) -> Vec<&'static str> {
        self.snapshot().missing.iter().map(|kind| kind.label()).collect()
    }

    fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        self.metrics_text()
    }
}

/// A decision with what it was made by.
struct Placed {
    answer: Answer,
    snapshot: Arc<Snapshot>,
    /// [`Claims::given_back_total`] at that time.
    given_back: u64,
}

fn candidate(pod: &Pod<'_>) -> Candidate {
    Candidate {
        claimant: Claimant {
            uid: PodUid::from(&*pod.uid),
            demand: pod.demand,
            resource_version: pod.resource_version,
            failure: pod.failure,
        },
        priority: pod.priority,
        prefers: pod.prefers,
    }
}

#[cfg(test)]
mod tests;
