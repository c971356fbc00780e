//! Collects what the doctor looks at, from Kubernetes and from AWS: one look, no watch that stays.
//!
//! ```text
//! cluster: lists ──> redact ──┬─> Bundle ──> headroom_doctor
//!          watch ──> state ─┐ │
//! aws: one round ───────────┴─> ledger ──> books
//! ```
//!
//! A part that cannot be read says why, and takes no other part with it.

mod books;
mod ipamd;
pub mod join;
mod redact;
mod sight;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headroom_capacity::time::Time;
use headroom_cluster::{Client, Look, Which, look};
use headroom_doctor::Bundle;
use headroom_doctor::bundle::{Agent, Cni, Event, Kind, Node, Pod, Section};
use serde_json::Value;

use crate::aws::{Api, ConnectError, Connection, Observer, Part, Round};
use crate::config::Config;
use crate::inventory::InstanceId;
use crate::ledger::{Policy, build};
use crate::run::Clock;
use redact::OfPod;
use sight::Sight;

/// Most pods of one list.
const MOST_PODS: usize = 2000;
/// Most events that are looked through.
const MOST_EVENTS: usize = 10_000;
/// Most events of one pod that are kept.
const EVENTS_OF_A_POD: usize = 20;
/// Nodes whose pods and ipamd are looked at, where all nodes are.
const MOST_NODES: usize = 20;
/// Nodes that are not ready, of which the reason is kept.
const MOST_NOT_READY: usize = 50;
/// kubelet's pause between two tries of a sandbox (k/k `pkg/kubelet/pod_workers.go`, `backOffPeriod`, with its jitter), in
/// milliseconds.
const RETRY_MS: u64 = 15_000;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What one pod depends on.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// What one node depends on.
    Node(String),
    /// Every node, the pods that do not run, and the pods of nodes on which some wait.
    Cluster,
}

/// Where it is read.
#[allow(missing_debug_implementations, reason = "a client has nothing to show")]
pub struct Sources {
    /// Kubernetes.
    pub client: Client,
    /// AWS, or why it cannot be called.
    pub aws: Result<Connection, ConnectError>,
    /// What the advisor is configured with; the cluster's name may be empty.
    pub config: Config,
    /// What time it is.
    pub clock: Clock,
}

/// Reads everything once.
pub async fn collect(sources: &Sources, scope: &Scope) -> Bundle {
    let client = &sources.client;
    let (mut sight, cni) = futures::join!(sight::sight(client, &sources.clock), cni(client));
    let mut config = sources.config.clone();
    if config.cluster_name.is_empty() {
        config.cluster_name = sight.state.settings.cluster_name.clone().unwrap_or_default();
    }
    let round = match &sources.aws {
        Ok(connection) => Ok(round(connection, &config, &sight, sources.clock.now()).await),
        Err(error) => Err(error.to_string()),
    };
    let now = sources.clock.now();
    let mut bundle = Bundle::new(&config.cluster_name, now.as_millis());
    let mut nodes = books::nodes(&sight.state);
    put_books(&mut bundle, &mut nodes, round, &sight, &config, now);
    let waited_on: Vec<Arc<str>> = books::waited_on(&sight.state).into_iter().take(MOST_NODES).collect();
    let (pods, killed) = futures::join!(pods(client, scope, &waited_on), killed(client));
    let near: BTreeSet<String> = match scope {
        Scope::Pod { .. } => pods.get().into_iter().flatten().filter_map(|pod| pod.node.clone()).collect(),
        Scope::Node(name) => BTreeSet::from([name.clone()]),
        Scope::Cluster => waited_on.iter().map(ToString::to_string).collect(),
    };
    put_agents(client, &mut nodes, &near).await;
    let cool_down = u64::try_from(sight.state.settings.ip_cooldown.as_millis()).unwrap_or(u64::MAX);
    put_released(&mut nodes, killed, now.as_millis().saturating_sub(cool_down.saturating_add(RETRY_MS)));
    bundle.cni = cni;
    bundle.pods = pods;
    // Without the list of pods a node's counts would be zeros.
    let failed = [headroom_cluster::Kind::Node, headroom_cluster::Kind::Pod]
        .into_iter()
        .find_map(|kind| sight.failed.remove(&kind));
    bundle.nodes = failed.map_or(Section::Read(nodes), Section::NotRead);
    bundle
}

