//! Pods/s of the real kube-scheduler with each peer beside it, in turns on one cluster.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Node;
use kube::api::Api;
use serde::{Deserialize, Serialize};

use super::binds::{Binds, steady_rate};
use super::float;
use super::hollow::{C5_4XLARGE, Machine, aws_node, node, pod};
use super::peer::{Contender, Peer, Running};
use super::write::{create_all, create_early, delete_all, pods};
use crate::control_plane::ControlPlane;

/// How long the pods of one round may take.
const ROUND_WITHIN: Duration = Duration::from_secs(120);
/// Pods of the round before the first: its figures are thrown away, so that no peer pays for cold caches.
const WARM_UP_PODS: usize = 300;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes of the cluster.
    pub nodes: usize,
    /// Pods that wait when kube-scheduler starts.
    pub pods: usize,
    /// How often each peer has its turn.
    pub rounds: usize,
    /// In this order in the first round; each later one begins with the next of them.
    pub peers: Vec<Contender>,
}

/// One turn of one peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// [`Contender`] in words.
    pub peer: String,
    /// Nodes of the cluster.
    pub nodes: usize,
    /// Pods that were to be bound.
    pub pods: usize,
    /// When the run started, in seconds since the Unix epoch: ratios are taken within one.
    pub run: u64,
    /// From 0.
    pub round: usize,
    /// Pods that were bound in time.
    pub bound: usize,
    /// Steady rate.
    pub pods_per_s: f64,
    /// CPU milliseconds per bound pod of etcd, kube-apiserver, kube-scheduler (its start included) and the peer.
    pub cpu_ms_per_pod: [f64; 4],
}

/// Runs the plan; `progress` gets every turn as it ends.
///
/// # Errors
/// When a part does not start, or fewer than ten pods were bound in a turn.
pub async fn run(plan: &Plan, progress: impl Fn(&Turn)) -> Result<Vec<Turn>> {
    let mut control_plane = start(plan.nodes, C5_4XLARGE).await?;
    turn(&mut control_plane, Contender { peer: Peer::None, percentage: 0 }, WARM_UP_PODS).await?;
    let run = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut turns = Vec::new();
    for round in 0..plan.rounds {
        let first = round % plan.peers.len().max(1);
        for &peer in plan.peers[first..].iter().chain(&plan.peers[..first]) {
            let (times, cpu) = turn(&mut control_plane, peer, plan.pods).await?;
            let turn = Turn {
                peer: peer.to_string(),
                nodes: plan.nodes,
                pods: plan.pods,
                run,
                round,
                bound: times.len(),
                pods_per_s: steady_rate(&times)
                    .with_context(|| format!("{peer}: only {} of {} pods were bound", times.len(), plan.pods))?,
                cpu_ms_per_pod: cpu.map(|used| used.as_secs_f64() * 1000.0 / float(times.len())),
            };
            progress(&turn);
            turns.push(turn);
        }
    }
    Ok(turns)
}

/// A control plane with `nodes` nodes of one type.
///
/// # Errors
/// When it does not start, or an object is refused.
pub async fn start(nodes: usize, machine: Machine) -> Result<ControlPlane> {
    let control_plane = ControlPlane::start().await?;
    let client = &control_plane.client;
    create_early(&Api::<DaemonSet>::namespaced(client.clone(), "kube-system"), aws_node()).await?;
    create_all(&Api::<Node>::all(client.clone()), (0..nodes).map(|n| node(n, machine, &[]))).await?;
    Ok(control_plane)
}

/// When pods were bound, and the CPU time of [`Turn::cpu_ms_per_pod`]. All pods are there before kube-scheduler starts; meanwhile this
/// process only counts.
async fn turn(
    control_plane: &mut ControlPlane,
    contender: Contender,
    count: usize,
) -> Result<(Vec<Instant>, [Duration; 4])> {
    let client = control_plane.client.clone();
    create_all(&pods(&client), (0..count).map(|n| pod(&format!("web-6b7c5d9f4-{n:05}"), "web", 10, 16))).await?;
    let running = contender.peer.start(control_plane).await?;
    let binds = Binds::watch(&client, count, ROUND_WITHIN).await?;
    let before = cpu(control_plane, &running);
    control_plane.start_scheduler(&running.scheduler_config(contender.percentage)).await?;
    let times = binds.all().await?;
    let after = cpu(control_plane, &running);
    control_plane.stop_scheduler();
    drop(running);
    delete_all(&pods(&client)).await?;
    Ok((times, std::array::from_fn(|at| after[at].saturating_sub(before[at]))))
}

