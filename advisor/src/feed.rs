//! `headroom.v1.CapacityFeed`: what EC2 shows of nodes and subnets, streamed to the extenders.
//!
//! ```text
//! Ledger ──view──> FeedState ──publish──> History (ring of steps) ──since──> one stream per client
//! ```
//!
//! Nobody is sent anything: each client's stream reads from the one ring at the pace at which the client takes it, and waits for
//! the ring to grow. A client that is slower than the ring is long is sent the whole state instead, and costs no memory but the state that it is
//! being sent. Several advisors may serve; each counts generations of its own under its own epoch.

mod chunk;
mod history;
mod service;
mod stream;
mod view;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use headroom_capacity::time::Time;
use headroom_proto::v1::capacity_feed_server::{CapacityFeedServer, SERVICE_NAME};
use tokio::sync::{Semaphore, watch};

pub use chunk::whole_messages;
pub use history::{History, Since};
use service::Service;
pub use view::{FeedState, view};

use crate::config;

/// What the feed counts, for the metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Clients now.
    pub clients: AtomicU64,
    /// Clients that were refused, one too many or before there was anything to tell.
    pub refused: AtomicU64,
    /// Steps sent, those that only tell the time not among them.
    pub updates_sent: AtomicU64,
    /// Whole states of which the last message was sent.
    pub whole_sent: AtomicU64,
    /// Clients that fell behind the ring while they were connected.
    pub lagged: AtomicU64,
}

/// The feed of one advisor. Clones are the same feed.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Held for the microseconds of one look, never across an await.
    history: Mutex<History>,
    /// Told whenever the history changes.
    news: watch::Sender<()>,
    slots: Arc<Semaphore>,
    counters: Counters,
}

impl Feed {
    /// The gRPC service's name.
    pub const SERVICE: &str = SERVICE_NAME;

    /// With nothing to tell yet. `epoch` must differ from that of every other advisor and from any before: take it at random.
    #[must_use]
    pub fn new(epoch: &str, config: &config::Feed) -> Feed {
        let most = usize::try_from(config.max_clients).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Feed {
            shared: Arc::new(Shared {
                history: Mutex::new(History::new(epoch, config.history)),
                news: watch::Sender::new(()),
                slots: Arc::new(Semaphore::new(most)),
                counters: Counters::default(),
            }),
        }
    }

    /// Tells the clients what there is now, as of the time at which ENIs were read. To be called only once everything has been read.
    pub fn publish(&self, state: FeedState, observed_at: Time) {
        self.shared.history().publish(state, observed_at);
        self.shared.news.send_replace(());
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The gRPC service at its path. Its streams end when `stopped` becomes true.
    pub fn router(&self, stopped: watch::Receiver<bool>) -> Router {
        let service = CapacityFeedServer::new(Service::new(Arc::clone(&self.shared), stopped));
        Router::new().route_service(&format!("/{}/{{*method}}", Feed::SERVICE), service)
    }
}

impl Shared {
    /// A panic while it was locked would have left a step half published at worst, which the next whole state heals.
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
