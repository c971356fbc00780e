//! What will happen by itself, and when.

use std::collections::BTreeMap;

use headroom_capacity::ids::EniId;
use headroom_capacity::time::Time;

use super::ids::InstanceId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    InstanceRunning(InstanceId),
    InstanceStopped(InstanceId),
    InstanceTerminated(InstanceId),
    EniAttached(EniId),
    EniDetached(EniId),
    /// A group compares what it has with what it should have.
    GroupStep(String),
    /// A member of a group has passed its health check.
    InService(InstanceId),
    /// A lifecycle hook's heartbeat has run out, unless another one moved its deadline.
    HookDeadline(InstanceId),
}

/// Timers in order of time, then of scheduling.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    queue: BTreeMap<(Time, u64), Timer>,
    sequence: u64,
}

impl Timers {
    pub(super) fn push(&mut self, at: Time, timer: Timer) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), timer);
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Time, Timer)> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        let at = entry.key().0;
        Some((at, entry.remove()))
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.queue.first_key_value().map(|(key, _)| key.0)
    }
}