fn cpu(control_plane: &ControlPlane, peer: &Running) -> [Duration; 4] {
    let [etcd, apiserver, scheduler] = control_plane.cpu();
    [etcd, apiserver, scheduler, peer.cpu()].map(Option::unwrap_or_default)
}

/// What the turns of one peer at one cluster size come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// [`Contender`] in words.
    pub peer: String,
    /// Nodes of the cluster.
    pub nodes: usize,
    /// Turns.
    pub turns: usize,
    /// Median, least and most of the turns.
    pub pods_per_s: [f64; 3],
    /// Median of the turns' ratios to `none` in the same round; `None` without such turns.
    pub ratio: Option<f64>,
    /// Pods that were not bound in time, over all turns.
    pub unbound: usize,
    /// Median of each of [`Turn::cpu_ms_per_pod`].
    pub cpu_ms_per_pod: [f64; 4],
}

/// One summary per cluster size and peer, in the order of their first turns.
#[must_use]
pub fn summaries(turns: &[Turn]) -> Vec<Summary> {
    let mut keys: Vec<(usize, &str)> = Vec::new();
    for turn in turns {
        if !keys.contains(&(turn.nodes, &turn.peer)) {
            keys.push((turn.nodes, &turn.peer));
        }
    }
    keys.into_iter().map(|(nodes, peer)| summary(turns, nodes, peer)).collect()
}

fn summary(turns: &[Turn], nodes: usize, peer: &str) -> Summary {
    let of = |peer: &str| {
        let peer = peer.to_owned();
        turns.iter().filter(move |turn| turn.nodes == nodes && turn.peer == peer)
    };
    let mut rates: Vec<f64> = of(peer).map(|turn| turn.pods_per_s).collect();
    let mut ratios: Vec<f64> = of(peer)
        .filter_map(|turn| {
            let none = of("none").find(|none| (none.run, none.round) == (turn.run, turn.round))?;
            Some(turn.pods_per_s / none.pods_per_s)
        })
        .collect();
    let middle = median(&mut rates).unwrap_or_default();
    Summary {
        peer: peer.to_owned(),
        nodes,
        turns: rates.len(),
        pods_per_s: [middle, rates.first().copied().unwrap_or(middle), rates.last().copied().unwrap_or(middle)],
        ratio: median(&mut ratios),
        unbound: of(peer).map(|turn| turn.pods - turn.bound).sum(),
        cpu_ms_per_pod: std::array::from_fn(|at| {
            median(&mut of(peer).map(|turn| turn.cpu_ms_per_pod[at]).collect::<Vec<_>>()).unwrap_or_default()
        }),
    }
}

/// Sorts, and takes the mean of the two in the middle where there are two.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[values.len() / 2 - 1], upper) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(peer: &str, nodes: usize, round: usize, pods_per_s: f64) -> Turn {
        Turn { peer: peer.to_owned(), nodes, pods: 100, run: 7, round, bound: 99, pods_per_s, cpu_ms_per_pod: [0.5; 4] }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine is twice as fast in round 1; the peer is half as fast as none in both.
        let turns = [
            turn("none", 10, 0, 100.0),
            turn("headroom", 10, 0, 50.0),
            turn("none", 10, 1, 200.0),
            turn("headroom", 10, 1, 100.0),
            turn("plain", 20, 0, 7.0),
        ];
        let all = summaries(&turns);
        let [none, headroom, plain] = &all[..] else { panic!("{all:?}") };
        assert_eq!((none.ratio, none.pods_per_s), (Some(1.0), [150.0, 100.0, 200.0]));
        assert_eq!((headroom.ratio, headroom.turns, headroom.unbound), (Some(0.5), 2, 2));
        assert_eq!((plain.nodes, plain.ratio), (20, None));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0]), Some(2.5));
    }
}
