//! Which of several processes acts: the holder of a Lease (coordination.k8s.io/v1).
//!
//! The rules are client-go's (`tools/leaderelection`), with a fencing token:
//!
//! - A holder renews the Lease three times in its duration. Others take it over when they have seen it unchanged for its whole
//!   duration: each by its own clock, for the time that a Lease names comes from another machine's.
//! - Every write names the version that it replaces, so of two candidates one is refused.
//! - A holder leads until two thirds of the duration after it sent the last renewal that succeeded, as client-go's defaults have
//!   it (`RenewDeadline` 10 s of 15). Whoever takes over waits for the whole of it, beginning later. The third between is for what
//!   was begun while [`Leadership::is_leader`] still said yes.
//! - `leaseTransitions` grows with each new holder: whoever is acted upon can refuse a [token](Leadership::token) lower than the last.
//!   It begins anew when somebody deletes the Lease.
//!
//! The monotonic clock stands still while a machine is suspended; a leader that wakes up finds out with its next renewal.
//!
//! Why not a crate: kube-leader-election 0.44 needs kube 4, compares the Lease's time with its own clock and writes without a
//! version, so that two can win; kubert 0.25 needs kube 1.1, compares clocks too and tells no token. Neither has a deadline before
//! the Lease's end.

mod elector;
mod seen;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::connect::Client;
use elector::Elector;

/// One who would lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease. It is created where there is none.
    pub name: String,
    /// Who this is: no two processes may have the same. See [`Candidate::identity`].
    pub identity: Arc<str>,
    /// How long the Lease lasts without being renewed, in whole seconds, at least 1 s.
    pub duration: Duration,
}

impl Candidate {
    /// An identity for this process: the pod's name, which kubelet sets as `HOSTNAME`, and a random part, for a container that is
    /// started again must not take its predecessor's Lease for its own.
    #[must_use]
    pub fn identity() -> Arc<str> {
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "headroom".to_owned());
        // Keyed by the operating system's randomness.
        format!("{host}_{:016x}", RandomState::new().hash_one(())).into()
    }
}

/// Who leads, as far as this process knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    holder: Option<Arc<str>>,
    term: Option<Term>,
}

/// While this process holds the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    token: u32,
    until: Instant,
}

impl Leadership {
    /// Whether this process leads at `now`. To be asked before each thing that only the leader may do: the answer turns to no by
    /// itself, whether or not the election's task still runs.
    #[must_use]
    pub fn is_leader(&self, now: Instant) -> bool {
        self.token(now).is_some()
    }

    /// The fencing token of this process's term: higher than that of every leader before it. `None` when it does not lead.
    #[must_use]
    pub fn token(&self, now: Instant) -> Option<u32> {
        self.term.filter(|term| now < term.until).map(|term| term.token)
    }

    /// Who holds the Lease, as last seen; `None` where nobody does or nothing was seen.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }
}

/// Stands for election: what the receiver shows is kept up by the future, which must be polled for it. It changes with each
/// renewal, for the deadline moves. When `shutdown` resolves, the Lease is given back, the next candidate takes it within about 2 s, and
/// the future ends; what only the leader may do has to be over by then. A future that is dropped gives nothing back.
///
/// RBAC: `get`, `create` and `update` on `leases` of API group `coordination.k8s.io` in the Lease's namespace; without them it never
/// leads, and says so in the log.
pub fn elect<S>(
    client: &Client,
    candidate: Candidate,
    shutdown: S,
) -> (watch::Receiver<Leadership>, impl Future<Output = ()> + Send + use<S>)
where
    S: Future<Output = ()> + Send + 'static,
{
    let (publish, leadership) = watch::channel(Leadership::default());
    (leadership, Elector::new(client, candidate, publish).run(shutdown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_ends_by_itself() {
        let until = Instant::now() + Duration::from_secs(10);
        let leadership = Leadership { holder: Some("a".into()), term: Some(Term { token: 3, until }) };
        assert_eq!(leadership.token(until - Duration::from_millis(1)), Some(3));
        assert!(!leadership.is_leader(until));
    }

    #[test]
    fn two_processes_of_one_pod_are_not_the_same() {
        assert_ne!(Candidate::identity(), Candidate::identity());
    }
}
