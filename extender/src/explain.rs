//! `explain`: one look at the cluster, and per node the verdict with the figures behind it.

use std::path::Path;
use std::time::Duration;

use headroom_capacity::budget::{Budget, Mode};
use headroom_capacity::verdict::Demand;
use headroom_cluster::{Event, Kind};
use serde::Serialize;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::claims::{Claimant, Claims};
use crate::config::Config;
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
    budget: String,
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
    let mut index = Index::new(config.evidence.clone());
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
    let nodes = names.iter().zip(rooms).map(|(name, room)| row(&snapshot.nodes[*name], demand, room, index)).collect();
    let demand = match demand {
        Demand::None => "none: host network",
        Demand::PodIp => "pod IP",
        Demand::BranchEni => "branch ENI",
        Demand::WindowsIp => "Windows IP",
    };
    Report { pod: pod.to_owned(), demand, source: "kubernetes", nodes }
}

fn row(view: &NodeView, demand: Demand, room: Option<Room>, index: &Index) -> Row {
    let (verdict, reason, free) = match room {
        None | Some(Room::Open(None)) => ("pass", None, None),
        Some(Room::Now { free }) => ("now", None, Some(free)),
        Some(Room::Soon { free }) => ("soon", None, Some(free)),
        Some(Room::Open(Some(reason))) => ("unknown", Some(reason.as_str()), None),
        Some(Room::Closed(reason)) => ("never", Some(reason.as_str()), None),
    };
    let slots = view.slots(demand);
    let config = index.eni_config(&view.name);
    Row {
        node: view.name.to_string(),
        verdict,
        reason,
        free,
        budget: budget_text(&view.state.budget),
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

fn budget_text(budget: &Budget) -> String {
    match budget {
        Budget::Ipv4(ipv4) => {
            let unit = if ipv4.mode == Mode::Prefix { "/28" } else { "IP" };
            let (enis, slots, ceiling) = (ipv4.pod_enis, ipv4.slots_per_eni, ipv4.ceiling);
            format!("{enis} ENIs x {slots} {unit} = {ceiling} IPs, max-pods {}", ipv4.max_pods)
        }
        Budget::Ipv6 { max_pods } => format!("IPv6, max-pods {max_pods}"),
        Budget::Windows { ceiling } => format!("Windows, {ceiling} IPs"),
        Budget::NotManaged(kind) => format!("not the VPC CNI's node ({kind:?})"),
        Budget::Unknown(reason) => reason.as_str().to_owned(),
    }
}

impl Report {
    /// For people: one block per node.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("pod {} needs: {} (state from {} alone)\n", self.pod, self.demand, self.source);
        for row in &self.nodes {
            let why = row.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let free = row.free.map_or_else(String::new, |free| format!(", {free} more"));
            out.push_str(&format!("\n{}  {}{free}{why}\n", row.node, row.verdict));
            out.push_str(&format!("  limit     {}\n", row.budget));
            out.push_str(&format!(
                "  pool      about {} attached: {} held, {} cooling, {} pods waiting, {} refused by the CNI\n",
                row.total, row.assigned, row.cooling, row.waiting, row.failing
            ));
            out.push_str(&format!(
                "  more      {} at once, {} within seconds, {} if the subnets have room\n",
                row.now, row.soon, row.unproven
            ));
            if let Some(config) = &row.eni_config {
                let subnet = row.eni_config_subnet.as_deref().unwrap_or("not found");
                out.push_str(&format!("  eniConfig {config}, subnet {subnet}\n"));
            }
        }
        out
    }
}
