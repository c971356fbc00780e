//! Waiting pods: first come first served, with kube-scheduler's back-off for those that did not fit.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use headroom_capacity::time::Time;

/// `podInitialBackoffSeconds` and `podMaxBackoffSeconds` of KubeSchedulerConfiguration.
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);

/// `flushUnschedulablePodsLeftover`: a pod that no event woke is tried again after this long.
const LEFTOVER: Duration = Duration::from_secs(5 * 60);

#[derive(Debug)]
struct Failed {
    attempts: u32,
    at: Time,
    /// Whether something changed since the attempt that may make the pod fit.
    woken: bool,
}

impl Failed {
    fn due(&self) -> Time {
        let doubled = BACK_OFF_FIRST.saturating_mul(1 << (self.attempts - 1).min(4));
        self.at + if self.woken { doubled.min(BACK_OFF_MAX) } else { LEFTOVER }
    }
}

/// The queue, keyed by pod UID (`pkg/scheduler/backend/queue/scheduling_queue.go`). It does without
/// `SchedulerPopFromBackoffQ`: a pod always sits its back-off out.
#[derive(Debug, Default)]
pub(super) struct Queue {
    active: VecDeque<String>,
    failed: HashMap<String, Failed>,
}

impl Queue {
    /// A pod that was never tried. A pod that is already queued stays where it is.
    pub(super) fn add(&mut self, uid: &str) {
        if !self.failed.contains_key(uid) && !self.active.iter().any(|queued| queued == uid) {
            self.active.push_back(uid.to_owned());
        }
    }

    /// The pod is bound or gone.
    pub(super) fn remove(&mut self, uid: &str) {
        self.active.retain(|queued| queued != uid);
        self.failed.remove(uid);
    }

    /// The pod did not fit. `again` tells that it needs no event to be tried again: the attempt itself went wrong.
    pub(super) fn failed(&mut self, uid: &str, now: Time, again: bool) {
        let attempts = self.failed.get(uid).map_or(1, |failed| failed.attempts.saturating_add(1));
        self.failed.insert(uid.to_owned(), Failed { attempts, at: now, woken: again });
    }

    /// Something changed in the cluster: every pod that did not fit may fit now.
    pub(super) fn wake(&mut self) {
        for failed in self.failed.values_mut() {
            failed.woken = true;
        }
    }

    /// The pod itself changed: kube-scheduler's `Update` looks at this pod only.
    pub(super) fn wake_pod(&mut self, uid: &str) {
        if let Some(failed) = self.failed.get_mut(uid) {
            failed.woken = true;
        }
    }

    /// The next pod to try.
    pub(super) fn pop(&mut self, now: Time) -> Option<String> {
        if let Some(uid) = self.active.pop_front() {
            return Some(uid);
        }
        let due = self.failed.iter().filter(|(_, failed)| failed.due() <= now);
        due.min_by_key(|(uid, failed)| (failed.at, (*uid).clone())).map(|(uid, _)| uid.clone())
    }

    /// When [`Queue::pop`] will have something, if nothing else happens.
    pub(super) fn next_due(&self, now: Time) -> Option<Time> {
        if self.active.is_empty() { self.failed.values().map(Failed::due).min() } else { Some(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_pod_waits_for_an_event_and_its_back_off() {
        let mut queue = Queue::default();
        queue.add("a");
        queue.add("a");
        assert_eq!(queue.pop(Time::ZERO).as_deref(), Some("a"));
        queue.failed("a", Time::ZERO, false);
        assert_eq!(queue.pop(Time::from_secs(60)), None, "nothing changed");
        queue.wake();
        assert_eq!(queue.pop(Time::from_millis(999)), None, "back-off of 1 s");
        assert_eq!(queue.pop(Time::from_secs(1)).as_deref(), Some("a"));
    }

    #[test]
    fn an_annotation_wakes_one_pod() {
        let mut queue = Queue::default();
        queue.failed("a", Time::ZERO, false);
        queue.failed("b", Time::ZERO, false);
        queue.wake_pod("b");
        assert_eq!(queue.pop(Time::from_secs(1)).as_deref(), Some("b"));
        queue.remove("b");
        assert_eq!(queue.pop(Time::from_secs(1)), None);
    }

    #[test]
    fn back_off_doubles_to_ten_seconds() {
        let mut queue = Queue::default();
        let waits: Vec<u64> = (0..6)
            .map(|_| {
                queue.failed("a", Time::ZERO, true);
                queue.next_due(Time::ZERO).unwrap().as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn leftover_is_tried_after_five_minutes() {
        let mut queue = Queue::default();
        queue.failed("a", Time::ZERO, false);
        assert_eq!(queue.next_due(Time::ZERO), Some(Time::from_secs(300)));
    }
}
