//! `explain`: one look at the cluster, and per node the verdict with the figures behind it.

use std::path::Path;
use std::time::Duration;

use headroom_capacity::budget::Budget;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::{self, Demand, Reason};
use headroom_cluster::{Event, Kind};
use serde::Serialize;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::claims::{Claimant, Claims};
use crate::config::{Config, Pool};
use crate::core::Clock;
use crate::filter::{Candidate, Room, decide};
use crate::index::Index;
use crate::snapshot::{NodeView, Snapshot};

/// An API server that answers at all has listed everything by then.
const SYNC_TIMEOUT: Duration = Duration::from_secs(60);

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
    let headroom_cluster::Watch { mut events, tasks } = headroom_cluster::watch(&client);
    let mut watching = JoinSet::new();
    for (_, task) in tasks {
        watching.spawn(task);
    }
    let clock = Clock::start();
    let mut index = Index::new(config.evidence.clone(), &Pool { step_ms: 0 });
    let mut candidate = None;
    let mut missing: Vec<Kind> = Kind::ALL.to_vec();
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
    if let Some(node) = node.filter(|node| !snapshot.nodes.contains_key(*node)) {
        return Err(ExplainError::NoNode(node.to_owned()));
    }
    let claimant =
        Claimant { uid: found.uid, demand: found.demand, resource_version: found.resource_version, failure: None };
    let candidate = Candidate { claimant, priority: found.priority };
    Ok(report(&snapshot, &index, pod, &candidate, node, config))
}

fn report(
    snapshot: &Snapshot,
    index: &Index,
    pod: &str,
    candidate: &Candidate,
    node: Option<&str>,
    config: &Config,
) -> Report {
    let mut names: Vec<&str> = snapshot.nodes.keys().map(|name| &**name).collect();
    names.retain(|name| node.is_none_or(|wanted| wanted == *name));
    names.sort_unstable();
    let demand = candidate.claimant.demand;
    let rooms = decide(snapshot, &Claims::default(), candidate, &names, config).rooms;
    let rooms = rooms.into_iter().map(Some).chain(std::iter::repeat(None));
    let nodes = names
        .iter()
        .zip(rooms)
        .map(|(name, room)| row(&snapshot.nodes[*name], demand, room, index, snapshot.at))
        .collect();
    let demand = match demand {
        Demand::None => "none: host network",
        Demand::PodIp => "pod IP",
        Demand::BranchEni => "branch ENI",
        Demand::WindowsIp => "Windows IP",
    };
    Report { pod: pod.to_owned(), demand, source: "kubernetes", nodes }
}

fn row(view: &NodeView, demand: Demand, room: Option<Room>, index: &Index, now: Time) -> Row {
    let (answer, reason, free) = match room {
        None | Some(Room::Open(None)) => ("pass", None, None),
        Some(Room::Now { free }) => ("now", None, Some(free)),
        Some(Room::Soon { free }) => ("soon", None, Some(free)),
        Some(Room::Unproven { free }) => ("soon", Some(Reason::UnknownSubnet.as_str()), Some(free)),
        Some(Room::Open(Some(reason))) => ("unknown", Some(reason.as_str()), None),
        Some(Room::Closed(reason)) => ("never", Some(reason.as_str()), None),
    };
    let slots = view.slots(demand);
    let config = index.eni_config(&view.name);
    Row {
        node: view.name.to_string(),
        verdict: answer,
        reason,
        free,
        figures: verdict::explain(&view.state, index.settings(), demand, now),
        ceiling: match &view.state.budget {
            Budget::Ipv4(budget) => Some(budget.ceiling.get()),
            Budget::Windows { ceiling } => Some(ceiling.get()),
            _ => None,
        },
        total: view.state.total.get(),
        assigned: view.state.assigned.get(),
        cooling: view.state.cooling.get(),
        waiting: view.state.waiting.get(),
        claims: view.state.claims.get(),
        failing: view.failing,
        now: slots.map_or(0, |slots| slots.now),
        soon: slots.map_or(0, |slots| slots.soon),
        unproven: slots.map_or(0, |slots| slots.unproven),
        eni_config: config.map(|(name, _)| name.to_owned()),
        eni_config_subnet: config.and_then(|(_, subnet)| subnet).map(str::to_owned),
    }
}

impl Report {
    /// For people: one block per node.
    pub(crate) fn text(&self) -> String {
        let mut out = format!(
            "pod {} needs: {} (source: {}; attached IPs are estimated, subnets not seen)\n",
            self.pod, self.demand, self.source
        );
        for row in &self.nodes {
            let why = row.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let free = row.free.map_or_else(String::new, |free| format!(", {free} more"));
            out.push_str(&format!("\n{}  {}{free}{why}\n", row.node, row.verdict));
            // Its last line is the verdict on the pool alone; ours above also goes by evidence and policy.
            for line in row.figures.lines().filter(|line| !line.starts_with("verdict: ")) {
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
