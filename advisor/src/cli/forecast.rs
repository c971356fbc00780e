//! `headroom-advisor forecast`: asks a running advisor, and shows what it expects.

mod chart;
mod table;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use headroom_shell::process::write_at_once;

use super::ask::{Advisor, Output, show};
use crate::outlook::report::Report;

/// What to ask and how to show it.
#[derive(Debug, Args)]
pub(super) struct Forecast {
    #[command(flatten)]
    advisor: Advisor,
    /// Only these subnets, by ID; may be given several times.
    #[arg(long = "subnet", value_name = "ID")]
    subnets: Vec<String>,
    /// A table for people, or JSON with every quantile and what was observed.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// Also writes a fan chart of each subnet into this directory, `<subnet>.svg`; it is made.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

/// Asks and shows.
pub(super) async fn forecast(args: Forecast) -> Result<()> {
    let Forecast { advisor, subnets, output, svg } = args;
    let with_history = svg.is_some() || output == Output::Json;
    let path = if with_history { "/forecast?history=true" } else { "/forecast" };
    let missing = |addr: &str| format!("no forecast from {addr}; --advisor names the admin address of another advisor");
    let mut report: Report = advisor.ask(path, missing).await?;
    for id in &subnets {
        if !report.subnets.iter().any(|row| row.subnet == *id) {
            let known: Vec<&str> = report.subnets.iter().map(|row| row.subnet.as_str()).collect();
            bail!("--subnet '{id}' is not known; there are {}", known.join(", "));
        }
    }
    report.subnets.retain(|row| subnets.is_empty() || subnets.contains(&row.subnet));
    if let Some(dir) = svg {
        std::fs::create_dir_all(&dir).with_context(|| format!("failed to make --svg '{}'", dir.display()))?;
        for row in &report.subnets {
            let path = dir.join(format!("{}.svg", row.subnet));
            let chart = chart::fan(&report, row)?;
            write_at_once(&path, chart.as_bytes()).with_context(|| format!("failed to write '{}'", path.display()))?;
        }
    }
    show(&report, output, table::table)
}
