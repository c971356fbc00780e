//! From a request's bytes to a reply's bytes: decode, read the snapshot, decide, claim, encode. Never waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::{Demand, Reason};

use crate::claims::{Claimant, Claims, Outcome};
use crate::config::{Config, OnUnknown};
use crate::filter::{Answer, Candidate, Decision, Room, decide, scores};
use crate::metrics::{Metrics, PolicyUse, Verb};
use crate::snapshot::Snapshot;
use crate::waiting::{Rejection, Waiting, WaitingPod};
use crate::wire::{self, Args, RequestError};

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
}

impl Core {
    /// Not ready until a snapshot is published.
    #[must_use]
    pub fn new(config: Config) -> Core {
        let empty = Snapshot { missing: headroom_cluster::Kind::ALL.to_vec(), ..Snapshot::default() };
        Core {
            config,
            metrics: Metrics::new(),
            snapshot: ArcSwap::from_pointee(empty),
            claims: Mutex::new(Claims::default()),
            waiting: Mutex::default(),
        }
    }

    /// The current snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Publishes a snapshot and then ends the claims of the pods that it counts.
    pub fn publish(&self, snapshot: Snapshot, outcomes: &[Outcome], now: Time) {
        self.metrics.published(&snapshot, now);
        self.snapshot.store(Arc::new(snapshot));
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
        let reply = match self.try_filter(body, now) {
            Ok((answer, reply)) => {
                self.metrics.request(Verb::Filter, answer);
                reply
            }
            Err(error) => self.refuse(Verb::Filter, &error),
        };
        self.metrics.filter_took(started.elapsed());
        reply
    }

    /// Answers `POST /v1/prioritize`. Its reply has no place for an error; an empty list leaves kube-scheduler's scores alone.
    #[must_use]
    pub fn prioritize(&self, body: &[u8], now: Time) -> Vec<u8> {
        match self.try_prioritize(body, now) {
            Ok((answer, reply)) => {
                self.metrics.request(Verb::Prioritize, answer);
                reply
            }
            Err(error) => self.refuse(Verb::Prioritize, &error),
        }
    }

    /// The reply to a request that gets no answer, counted.
    #[must_use]
    pub fn refuse(&self, verb: Verb, error: &RequestError) -> Vec<u8> {
        tracing::debug!(%error, ?verb, "request refused");
        self.metrics.request(verb, error.label());
        match verb {
            Verb::Filter => wire::failed(error),
            Verb::Prioritize => wire::no_priorities(),
        }
    }

    fn try_filter(&self, body: &[u8], now: Time) -> Result<(&'static str, Vec<u8>), RequestError> {
        let args = wire::decode(body)?;
        let pod = candidate(&args);
        if pod.claimant.demand == Demand::None {
            return Ok(("all", wire::passed_all(&args.names)));
        }
        let placed = self.place(pod, &args.names.list(), now)?;
        self.remember(&args, &placed, now);
        Ok(match &placed.answer.decision {
            Decision::All => ("all", wire::passed_all(&args.names)),
            Decision::Some(passing) => ("some", wire::passed(&args.names, passing.iter().copied())),
            Decision::None(reasons) => ("none", wire::rejected(&args.names, reasons.iter().copied())),
        })
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
        self.count(&answer);
        Ok(Placed { answer, snapshot, given_back })
    }

    /// Keeps a pod that no node is open for; one that found a node waits no more.
    fn remember(&self, args: &Args<'_>, placed: &Placed, now: Time) {
        if !self.config.wake_up.enabled {
            return;
        }
        let uid = PodUid::from(&*args.pod.uid);
        let Decision::None(reasons) = &placed.answer.decision else { return self.waiting().forget(&uid) };
        let claimed = reasons.contains(&Reason::Claimed);
        let pod = WaitingPod { uid, namespace: (*args.pod.namespace).into(), name: (*args.pod.name).into() };
        let rejection = Rejection {
            pod,
            demand: args.pod.demand,
            priority: args.pod.priority,
            claims: claimed.then_some(placed.given_back),
        };
        self.waiting().reject(rejection, &placed.snapshot, now);
    }

    fn try_prioritize(&self, body: &[u8], now: Time) -> Result<(&'static str, Vec<u8>), RequestError> {
        let args = wire::decode(body)?;
        let pod = candidate(&args);
        let rooms = {
            let claims = self.claims();
            let snapshot = self.snapshot.load();
            self.usable(&snapshot, now)?;
            decide(&snapshot, &claims, &pod, &args.names.list(), &self.config).rooms
        };
        Ok(if rooms.is_empty() {
            ("all", wire::no_priorities())
        } else {
            ("some", wire::priorities(&args.names, scores(&rooms).into_iter()))
        })
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

    fn count(&self, answer: &Answer) {
        self.metrics.nodes(&answer.rooms);
        let uses = |wanted: fn(Reason) -> bool| {
            let hit = answer.rooms.iter().filter(|room| match room {
                Room::Open(Some(reason)) | Room::Closed(reason) => wanted(*reason),
                Room::Unproven { .. } => wanted(Reason::UnknownSubnet),
                Room::Now { .. } | Room::Soon { .. } | Room::Open(None) => false,
            });
            u64::try_from(hit.count()).unwrap_or(u64::MAX)
        };
        let failure = &self.config.failure;
        let nodes = uses(|reason| reason == Reason::UnknownNode);
        self.metrics.policy(PolicyUse::UnknownNode, failure.on_unknown_node, nodes);
        let capacity = uses(|reason| matches!(reason, Reason::UnknownInstanceType | Reason::UnknownSubnet));
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

/// A decision with what it was made by.
struct Placed {
    answer: Answer,
    snapshot: Arc<Snapshot>,
    /// [`Claims::given_back_total`] at that time.
    given_back: u64,
}

fn candidate(args: &Args<'_>) -> Candidate {
    let pod = &args.pod;
    Candidate {
        claimant: Claimant {
            uid: PodUid::from(&*pod.uid),
            demand: pod.demand,
            resource_version: pod.resource_version,
            failure: pod.failure,
        },
        priority: pod.priority,
    }
}

#[cfg(test)]
mod tests;
