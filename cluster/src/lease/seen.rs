//! What was seen of a Lease, and what it allows. Knows no clock: every call says what time it is.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// A Lease as last read or written.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The object; `None` where it is not there.
    object: Option<Lease>,
    /// Its spec, or the last one before it went away.
    record: LeaseSpec,
    /// When the record was first seen as it is. A server's answer comes after the write that it shows: taking its arrival, a
    /// candidate waits too long rather than too short.
    since: Option<Instant>,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It is another's until then.
    Wait(Instant),
    /// Make it this candidate's: there is none.
    Create(LeaseSpec),
    /// Make it this candidate's, or renew it: this object in place of the one with its version.
    Replace(Box<Lease>),
}

impl Seen {
    /// The server has answered: this is the Lease, or there is none.
    pub(super) fn observe(&mut self, object: Option<Lease>, now: Instant) {
        // Of a Lease that somebody deleted the holder may not know yet: its record goes on to count.
        if let Some(lease) = &object {
            let record = lease.spec.clone().unwrap_or_default();
            if self.since.is_none() || record != self.record {
                self.record = record;
                self.since = Some(now);
            }
        }
        self.object = object;
    }

    /// Who holds it; `None` where it is given back or was never held.
    pub(super) fn holder(&self) -> Option<&str> {
        self.record.holder_identity.as_deref().filter(|holder| !holder.is_empty())
    }

    /// The fencing token of the holder.
    pub(super) fn token(&self) -> u32 {
        self.record.lease_transitions.and_then(|transitions| transitions.try_into().ok()).unwrap_or(0)
    }

    /// What `me` may do now. `wall` is the date to be written; nobody decides by it.
    pub(super) fn step(&self, me: &str, duration: Duration, now: Instant, wall: MicroTime) -> Step {
        let mine = self.holder() == Some(me);
        if let Some(until) = self.held_until(duration).filter(|until| !mine && now < *until) {
            return Step::Wait(until);
        }
        let spec = LeaseSpec {
            holder_identity: Some(me.to_owned()),
            lease_duration_seconds: Some(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: if mine { self.record.acquire_time.clone() } else { Some(wall.clone()) },
            renew_time: Some(wall),
            lease_transitions: Some(self.next_transitions(mine)),
            ..self.record.clone()
        };
        match &self.object {
            None => Step::Create(spec),
            Some(lease) => Step::Replace(Box::new(Lease { spec: Some(spec), ..lease.clone() })),
        }
    }

    /// The Lease given back, if it is `me` who holds it.
    pub(super) fn released(&self, me: &str, wall: MicroTime) -> Option<Lease> {
        let lease = self.object.as_ref().filter(|_| self.holder() == Some(me))?;
        let spec = LeaseSpec { holder_identity: Some(String::new()), renew_time: Some(wall), ..self.record.clone() };
        Some(Lease { spec: Some(spec), ..lease.clone() })
    }

    /// Until when it is somebody's, by the duration that the holder wrote; `otherwise` where it wrote none.
    fn held_until(&self, otherwise: Duration) -> Option<Instant> {
        self.holder()?;
        let secs = self.record.lease_duration_seconds.and_then(|secs| u64::try_from(secs).ok());
        self.since.map(|since| since + secs.map_or(otherwise, Duration::from_secs))
    }

    fn next_transitions(&self, mine: bool) -> i32 {
        match self.record.lease_transitions {
            Some(transitions) if mine => transitions,
            Some(transitions) => transitions.saturating_add(1),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests;
