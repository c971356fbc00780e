//! One round of the advisor: its command line and the VPC that it reads.

use std::time::Duration;

use clap::{Args, Subcommand};
use headroom_load_tests::bench::observe;
use headroom_load_tests::bench::target::Peer;
use headroom_load_tests::bench::vpc::{Size, serve};

/// No thread ends while the processor time of all is counted.
const KEEP_THREADS: Duration = Duration::from_secs(3600);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures what a round of the advisor costs: processor time, memory and calls. The VPC is served by another process.
    Observe(Observe),
    /// Serves a VPC's EC2 and Auto Scaling until it is killed, and prints its address.
    Vpc(Size),
}

#[derive(Debug, Args)]
pub(crate) struct Observe {
    #[command(flatten)]
    size: Size,
    /// Rounds, the first one included.
    #[arg(long, value_name = "N", default_value = "6", value_parser = clap::value_parser!(u32).range(2..=1000))]
    rounds: u32,
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Observe(Observe { size, rounds }) => {
            size.check()?;
            // Threads as the advisor has them.
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).thread_keep_alive(KEEP_THREADS).enable_all().build()?;
            runtime.block_on(measure(size, rounds))
        }
        Command::Vpc(size) => {
            size.check()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(serve::serve(size))?)
        }
    }
}

async fn measure(size: Size, rounds: u32) -> anyhow::Result<()> {
    let Size { nodes, subnets, enis, pods, addresses, prefixes } = size;
    let args = [
        ("--nodes", nodes),
        ("--subnets", subnets),
        ("--enis", enis),
        ("--pods", pods),
        ("--addresses", addresses),
        ("--prefixes", prefixes),
    ];
    let args: Vec<String> = args.into_iter().map(|(flag, value)| format!("{flag}={value}")).collect();
    let args: Vec<&str> = std::iter::once("vpc").chain(args.iter().map(String::as_str)).collect();
    let vpc = Peer::start(&std::env::current_exe()?, &args).await?;
    // Not on the main thread, which does no work in the advisor either.
    let report = tokio::spawn(observe::run(vpc.addr, size, rounds)).await??;
    print!("{report}");
    Ok(())
}
