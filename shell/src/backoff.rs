//! When to try again.

use std::time::Duration;

/// How long to wait after so many failures in a row, 1 for the first: `first`, doubled each time up to `longest`, and between half
/// and all of that by `random`, 0 to 1, so that many who failed together do not come back all at once.
#[must_use]
pub fn backoff(failures: u32, first: Duration, longest: Duration, random: f64) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(longest);
    doubled.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}
