//! The lab's clock: real time, faster than real time, or moved by hand in tests.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headroom_capacity::time::Time;

/// Lab seconds per real second that make sense: from slow motion to a day in a second. Beyond them durations overflow.
pub const RATES: RangeInclusive<f64> = 0.01..=100_000.0;

/// A clock that every part of one lab shares. Its epoch is the Unix epoch, so that timestamps in AWS and Kubernetes
/// objects are ordinary dates.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    base: Time,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    rate: f64,
}

impl Clock {
    /// Runs `rate` times as fast as real time, from the machine's date.
    ///
    /// # Panics
    /// When `rate` is not one of [`RATES`]: scenario validation has refused it before.
    #[must_use]
    pub fn running(rate: f64) -> Clock {
        assert!(RATES.contains(&rate), "clock rate {rate} must be one of {RATES:?}");
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock::with(Time::ZERO + unix, Some(Running { since: Instant::now(), rate }))
    }

    /// Stands still at `start` until [`Clock::advance`].
    #[must_use]
    pub fn manual(start: Time) -> Clock {
        Clock::with(start, None)
    }

    fn with(base: Time, running: Option<Running>) -> Clock {
        Clock(Arc::new(Mutex::new(State { base, running })))
    }

    /// The lab's time.
    #[must_use]
    pub fn now(&self) -> Time {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.running {
            None => state.base,
            Some(running) => state.base + running.since.elapsed().mul_f64(running.rate),
        }
    }

    /// Moves the clock on, a running one too.
    pub fn advance(&self, by: Duration) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.base = state.base + by;
    }

    /// Real time that passes while the lab's clock moves by `lab_time`; zero for a manual clock.
    #[must_use]
    pub fn real(&self, lab_time: Duration) -> Duration {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.running.as_ref().map_or(Duration::ZERO, |running| lab_time.div_f64(running.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Time::from_secs(7));
        assert_eq!(clock.now(), Time::from_secs(7));
        clock.clone().advance(Duration::from_secs(3));
        assert_eq!(clock.now(), Time::from_secs(10));
    }

    #[test]
    fn fast_clock_needs_less_real_time() {
        assert_eq!(Clock::running(10.0).real(Duration::from_secs(30)), Duration::from_secs(3));
    }
}
