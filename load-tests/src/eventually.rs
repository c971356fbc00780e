//! Waiting in tests for what takes its time.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Polls `check` until it holds, and gives its value.
///
/// # Panics
/// When it does not hold within that time; with `what` and what it said last.
pub async fn eventually<T, E: Display>(
    what: &str,
    within: Duration,
    mut check: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match check().await {
            Ok(value) => return value,
            Err(why) if started.elapsed() > within => panic!("not within {} s: {what}: {why}", within.as_secs()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
