//! What was measured, as Markdown.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::fixture::Size;
use super::latency::{Latencies, Ratio, Spread};
use super::machine::Machine;
use super::memory::Memory;
use super::open_loop::{Load, Outcome};
use super::serial::{CHURN_PER_SEC, Measured, Row, Target};

/// Everything that one run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// How to run it again.
    pub command: String,
    /// What was measured: a version or a commit.
    pub version: String,
    /// How long it took.
    pub took: Duration,
    /// Serial calls.
    pub rows: Vec<RowReport>,
    /// Serial calls beside watch events.
    pub churn: ChurnReport,
    /// Calls at a given rate.
    pub open: Vec<OpenReport>,
    /// Memory and starts.
    pub loads: Vec<LoadReport>,
    /// TCP connections.
    pub connections: ConnectionsReport,
}

/// One row of serial calls, by [`Target::ALL`].
#[derive(Clone, Debug)]
pub struct RowReport {
    /// What was measured.
    pub row: Row,
    /// Of each target.
    pub measured: [Measured; 3],
}

/// Calls of Headroom without and with watch events.
#[derive(Clone, Debug)]
pub struct ChurnReport {
    /// What was measured.
    pub row: Row,
    /// Without, with.
    pub measured: [Measured; 2],
    /// Events that were sent.
    pub events: u64,
}

/// An open-loop run.
#[derive(Clone, Debug)]
pub struct OpenReport {
    /// Nodes of the cluster.
    pub nodes: u32,
    /// Who was called.
    pub target: Target,
    /// What was sent.
    pub load: Load,
    /// What came back.
    pub outcome: Outcome,
}

/// An extender that loaded a cluster.
#[derive(Clone, Copy, Debug)]
pub struct LoadReport {
    /// The cluster.
    pub size: Size,
    /// From its start until it was ready.
    pub ready_after: Duration,
    /// Memory when it was ready.
    pub loaded: Memory,
    /// Memory after its calls.
    pub after_calls: Memory,
}

/// Who connected how often.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionsReport {
    /// Calls of the busiest client,
    pub calls: u64,
    /// which took so many connections.
    pub connections: u64,
    /// Another client was silent for so long between two calls,
    pub short_idle: Duration,
    /// and had made so many connections after them.
    pub after_short_idle: u64,
    /// Likewise a third one,
    pub long_idle: Duration,
    /// with so many connections.
    pub after_long_idle: u64,
}

impl RowReport {
    /// Of one target.
    #[must_use]
    pub fn of(&self, target: Target) -> &Measured {
        &self.measured[target as usize]
    }

    /// Headroom's latency in terms of another target's.
    #[must_use]
    pub fn headroom_over(&self, target: Target) -> Ratio {
        self.of(Target::Headroom).latencies.over(&self.of(target).latencies)
    }
}

impl ChurnReport {
    /// The calls' latency with events in terms of that without.
    #[must_use]
    pub fn ratio(&self) -> Ratio {
        let [without, with] = &self.measured;
        with.latencies.over(&without.latencies)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { machine, command, version, took, .. } = self;
        writeln!(f, "# One call of the extender\n")?;
        writeln!(f, "`{command}` on {machine}; {version}; {} s.\n", took.as_secs())?;
        f.write_str(INTRODUCTION)?;
        serial(f, &self.rows)?;
        churn(f, &self.churn)?;
        open(f, &self.open)?;
        memory(f, &self.loads)?;
        connections(f, &self.connections)
    }
}

const INTRODUCTION: &str = "\
All processes run on loopback and take turns in one run, so that what else the machine does hits all of them alike: read the ratios,
not the microseconds. `floor` finds as many names in the request as Headroom answers with, sends them back, and
decides nothing. `plain-go` is an extender on upstream's Go types that passes every node.

";

fn serial(f: &mut fmt::Formatter<'_>, rows: &[RowReport]) -> fmt::Result {
    f.write_str("## Serial calls, as kube-scheduler makes them\n\n")?;
    f.write_str(
        "kube-scheduler's own client (`scheduler.NewHTTPExtender`), one call after the other, each for another pod. \
        A preferring pod has a soft topology spread constraint, and gets longer answers for it. \
        A fresh extender has run for less than `pool.step_ms` and counts on no more than the first ENI of a node, so that it finds fewer \
        nodes with plenty of IPs and looks at every name, as it does where IPs are scarce. A ratio of rounds is the middle of the ratios of each round's medians, with their quartiles.\n\n",
    )?;
    f.write_str(
        "| nodes | names | pod | Headroom ÷ floor, p50 | p99 | rounds | Headroom ÷ plain-go, p50 | p99 | rounds |\n",
    )?;
    f.write_str("|---:|---:|---|---:|---:|---|---:|---:|---|\n")?;
    for report in rows {
        let Row { nodes, names, .. } = report.row;
        let [floor, go] = [Target::Floor, Target::PlainGo].map(|target| ratio(&report.headroom_over(target)));
        writeln!(f, "| {nodes} | {names} | {} | {floor} | {go} |", report.row.label())?;
    }
    f.write_str("\n![Percentiles of serial calls](calls-serial.svg)\n\n")?;
    writeln!(
        f,
        "| nodes | names | pod | extender | names back | {QUANTILES_HEAD}\n|---:|---:|---|---|---:|{QUANTILES_RULE}"
    )?;
    for report in rows {
        for target in Target::ALL {
            let Measured { latencies, names_back } = report.of(target);
            let back = match *names_back {
                Some((shortest, longest)) if shortest == longest => longest.to_string(),
                Some((shortest, longest)) => format!("{shortest} to {longest}"),
                None => String::new(),
            };
            let Row { nodes, names, .. } = report.row;
            writeln!(
                f,
                "| {nodes} | {names} | {} | {} | {back} | {}",
                report.row.label(),
                target.label(),
                quantiles(latencies)
            )?;
        }
    }
    Ok(())
}

