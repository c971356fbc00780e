//! Where pods of a mixed workload end up, by who filters.

pub mod quality;
pub mod workload;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use serde::{Deserialize, Serialize};

use self::quality::{NodeFacts, Quality, quality};
use self::workload::{Member, has_disk, machine, members, node_object, pod_name, pod_object};
use super::binds::Binds;
use super::hollow::{aws_node, node_name, zone};
use super::peer::Peer;
use super::write::{create_all, create_early, delete_all, pods};
use crate::control_plane::ControlPlane;

/// How long the workload may take; what is not bound then counts as unbound.
const WITHIN: Duration = Duration::from_secs(90);
/// The workload is drawn anew by nobody: every peer and every run gets the same pods in the same order.
const SEED: u64 = 4;

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes of the cluster.
    pub nodes: usize,
    /// Pods of the workload, about.
    pub pods: usize,
    /// How often each peer places it: kube-scheduler breaks ties at random.
    pub rounds: usize,
    /// In this order.
    pub peers: Vec<Peer>,
}

/// One placement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// [`Peer`] in words.
    pub peer: String,
    /// Nodes of the cluster.
    pub nodes: usize,
    /// From 0.
    pub round: usize,
    /// From kube-scheduler's start to the last bind.
    pub secs: f64,
    /// How good it is.
    #[serde(flatten)]
    pub quality: Quality,
}

/// Runs the plan; `progress` gets every placement.
///
/// # Errors
/// When a part does not start, or an object is refused.
pub async fn run(plan: &Plan, progress: impl Fn(&Placed)) -> Result<Vec<Placed>> {
    let mut control_plane = ControlPlane::start().await?;
    let client = control_plane.client.clone();
    create_early(&Api::<DaemonSet>::namespaced(client.clone(), "kube-system"), aws_node()).await?;
    create_all(&Api::<Node>::all(client.clone()), (0..plan.nodes).map(node_object)).await?;
    let facts: Vec<NodeFacts> = (0..plan.nodes).map(facts).collect::<Result<_>>()?;
    let members = members(plan.nodes, plan.pods, &mut fastrand::Rng::with_seed(SEED));
    let mut all = Vec::new();
    for round in 0..plan.rounds {
        for &peer in &plan.peers {
            let (secs, placed) = place(&mut control_plane, peer, &members).await?;
            let quality = quality(&members, &placed, &facts);
            let placed = Placed { peer: peer.to_string(), nodes: plan.nodes, round, secs, quality };
            progress(&placed);
            all.push(placed);
        }
    }
    Ok(all)
}

async fn place(control_plane: &mut ControlPlane, peer: Peer, members: &[Member]) -> Result<(f64, Vec<Option<usize>>)> {
    let api = pods(&control_plane.client);
    create_all(&api, members.iter().enumerate().map(|(n, member)| pod_object(n, member))).await?;
    let running = peer.start(control_plane).await?;
    let binds = Binds::watch(&control_plane.client, members.len(), WITHIN).await?;
    let started = std::time::Instant::now();
    control_plane.start_scheduler(&running.scheduler_config(0)).await?;
    let last = binds.all().await?.last().copied();
    control_plane.stop_scheduler();
    drop(running);
    let positions: HashMap<String, usize> = (0..members.len()).map(|n| (pod_name(n), n)).collect();
    let names: HashMap<String, usize> = (0..super::hollow::MOST_NODES).map(|n| (node_name(n), n)).collect();
    let mut placed = vec![None; members.len()];
    for pod in api.list(&ListParams::default()).await.context("failed to list pods")?.items {
        let at = pod.metadata.name.and_then(|name| positions.get(&name).copied());
        let node = pod.spec.and_then(|spec| names.get(&spec.node_name?).copied());
        if let Some(slot) = at.and_then(|at| placed.get_mut(at)) {
            *slot = node;
        }
    }
    delete_all(&api).await?;
    Ok((last.map_or(0.0, |last| last.duration_since(started).as_secs_f64()), placed))
}

fn facts(n: usize) -> Result<NodeFacts> {
    let machine = machine(n);
    let limits = headroom_capacity::instance::lookup(machine.name)
        .with_context(|| format!("instance type {} has no known limits", machine.name))?;
    Ok(NodeFacts {
        zone: zone(n),
        cpu_millis: machine.allocatable_cpu_millis(),
        ips: limits.enis.get() * (limits.ipv4_per_eni - 1),
        disk: has_disk(n),
    })
}
