//! Reads every ipamd's metrics for the CNI Metrics Helper's names, spread over the time from one publication to the next.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use headroom_capacity::time::Time;
use headroom_cluster::{Client, PodMetricsError, pod_metrics};
use tokio::sync::Notify;

use super::core::Core;
use crate::cloudwatch::ipamd::{Counters, Outcome, Scrape, Sums};
use crate::state::ClusterState;

/// Where aws-node's pods are (CNI `config/master/aws-k8s-cni.yaml`).
const NAMESPACE: &str = "kube-system";
/// How their names begin: the DaemonSet's name.
const POD_PREFIX: &str = "aws-node-";
/// ipamd's metrics (CNI `pkg/ipamd/introspect.go`).
const PORT: u16 = 61678;
const PATH: &str = "metrics";
/// Requests at once.
const AT_ONCE: usize = 32;
/// The part of a period over which requests are spread: 111 a second for 5,000 nodes and the shortest period.
const SPREAD: f64 = 0.75;
/// The part of a period after which a round ends with what it has. Publications come up to 5 s early: the shortest period is 60 s.
const DEADLINE: f64 = 0.9;
/// After so many periods without a round another advisor has published meanwhile, and this one begins anew.
const GAP: u32 = 2;

/// What was read and is not published yet.
#[derive(Debug, Default)]
pub(super) struct Ipamd {
    published: Notify,
    sums: Mutex<Option<Sums>>,
}

impl Ipamd {
    /// For the publication that is due; `None` where no round has ended since the last one.
    pub(super) fn take(&self) -> Option<Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// To be published with the next, beside what is there already.
    pub(super) fn put(&self, sums: Sums) {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().add(sums);
    }

    /// The time for the next round has come.
    pub(super) fn published(&self) {
        self.published.notify_one();
    }
}

/// Makes a round after each publication, for ever. Only the leader publishes.
pub(super) async fn scrape(core: Arc<Core>, client: Client) {
    let period = Duration::from_secs(core.config.cloudwatch.period_secs);
    let mut counters = Counters::default();
    let mut ended: Option<Time> = None;
    loop {
        core.ipamd.published.notified().await;
        let pods = aws_node_pods(&core.cluster(core.clock.now()));
        let Some(scrapes) = round(&core, &client, &pods, period).await else { continue };
        let now = core.clock.now();
        if ended.replace(now).is_some_and(|ended| now.since(ended) > period * GAP) {
            counters = Counters::default();
            core.ipamd.take();
        }
        core.ipamd.put(counters.advance(scrapes, &pods.into_iter().collect::<HashSet<_>>()));
    }
}

/// `namespace/name` of every ipamd's pod, sorted: each is read at about the same moment of every round.
fn aws_node_pods(cluster: &ClusterState) -> Vec<Arc<str>> {
    let ours = |name: &str| {
        name.split_once('/').is_some_and(|(namespace, name)| namespace == NAMESPACE && name.starts_with(POD_PREFIX))
    };
    let mut pods: Vec<Arc<str>> = cluster
        .pods
        .values()
        .filter(|pod| !pod.over && ours(&pod.name))
        .filter(|pod| pod.node.as_ref().is_some_and(|node| cluster.nodes.contains_key(node)))
        .map(|pod| Arc::clone(&pod.name))
        .collect();
    pods.sort_unstable();
    pods
}

