//! One client's way through the history.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_proto::v1::CapacityUpdate;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::chunk::Whole;
use super::history::{Since, timestamp};
use super::{Shared, count};

/// How long a client hears nothing at most; it takes a feed that is silent for three times as long for dead (`feed.proto`).
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);

/// Where a client is.
#[derive(Debug)]
pub(super) struct Position {
    shared: Arc<Shared>,
    news: watch::Receiver<()>,
    stopped: watch::Receiver<bool>,
    /// What it has, as far as it was sent.
    epoch: Arc<str>,
    generation: u64,
    /// The time that it was told last.
    told: Option<Time>,
    /// The whole state that it is being sent.
    whole: Option<Whole>,
    /// Whether it was sent anything at all.
    caught_up: bool,
    _permit: OwnedSemaphorePermit,
}

impl Position {
    /// Of a client that says that it has this.
    pub(super) fn new(
        shared: Arc<Shared>,
        stopped: watch::Receiver<bool>,
        permit: OwnedSemaphorePermit,
        epoch: &str,
        generation: u64,
    ) -> Position {
        let news = shared.news.subscribe();
        shared.counters.clients.fetch_add(1, Ordering::Relaxed);
        Position {
            shared,
            news,
            stopped,
            epoch: epoch.into(),
            generation,
            told: None,
            whole: None,
            caught_up: false,
            _permit: permit,
        }
    }

    /// The next message, when there is one; `None` at the end of the process. A message that was not taken is not made.
    pub(super) async fn next(&mut self) -> Option<CapacityUpdate> {
        loop {
            if *self.stopped.borrow() {
                return None;
            }
            if let Some(update) = self.at_once() {
                return Some(update);
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = tokio::time::sleep(HEARTBEAT) => return Some(self.time()),
                () = async { drop(self.stopped.wait_for(|stopped| *stopped).await) } => return None,
            }
        }
    }

    /// What can be told without waiting.
    fn at_once(&mut self) -> Option<CapacityUpdate> {
        if self.whole.is_none() {
            let since = self.shared.history().since(&self.epoch, self.generation);
            match since {
                Since::Nothing => return None,
                Since::Current(at) if self.told == Some(at) => return None,
                Since::Current(at) => {
                    self.told = Some(at);
                    self.caught_up = true;
                    return Some(self.time());
                }
                Since::Step(step) => return Some(self.step(&step)),
                Since::Whole { state, generation, observed_at } => {
                    self.begin(generation, observed_at);
                    self.whole = Some(Whole::new(state, generation, observed_at));
                }
            }
        }
        let whole = self.whole.as_mut()?;
        let update = whole.next(&self.epoch);
        if update.complete {
            self.whole = None;
            count(&self.shared.counters.whole_sent);
        }
        Some(update)
    }

    fn begin(&mut self, generation: u64, observed_at: Time) {
        if self.caught_up {
            count(&self.shared.counters.lagged);
        }
        self.caught_up = true;
        self.epoch = Arc::clone(self.shared.history().epoch());
        (self.generation, self.told) = (generation, Some(observed_at));
    }

    fn step(&mut self, step: &CapacityUpdate) -> CapacityUpdate {
        self.generation = step.generation;
        self.caught_up = true;
        count(&self.shared.counters.updates_sent);
        step.clone()
    }

    /// A message that only tells the time of what the client has.
    fn time(&self) -> CapacityUpdate {
        CapacityUpdate {
            epoch: self.epoch.to_string(),
            generation: self.generation,
            base_generation: self.generation,
            complete: true,
            observed_at: self.told.map(timestamp),
            ..CapacityUpdate::default()
        }
    }
}

impl Drop for Position {
    fn drop(&mut self) {
        self.shared.counters.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
