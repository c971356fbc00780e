//! The task that keeps the feed going.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use tokio::sync::mpsc;

use super::backoff::backoff;
use super::connect::{Failure, watch};
use super::{Assembler, Change, FeedError};
use crate::core::Core;

/// A feed that is silent for so long is dead: the advisor sends something every 10 s (`feed.proto`).
const SILENCE: Duration = Duration::from_secs(30);
/// Changes that wait for the writer; while it is behind, the advisor keeps the others.
pub(crate) const PENDING: usize = 4;

/// Hands on what the advisors of the configuration tell, one at a time and the next where one fails, for as long as it is polled and the
/// writer is there.
pub(crate) async fn follow(core: Arc<Core>, changes: mpsc::Sender<Change>) {
    let endpoints: Vec<Uri> = core.config.feed.endpoints().collect();
    let client = client_name();
    let mut feed = Feed { core, changes, client, assembler: Assembler::default(), failures: 0 };
    for endpoint in endpoints.iter().cycle() {
        let Some(failure) = feed.receive(endpoint).await else { return };
        feed.core.metrics.feed_failed(failure.class);
        feed.failures = feed.failures.saturating_add(1);
        // Each endpoint is tried once before the wait grows.
        let rounds = feed.failures.div_ceil(u32::try_from(endpoints.len()).unwrap_or(u32::MAX));
        let wait = backoff(rounds, fastrand::f64());
        let (error, message) = (failure.class.label(), failure.message);
        tracing::warn!(%endpoint, error, message, retry_in_ms = wait.as_millis(), "no capacity feed");
        tokio::time::sleep(wait).await;
    }
}

/// The pod's name, as Kubernetes sets the host name of its containers.
fn client_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let name = format!("headroom-extender {}", host.trim());
    name.chars().take(100).collect()
}

struct Feed {
    core: Arc<Core>,
    changes: mpsc::Sender<Change>,
    client: String,
    assembler: Assembler,
    /// In a row.
    failures: u32,
}

impl Feed {
    /// Receives until it cannot go on; `None` when nobody listens any more.
    async fn receive(&mut self, endpoint: &Uri) -> Option<Failure> {
        let request = self.assembler.request(&self.client);
        let mut watching = match watch(endpoint, &self.core.config.feed, request).await {
            Ok(watching) => watching,
            Err(failure) => return Some(failure),
        };
        loop {
            let update = match tokio::time::timeout(SILENCE, watching.updates.message()).await {
                Ok(Ok(Some(update))) => update,
                Ok(Ok(None)) => return Some(failure(FeedError::Ended, "the advisor ended the stream")),
                Ok(Err(status)) => return Some(Failure::status(&status)),
                Err(_) => return Some(failure(FeedError::Silent, "nothing was heard for 30 s")),
            };
            match self.assembler.take(update) {
                Err(gap) => return Some(Failure::new(FeedError::Gap, &gap)),
                Ok(None) => {}
                Ok(Some(change)) => {
                    if self.failures > 0 || change.whole {
                        tracing::info!(%endpoint, nodes = change.nodes.len(), whole = change.whole, "capacity feed runs");
                    }
                    self.failures = 0;
                    self.core.metrics.feed_told(change.observed_at);
                    self.changes.send(change).await.ok()?;
                }
            }
        }
    }
}

fn failure(class: FeedError, message: &str) -> Failure {
    Failure { class, message: message.to_owned() }
}
