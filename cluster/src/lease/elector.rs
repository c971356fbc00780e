//! The election's loop: look or write, tell, pause.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use thiserror::Error;
use tokio::sync::watch;

use super::seen::{Seen, Step};
use super::{Candidate, Leadership, Term};
use crate::connect::Client;

/// How often others look at the Lease at least: so soon one that is given back finds a new holder (client-go's `RetryPeriod`).
const LOOK: Duration = Duration::from_secs(2);
/// A release that meets a renewal of its own, still under way, tries again.
const RELEASE_TRIES: u32 = 3;

pub(super) struct Elector {
    leases: Api<Lease>,
    candidate: Candidate,
    seen: Seen,
    /// No write of this process is unanswered or refused since the last look.
    fresh: bool,
    publish: watch::Sender<Leadership>,
}

#[derive(Debug, Error)]
enum Failure {
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("another candidate was faster")]
    Conflict,
    #[error("RBAC must allow get, create and update on leases in API group coordination.k8s.io")]
    Forbidden(#[source] Box<kube::Error>),
    #[error(transparent)]
    Client(Box<kube::Error>),
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Failure {
        match &error {
            kube::Error::Api(status) if status.code == 409 => Failure::Conflict,
            kube::Error::Api(status) if status.code == 403 => Failure::Forbidden(Box::new(error)),
            _ => Failure::Client(Box::new(error)),
        }
    }
}

impl Elector {
    pub(super) fn new(client: &Client, candidate: Candidate, publish: watch::Sender<Leadership>) -> Elector {
        let leases = Api::namespaced(client.clone(), &candidate.namespace);
        Elector { leases, candidate, seen: Seen::default(), fresh: false, publish }
    }

    pub(super) async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            let turn = async {
                let pause = self.turn().await;
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                () = &mut shutdown => break,
                () = turn => {}
            }
        }
        self.release().await;
    }

    /// One look, one write where it is due, and how long to pause after it.
    async fn turn(&mut self) -> Duration {
        self.lapse();
        let pause = self.advance().await.unwrap_or_else(|failure| {
            self.report(&failure);
            jitter(self.look())
        });
        self.lapse();
        // The end of a term is told when it comes.
        self.left().map_or(pause, |left| pause.min(left))
    }

    async fn advance(&mut self) -> Result<Duration, Failure> {
        if !self.fresh || self.seen.holder() != Some(&*self.candidate.identity) {
            self.read().await?;
        }
        let sent = Instant::now();
        let lease = match self.seen.step(&self.candidate.identity, self.candidate.duration, sent, wall()) {
            Step::Wait(until) => {
                self.tell(None);
                return Ok(jitter(self.look()).min(until.saturating_duration_since(sent)));
            }
            Step::Create(spec) => {
                let metadata = ObjectMeta { name: Some(self.candidate.name.clone()), ..ObjectMeta::default() };
                Lease { metadata, spec: Some(spec) }
            }
            Step::Replace(lease) => *lease,
        };
        self.write(&lease).await?;
        self.tell(Some(Term { token: self.seen.token(), until: sent + self.candidate.duration * 2 / 3 }));
        Ok(jitter(self.candidate.duration / 3))
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let lease = self.call(self.leases.get_opt(&self.candidate.name)).await?;
        self.seen.observe(lease, Instant::now());
        self.fresh = true;
        Ok(())
    }

    /// Creates what has no version yet, and replaces the version that it has.
    async fn write(&mut self, lease: &Lease) -> Result<(), Failure> {
        // Whoever is cut off here does not know which version there is.
        self.fresh = false;
        let params = PostParams::default();
        let written = match lease.metadata.resource_version {
            None => self.call(self.leases.create(&params, lease)).await?,
            Some(_) => self.call(self.leases.replace(&self.candidate.name, &params, lease)).await?,
        };
        self.seen.observe(Some(written), Instant::now());
        self.fresh = true;
        Ok(())
    }

    /// One attempt, which may not outlast the term: after it somebody else may lead.
    async fn call<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
        let within = self.candidate.duration / 6;
        let within = self.left().map_or(within, |left| within.min(left));
        tokio::time::timeout(within, request).await.map_err(|_| Failure::Timeout(within))?.map_err(Failure::from)
    }

    fn look(&self) -> Duration {
        LOOK.min(self.candidate.duration / 8)
    }

    /// What is left of the term; `None` without one.
    fn left(&self) -> Option<Duration> {
        let term = self.publish.borrow().term?;
        Some(term.until.saturating_duration_since(Instant::now()))
    }

    /// Ends the term where it is over.
    fn lapse(&self) {
        if self.left().is_some_and(|left| left.is_zero()) {
            tracing::warn!(lease = %self.candidate.name, "leads no more: the lease could not be renewed in time");
            self.publish.send_modify(|leadership| leadership.term = None);
        }
    }

    fn tell(&self, term: Option<Term>) {
        let led = self.publish.borrow().term.is_some();
        let holder: Option<Arc<str>> = self.seen.holder().map(Arc::from);
        match term {
            Some(term) if !led => tracing::info!(lease = %self.candidate.name, token = term.token, "leads"),
            None if led => {
                tracing::warn!(lease = %self.candidate.name, ?holder, "leads no more: another has the lease")
            }
            _ => {}
        }
        let now = Leadership { holder, term };
        self.publish.send_if_modified(|last| {
            let news = *last != now;
            *last = now;
            news
        });
    }

    fn report(&self, failure: &Failure) {
        let lease = &self.candidate.name;
        match failure {
            Failure::Conflict => tracing::debug!(%lease, "lease: {failure}"),
            Failure::Forbidden(error) => tracing::error!(%lease, %error, "lease refused: {failure}"),
            _ => tracing::warn!(%lease, error = %failure, "failed to read or renew the lease"),
        }
    }

    /// Leads no more, then gives the Lease back if it can.
    async fn release(&mut self) {
        self.publish.send_modify(|leadership| leadership.term = None);
        for _ in 0..RELEASE_TRIES {
            match self.try_release().await {
                Ok(()) => return,
                Err(Failure::Conflict) => {}
                Err(failure) => return self.report(&failure),
            }
        }
    }

    async fn try_release(&mut self) -> Result<(), Failure> {
        if !self.fresh {
            self.read().await?;
        }
        if let Some(lease) = self.seen.released(&self.candidate.identity, wall()) {
            self.write(&lease).await?;
            tracing::info!(lease = %self.candidate.name, "lease given back");
        }
        Ok(())
    }
}

/// What is written for people to read.
fn wall() -> MicroTime {
    MicroTime(Timestamp::now())
}

/// Up to a fifth sooner, so that candidates do not keep step.
fn jitter(period: Duration) -> Duration {
    period.mul_f64(1.0 - 0.2 * fastrand::f64())
}
