//! `headroom-advisor doctor`: what is wrong, and what to do about it.

use std::fmt::Display;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use headroom_doctor::bundle::{Bundle, BundleError};
use headroom_doctor::{Report, node, pod};
use headroom_shell::config::{ConfigError, ConfigFile as _};
use headroom_shell::process::{EXIT_CONFIG, write_at_once};
use serde::Serialize;

use super::ask::print;
use super::{Cluster, runtime};
use crate::aws::Connection;
use crate::config::Config;
use crate::doctor::{Scope, Sources, collect};
use crate::run::Clock;

/// The doctor could not run at all.
const EXIT_FAILED: u8 = 4;

/// Whom to look at.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong; 1 a fault was found; 2 wrong command line; 3 no fault was found, and something could not be looked at; 4 failed to run; 64 configuration or bundle refused."
)]
pub(super) struct Doctor {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Why a pod is Pending or ContainerCreating.
    Pod(Pod),
    /// What a node can give, whether max-pods fits it, and what more pods would need.
    Node(Node),
    /// Collects what these need into a file, for somebody without access to the cluster.
    Collect(Collect),
}

/// Where to look.
#[derive(Debug, Args)]
struct Place {
    /// A file that doctor collect wrote, instead of the cluster and AWS; - for standard input.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    live: Live,
}

#[derive(Debug, Args)]
struct Live {
    /// YAML file of the advisor: its cluster_name and aws count. Without one every key has its default.
    #[arg(long, value_name = "FILE", env = "HEADROOM_ADVISOR_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    cluster: Cluster,
}

/// For whom it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For machines.
    Json,
}

#[derive(Debug, Args)]
struct Shown {
    /// Text for people, or JSON.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Debug, Args)]
struct Pod {
    /// Its namespace and name.
    #[arg(value_name = "NAMESPACE/NAME", value_parser = full_name)]
    pod: (String, String),
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Node {
    /// Its name.
    name: String,
    /// Says what so many more pods would need.
    #[arg(long, value_name = "PODS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    more: Option<u32>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Collect {
    /// Where it is written, or - for standard output.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    live: Live,
}

fn full_name(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("must be NAMESPACE/NAME, such as default/web-0".to_owned()),
    }
}

/// Looks, prints, and gives the exit code.
pub(super) fn doctor(args: Doctor) -> ExitCode {
    let looked = runtime().and_then(|runtime| {
        let looked = runtime.block_on(look(args.command));
        // The SDK's lookups may hang for a while yet.
        runtime.shutdown_background();
        looked
    });
    match looked {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("headroom-advisor: {error:#}");
            let refused = error.is::<ConfigError>() || error.is::<BundleError>();
            ExitCode::from(if refused { EXIT_CONFIG } else { EXIT_FAILED })
        }
    }
}

async fn look(command: Command) -> Result<u8> {
    match command {
        Command::Pod(Pod { pod: (namespace, name), place, shown }) => {
            let scope = Scope::Pod { namespace: namespace.clone(), name: name.clone() };
            let report = pod::diagnose(&place.bundle(&scope).await?, &namespace, &name);
            show(&report, shown.output, &report)
        }
        Command::Node(Node { name, more, place, shown }) => {
            let found = node::diagnose(&place.bundle(&Scope::Node(name.clone())).await?, &name, more);
            show(&found, shown.output, &found.report)
        }
        Command::Collect(Collect { output, live }) => {
            let bundle = live.collect(&Scope::Cluster).await?;
            let text = bundle.to_json()?;
            if output == Path::new("-") {
                print(&text)?;
            } else {
                write_at_once(&output, text.as_bytes())
                    .with_context(|| format!("failed to write --output '{}'", output.display()))?;
            }
            let unread = unread(&bundle);
            unread.iter().for_each(|line| eprintln!("headroom-advisor: not in the bundle: {line}"));
            Ok(if unread.is_empty() { 0 } else { 3 })
        }
    }
}

/// What of a bundle is missing.
fn unread(bundle: &Bundle) -> Vec<String> {
    let sections = [
        ("aws-node", bundle.cni.why_not()),
        ("nodes", bundle.nodes.why_not()),
        ("pods", bundle.pods.why_not()),
        ("subnets", bundle.subnets.why_not()),
        ("groups", bundle.groups.why_not()),
    ];
    sections.into_iter().filter_map(|(name, why)| Some(format!("{name}: {}", why?))).collect()
}

fn show<T: Serialize + Display>(all: &T, output: Output, report: &Report) -> Result<u8> {
    match output {
        Output::Text => print(&all.to_string())?,
        Output::Json => print(&(serde_json::to_string_pretty(all)? + "\n"))?,
    }
    Ok(report.exit_code())
}

impl Place {
    async fn bundle(self, scope: &Scope) -> Result<Bundle> {
        match &self.bundle {
            Some(path) => load(path),
            None => self.live.collect(scope).await,
        }
    }
}

fn load(path: &Path) -> Result<Bundle> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        BufReader::new(std::io::stdin()).read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.with_context(|| format!("failed to read --bundle '{}'", path.display()))?;
    text.parse::<Bundle>().with_context(|| format!("--bundle '{}'", path.display()))
}

impl Live {
    async fn collect(self, scope: &Scope) -> Result<Bundle> {
        let config = match &self.config {
            Some(path) => Config::load(Some(path))?,
            // The cluster's name can be found out.
            None => Config::default(),
        };
        let Cluster { kubeconfig, context } = self.cluster;
        let client = headroom_cluster::connect(kubeconfig.as_deref(), context.as_deref());
        let client = client.await.context("failed to connect to Kubernetes")?;
        let aws = Connection::open(&config.aws).await;
        Ok(collect(&Sources { client, aws, config, clock: Clock::system() }, scope).await)
    }
}
