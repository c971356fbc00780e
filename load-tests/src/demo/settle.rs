//! When a run has shown what it has to show.

use std::time::Duration;

use headroom_capacity::time::Time;

/// Longer than every wait after which a stuck pod could still move by itself: kubelet's retry of a failed sandbox (15 s at most), the
/// cool-down of a released IP (30 s), one loop and one new ENI (15 s).
const QUIET: Duration = Duration::from_secs(75);

/// Watches a run's figures and tells when they have stopped moving.
#[derive(Debug)]
pub(super) struct Settle<T> {
    last: Option<(T, Time)>,
    not_before: Time,
}

impl<T: PartialEq> Settle<T> {
    /// `not_before`: the workload's last change.
    pub(super) fn new(not_before: Time) -> Settle<T> {
        Settle { last: None, not_before }
    }

    /// Whether `figures` have been the same for long enough.
    pub(super) fn settled(&mut self, figures: T, now: Time) -> bool {
        match &self.last {
            Some((last, since)) if *last == figures => now.since((*since).max(self.not_before)) >= QUIET,
            _ => {
                self.last = Some((figures, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settles_when_quiet_after_the_last_change() {
        let mut settle = Settle::new(Time::from_secs(100));
        assert!(!settle.settled(1, Time::from_secs(0)));
        assert!(!settle.settled(1, Time::from_secs(174)), "the workload may still change until 100 s");
        assert!(settle.settled(1, Time::from_secs(175)));
        assert!(!settle.settled(2, Time::from_secs(176)), "figures moved");
        assert!(settle.settled(2, Time::from_secs(251)));
    }
}
