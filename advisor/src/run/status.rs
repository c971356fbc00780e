//! Whether the first lists are complete, and what the admin pages tell.

use std::sync::Arc;

use headroom_cluster::{Event, Kind};
use headroom_shell::admin;
use headroom_shell::metrics::Served;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};

/// Metric label of the gRPC listener.
pub(super) const GRPC: &str = "grpc";
/// Metric label of the admin listener.
pub(super) const ADMIN: &str = "admin";

/// What the admin pages tell.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) served: Served,
    registry: Registry,
    /// Kinds whose first list is not complete.
    missing: watch::Sender<Vec<Kind>>,
    ready: watch::Sender<bool>,
}

impl Status {
    pub(super) fn new() -> Status {
        let mut registry = Registry::with_prefix("headroom_advisor");
        let served = Served::new(&[GRPC], &[ADMIN]);
        served.register(&mut registry);
        Status { served, registry, missing: watch::Sender::new(Kind::ALL.to_vec()), ready: watch::Sender::new(false) }
    }

    /// Whether every first list is complete.
    pub(super) fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    fn synced(&self, kind: Kind) {
        self.missing.send_modify(|missing| missing.retain(|other| *other != kind));
        let is_ready = self.missing.borrow().is_empty();
        if self.ready.send_replace(is_ready) != is_ready {
            tracing::info!("ready");
        }
    }
}

impl admin::Status for Status {
    fn missing(&self) -> Vec<&'static str> {
        self.missing.borrow().iter().map(|kind| kind.label()).collect()
    }

    fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Runs until the watches are gone.
pub(super) async fn follow(mut events: mpsc::Receiver<Event>, status: Arc<Status>) {
    while let Some(event) = events.recv().await {
        if let Event::Synced { kind, .. } = event {
            status.synced(kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use headroom_shell::admin::Status as _;

    use super::*;

    #[tokio::test]
    async fn it_is_ready_once_every_kind_was_listed() {
        let status = Arc::new(Status::new());
        let (sender, events) = mpsc::channel(16);
        let (last, first) = Kind::ALL.split_last().unwrap();
        for kind in first.iter().chain(first) {
            sender.try_send(Event::Synced { kind: *kind, absent: false }).unwrap();
        }
        drop(sender);
        follow(events, Arc::clone(&status)).await;
        assert_eq!((status.missing(), *status.readiness().borrow()), (vec![last.label()], false));
        status.synced(*last);
        assert_eq!((status.missing(), *status.readiness().borrow()), (vec![], true));
    }
}
