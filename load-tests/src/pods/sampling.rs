//! The sampling trap: kube-scheduler stops looking for feasible nodes when it has found a share of them, and the extender is asked
//! about those alone (k/k `pkg/scheduler/schedule_one.go`, `numFeasibleNodesToFind`). When all of them are out of IPs, the pod counts
//! as unschedulable although others have one.
//!
//! Samples go round in the order of kube-scheduler's node tree: within a zone, the order in which it learnt of the nodes. Nodes that
//! joined one after the other are neighbours in it; those that were there before kube-scheduler started come in random order since
//! client-go 0.35, whose reflector collects the first list in a map (`tools/cache/reflector.go`, `watchList`). So the nodes join here
//! while kube-scheduler runs: first those that are filled by now, then a new group, then others, as an autoscaler adds them.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::binds::Binds;
use super::hollow::{T3_NANO, node, node_name, pod};
use super::peer::Peer;
use super::throughput::start;
use super::write::{create_all, delete_all, pods};
use crate::control_plane::ControlPlane;

/// Namespace of the pods that fill nodes.
const FILLED: &str = "filled";
/// Until everybody who watches has seen what was written last.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// Pod IPs of a [`T3_NANO`].
const IPS_PER_NODE: usize = 2;

/// Which nodes have IPs left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Free {
    /// Nodes that joined together, neighbours in kube-scheduler's order, so that most samples hold none.
    Contiguous,
    /// Every twentieth, so that every sample holds some.
    Spread,
}

impl Free {
    /// Both.
    pub const ALL: [Free; 2] = [Free::Contiguous, Free::Spread];

    /// Whether node `n` of `nodes` has IPs left: one in twenty.
    #[must_use]
    pub fn has_ips(self, n: usize, nodes: usize) -> bool {
        match self {
            // Away from the first node, where kube-scheduler starts to look.
            Free::Contiguous => (nodes / 2..nodes / 2 + nodes / 20).contains(&n),
            Free::Spread => n % 20 == 19,
        }
    }
}

impl fmt::Display for Free {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Free::Contiguous => "contiguous",
            Free::Spread => "spread",
        })
    }
}

/// Pods that come one at a time while nothing else happens, then a burst.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals {
    /// Lone pods.
    pub lone: usize,
    /// How long each of them may wait; it is deleted then.
    pub lone_within: Duration,
    /// Pods of the burst.
    pub burst: usize,
    /// How long the burst may take.
    pub burst_within: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Seconds from the creation of each lone pod until it was bound; `None` for one that was not in time.
    pub lone_secs: Vec<Option<f64>>,
    /// Pods of the burst.
    pub burst: usize,
    /// Those that were bound in time.
    pub burst_bound: usize,
    /// Seconds from the start of the burst's creation until half of its pods, and all that were bound, had a node.
    pub burst_secs: [f64; 2],
    /// Nodes with more pods than IPs at the end.
    pub overbooked: usize,
}

/// An outcome with what it was measured in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Nodes of the cluster; one in twenty has IPs left.
    pub nodes: usize,
    /// Which ones.
    pub free: Free,
    /// `percentageOfNodesToScore`; 0 is kube-scheduler's default, which looks at fewer the more there are.
    pub percentage: u8,
    /// What came of it.
    pub outcome: Outcome,
}

