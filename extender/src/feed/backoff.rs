//! When to try again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest: an advisor that is back is found within the time in which it observes anything.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait after so many failures in a row, 1 for the first: doubled each time, and between half and all of that by
/// `random`, 0 to 1, so that extenders that lost the same advisor do not come back all at once.
pub(super) fn backoff(failures: u32, random: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST);
    doubled.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
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
