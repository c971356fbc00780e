//! Command line of `headroom-extender`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use headroom_shell::log;
use headroom_shell::process::{EXIT_CONFIG, stop_signal, write_at_once};

use crate::config::{Config, ConfigError, ConfigFile as _};
use crate::explain::report::{ExplainError, explain};
use crate::run::{Handle, Options, RunError, run};

/// Keeps pods off nodes that cannot give them an IP: an HTTP extender for kube-scheduler on AWS with the VPC CNI.
#[derive(Debug, Parser)]
#[command(
    name = "headroom-extender",
    version,
    after_help = "Exit codes: 0 done; 1 failed while running; 2 wrong command line; 64 configuration refused."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answers kube-scheduler until SIGTERM or SIGINT.
    Serve(Serve),
    /// Looks at the cluster once and says, per node, whether it has an IP for a pod and why.
    Explain(Explain),
    /// Prints the configuration with every key, or what is wrong with it.
    CheckConfig(ConfigArg),
}

#[derive(Debug, Args)]
struct ConfigArg {
    /// YAML file; without one, the defaults.
    #[arg(long, value_name = "FILE", env = "HEADROOM_EXTENDER_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Cluster {
    /// Kubeconfig; without one, KUBECONFIG, ~/.kube/config or the pod's service account.
    #[arg(long, value_name = "FILE", env = "HEADROOM_EXTENDER_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; without one, its current context.
    #[arg(long, value_name = "NAME", env = "HEADROOM_EXTENDER_CONTEXT")]
    context: Option<String>,
}

#[derive(Debug, Args)]
struct Log {
    /// Format of the log on standard error.
    #[arg(long, value_enum, default_value = "json", env = "HEADROOM_EXTENDER_LOG_FORMAT")]
    log_format: log::Format,
    /// Level, or a filter such as info,headroom_extender=debug.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "HEADROOM_EXTENDER_LOG_LEVEL", value_parser = log::filter)]
    log_level: String,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    log: Log,
    /// Where kube-scheduler calls; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9270", env = "HEADROOM_EXTENDER_LISTEN")]
    listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9271", env = "HEADROOM_EXTENDER_ADMIN_LISTEN")]
    admin_listen: SocketAddr,
    /// Where gRPC is served, as headroom.v1.Extender with health and reflection; not at all unless given. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", env = "HEADROOM_EXTENDER_GRPC_LISTEN")]
    grpc_listen: Option<SocketAddr>,
    /// Written as JSON {"addr":..,"admin_addr":..,"grpc_addr":..} once all addresses are bound.
    #[arg(long, value_name = "FILE", env = "HEADROOM_EXTENDER_READY_FILE")]
    ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Explain {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    cluster: Cluster,
    /// The pod.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pod: String,
    /// Only this node.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Form of the report.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::CheckConfig(file) => check_config(file.config.as_deref()),
        Command::Serve(args) => Config::load(args.config.config.as_deref())
            .map_err(anyhow::Error::from)
            .and_then(|config| runtime()?.block_on(serve(config, args))),
        Command::Explain(args) => Config::load(args.config.config.as_deref())
            .map_err(anyhow::Error::from)
            .and_then(|config| runtime()?.block_on(print_explanation(&config, &args))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headroom-extender: {error:#}");
            exit_code(&error)
        }
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    let certificate = matches!(error.downcast_ref(), Some(RunError::Tls(_)));
    if certificate || error.is::<ConfigError>() {
        return ExitCode::from(EXIT_CONFIG);
    }
    match error.downcast_ref::<ExplainError>() {
        Some(ExplainError::PodName(_)) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

/// One thread for all: kube-scheduler has one call under way, watch events are microseconds of work, and on a busy control plane waking a
/// second thread costs more than it does.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn check_config(path: Option<&Path>) -> anyhow::Result<()> {
    print!("{}", Config::load(path)?.to_yaml()?);
    Ok(())
}

async fn print_explanation(config: &Config, args: &Explain) -> anyhow::Result<()> {
    let Cluster { kubeconfig, context } = &args.cluster;
    let report = explain(config, kubeconfig.as_deref(), context.as_deref(), &args.pod, args.node.as_deref()).await?;
    match args.output {
        Output::Text => print!("{}", report.text()),
        Output::Json => println!("{}", serde_json::to_string(&report)?),
    }
    Ok(())
}

async fn serve(config: Config, args: Serve) -> anyhow::Result<()> {
    log::start(args.log.log_format, &args.log.log_level)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?config, "starting");
    let Serve { config: _, cluster, log: _, listen, admin_listen, grpc_listen, ready_file } = args;
    let Cluster { kubeconfig, context } = cluster;
    let options = Options { config, kubeconfig, context, listen, admin_listen, grpc_listen };
    let handle: Handle = run(options, stop_signal()?).await?;
    let grpc_addr = handle.grpc_addr.map(|addr| addr.to_string());
    tracing::info!(addr = %handle.addr, admin_addr = %handle.admin_addr, grpc_addr, "listening");
    if let Some(path) = ready_file {
        let addrs = serde_json::json!({
            "addr": handle.addr, "admin_addr": handle.admin_addr, "grpc_addr": handle.grpc_addr,
        });
        write_at_once(&path, addrs.to_string().as_bytes())
            .with_context(|| format!("failed to write --ready-file '{}'", path.display()))?;
    }
    Ok(handle.wait().await.map_err(|error: RunError| error)?)
}
