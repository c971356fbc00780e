//! More pods than IPs, all at once, under the real kube-scheduler: how many hang, how long the others wait, how much is used.

mod report;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use headroom_capacity::instance;
use headroom_extender::config::{Config, Policy};
use headroom_lab::scenario::Scenario;
use headroom_lab::world::Report;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use serde_json::json;

use crate::cluster::Cluster;

pub use report::table;

/// A pod that is bound for longer than this and has no IP hangs.
pub const HANGS_AFTER: Duration = Duration::from_secs(30);
/// A run is over when nothing has changed for so long: a pod that would hang then does.
const QUIET: Duration = Duration::from_secs(45);
/// The same when every IP is used, or every pod has one.
const QUIET_WHEN_FULL: Duration = Duration::from_secs(5);
/// How often the figures are looked at.
const POLL: Duration = Duration::from_secs(1);

/// Who filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// kube-scheduler alone.
    Plain,
    /// With the extender, nodes with an IP at hand only.
    Now,
    /// With the extender, also nodes that will have one within seconds.
    Soon,
}

impl Mode {
    /// The extender's configuration; `None` for none.
    #[must_use]
    pub fn extender(self) -> Option<Config> {
        let policy = match self {
            Mode::Plain => return None,
            Mode::Now => Policy::Now,
            Mode::Soon => Policy::Soon,
        };
        Some(Config { policy, ..Config::default() })
    }
}

/// How large a run is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// Nodes; one in ten is a t3.medium with 15 pod IPs, the others are t3.small with 9. 1 to 2,500.
    pub nodes: u32,
    /// Pods in all.
    pub pods: u32,
    /// Bursts that they come in.
    pub bursts: u32,
    /// Time from the start of one burst to the next.
    pub every_secs: u64,
    /// Connections that create them.
    pub connections: usize,
    /// When a run ends though its figures still move.
    pub time_limit_secs: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { nodes: 1_000, pods: 10_000, bursts: 4, every_secs: 5, connections: 8, time_limit_secs: 600 }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Who filtered.
    pub mode: Mode,
    /// Its size.
    pub options: Options,
    /// Pod IPs that the nodes can have by their instance types.
    pub ips: u32,
    /// Pods bound to a node.
    pub bound: u32,
    /// Of them, those with an IP.
    pub with_ip: u32,
    /// Of them, those without one for more than 30 s.
    pub hanging: u32,
    /// Pods that took longer than 30 s from the bind to the IP, those that hang included.
    pub late: u32,
    /// The longest time from a bind to the IP, of pods that hang up to the end of the run.
    pub longest_wait_secs: f64,
    /// CNI ADDs that failed for want of an IP.
    pub failed_adds: u64,
    /// IPs in use, in per cent of those that the nodes can have.
    pub used_percent: f64,
    /// Nodes that had more pods bound at some time than they can have IPs.
    pub oversubscribed_nodes: u32,
    /// `FailedCreatePodSandBox` events at the API server.
    pub sandbox_events: u32,
    /// From the first pod's creation to the last change.
    pub seconds: f64,
    /// Whether the figures stood still in the end.
    pub settled: bool,
    /// Writes of the lab's nodes that the API server refused: something is wrong with the run.
    pub refused_writes: u64,
}

/// What must stand still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    bound: u32,
    with_ip: u32,
}

/// Runs one burst in a cluster of its own. `progress` is called once a second with a line of text.
///
/// # Errors
/// When the cluster does not come up or a pod cannot be created.
pub async fn run(mode: Mode, options: Options, mut progress: impl FnMut(&str)) -> Result<Outcome> {
    let scenario = scenario(options.nodes)?;
    let cluster = Cluster::start(scenario, mode.extender()).await?;
    let started = Instant::now();
    let (creating, watching) = (create(&cluster, options), watch(&cluster, options, started, &mut progress));
    let (created, (figures, changed, settled)) = tokio::join!(creating, watching);
    created?;
    let outcome = outcome(&cluster, mode, options, figures, (changed, settled)).await?;
    cluster.stop().await?;
    Ok(outcome)
}

/// Every burst over several connections.
async fn create(cluster: &Cluster, options: Options) -> Result<()> {
    let mut next = tokio::time::interval(Duration::from_secs(options.every_secs.max(1)));
    for burst in 0..options.bursts {
        next.tick().await;
        let share = |n: u32| u64::from(options.pods) * u64::from(n) / u64::from(options.bursts);
        cluster.create_pods((share(burst)..share(burst + 1)).map(pod), options.connections).await?;
    }
    Ok(())
}

