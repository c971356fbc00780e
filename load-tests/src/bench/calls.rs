//! The whole measurement of single calls, from the first process to the report.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;

use super::apiserver::ApiServer;
use super::driver::Driver;
use super::fixture::{Fixture, Size, Wish};
use super::idle::{self, Connections};
use super::latency::Ratio;
use super::machine::Machine;
use super::open_loop::Load;
use super::output;
use super::report::{ChurnReport, ConnectionsReport, LoadReport, OpenReport, Report, RowReport};
use super::schedule::Arrivals;
use super::serial::{Row, Serial, Target};
use super::target::{Headroom, Peer};

/// As many as make 100,000 pods on 5,000 nodes.
const PODS_PER_NODE: u32 = 20;
/// The most that Kubernetes is tested with (kubernetes.io, "Considerations for large clusters").
const MOST_PODS: u32 = 150_000;

/// What is measured, by cluster. kube-scheduler names all of 100 nodes, 420 of 1,000 and 500 of 5,000 (k/k
/// `pkg/scheduler/schedule_one.go`, `numFeasibleNodesToFind`), one for a nominated or DaemonSet pod, and all where
/// percentageOfNodesToScore is 100. Blocks are short against what disturbs a machine, and so short that the pods of one, which all
/// hold their claims until its end, leave every answer at its full length.
const CLUSTERS: [(u32, &[Row]); 4] = [
    (100, &[row(100, 1, 200, 50), row(100, 100, 40, 125)]),
    (1000, &[row(1000, 1, 200, 50), row(1000, 500, 100, 50)]),
    (5000, &[FRESH, row(5000, 1, 200, 50), row(5000, 500, 100, 100), PREFERRING, row(5000, 5000, 25, 80)]),
    (15_000, &[row(15_000, 15_000, 10, 60)]),
];

const fn row(nodes: u32, names: u32, block: u64, rounds: u32) -> Row {
    Row { pod: Wish::Plain, fresh: false, nodes, names, block, rounds }
}

/// Before it is settled.
const FRESH: Row = Row { fresh: true, ..row(5000, 500, 50, 60) };

/// A pod with a wish gets every node back that has room.
const PREFERRING: Row = Row { pod: Wish::Preferring, ..row(5000, 500, 50, 100) };

/// Watch events beside calls as kube-scheduler makes them in the largest cluster that Kubernetes supports.
const CHURN: Row = row(5000, 500, 800, 40);

/// Open-loop runs, in the same cluster: about the rate of a busy kube-scheduler, and four of them.
const OPEN_CONNECTIONS: [usize; 2] = [1, 4];
const OPEN_PER_SEC: f64 = 500.0;
const OPEN_CALLS: usize = 3000;

/// Where the binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// headroom-extender.
    pub extender: PathBuf,
    /// headroom-bench itself.
    pub bench: PathBuf,
    /// `control-plane/cmd/serial-driver`.
    pub serial_driver: PathBuf,
    /// `control-plane/cmd/plain-extender`.
    pub plain_extender: PathBuf,
}

