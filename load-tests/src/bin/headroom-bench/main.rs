//! `headroom-bench`: measures Headroom beside its peers, alone and under the real control plane, on loopback.

mod burst;
mod calls;
mod observe;
mod pods;
mod schedules;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use headroom_load_tests::backtest;
use headroom_load_tests::bench::expander;
use tracing_subscriber::EnvFilter;

/// Measures Headroom beside its peers on loopback.
///
/// scripts/bench.sh builds what the commands need and runs them.
#[derive(Debug, Parser)]
#[command(name = "headroom-bench", version, after_help = "Exit codes: 0 measured, 1 failed, 2 wrong usage.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Calls(calls::Command),
    #[command(flatten)]
    Pods(pods::Command),
    #[command(flatten)]
    Observe(observe::Command),
    /// More pods than IPs, all at once: how many hang, how long the others wait for their IP, how much is used.
    Burst(burst::Burst),
    /// What an answer to Cluster Autoscaler costs, for a request as large as it gets.
    Expander(expander::Size),
    /// Backtests forecasts and alerts beside what is used without Headroom, on the lab's traces or on CSV files.
    Forecast(backtest::Options),
    /// Random faults between an advisor and AWS, and advisors that are killed, while spare nodes are removed: what must hold all the same.
    Schedules(schedules::Schedules),
    /// An advisor of `schedules`, as standard input says.
    #[command(name = ADVISOR, hide = true)]
    ScheduleAdvisor,
}

/// The command by which `schedules` starts its advisors.
const ADVISOR: &str = "schedule-advisor";

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "error,kube_client=off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let result = match command {
        Command::Calls(command) => calls::run(command),
        Command::Pods(command) => on_all_cores(pods::run(command)),
        Command::Observe(command) => observe::run(command),
        Command::Burst(burst) => on_all_cores(burst::run(&burst)),
        Command::Expander(size) => on_all_cores(async move {
            print!("{}", expander::measure(size).await?);
            Ok(())
        }),
        Command::Forecast(options) => forecast(&options),
        Command::Schedules(schedules) => on_all_cores(schedules::run_all(schedules)),
        Command::ScheduleAdvisor => headroom_load_tests::schedules::advise(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headroom-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn forecast(options: &backtest::Options) -> anyhow::Result<()> {
    let report = backtest::run(options)?;
    if options.out.is_none() {
        print!("{report}");
    }
    Ok(())
}

fn on_all_cores(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new().context("failed to start the runtime")?.block_on(work)
}
