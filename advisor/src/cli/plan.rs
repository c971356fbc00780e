//! `headroom-advisor plan`: what would be done, and what not and why.

use anyhow::Result;
use clap::Args;

use super::ask::{Advisor, Output, show};
use crate::plan::report::Report;

/// What to ask and how to show it.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    advisor: Advisor,
    /// Text for people, or JSON.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Asks and shows.
pub(super) async fn plan(args: Plan) -> Result<()> {
    let Plan { advisor, output } = args;
    let missing = |addr: &str| {
        format!(
            "no plan from {addr}: one is made where scaling.mode is advise or act; --advisor names the admin address of \
             another advisor"
        )
    };
    let report: Report = advisor.ask("/plan", missing).await?;
    show(&report, output, |report| report.text.clone())
}