/// Measures, and writes the report into `out`. `command` and `version` go into it as they are.
///
/// # Errors
/// When a process does not start, a call fails or a file cannot be written.
pub async fn run(binaries: &Binaries, out: &Path, command: String, version: String) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut bench = Bench::start(binaries, started).await?;
    let idle = bench.measure_idle().await?;
    let mut rows = Vec::new();
    let mut loads = Vec::new();
    let mut beside = None;
    for (nodes, of_cluster) in CLUSTERS {
        let headroom = bench.headroom(nodes).await?;
        let loaded = headroom.memory()?;
        for row in of_cluster {
            if !row.fresh {
                headroom.pools_grown().await;
            }
            let report = RowReport { row: *row, measured: bench.serial.row(*row, &headroom).await? };
            let Ratio { p50, p99, .. } = report.headroom_over(Target::Floor);
            let (names, pod) = (row.names, row.label());
            bench.progress(&format!(
                "{names} names of {nodes} nodes, {pod} pod: floor x {p50:.2} at p50, {p99:.2} at p99"
            ));
            rows.push(report);
        }
        if nodes == CHURN.nodes {
            let churn = bench.churn(&headroom).await?;
            // Before other clients connect.
            let reuse = (headroom.calls().await?, headroom.connections().await?);
            beside = Some((churn, reuse, bench.open_loop(&headroom).await?));
        }
        let after_calls = headroom.memory()?;
        let size = headroom.api.fixture().size();
        loads.push(LoadReport { size, ready_after: headroom.ready_after, loaded, after_calls });
    }
    let (churn, (calls, connections), open) = beside.context("no cluster for the churn")?;
    bench.progress("waiting for the silent connections");
    let Connections { short, long } = idle.await??;
    let connections = ConnectionsReport {
        calls,
        connections,
        short_idle: idle::SHORT,
        after_short_idle: short,
        long_idle: idle::LONG,
        after_long_idle: long,
    };
    let took = started.elapsed();
    let report = Report { machine: Machine::this(), command, version, took, rows, churn, open, loads, connections };
    output::write(&report, out)?;
    println!("{report}\nbench: written to {}", out.display());
    Ok(())
}

struct Bench<'a> {
    binaries: &'a Binaries,
    started: Instant,
    serial: Serial,
}

impl Bench<'_> {
    async fn start(binaries: &Binaries, started: Instant) -> anyhow::Result<Bench<'_>> {
        let largest = CLUSTERS.iter().map(|(nodes, _)| *nodes).max().unwrap_or(1);
        let driver = Driver::start(&binaries.serial_driver, largest).await?;
        let floor = Peer::start(&binaries.bench, &["floor"]).await?;
        let plain_go = Peer::start(&binaries.plain_extender, &[]).await?;
        Ok(Bench { binaries, started, serial: Serial::new(driver, floor, plain_go) })
    }

    fn progress(&self, what: &str) {
        eprintln!("bench: {:4} s: {what}", self.started.elapsed().as_secs());
    }

    /// The extender, with a cluster of so many nodes loaded.
    async fn headroom(&self, nodes: u32) -> anyhow::Result<Headroom> {
        let size = Size { nodes, pods: MOST_PODS.min(nodes * PODS_PER_NODE) };
        self.progress(&format!("headroom-extender loads {nodes} nodes and {} pods", size.pods));
        Headroom::start(&self.binaries.extender, ApiServer::start(Fixture::new(size)).await?).await
    }

    /// Begins what takes its time beside the rest.
    async fn measure_idle(&self) -> anyhow::Result<tokio::task::JoinHandle<anyhow::Result<Connections>>> {
        let headroom = self.headroom(1).await?;
        let driver = self.binaries.serial_driver.clone();
        Ok(tokio::spawn(async move { idle::measure(&driver, &headroom).await }))
    }

    async fn churn(&mut self, headroom: &Headroom) -> anyhow::Result<ChurnReport> {
        self.progress("with and without watch events");
        let (measured, events) = self.serial.churn(CHURN, headroom).await?;
        Ok(ChurnReport { row: CHURN, measured, events })
    }

    async fn open_loop(&mut self, headroom: &Headroom) -> anyhow::Result<Vec<OpenReport>> {
        let mut reports = Vec::new();
        for connections in OPEN_CONNECTIONS {
            let load = Load {
                arrivals: Arrivals::Poisson,
                per_sec: OPEN_PER_SEC,
                calls: OPEN_CALLS,
                connections,
                names: CHURN.names,
            };
            for target in Target::ALL {
                self.progress(&format!("{} at {OPEN_PER_SEC}/s over {connections} connections", target.label()));
                let outcome = self.serial.open_loop(target, load, headroom).await?;
                reports.push(OpenReport { nodes: CHURN.nodes, target, load, outcome });
            }
        }
        Ok(reports)
    }
}