/// Headroom beside kube-scheduler on `nodes` nodes, with the default sample and with `percentageOfNodesToScore: 100`; `progress` gets
/// every row.
///
/// # Errors
/// When a part does not start, or an object is refused.
pub async fn run(nodes: usize, arrivals: Arrivals, progress: impl Fn(&Row)) -> Result<Vec<Row>> {
    let mut control_plane = cluster().await?;
    let client = control_plane.client.clone();
    let headroom = Peer::Headroom { max_nodes: None, prioritize: false };
    let mut rows = Vec::new();
    for free in Free::ALL {
        fill(&client, nodes, free).await?;
        for percentage in [0, 100] {
            let running = headroom.start(&control_plane).await?;
            control_plane.start_scheduler(&running.scheduler_config(percentage)).await?;
            join(&client, nodes).await?;
            let outcome = arrive(&client, arrivals).await?;
            control_plane.stop_scheduler();
            drop(running);
            delete_all(&Api::<Node>::all(client.clone())).await?;
            let row = Row { nodes, free, percentage, outcome };
            progress(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// A cluster without nodes.
///
/// # Errors
/// When it does not start.
pub async fn cluster() -> Result<ControlPlane> {
    let control_plane = start(0, T3_NANO).await?;
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": FILLED}}))?;
    Api::<Namespace>::all(control_plane.client.clone())
        .create(&PostParams::default(), &namespace)
        .await
        .context("failed to create a namespace")?;
    Ok(control_plane)
}

/// Lets nodes with two pod IPs each join one after the other.
///
/// # Errors
/// When an object is refused.
pub async fn join(client: &Client, nodes: usize) -> Result<()> {
    create_all(&Api::<Node>::all(client.clone()), (0..nodes).map(|n| node(n, T3_NANO, &[]))).await?;
    tokio::time::sleep(SEEN_WITHIN).await;
    Ok(())
}

/// Binds pods to all nodes but those of `free`, in place of those that were there; the nodes may join later.
///
/// # Errors
/// When an object is refused.
pub async fn fill(client: &Client, nodes: usize, free: Free) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(client.clone(), FILLED);
    delete_all(&api).await?;
    let full = (0..nodes).filter(|&n| !free.has_ips(n, nodes));
    create_all(&api, full.flat_map(|n| (0..IPS_PER_NODE).map(move |k| bound(n, k)))).await
}

fn bound(n: usize, k: usize) -> Value {
    let mut object = pod(&format!("filled-{n:05}-{k}"), "filled", 1, 1);
    object["spec"]["nodeName"] = json!(node_name(n));
    object
}

/// Sends the pods; kube-scheduler and the extender run already. No pod is left behind.
///
/// # Errors
/// When an object is refused or the watch breaks.
pub async fn arrive(client: &Client, arrivals: Arrivals) -> Result<Outcome> {
    let api = pods(client);
    let mut lone_secs = Vec::new();
    for n in 0..arrivals.lone {
        let name = format!("lone-{n:03}");
        let binds = Binds::watch(client, 1, arrivals.lone_within).await?;
        let created = Instant::now();
        create_all(&api, [pod(&name, "lone", 1, 1)]).await?;
        let bound = binds.all().await?;
        lone_secs.push(bound.first().map(|at| at.duration_since(created).as_secs_f64()));
        if bound.is_empty() {
            api.delete(&name, &DeleteParams::default().grace_period(0)).await.context("failed to delete a pod")?;
        }
    }
    let binds = Binds::watch(client, arrivals.burst, arrivals.burst_within).await?;
    let created = Instant::now();
    create_all(&api, (0..arrivals.burst).map(|n| pod(&format!("burst-{n:05}"), "burst", 1, 1))).await?;
    let bound = binds.all().await?;
    let secs = |at: Option<&Instant>| at.map_or(0.0, |at| at.duration_since(created).as_secs_f64());
    let half = (arrivals.burst / 2).checked_sub(1).and_then(|at| bound.get(at));
    let outcome = Outcome {
        overbooked: overbooked(client).await?,
        lone_secs,
        burst: arrivals.burst,
        burst_bound: bound.len(),
        burst_secs: [secs(half), secs(bound.last())],
    };
    delete_all(&api).await?;
    Ok(outcome)
}

async fn overbooked(client: &Client) -> Result<usize> {
    let mut pods = HashMap::<String, usize>::new();
    let all = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.context("failed to list pods")?;
    for node in all.items.into_iter().filter_map(|pod| pod.spec?.node_name) {
        *pods.entry(node).or_default() += 1;
    }
    Ok(pods.values().filter(|pods| **pods > IPS_PER_NODE).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_in_twenty_is_free_either_way() {
        for free in Free::ALL {
            assert_eq!((0..5000).filter(|&n| free.has_ips(n, 5000)).count(), 250, "{free}");
            assert!(!free.has_ips(0, 5000));
        }
        // kube-scheduler looks at 500 of 5,000 at a time.
        let windows = |free: Free| (0..10).filter(|w| (w * 500..(w + 1) * 500).any(|n| free.has_ips(n, 5000))).count();
        assert_eq!((windows(Free::Contiguous), windows(Free::Spread)), (1, 10));
    }
}
