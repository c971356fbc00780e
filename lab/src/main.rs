//! `headroom-lab`: a VPC and a cluster in a process, from a scenario file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use headroom_lab::clock::RATES;
use headroom_lab::scenario::{BUNDLED, Scenario, ScenarioError, schema};
use headroom_lab::{Lab, Options};
use tracing_subscriber::EnvFilter;

/// A VPC in a process: EC2, Auto Scaling, STS, CloudWatch and the part of the Kubernetes API that Headroom uses, with nodes
/// whose kubelets and ipamd behave as on EKS.
///
/// A SCENARIO is a YAML file or the name of a bundled one (see `headroom-lab list`). Log lines go to standard error;
/// RUST_LOG=headroom_lab=debug shows ipamd's.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a scenario on 127.0.0.1 until Ctrl-C, or for a while
    ///
    /// Prints the two URLs and the lines to export, so that kubectl, the AWS CLI and Headroom's binaries talk to the lab.
    /// The lab schedules nothing: pods wait until somebody binds them.
    #[command(after_help = "Examples:\n  headroom-lab run r4-c5-xlarge\n  \
                            headroom-lab run my.yaml --speed 10 --for 2m --kubeconfig-out lab.kubeconfig")]
    Run(Run),
    /// Check a scenario file
    Check {
        /// Scenario
        scenario: String,
    },
    /// Print the JSON schema of scenario files
    Schema,
    /// List the bundled scenarios
    List,
}

#[derive(Args)]
struct Run {
    /// Scenario
    scenario: String,
    /// Where to write the kubeconfig [default: a temporary file, removed at the end]
    #[arg(long, value_name = "FILE")]
    kubeconfig_out: Option<PathBuf>,
    /// Lab seconds per real second [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = speed, allow_negative_numbers = true)]
    speed: Option<f64>,
    /// Port of the AWS APIs, 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    aws_port: u16,
    /// Port of the Kubernetes API, 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    kube_port: u16,
    /// Stop by itself after that much real time, for example 60s or 2m
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match Cli::parse().command {
        Command::Run(run) => serve(run).await,
        Command::Check { scenario } => check(&scenario),
        Command::Schema => {
            print!("{}", schema());
            Ok(())
        }
        Command::List => {
            list();
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| RATES.contains(speed));
    speed.ok_or_else(|| format!("allowed: {} to {} lab seconds per real second", RATES.start(), RATES.end()))
}

fn load(scenario: &str) -> Result<Scenario, ScenarioError> {
    let is_file = Path::new(scenario).exists();
    let bundled = if is_file { None } else { Scenario::bundled(scenario) };
    bundled.unwrap_or_else(|| Scenario::load(Path::new(scenario)))
}

fn check(name: &str) -> Result<()> {
    let scenario = load(name)?;
    let nodes: u32 = scenario.node_groups.iter().map(|group| group.sizes().1).sum();
    let pods: u32 = scenario.system_pods.iter().chain(&scenario.workloads).map(|workload| workload.replicas).sum();
    for problem in scenario.cni.problems(&scenario.cluster_name) {
        println!("cni.env.{}: '{}': {}", problem.variable, problem.value, problem.effect);
    }
    println!("{name}: ok: {} subnets, {nodes} nodes, {pods} pods", scenario.subnets.len());
    Ok(())
}

fn list() {
    let width = BUNDLED.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, _) in BUNDLED {
        let description = Scenario::bundled(name).and_then(Result::ok).map(|scenario| scenario.description);
        println!("{name:width$}  {}", description.unwrap_or_default());
    }
}

async fn serve(run: Run) -> Result<()> {
    let scenario = load(&run.scenario)?;
    let options =
        Options { rate: run.speed, aws_port: run.aws_port, kube_port: run.kube_port, kubeconfig: run.kubeconfig_out };
    let lab = Lab::start(scenario, options).await?;
    println!("# {}: Ctrl-C stops it", run.scenario);
    println!("# Kubernetes {}", lab.kube_url());
    println!("# AWS        {}", lab.aws_url());
    print!("{}", lab.exports());
    let stop = headroom_lab::stop_signal();
    match run.time {
        Some(time) => match tokio::time::timeout(time, stop).await {
            Ok(signal) => signal.context("cannot wait for a signal")?,
            Err(_) => tracing::debug!("the time given with --for is over"),
        },
        None => stop.await.context("cannot wait for a signal")?,
    }
    let report = lab.report();
    lab.shutdown().await;
    let totals = report.totals;
    println!(
        "# after {} of lab time: {} nodes; pods that need an IP: {} bound ({} with an IP, {} hanging), {} unbound; {} failed sandboxes",
        humantime::format_duration(Duration::from_secs(report.elapsed.as_secs())),
        report.nodes.len(),
        totals.bound,
        totals.with_ip,
        totals.hanging,
        totals.unbound,
        totals.failed_adds
    );
    Ok(())
}
