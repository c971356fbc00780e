//! More pods than IPs under the real control plane.

use anyhow::Result;
use clap::{Args, ValueEnum};
use headroom_load_tests::burst::{self, Mode, Options};

#[derive(Debug, Args)]
pub(crate) struct Burst {
    /// Who filters, one run each.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [ModeArg::Plain, ModeArg::Soon, ModeArg::Now])]
    modes: Vec<ModeArg>,
    /// Nodes: t3.small with 9 pod IPs, one in ten a t3.medium with 15.
    #[arg(long, default_value_t = Options::default().nodes, value_parser = clap::value_parser!(u32).range(1..=2500))]
    nodes: u32,
    /// Pods in all.
    #[arg(long, default_value_t = Options::default().pods, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pods: u32,
    /// Bursts that the pods come in.
    #[arg(long, default_value_t = Options::default().bursts, value_parser = clap::value_parser!(u32).range(1..=1000))]
    bursts: u32,
    /// Seconds from the start of one burst to the next.
    #[arg(long, default_value_t = Options::default().every_secs)]
    every_secs: u64,
    /// Connections that create pods.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    connections: u16,
    /// Seconds after which a run ends though its figures still move.
    #[arg(long, default_value_t = Options::default().time_limit_secs)]
    time_limit_secs: u64,
    /// `json` prints one line for each run on standard output; progress goes to standard error in any case.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    Plain,
    Soon,
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

pub(crate) async fn run(args: &Burst) -> Result<()> {
    let &Burst { nodes, pods, bursts, every_secs, connections, time_limit_secs, .. } = args;
    let options = Options { nodes, pods, bursts, every_secs, connections: connections.into(), time_limit_secs };
    let mut outcomes = Vec::new();
    for mode in &args.modes {
        let mode = match mode {
            ModeArg::Plain => Mode::Plain,
            ModeArg::Soon => Mode::Soon,
            ModeArg::Now => Mode::Now,
        };
        eprintln!("{mode:?}: {pods} pods on {nodes} nodes");
        let outcome = burst::run(mode, options, |line| eprintln!("{line}")).await?;
        if args.output == Output::Json {
            println!("{}", serde_json::to_string(&outcome)?);
        }
        outcomes.push(outcome);
    }
    if args.output == Output::Table {
        print!("{}", burst::table(&outcomes));
    }
    Ok(())
}
