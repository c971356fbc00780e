//! `headroom-advisor doctor`: what is wrong, and what to do about it.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use headroom_cluster::Client;
use headroom_doctor::bundle::{Bundle, BundleError};
use headroom_doctor::join::{self, Facts};
use headroom_doctor::log::{self, LogReport};
use headroom_doctor::{Report, node, pod};
use headroom_shell::config::{ConfigError, ConfigFile as _};
use headroom_shell::process::{EXIT_CONFIG, write_at_once};
use serde::Serialize;

use super::ask::print;
use super::{Cluster, runtime};
use crate::aws::Connection;
use crate::config::Config;
use crate::doctor::{Scope, Sources, cluster_name, collect, joining};
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
    /// Why an instance does not join its cluster.
    Join(Join),
    /// What the log of ipamd, the CNI plugin, kubelet, containerd, cloud-init, nodeadm or Cluster Autoscaler shows.
    Log(Log),
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
    /// The EKS cluster's name; without one that of the configuration, or of aws-node's CLUSTER_NAME.
    #[arg(long, value_name = "NAME")]
    cluster_name: Option<String>,
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
struct Join {
    /// The EC2 instance: i-0123456789abcdef0.
    instance: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Log {
    /// The log, or - for standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Collect {
    /// Where it is written, or - for standard output.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// An EC2 instance that does not join: what that depends on is collected too.
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
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
        Command::Join(Join { instance, place, shown }) => {
            let facts = place.joining(&instance).await?;
            let report = join::diagnose(&facts);
            show(&report, shown.output, &report)
        }
        Command::Log(Log { file, shown }) => {
            let found = read_log(&file)?;
            show(&found, shown.output, &found.report)
        }
        Command::Collect(args) => write(args).await,
    }
}

fn read_log(file: &Path) -> Result<LogReport> {
    let failed = || format!("failed to read the log '{}'", file.display());
    if file == Path::new("-") {
        return log::read("standard input", std::io::stdin().lock()).with_context(failed);
    }
    let input = File::open(file).with_context(failed)?;
    log::read(&file.display().to_string(), BufReader::new(input)).with_context(failed)
}

async fn write(Collect { output, instance, live }: Collect) -> Result<u8> {
    let sources = live.sources().await?;
    let mut bundle = collect(&sources, &Scope::Cluster).await;
    if let Some(instance) = &instance {
        let name = bundle.cluster.clone();
        let facts = joining(&sources.aws, Ok(&sources.client), &name, instance, sources.clock.now());
        bundle.join = Some(facts.await);
    }
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
            None => Ok(collect(&self.live.sources().await?, scope).await),
        }
    }

    async fn joining(self, instance: &str) -> Result<Facts> {
        let Some(path) = &self.bundle else { return self.live.joining(instance).await };
        let facts = load(path)?.join.filter(|facts| facts.instance == instance);
        facts.with_context(|| {
            format!("--bundle '{}' has nothing about {instance}: doctor collect --instance {instance}", path.display())
        })
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
    fn config(&self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::load(Some(path))?,
            // The cluster's name can be found out.
            None => Config::default(),
        };
        if let Some(name) = &self.cluster_name {
            config.cluster_name.clone_from(name);
        }
        Ok(config)
    }

    async fn client(&self) -> Result<Client> {
        let Cluster { kubeconfig, context } = &self.cluster;
        let client = headroom_cluster::connect(kubeconfig.as_deref(), context.as_deref());
        client.await.context("failed to connect to Kubernetes")
    }

    async fn sources(self) -> Result<Sources> {
        let (config, client) = (self.config()?, self.client().await?);
        let aws = Connection::open(&config.aws).await;
        Ok(Sources { client, aws, config, clock: Clock::system() })
    }

    /// An instance that does not join may be looked at without Kubernetes.
    async fn joining(self, instance: &str) -> Result<Facts> {
        let config = self.config()?;
        let client = self.client().await;
        let mut name = config.cluster_name.clone();
        if let (true, Ok(client)) = (name.is_empty(), &client) {
            name = cluster_name(client).await.unwrap_or_default();
        }
        if name.is_empty() {
            bail!("the cluster's name is not known: give --cluster-name, or --config with cluster_name");
        }
        let aws = Connection::open(&config.aws).await;
        let client = client.as_ref().map_err(|error| format!("{error:#}"));
        Ok(joining(&aws, client, &name, instance, Clock::system().now()).await)
    }
}