fn churn(f: &mut fmt::Formatter<'_>, report: &ChurnReport) -> fmt::Result {
    let Row { nodes, names, .. } = report.row;
    let Ratio { p50, p99, round_median, round_mean } = report.ratio();
    f.write_str("\n## Beside watch events\n\n")?;
    writeln!(
        f,
        "Headroom with {names} names of {nodes} nodes, without and with {CHURN_PER_SEC} watch events a second in turns ({} events: pods that \
        come, are bound, run and go; status updates of running pods; heartbeats of nodes).\n",
        report.events
    )?;
    writeln!(f, "| events | {QUANTILES_HEAD}\n|---|{QUANTILES_RULE}")?;
    for (label, measured) in ["without", "with"].into_iter().zip(&report.measured) {
        writeln!(f, "| {label} | {}", quantiles(&measured.latencies))?;
    }
    writeln!(
        f,
        "\nWith ÷ without: p50 {p50:.3}, p99 {p99:.3}; by rounds, medians {}, means {}.",
        spread(&round_median),
        spread(&round_mean)
    )
}

fn open(f: &mut fmt::Formatter<'_>, reports: &[OpenReport]) -> fmt::Result {
    f.write_str("\n## Calls at a given rate\n\n")?;
    f.write_str(
        "Calls arrive whether or not the ones before are answered. Corrected latencies count from when a call was due, \
        uncorrected ones from when a connection was free to send it (coordinated omission).\n\n",
    )?;
    f.write_str("![Corrected and uncorrected percentiles](calls-open-loop.svg)\n\n")?;
    writeln!(f, "| nodes | names | arrivals | calls/s | connections | extender | from | {QUANTILES_HEAD}")?;
    writeln!(f, "|---:|---:|---|---:|---:|---|---|{QUANTILES_RULE}")?;
    for OpenReport { nodes, target, load, outcome } in reports {
        let arrivals = format!("{:?}", load.arrivals).to_lowercase();
        for (from, latencies) in [("due", &outcome.corrected), ("sent", &outcome.uncorrected)] {
            writeln!(
                f,
                "| {nodes} | {} | {arrivals} | {} | {} | {} | {from} | {}",
                load.names,
                load.per_sec,
                load.connections,
                target.label(),
                quantiles(latencies)
            )?;
        }
    }
    Ok(())
}

fn memory(f: &mut fmt::Formatter<'_>, loads: &[LoadReport]) -> fmt::Result {
    f.write_str("\n## Memory of headroom-extender\n\n")?;
    f.write_str("Resident memory when the first lists are complete, after the calls above, and at most (`VmRSS`, `VmHWM`), in MiB. The objects come as JSON; a real API server sends nodes and pods in protobuf.\n\n")?;
    f.write_str("| nodes | pods | ready after | loaded | peak until then | after the calls | peak |\n")?;
    f.write_str("|---:|---:|---:|---:|---:|---:|---:|\n")?;
    let mib = |kib: u64| kib.div_ceil(1024);
    for LoadReport { size, ready_after, loaded, after_calls } in loads {
        writeln!(
            f,
            "| {} | {} | {:.1} s | {} | {} | {} | {} |",
            size.nodes,
            size.pods,
            ready_after.as_secs_f64(),
            mib(loaded.resident_kib),
            mib(loaded.peak_kib),
            mib(after_calls.resident_kib),
            mib(after_calls.peak_kib)
        )?;
    }
    Ok(())
}

fn connections(f: &mut fmt::Formatter<'_>, report: &ConnectionsReport) -> fmt::Result {
    let ConnectionsReport { calls, connections, short_idle, after_short_idle, long_idle, after_long_idle } = *report;
    f.write_str("\n## TCP connections\n\n")?;
    writeln!(f, "| calls | longest silence between two | connections accepted |\n|---:|---:|---:|")?;
    writeln!(f, "| {calls} | none | {connections} |")?;
    writeln!(f, "| 2 | {} s | {after_short_idle} |", short_idle.as_secs())?;
    writeln!(f, "| 2 | {} s | {after_long_idle} |", long_idle.as_secs())?;
    f.write_str("\nkube-scheduler's client itself closes a connection that was idle for 90 s (Go `net/http`, `DefaultTransport`).\n")
}

const QUANTILES_HEAD: &str = "calls | p50 µs | p90 | p99 | p99.9 | max |";
const QUANTILES_RULE: &str = "---:|---:|---:|---:|---:|---:|";

fn quantiles(latencies: &Latencies) -> String {
    let mut cells = format!("{} |", latencies.calls());
    let at = [0.5, 0.9, 0.99, 0.999].map(|quantile| latencies.quantile(quantile));
    for latency in at.into_iter().chain([latencies.max()]) {
        write!(cells, " {} |", latency.as_micros()).expect("writing to a string cannot fail");
    }
    cells
}

fn ratio(ratio: &Ratio) -> String {
    format!("{:.2} | {:.2} | {}", ratio.p50, ratio.p99, spread(&ratio.round_median))
}

fn spread(spread: &Spread) -> String {
    format!("{:.3} ({:.3} to {:.3})", spread.middle, spread.low, spread.high)
}

#[cfg(test)]
pub(super) mod tests;
