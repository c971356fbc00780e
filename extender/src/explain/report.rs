//! `headroom-extender explain`: one look at the cluster, and a report for people or scripts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::verdict::{Demand, Reason};
use headroom_cluster::{Event, Kind};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Account, Explanation};
use crate::claims::{Claimant, Claims};
use crate::config::{Config, Pool};
use crate::core::{Clock, Core};
use crate::feed::{Change, Source, client};
use crate::filter::{Candidate, Room};
use crate::index::{Index, KINDS};

/// An API server that answers at all has listed everything by then.
const SYNC_TIMEOUT: Duration = Duration::from_secs(60);
/// An advisor that is there at all has told everything by then.
const FEED_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub(crate) enum ExplainError {
    #[error(transparent)]
    Connect(#[from] headroom_cluster::ConnectError),
    #[error("--pod '{0}' is not of the form namespace/name")]
    PodName(String),
    #[error("pod '{0}' not found; see kubectl get pods -A")]
    NoPod(String),
    #[error("node '{0}' not found; see kubectl get nodes")]
    NoNode(String),
    #[error("the cluster could not be listed within {} s, missing: {missing}{}", SYNC_TIMEOUT.as_secs(), last(.last_error))]
    NotSynced { missing: String, last_error: Option<String> },
}

fn last(error: &Option<String>) -> String {
    error.as_ref().map_or_else(String::new, |error| format!("; last error: {error}"))
}

/// One node's row.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    node: String,
    source: &'static str,
    verdict: &'static str,
    reason: Option<&'static str>,
    free: Option<u32>,
    #[serde(skip)]
    figures: String,
    ceiling: Option<u32>,
    total: u32,
    assigned: u32,
    cooling: u32,
    waiting: u32,
    claims: u32,
    failing: u32,
    now: u32,
    soon: u32,
    unproven: u32,
    eni_config: Option<String>,
    eni_config_subnet: Option<String>,
}

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pod: String,
    demand: &'static str,
    source: &'static str,
    nodes: Vec<Row>,
}

pub(crate) async fn explain(
    config: &Config,
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    pod: &str,
    node: Option<&str>,
) -> Result<Report, ExplainError> {
    let (namespace, name) = pod.split_once('/').ok_or_else(|| ExplainError::PodName(pod.to_owned()))?;
    let client = headroom_cluster::connect(kubeconfig, context).await?;
    let headroom_cluster::Watch { mut events, tasks } = headroom_cluster::watch_kinds(&client, &KINDS);
    let mut watching = JoinSet::new();
    for (_, task) in tasks {
        watching.spawn(task);
    }
    let clock = Clock::start();
    let told = if config.feed.is_on() { hear(config).await } else { None };
    // One look sees no past in which a pool could have grown. EC2 shows what it has come to.
    let pool = if told.is_some() { config.pool.clone() } else { Pool { step_ms: 0 } };
    let mut index = Index::new(config.evidence.clone(), &pool);
    index.forget_feed_after(config.feed.stale_after());
    if let Some(change) = told {
        index.told(change, clock.now());
    }
    let mut candidate = None;
    let mut missing: Vec<Kind> = KINDS.to_vec();
    let mut last_error = None;
    let synced = async {
        while !missing.is_empty() {
            let Some(event) = events.recv().await else { return };
            match &event {
                Event::Synced { kind, .. } => missing.retain(|other| other != kind),
                Event::WatchFailed { error, .. } => last_error = Some(error.clone()),
                Event::PodApplied(pod) if *pod.namespace == *namespace && *pod.name == *name => {
                    candidate = Some((**pod).clone());
                }
                _ => {}
            }
            index.apply(event, clock.now());
        }
    };
    let timed_out = tokio::time::timeout(SYNC_TIMEOUT, synced).await.is_err();
    watching.shutdown().await;
    if timed_out {
        let missing: Vec<&str> = missing.into_iter().map(Kind::label).collect();
        return Err(ExplainError::NotSynced { missing: missing.join(", "), last_error });
    }
    let found = candidate.ok_or_else(|| ExplainError::NoPod(pod.to_owned()))?;
    let snapshot = index.freeze(clock.now());
    if let Some(node) = node.filter(|node| snapshot.nodes.get(node).is_none()) {
        return Err(ExplainError::NoNode(node.to_owned()));
    }
    let claimant =
        Claimant { uid: found.uid, demand: found.demand, resource_version: found.resource_version, failure: None };
    let candidate = Candidate { claimant, priority: found.priority, prefers: false };
    let names: Vec<&str> = node.into_iter().collect();
    let explanation = Explanation::new(&snapshot, &Claims::default(), &candidate, &names, config);
    Ok(report(&explanation, &index, pod))
}