/// What the pods answer within the round's time; `None` when this advisor ceases to lead meanwhile.
async fn round(core: &Core, client: &Client, pods: &[Arc<str>], period: Duration) -> Option<HashMap<Arc<str>, Scrape>> {
    let began = core.clock.now();
    let count = u32::try_from(pods.len()).unwrap_or(u32::MAX).max(1);
    let step = period.mul_f64(SPREAD) / count;
    // Owned throughout: futures that borrow cannot be told to be Send here.
    let turns: Vec<(Arc<str>, u32)> = pods.iter().cloned().zip(0..).collect();
    let (clock, client) = (core.clock.clone(), client.clone());
    let paced = stream::iter(turns).then(move |(pod, nth)| {
        let clock = clock.clone();
        async move {
            clock.sleep((began + step * nth).since(clock.now())).await;
            pod
        }
    });
    let reads = paced.map(move |pod| {
        let client = client.clone();
        async move { read(&client, pod).await }
    });
    let mut answers = pin!(reads.buffer_unordered(AT_ONCE));
    let mut over = pin!(core.clock.sleep(period.mul_f64(DEADLINE)));
    let mut scrapes = HashMap::with_capacity(pods.len());
    let mut asked = 0;
    let mut failure = None;
    loop {
        let answer = tokio::select! {
            answer = answers.next() => answer,
            () = &mut over => None,
        };
        let Some((pod, answer)) = answer else { break };
        if !core.leads() {
            return None;
        }
        asked += 1;
        core.metrics.ipamd_scraped(outcome(&answer), 1);
        match answer {
            Ok(scrape) => drop(scrapes.insert(pod, scrape)),
            Err(error) => failure = Some((pod, error)),
        }
    }
    core.metrics.ipamd_scraped(Outcome::Late, (pods.len() - asked) as u64);
    if let Some((pod, error)) = failure {
        let (read, of) = (scrapes.len(), pods.len());
        tracing::info!(read, of, %pod, %error, "not every ipamd's metrics could be read; one of those that could not");
    }
    Some(scrapes)
}

async fn read(client: &Client, pod: Arc<str>) -> (Arc<str>, Result<Scrape, PodMetricsError>) {
    let name = pod.split_once('/').map_or(&*pod, |(_, name)| name);
    let text = pod_metrics(client, NAMESPACE, name, PORT, PATH).await;
    (pod, text.map(|text| Scrape::parse(&text)))
}

fn outcome(answer: &Result<Scrape, PodMetricsError>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Read,
        Err(PodMetricsError::Denied) => Outcome::Denied,
        Err(PodMetricsError::Timeout) => Outcome::Timeout,
        Err(PodMetricsError::TooLarge | PodMetricsError::NotText) => Outcome::Invalid,
        Err(PodMetricsError::Status(_) | PodMetricsError::Failed(_)) => Outcome::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use headroom_capacity::budget::NodeKind;
    use headroom_capacity::ids::PodUid;
    use headroom_capacity::verdict::Demand;
    use headroom_cluster::Node;

    use super::*;
    use crate::state::{NodeInfo, PodInfo};

    #[test]
    fn only_aws_nodes_pods_on_known_nodes_are_asked() {
        let pod = |name: &str, node: &str, over: bool| {
            let info = PodInfo {
                name: name.into(),
                node: Some(node.into()),
                demand: Demand::None,
                requests: Default::default(),
                scheduling: Default::default(),
                ip: None,
                over,
                shortage: None,
                refused_at: None,
                waiting_since: None,
            };
            (PodUid::from(format!("{name} {node}").as_str()), info)
        };
        let node = NodeInfo {
            node: Node::ready("n1", NodeKind::Linux, 0),
            instance: None,
            security_groups_for_pods: false,
            eni_config_subnet: None,
        };
        let pods = [
            pod("kube-system/aws-node-b", "n1", false),
            pod("kube-system/aws-node-a", "n1", false),
            pod("kube-system/aws-node-c", "gone", false),
            pod("kube-system/aws-node-d", "n1", true),
            pod("kube-system/kube-proxy-a", "n1", false),
            pod("default/aws-node-a", "n1", false),
        ];
        let cluster = ClusterState {
            nodes: HashMap::from([("n1".into(), node)]),
            pods: HashMap::from(pods),
            ..ClusterState::default()
        };
        let want: [Arc<str>; 2] = ["kube-system/aws-node-a".into(), "kube-system/aws-node-b".into()];
        assert_eq!(aws_node_pods(&cluster), want);
    }
}
