//! Would it have been known? Forecasts and alerts at every time of a subnet's past, against what came, beside what is used without
//! Headroom.
//!
//! ```text
//! lab traces (pods ──> nodes ──> ipamd's closed forms) ──┐    past    ┌──> quantiles at horizons ──> pinball, coverage, width, MASE
//! CSV files ─────────────────────────────────────────────┴── origins ─┴──> warnings ──> alerts ──> leads, misses, false calls, flaps
//! ```
//!
//! A competitor gets a copy of the past that ends at the origin: there is no future to leak.

pub mod alerts;
pub mod competitors;
pub mod csv;
pub mod fan;
pub mod metrics;
pub mod plot;
pub mod report;
pub mod roll;
pub mod trace;
pub mod traces;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;

use crate::bench::machine::Machine;
use fan::Fan;
pub use report::Report;
use report::TraceReport;
use trace::Trace;

/// What is tested and where the report goes.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Files with a line `timestamp,value` for each observation of one subnet, instead of the lab's traces. A timestamp is Unix
    /// seconds or milliseconds, RFC 3339, or `2014-02-14 14:30:00` in UTC.
    #[arg(value_name = "CSV")]
    pub files: Vec<PathBuf>,
    /// Addresses of the files' subnets; 1.1 times each file's largest value where it is not given.
    #[arg(long, value_name = "IPS", requires = "files")]
    pub capacity: Option<f64>,
    /// Seed of the lab's traces.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "files")]
    pub seed: u64,
    /// Only lab traces whose name has this in it.
    #[arg(long, value_name = "TEXT", conflicts_with = "files")]
    pub only: Option<String>,
    /// Hours from one evaluation of the alerts to the next.
    #[arg(long, value_name = "HOURS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=24))]
    pub every_hours: u64,
    /// Where the report and its plots go; without it the report is printed.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The command that the report names for running it again.
    #[arg(long, value_name = "TEXT", default_value = "headroom-bench forecast")]
    pub command: String,
    /// What the report says was measured, a commit for one.
    #[arg(long, value_name = "TEXT", default_value = concat!("version ", env!("CARGO_PKG_VERSION")))]
    pub measured: String,
}

/// Tests everything on one thread, and writes the report where [`Options::out`] says so.
///
/// # Errors
/// When a file is not a trace, or the report cannot be written.
pub fn run(options: &Options) -> Result<Report> {
    let Options { files, seed, every_hours, out, command, measured, .. } = options;
    let begun = Instant::now();
    let all = all_traces(options)?;
    let mut traces = Vec::with_capacity(all.len());
    for (n, trace) in (1..).zip(&all) {
        let begun = Instant::now();
        traces.push(test(trace, every_hours * 3600));
        eprintln!("{n}/{} {}: {:.1} s", all.len(), trace.name, begun.elapsed().as_secs_f64());
    }
    let report = Report {
        machine: Machine::this().to_string(),
        command: command.clone(),
        measured: measured.clone(),
        seed: files.is_empty().then_some(*seed),
        every_hours: *every_hours,
        took_secs: begun.elapsed().as_secs_f64(),
        traces,
    };
    if let Some(dir) = out {
        report.write(dir)?;
    }
    Ok(report)
}

fn all_traces(options: &Options) -> Result<Vec<Trace>> {
    let Options { files, capacity, seed, only, .. } = options;
    if !files.is_empty() {
        return files.iter().map(|path| csv::read(path, *capacity)).collect();
    }
    let mut traces = traces::lab(*seed);
    if let Some(part) = only {
        let names: Vec<String> = traces.iter().map(|trace| trace.name.clone()).collect();
        traces.retain(|trace| trace.name.contains(part.as_str()));
        ensure!(!traces.is_empty(), "no trace has '{part}' in its name: there are {}", names.join(", "));
    }
    Ok(traces)
}

fn test(trace: &Trace, every_secs: u64) -> TraceReport {
    TraceReport {
        name: trace.name.clone(),
        about: trace.about.clone(),
        capacity: trace.capacity,
        days: trace.days(trace.len()),
        gradual: trace.gradual,
        scores: roll::score(trace),
        cold: roll::score_cold(trace),
        alerts: alerts::judge(trace, every_secs),
        fan: Fan::of(trace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(args: &[&str]) -> Result<Options, clap::Error> {
        Cli::try_parse_from(["x"].iter().chain(args)).map(|cli| cli.options)
    }

    #[test]
    fn a_capacity_needs_a_file() {
        assert!(options(&["--capacity", "9"]).is_err());
        assert!(options(&["a.csv", "--seed", "2"]).is_err());
        assert_eq!(options(&["a.csv", "--capacity", "9"]).unwrap().capacity, Some(9.0));
    }

    #[test]
    fn a_name_that_is_not_there_is_answered_with_those_that_are() {
        let error = run(&options(&["--only", "nothing"]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("'nothing'") && error.contains("growth, "), "{error}");
    }

    #[test]
    fn writes_a_report_with_its_plots() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new");
        let report =
            run(&options(&["--only", "short", "--every-hours", "12", "--out", out.to_str().unwrap()]).unwrap())
                .unwrap();
        let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(read("forecast.md"), report.to_string());
        for plot in ["forecast-fans.svg", "forecast-ratios.svg", "forecast-coverage.svg"] {
            assert!(read(plot).starts_with("<svg") && report.to_string().contains(plot), "{plot}");
        }
        let json: serde_json::Value = serde_json::from_str(&read("forecast.json")).unwrap();
        assert_eq!(json["traces"].as_array().unwrap().len(), 2);
        assert_eq!(json["traces"][0]["scores"][0]["forecaster"], "headroom");
    }
}
