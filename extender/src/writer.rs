//! The one task that changes the state: events in, snapshots published.

use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_cluster::Event;
use tokio::sync::mpsc;

use crate::core::{Clock, Core};
use crate::feed::Change;
use crate::index::Index;

/// Events applied before a snapshot is published: a burst costs one publication, a lone event none of the waiting.
const BATCH: usize = 1024;
/// Deadlines of claims are looked at at least this often, whether or not anything happens.
const TICK: Duration = Duration::from_secs(1);

/// Runs until the watches are gone. Without a feed nobody sends on `feed`.
pub(crate) async fn write(
    mut events: mpsc::Receiver<Event>,
    mut feed: mpsc::Receiver<Change>,
    core: Arc<Core>,
    clock: Clock,
) {
    let mut index = Index::new(core.config.evidence.clone(), &core.config.pool);
    index.forget_feed_after(core.config.feed.stale_after());
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let wait = index.next_change().map_or(TICK, |at| at.since(clock.now()).min(TICK));
        let received = async {
            tokio::select! {
                received = events.recv_many(&mut batch, BATCH) => (received, None),
                Some(change) = feed.recv() => (1, Some(change)),
            }
        };
        let (received, told) = tokio::time::timeout(wait, received).await.unwrap_or((1, None));
        if received == 0 {
            return;
        }
        let now = clock.now();
        if let Some(change) = told {
            index.told(change, now);
        }
        for event in batch.drain(..) {
            log(&event);
            core.metrics.event(&event);
            index.apply(event, now);
        }
        publish(&mut index, &core, now);
        // Between two parts of a long piece of work, requests come first.
        tokio::task::yield_now().await;
    }
}

fn publish(index: &mut Index, core: &Core, now: Time) {
    let was_ready = core.snapshot().is_ready();
    let snapshot = index.freeze(now);
    if snapshot.is_ready() && !was_ready {
        tracing::info!(nodes = snapshot.nodes.len(), source = "kubernetes", "ready");
    }
    core.publish(snapshot, &index.take_outcomes(), now);
}

fn log(event: &Event) {
    match event {
        Event::CniSettings { settings, problems } => {
            tracing::info!(?settings, "aws-node settings");
            for problem in problems {
                tracing::warn!(variable = %problem.variable, value = %problem.value, effect = %problem.effect, "aws-node setting");
            }
        }
        Event::Synced { kind, absent } => tracing::debug!(kind = kind.label(), absent, "listed"),
        Event::WatchRecovered(kind) => tracing::info!(kind = kind.label(), "watch runs again"),
        Event::SandboxFailed(failure) if failure.ip_cause => {
            tracing::debug!(pod = %failure.pod, node = failure.node.as_deref(), "CNI had no IP for a pod");
        }
        _ => {}
    }
}
