//! Pods through the real kube-scheduler, with and without an extender beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use headroom_load_tests::pods::peer::{Contender, Peer};
use headroom_load_tests::pods::{placement, report, sampling, throughput};
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pods/s with each peer, in turns on one cluster.
    Throughput(Throughput),
    /// Where a mixed workload ends up with each peer.
    Placement(Placement),
    /// 95 % of the nodes full: how long pods take to find the others.
    Sampling(Sampling),
    /// Tables and plots of what the other commands wrote into a directory.
    Report {
        /// With throughput*.json, placement.json and sampling.json.
        dir: PathBuf,
    },
}

/// Not a doc comment, in which brackets would be links.
const PEERS_HELP: &str = "none, plain, floor[:MAX_NAMES] and headroom[:MAX_NODES][+prioritize], in the order of their turns; each \
may end with %PERCENTAGE, kube-scheduler's percentageOfNodesToScore";

#[derive(Debug, Args)]
pub(crate) struct Throughput {
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 1000)]
    nodes: usize,
    /// Pods of each turn.
    #[arg(long, default_value_t = 2000)]
    pods: usize,
    /// Turns of each peer.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[arg(long, value_delimiter = ',', default_value = "none,plain,floor,headroom", help = PEERS_HELP)]
    peers: Vec<Contender>,
    /// Where the turns are written as JSON.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Placement {
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 600)]
    nodes: usize,
    /// Pods of the workload, about.
    #[arg(long, default_value_t = 2000)]
    pods: usize,
    /// How often each peer places it.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// As for `throughput`.
    #[arg(long, value_delimiter = ',', default_value = PLACEMENT_PEERS)]
    peers: Vec<Peer>,
    /// Where the placements are written as JSON.
    #[arg(long)]
    out: PathBuf,
}

const PLACEMENT_PEERS: &str = "none,headroom:10,headroom:25,headroom:50,headroom:100,headroom:100000,headroom:10+prioritize,\
headroom:50+prioritize,headroom:100+prioritize,headroom:100000+prioritize";

#[derive(Debug, Args)]
pub(crate) struct Sampling {
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 5000)]
    nodes: usize,
    /// Pods that come alone.
    #[arg(long, default_value_t = 5)]
    lone: usize,
    /// How long each of them may wait.
    #[arg(long, default_value_t = 20)]
    lone_within_secs: u64,
    /// Pods of the burst.
    #[arg(long, default_value_t = 200)]
    burst: usize,
    /// How long the burst may take.
    #[arg(long, default_value_t = 60)]
    burst_within_secs: u64,
    /// Where the outcomes are written as JSON.
    #[arg(long)]
    out: PathBuf,
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Throughput(args) => measure_throughput(args).await,
        Command::Placement(args) => compare_placement(args).await,
        Command::Sampling(args) => measure_sampling(args).await,
        Command::Report { dir } => report::write(&dir),
    }
}

async fn measure_throughput(args: Throughput) -> Result<()> {
    let Throughput { nodes, pods, rounds, peers, out } = args;
    let plan = throughput::Plan { nodes, pods, rounds, peers };
    eprintln!("throughput: {nodes} nodes, {pods} pods, {rounds} rounds");
    let turns = throughput::run(&plan, |turn| {
        eprintln!(
            "  round {} {:24} {:7.1} pods/s, {} bound, CPU {:.2?} ms a pod",
            turn.round, turn.peer, turn.pods_per_s, turn.bound, turn.cpu_ms_per_pod
        );
    })
    .await?;
    for summary in throughput::summaries(&turns) {
        let ratio = summary.ratio.map_or_else(String::new, |ratio| format!(", {ratio:.2} x none"));
        println!("{} nodes, {}: {:.1} pods/s{ratio}", summary.nodes, summary.peer, summary.pods_per_s[0]);
    }
    write_json(&out, &turns)
}

async fn compare_placement(args: Placement) -> Result<()> {
    let Placement { nodes, pods, rounds, peers, out } = args;
    eprintln!("placement: {nodes} nodes, about {pods} pods, {rounds} rounds");
    let plan = placement::Plan { nodes, pods, rounds, peers };
    let placed = placement::run(&plan, |placed| {
        let quality = &placed.quality;
        eprintln!(
            "  round {} {:28} {} of {} bound in {:.0} s",
            placed.round, placed.peer, quality.bound, quality.pods, placed.secs
        );
    })
    .await?;
    write_json(&out, &placed)
}

async fn measure_sampling(args: Sampling) -> Result<()> {
    let Sampling { nodes, lone, lone_within_secs, burst, burst_within_secs, out } = args;
    eprintln!("sampling: {nodes} nodes, 95 % of them full");
    let arrivals = sampling::Arrivals {
        lone,
        lone_within: Duration::from_secs(lone_within_secs),
        burst,
        burst_within: Duration::from_secs(burst_within_secs),
    };
    let rows = sampling::run(nodes, arrivals, |row| eprintln!("  {row:?}")).await?;
    write_json(&out, &rows)
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("failed to encode the result")?;
    std::fs::write(path, text + "\n").with_context(|| format!("failed to write '{}'", path.display()))
}
