//! One call: the command line of the driver, its peers and what they are called with.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use headroom_load_tests::bench::apiserver::ApiServer;
use headroom_load_tests::bench::churn::Churn;
use headroom_load_tests::bench::fixture::{Fixture, Size};
use headroom_load_tests::bench::open_loop::{self, Load};
use headroom_load_tests::bench::{calls, floor};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures single calls; scripts/bench.sh calls builds what it needs and runs it.
    Calls(Calls),
    /// Serves the byte-splicing floor and prints its address.
    Floor {
        /// Where it listens; port 0 takes a free one.
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Serves a cluster's API to an extender until it is killed; prints a kubeconfig.
    Apiserver(Cluster),
    /// Calls an extender at a given rate and prints its latencies, from when each call was due and from when it was sent.
    OpenLoop(OpenLoop),
}

#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// Nodes of the cluster.
    #[arg(long, value_name = "N", default_value = "5000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    nodes: u32,
    /// Pods on them.
    #[arg(long, value_name = "N", default_value = "100000")]
    pods: u32,
    /// Watch events a second.
    #[arg(long, value_name = "N", default_value = "0")]
    events_per_sec: u32,
}

#[derive(Debug, Args)]
pub(crate) struct OpenLoop {
    /// The extender's address.
    #[arg(long, value_name = "ADDR:PORT")]
    addr: SocketAddr,
    /// Path of its filter verb.
    #[arg(long, value_name = "PATH", default_value = "/v1/filter")]
    path: String,
    #[command(flatten)]
    load: Load,
}

#[derive(Debug, Args)]
pub(crate) struct Calls {
    /// headroom-extender, a release build.
    #[arg(long, value_name = "FILE")]
    extender: PathBuf,
    /// serial-driver of load-tests/control-plane.
    #[arg(long, value_name = "FILE")]
    serial_driver: PathBuf,
    /// plain-extender of load-tests/control-plane.
    #[arg(long, value_name = "FILE")]
    plain_extender: PathBuf,
    /// Where the report goes.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The command that the report names for running it again.
    #[arg(long, value_name = "TEXT", default_value = "headroom-bench calls")]
    command: String,
    /// What the report says was measured, a commit for one.
    #[arg(long, value_name = "TEXT", default_value = concat!("version ", env!("CARGO_PKG_VERSION")))]
    measured: String,
}

/// The clients run on one thread: they share two cores with what they measure.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    match command {
        Command::Calls(Calls { extender, serial_driver, plain_extender, out, command, measured }) => {
            let binaries = calls::Binaries { extender, bench: std::env::current_exe()?, serial_driver, plain_extender };
            runtime.block_on(calls::run(&binaries, &out, command, measured))
        }
        Command::Floor { listen } => {
            runtime.block_on(floor::serve(listen)).with_context(|| format!("failed to serve on {listen}"))
        }
        Command::Apiserver(cluster) => runtime.block_on(serve(&cluster)),
        Command::OpenLoop(OpenLoop { addr, path, load }) => {
            let open_loop::Outcome { corrected, uncorrected } = open_loop::run(addr, &path, &load, 0)?;
            println!("from due:  {}\nfrom sent: {}", corrected.summary(), uncorrected.summary());
            Ok(())
        }
    }
}

async fn serve(cluster: &Cluster) -> anyhow::Result<()> {
    let Cluster { nodes, pods, events_per_sec } = *cluster;
    let server = ApiServer::start(Fixture::new(Size { nodes, pods })).await?;
    print!("{}", server.kubeconfig());
    std::io::stdout().flush()?;
    if events_per_sec > 0 {
        Churn::new(server, events_per_sec).beside(std::future::pending::<()>()).await;
    }
    std::future::pending().await
}
