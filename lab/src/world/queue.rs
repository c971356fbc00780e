//! What is due, in order of time and then of arrival.

use std::collections::BTreeMap;

use headroom_capacity::time::Time;

/// A queue of due things: equal times keep their order, so that a run can be repeated.
#[derive(Debug)]
pub(super) struct Queue<T> {
    due: BTreeMap<(Time, u64), T>,
    arrivals: u64,
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Queue<T> {
        Queue { due: BTreeMap::new(), arrivals: 0 }
    }

    pub(super) fn push(&mut self, at: Time, item: T) {
        self.due.insert((at, self.arrivals), item);
        self.arrivals += 1;
    }

    /// When the first item is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first item, if it is due by `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<(Time, T)> {
        self.next_due().filter(|at| *at <= now)?;
        self.due.pop_first().map(|((at, _), item)| (at, item))
    }
}
