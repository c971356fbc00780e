//! Command line of `headroom-advisor`.

mod ask;
mod doctor;
mod estimate;
mod forecast;
mod headroom;
mod iam;
mod plan;
mod probe;
mod what_if;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use headroom_shell::config::{ConfigError, ConfigFile as _};
use headroom_shell::log;
use headroom_shell::process::{EXIT_CONFIG, stop_signal, write_at_once};

use crate::config::Config;
use crate::run::{Clock, Options, RunError, run};

/// Observes a cluster's pod IPs on AWS and in Kubernetes, and tells extenders, Prometheus and CloudWatch what it sees.
#[derive(Debug, Parser)]
#[command(
    name = "headroom-advisor",
    version,
    after_help = "Exit codes: 0 done; 1 failed while running, or an endpoint that probe cannot reach; 2 wrong command line; 64 configuration refused, or no region or credentials of AWS. doctor has its own: doctor --help."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Observes and tells until SIGTERM or SIGINT.
    Run(Run),
    /// Shows when each subnet runs out and what to do about it, as a running advisor expects it.
    Forecast(forecast::Forecast),
    /// Shows what binds first on nodes and node groups, and which instance types would suit their pods.
    Headroom(headroom::Headroom),
    /// Shows what a running advisor would do to node groups and stuck pods, and what not and why.
    Plan(plan::Plan),
    /// Counts addresses under other settings of the VPC CNI or with other subnets, in the cluster of a running advisor or in a file.
    WhatIf(what_if::WhatIf),
    /// Probes AWS's endpoints from here, stage by stage, and says what to change where one cannot be reached.
    Probe(probe::Probe),
    /// Prints the IAM policy that a configuration takes.
    Iam(iam::Iam),
    /// Says what is wrong with a pod, a node, an instance that does not join, or in a log, and what to do about it.
    Doctor(doctor::Doctor),
    /// Prints the configuration with every key and what it will cost in dollars and calls of AWS, or what is wrong with it.
    CheckConfig(CheckConfig),
}

#[derive(Debug, Args)]
struct ConfigArg {
    /// YAML file; it must name the cluster.
    #[arg(long, value_name = "FILE", env = "HEADROOM_ADVISOR_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CheckConfig {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    sizes: estimate::Sizes,
}

#[derive(Debug, Args)]
struct Cluster {
    /// Kubeconfig; without one, KUBECONFIG, ~/.kube/config or the pod's service account.
    #[arg(long, value_name = "FILE", env = "HEADROOM_ADVISOR_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; without one, its current context.
    #[arg(long, value_name = "NAME", env = "HEADROOM_ADVISOR_CONTEXT")]
    context: Option<String>,
}

#[derive(Debug, Args)]
struct Log {
    /// Format of the log on standard error.
    #[arg(long, value_enum, default_value = "json", env = "HEADROOM_ADVISOR_LOG_FORMAT")]
    log_format: log::Format,
    /// Level, or a filter such as info,headroom_advisor=debug.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "HEADROOM_ADVISOR_LOG_LEVEL", value_parser = log::filter)]
    log_level: String,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    log: Log,
    /// Where gRPC is served, with health and reflection; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9280", env = "HEADROOM_ADVISOR_GRPC_LISTEN")]
    grpc_listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9281", env = "HEADROOM_ADVISOR_ADMIN_LISTEN")]
    admin_listen: SocketAddr,
    /// Written as JSON {"grpc_addr":..,"admin_addr":..} once all addresses are bound.
    #[arg(long, value_name = "FILE", env = "HEADROOM_ADVISOR_READY_FILE")]
    ready_file: Option<PathBuf>,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::CheckConfig(args) => check_config(args.config.config.as_deref(), args.sizes),
        Command::Doctor(args) => return doctor::doctor(args),
        Command::Forecast(args) => runtime().and_then(|runtime| runtime.block_on(forecast::forecast(args))),
        Command::Headroom(args) => runtime().and_then(|runtime| runtime.block_on(headroom::headroom(args))),
        Command::Iam(args) => iam::iam(args),
        Command::Plan(args) => runtime().and_then(|runtime| runtime.block_on(plan::plan(args))),
        Command::Probe(args) => return probed(args),
        Command::WhatIf(args) => runtime().and_then(|runtime| runtime.block_on(what_if::what_if(args))),
        Command::Run(args) => Config::load(args.config.config.as_deref())
            .map_err(anyhow::Error::from)
            .and_then(|config| runtime()?.block_on(serve(config, args))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

fn probed(args: probe::Probe) -> ExitCode {
    let probed = runtime().and_then(|runtime| {
        let passed = runtime.block_on(probe::probe(args));
        // The SDK's lookups may hang for a while yet.
        runtime.shutdown_background();
        passed
    });
    match probed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failure(&error),
    }
}

fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("headroom-advisor: {error:#}");
    exit_code(error)
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    let refused = matches!(error.downcast_ref(), Some(RunError::Tls(_) | RunError::Aws(_) | RunError::Endpoint(_)));
    if refused || error.is::<ConfigError>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
}

/// Several threads: a round over a large cluster is up to a second of work, and the feed's clients must not wait for it.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn check_config(path: Option<&Path>, sizes: estimate::Sizes) -> anyhow::Result<()> {
    if path.is_none() {
        // Something to begin with, and then what is missing in it.
        print!("{}", Config::default().to_yaml()?);
        return Ok(Config::default().check()?);
    }
    let config = Config::load(path)?;
    print!("{}{}", config.to_yaml()?, estimate::Comment { config: &config, sizes });
    for warning in config.warnings() {
        println!("#\n# Warning: {warning}.");
    }
    Ok(())
}

async fn serve(config: Config, args: Run) -> anyhow::Result<()> {
    log::start(args.log.log_format, &args.log.log_level)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?config, "starting");
    let Run { config: _, cluster, log: _, grpc_listen, admin_listen, ready_file } = args;
    let Cluster { kubeconfig, context } = cluster;
    let clock = Clock::system();
    let options = Options { config, kubeconfig, context, grpc_listen, admin_listen, clock, aws: None };
    let handle = run(options, stop_signal()?).await?;
    tracing::info!(grpc_addr = %handle.grpc_addr, admin_addr = %handle.admin_addr, "listening");
    if let Some(path) = ready_file {
        let addrs = serde_json::json!({ "grpc_addr": handle.grpc_addr, "admin_addr": handle.admin_addr });
        write_at_once(&path, addrs.to_string().as_bytes())
            .with_context(|| format!("failed to write --ready-file '{}'", path.display()))?;
    }
    Ok(handle.wait().await?)
}
