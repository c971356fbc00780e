//! The cluster's state at one moment: the advisor's own watches, until each has listed once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headroom_cluster::{Client, Event, Kind, watch_kinds};
use tokio::task::JoinSet;

use crate::run::Clock;
use crate::state::{ClusterState, State};

/// What bears on addresses, without the refusals: those are read with the pods' events.
const KINDS: [Kind; 6] = [Kind::Node, Kind::Pod, Kind::CniNode, Kind::EniConfig, Kind::AwsNode, Kind::AmazonVpcCni];
/// An API server that answers nothing is not waited for longer.
const WITHIN: Duration = Duration::from_secs(60);

/// What was seen.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) state: Arc<ClusterState>,
    /// Kinds that could not be listed, and why.
    pub(super) failed: BTreeMap<Kind, String>,
}

pub(super) async fn sight(client: &Client, clock: &Clock) -> Sight {
    let mut watch = watch_kinds(client, &KINDS);
    // They end with the set.
    let mut tasks = JoinSet::new();
    for (_, task) in watch.tasks.drain(..) {
        tasks.spawn(task);
    }
    let (mut state, mut failed) = (State::new(), BTreeMap::new());
    let mut open: BTreeSet<Kind> = KINDS.into();
    let listed = async {
        while !open.is_empty() {
            let Some(event) = watch.events.recv().await else { return };
            match &event {
                Event::Synced { kind, .. } => drop(open.remove(kind)),
                Event::WatchFailed { kind, error, .. } if open.remove(kind) => {
                    drop(failed.insert(*kind, error.clone()))
                }
                _ => {}
            }
            state.apply(event, clock.now());
        }
    };
    let late = tokio::time::timeout(WITHIN, listed).await.is_err();
    if late {
        failed.extend(open.into_iter().map(|kind| (kind, format!("no list within {} s", WITHIN.as_secs()))));
    }
    Sight { state: state.view(clock.now()), failed }
}
