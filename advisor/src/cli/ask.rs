//! What the commands have in common that ask a running advisor and print.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use headroom_shell::page;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whom to ask.
#[derive(Debug, Default, Args)]
pub(super) struct Advisor {
    /// Admin address of a running advisor.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9281", env = "HEADROOM_ADVISOR_ADMIN_LISTEN")]
    advisor: String,
}

impl Advisor {
    /// What its page says. `missing` is what there is not where it does not answer, given its address.
    pub(super) async fn ask<T: DeserializeOwned>(&self, path: &str, missing: impl FnOnce(&str) -> String) -> Result<T> {
        let text = page::get(&self.advisor, path).await.with_context(|| missing(&self.advisor))?;
        serde_json::from_str(&text).context("the advisor's answer is of another version")
    }
}

/// For whom it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Tables for people.
    Table,
    /// Everything.
    Json,
}

/// Prints what `table` makes of a report, or all of it.
pub(super) fn show<T: Serialize>(report: &T, output: Output, table: impl FnOnce(&T) -> String) -> Result<()> {
    match output {
        Output::Table => print(&table(report)),
        Output::Json => print(&(serde_json::to_string_pretty(report)? + "\n")),
    }
}

/// A reader that has seen enough closes the pipe.
pub(super) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
