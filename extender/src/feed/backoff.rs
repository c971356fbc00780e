//! When to try again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest: an advisor that is back is found within the time in which it observes anything.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait after so many failures in a row, 1 for the first; `random` is 0 to 1.
pub(super) fn backoff(failures: u32, random: f64) -> Duration {
    headroom_shell::backoff::backoff(failures, FIRST, LONGEST, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_never_vanish() {
        let most = [1, 2, 3, 6, 7, u32::MAX].map(|failures| backoff(failures, 1.0).as_secs());
        assert_eq!(most, [1, 2, 4, 30, 30, 30]);
        assert_eq!(backoff(1, 0.0), Duration::from_millis(500));
        assert_eq!(backoff(0, f64::INFINITY), Duration::from_secs(1));
    }
}