/// Reads what `instance` needs to join the cluster of the configuration. Without a client only AWS tells.
pub async fn joining(
    aws: &Result<Connection, ConnectError>,
    client: Result<&Client, String>,
    cluster: &str,
    instance: &str,
    now: Time,
) -> headroom_doctor::join::Facts {
    let api = aws.as_ref().map(Api::new).map_err(ToString::to_string);
    join::read(api.as_ref().map_err(Clone::clone), client, cluster, instance, now).await
}

/// The cluster's name as aws-node has it, where that is set.
pub async fn cluster_name(client: &Client) -> Option<String> {
    cni(client).await.get().and_then(|cni| cni.settings().0.cluster_name)
}

/// One round, of everything but the region's instance types.
async fn round(connection: &Connection, config: &Config, sight: &Sight, now: Time) -> Round {
    let instances: BTreeSet<InstanceId> = sight.state.nodes.values().filter_map(|node| node.instance.clone()).collect();
    let mut observer = Observer::new(connection.clone(), config, fastrand::Rng::new()).without(Part::Offers);
    observer.round(now, &instances).await
}

/// What AWS says, each part only where all that it is made of was read.
fn put_books(
    bundle: &mut Bundle,
    nodes: &mut [Node],
    round: Result<Round, String>,
    sight: &Sight,
    config: &Config,
    now: Time,
) {
    let mut none = |why: String| {
        nodes.iter_mut().for_each(|node| node.pool = Section::NotRead(why.clone()));
        why
    };
    let round = match round {
        Ok(round) => round,
        Err(why) => {
            let why = none(why);
            (bundle.subnets, bundle.groups) = (Section::NotRead(why.clone()), Section::NotRead(why));
            return;
        }
    };
    let errors: Vec<String> = round.errors.iter().map(ToString::to_string).collect();
    let missing = |parts: &[Part]| {
        let unread: Vec<&str> =
            parts.iter().filter(|part| !round.read.contains(part)).map(|part| part.label()).collect();
        let why = if errors.is_empty() { "no VPC is known: set aws.vpc_id".to_owned() } else { errors.join("; ") };
        (!unread.is_empty()).then(|| format!("{} of AWS: {why}", unread.join(", ")))
    };
    let inventory = &round.inventory;
    bundle.groups = missing(&[Part::Groups]).map_or_else(|| Section::Read(books::groups(inventory)), Section::NotRead);
    if let Some(why) = missing(&[Part::Subnets, Part::Enis, Part::Instances]) {
        bundle.subnets = Section::NotRead(none(why));
        return;
    }
    let ledger = build(inventory, &sight.state, &Policy::from(config), now);
    bundle.subnets = Section::Read(books::subnets(&ledger, inventory));
    // Which subnets its ENIs come from is not known then.
    match sight.failed.get(&headroom_cluster::Kind::EniConfig).filter(|_| sight.state.settings.custom_networking) {
        Some(why) => drop(none(why.clone())),
        None => books::fill(nodes, &ledger, inventory),
    }
}

async fn cni(client: &Client) -> Section<Cni> {
    let which = Which {
        namespace: Some("kube-system".to_owned()),
        fields: "metadata.name=aws-node".to_owned(),
        most: 1,
        ..Which::default()
    };
    match look(client, Look::DaemonSets, &which).await {
        Ok(found) => found
            .objects
            .first()
            .and_then(redact::cni)
            .map_or_else(|| Section::NotRead("there is no DaemonSet kube-system/aws-node".to_owned()), Section::Read),
        Err(error) => Section::NotRead(error.to_string()),
    }
}