/// Until the figures stand still: the last ones, when they changed, and whether they did stand still.
async fn watch(
    cluster: &Cluster,
    options: Options,
    started: Instant,
    progress: &mut impl FnMut(&str),
) -> (Figures, Duration, bool) {
    let (mut figures, mut changed) = (Figures::default(), Duration::ZERO);
    loop {
        tokio::time::sleep(POLL).await;
        let elapsed = started.elapsed();
        let now = look(cluster);
        if now != figures {
            (figures, changed) = (now, elapsed);
        }
        let failed = cluster.kubelets.report().totals.failed_adds;
        let Figures { bound, with_ip } = now;
        progress(&format!(
            "{:>4} s  {bound:>6} bound  {with_ip:>6} with an IP  {failed:>6} failed CNI ADDs",
            elapsed.as_secs()
        ));
        // Nobody waits for an IP, and there is none left to be bound for: no pod can hang any more.
        let full = bound == with_ip && with_ip >= ips(&cluster.kubelets.report()).min(options.pods);
        let settled = bound > 0 && elapsed > changed + if full { QUIET_WHEN_FULL } else { QUIET };
        if settled || elapsed.as_secs() >= options.time_limit_secs {
            return (figures, changed, settled);
        }
    }
}

fn look(cluster: &Cluster) -> Figures {
    let placements = cluster.kubelets.placements();
    let with_ip = placements.pods().filter(|pod| pod.ip_after.is_some());
    Figures { bound: count(placements.pods()), with_ip: count(with_ip) }
}

async fn outcome(
    cluster: &Cluster,
    mode: Mode,
    options: Options,
    figures: Figures,
    (changed, settled): (Duration, bool),
) -> Result<Outcome> {
    let report = cluster.kubelets.report();
    let room = |node: &str| {
        let known = report.nodes.iter().find(|known| known.name == node);
        known.map_or(0, |known| ips_of(&known.instance_type))
    };
    let sandbox_events = cluster.sandbox_events().await?;
    let placements = cluster.kubelets.placements();
    let ips = ips(&report);
    let late = placements.pods().filter(|pod| pod.ip_after.unwrap_or_else(|| pod.bound_at.elapsed()) > HANGS_AFTER);
    Ok(Outcome {
        mode,
        options,
        ips,
        bound: figures.bound,
        with_ip: figures.with_ip,
        hanging: u32::try_from(placements.hanging(HANGS_AFTER)).unwrap_or(u32::MAX),
        late: count(late),
        longest_wait_secs: placements.longest_wait().as_secs_f64(),
        failed_adds: report.totals.failed_adds,
        used_percent: 100.0 * f64::from(figures.with_ip) / f64::from(ips),
        oversubscribed_nodes: count(placements.most_per_node().filter(|(node, most)| *most > room(node))),
        sandbox_events,
        seconds: changed.as_secs_f64(),
        settled,
        refused_writes: cluster.kubelets.refused_writes(),
    })
}

/// Nodes without the max-pods value of their type, as with prefix delegation or a copied user data script: neither kubelet nor
/// kube-scheduler sees the limit. EC2's quotas are raised, as they are for whoever runs so many nodes: what throttling does to
/// ipamd is another subject.
fn scenario(nodes: u32) -> Result<Scenario> {
    let medium = nodes.div_ceil(10);
    let small = nodes - medium;
    let group = |name: &str, instance_type: &str, count: u32| {
        format!(
            "  - {{ name: {name}, instanceType: {instance_type}, count: {count}, subnets: [a, b, c], maxPods: 110 }}\n"
        )
    };
    let groups = group("medium", "t3.medium", medium)
        + &if small > 0 { group("small", "t3.small", small) } else { String::new() };
    let text = format!(
        "vpc: {{ cidr: 10.0.0.0/16 }}
subnets:
  - {{ name: a, az: us-west-2a, cidr: 10.0.0.0/18 }}
  - {{ name: b, az: us-west-2b, cidr: 10.0.64.0/18 }}
  - {{ name: c, az: us-west-2c, cidr: 10.0.128.0/18 }}
ec2Quotas: {{ reads: {{ burst: 5000, perSec: 1000 }}, writes: {{ burst: 5000, perSec: 1000 }} }}
nodeGroups:
{groups}"
    );
    Scenario::parse("burst.yaml", &text).context("the scenario of the burst")
}

/// Pod IPs that all nodes can have.
fn ips(report: &Report) -> u32 {
    report.nodes.iter().map(|node| ips_of(&node.instance_type)).sum()
}

/// CNI `misc/eni-max-pods.txt` without its 2 for the host network.
fn ips_of(instance_type: &str) -> u32 {
    instance::lookup(instance_type).map_or(0, |limits| limits.enis.get() * limits.ipv4_per_eni.saturating_sub(1))
}

fn pod(n: u64) -> Pod {
    let pod = json!({
        "metadata": { "name": format!("web-{n:05}") },
        "spec": { "containers": [{ "name": "web", "image": "web" }] },
    });
    serde_json::from_value(pod).expect("it has the shape of a pod")
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
