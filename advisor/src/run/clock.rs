//! What time it is.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headroom_capacity::time::Time;

/// Unix time, or that of a simulation which runs faster. Everything the advisor compares with AWS's or Kubernetes' times goes by
/// it, and its own periods too.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Time + Send + Sync>,
    rate: f64,
}

impl Clock {
    /// The system's time at the start, carried on by the monotonic clock.
    #[must_use]
    pub fn system() -> Clock {
        let (started, epoch) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        Clock::simulated(move || Time::ZERO + epoch + started.elapsed(), 1.0)
    }

    /// A clock of which `rate` seconds pass in a real one. `rate` is above 0.
    #[must_use]
    pub fn simulated(now: impl Fn() -> Time + Send + Sync + 'static, rate: f64) -> Clock {
        Clock { now: Arc::new(now), rate }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Time {
        (self.now)()
    }

    /// Its seconds in a real one.
    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    /// Waits until so much has passed on this clock.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time.div_f64(self.rate)).await;
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).field("rate", &self.rate).finish()
    }
}