/// The pods that the scope names, with their events.
async fn pods(client: &Client, scope: &Scope, waited_on: &[Arc<str>]) -> Section<Vec<Pod>> {
    let (pods, events) = match scope {
        Scope::Pod { namespace, name } => {
            let of =
                |fields: String, most| Which { namespace: Some(namespace.clone()), fields, most, ..Which::default() };
            let (one, about) =
                (of(format!("metadata.name={name}"), 1), of(format!("involvedObject.name={name}"), MOST_EVENTS));
            futures::join!(lists(client, vec![one]), look(client, Look::Events, &about))
        }
        Scope::Node(_) => return Section::Read(Vec::new()),
        Scope::Cluster => {
            let all = |fields: String| Which { fields, most: MOST_PODS, ..Which::default() };
            let mut which = vec![all("status.phase=Pending".to_owned()), all("status.phase=Failed".to_owned())];
            which.extend(waited_on.iter().map(|node| all(format!("spec.nodeName={node},status.phase=Running"))));
            let about = Which { fields: "involvedObject.kind=Pod".to_owned(), most: MOST_EVENTS, ..Which::default() };
            futures::join!(lists(client, which), look(client, Look::Events, &about))
        }
    };
    let objects = match pods {
        Ok(objects) => objects,
        Err(why) => return Section::NotRead(why),
    };
    let mut by_pod: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    match &events {
        Ok(found) => {
            for OfPod { uid, event, .. } in found.objects.iter().filter_map(redact::event) {
                by_pod.entry(uid).or_default().push(event);
            }
        }
        // A pod without its events would be taken for one of which nobody complains.
        Err(error) => return Section::NotRead(error.to_string()),
    }
    let pods = objects.iter().filter_map(|object| {
        let mut events = by_pod.remove(redact::uid(object)).unwrap_or_default();
        events.sort_by_key(|event| std::cmp::Reverse(event.last_at_ms));
        events.truncate(EVENTS_OF_A_POD);
        Some(Pod { events, ..redact::pod(object)? })
    });
    Section::Read(pods.collect())
}

async fn lists(client: &Client, which: Vec<Which>) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for which in which {
        objects.extend(look(client, Look::Pods, &which).await.map_err(|error| error.to_string())?.objects);
    }
    Ok(objects)
}

/// aws-node's pods, ipamd's figures of the nodes that are `near`, and why nodes are not ready.
async fn put_agents(client: &Client, nodes: &mut [Node], near: &BTreeSet<String>) {
    let which = Which {
        namespace: Some("kube-system".to_owned()),
        labels: "k8s-app=aws-node".to_owned(),
        most: usize::MAX,
        ..Which::default()
    };
    let agents: Result<BTreeMap<String, Agent>, String> = match look(client, Look::Pods, &which).await {
        Ok(found) => Ok(redact::agents(&found.objects)),
        Err(error) => Err(error.to_string()),
    };
    let mut unready = 0;
    for node in nodes {
        node.agent = match &agents {
            _ if node.kind != Kind::Linux => Section::NotRead("aws-node does not run there".to_owned()),
            Ok(agents) => Section::Read(agents.get(&node.name).cloned().unwrap_or_default()),
            Err(why) => Section::NotRead(why.clone()),
        };
        if let Some(agent) = node.agent.get().filter(|agent| !agent.pod.is_empty() && near.contains(&node.name)) {
            node.ipamd = ipamd::read(client, &agent.pod).await;
        }
        if !node.ready && unready < MOST_NOT_READY {
            unready += 1;
            let which = Which { fields: format!("metadata.name={}", node.name), most: 1, ..Which::default() };
            let found = look(client, Look::Nodes, &which).await.ok();
            let said = found.and_then(|found| redact::not_ready(found.objects.first()?));
            node.not_ready = said.map(|(_, message)| message);
        }
    }
}

/// Pods that kubelet has begun to stop, anywhere.
async fn killed(client: &Client) -> Option<(Vec<OfPod>, bool)> {
    let which = Which { fields: "reason=Killing".to_owned(), most: MOST_EVENTS, ..Which::default() };
    let found = look(client, Look::Events, &which).await.ok()?;
    Some((found.objects.iter().filter_map(redact::event).collect(), found.more))
}

fn put_released(nodes: &mut [Node], killed: Option<(Vec<OfPod>, bool)>, since_ms: u64) {
    let Some((killed, more)) = killed else { return };
    let lately = killed.iter().filter(|of| of.event.last_at_ms >= since_ms);
    let mut by_node: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for of in lately {
        by_node.entry(&of.host).or_default().insert(&of.uid);
    }
    for node in nodes {
        let count = by_node.get(node.name.as_str()).map_or(0, BTreeSet::len);
        // Where there are more than were looked through, none may be among the others.
        node.released = u32::try_from(count).ok().filter(|count| *count > 0 || !more);
    }
}