/// What the advisor tells; one that does not tell at once is done without.
async fn hear(config: &Config) -> Option<Change> {
    let (changes, mut told) = mpsc::channel(client::PENDING);
    let mut following = JoinSet::new();
    following.spawn(client::follow(Arc::new(Core::new(config.clone())), changes));
    tokio::time::timeout(FEED_TIMEOUT, told.recv()).await.ok().flatten()
}

fn report(explanation: &Explanation, index: &Index, pod: &str) -> Report {
    let nodes = explanation.accounts.iter().filter_map(|account| row(account, explanation, index)).collect();
    let demand = match explanation.demand {
        Demand::None => "none: host network",
        Demand::PodIp => "pod IP",
        Demand::BranchEni => "branch ENI",
        Demand::WindowsIp => "Windows IP",
    };
    let source = if explanation.feed_observed_at.is_some() { Source::Feed } else { Source::Kubernetes };
    Report { pod: pod.to_owned(), demand, source: source.label(), nodes }
}

fn row(account: &Account, explanation: &Explanation, index: &Index) -> Option<Row> {
    let view = account.view.as_ref()?;
    let slots = view.slots(explanation.demand);
    let config = index.eni_config(&view.name);
    Some(Row {
        node: view.name.to_string(),
        source: view.source().label(),
        verdict: match account.room {
            Room::Open(None) => "pass",
            Room::Now { .. } => "now",
            Room::Soon { .. } | Room::Unproven { .. } => "soon",
            Room::Open(Some(_)) => "unknown",
            Room::Closed(_) => "never",
        },
        reason: account.reason().map(Reason::as_str),
        free: account.further_pods(),
        figures: explanation.figures(account).unwrap_or_default(),
        ceiling: account.ip_limit(),
        total: view.state.total.get(),
        assigned: view.state.assigned.get(),
        cooling: view.state.cooling.get(),
        waiting: view.state.waiting.get(),
        claims: account.claims,
        failing: view.failing,
        now: slots.map_or(0, |slots| slots.now),
        soon: slots.map_or(0, |slots| slots.soon),
        unproven: slots.map_or(0, |slots| slots.unproven),
        eni_config: config.map(|(name, _)| name.to_owned()),
        eni_config_subnet: config.and_then(|(_, subnet)| subnet).map(str::to_owned),
    })
}

impl Report {
    /// For people: one block per node.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("pod {} needs: {} (source: {})\n", self.pod, self.demand, self.source);
        for row in &self.nodes {
            let why = row.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let free = row.free.map_or_else(String::new, |free| format!(", {free} more"));
            out.push_str(&format!("\n{}  {}{free}{why}\n", row.node, row.verdict));
            for line in row.figures.lines() {
                out.push_str(&format!("  {line}\n"));
            }
            if row.failing > 0 {
                out.push_str(&format!(
                    "  closed: pods here that the CNI refused an IP and that still have none: {}\n",
                    row.failing
                ));
            }
            if let Some(config) = &row.eni_config {
                let subnet = row.eni_config_subnet.as_deref().unwrap_or("not found");
                out.push_str(&format!("  ENIConfig {config}, subnet {subnet}\n"));
            }
        }
        out
    }
}
