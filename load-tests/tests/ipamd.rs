//! The CNI Metrics Helper's names in CloudWatch, from a whole advisor on the lab, held against what each ipamd says.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_advisor::cloudwatch::cni_helper::HELPER_FIGURES;
use headroom_advisor::config::{CloudWatch, Config, LeaderElection, Observe};
use headroom_capacity::units::Ips;
use headroom_cluster::{Client, connect, pod_metrics};
use headroom_lab::Lab;
use headroom_lab::aws::Samples;
use headroom_lab::scenario::Scenario;
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::page::get;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

/// A period of 60 s passes in two real ones.
const RATE: f64 = 30.0;
const WITHIN: Duration = Duration::from_secs(120);
const SCENARIO: &str = "
description: three nodes, one of which is replaced
clusterName: prod
vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: nodes-a, az: us-west-2a, cidr: 10.0.0.0/24 }]
cni: { env: { WARM_IP_TARGET: '8' } }
nodeGroups: [{ name: workers, instanceType: m5.large, desired: 3, min: 3, max: 3, subnets: [nodes-a], maxPods: 110 }]
";
/// `WARM_IP_TARGET` of the scenario: more than pods that come at once.
const WARM: Ips = Ips(8);
/// Those that EC2 and Kubernetes show too and that this lab has, by ipamd's name.
const SEEN: [&str; 6] = [
    "awscni_assigned_ip_addresses",
    "awscni_total_ip_addresses",
    "awscni_total_ipv4_prefixes",
    "awscni_eni_allocated",
    "awscni_eni_max",
    "awscni_ip_max",
];

struct Stage {
    lab: Lab,
    client: Client,
    pods: u32,
}

impl Stage {
    async fn start() -> Stage {
        let scenario = Scenario::parse("ipamd.yaml", SCENARIO).unwrap();
        let options = headroom_lab::Options { rate: Some(RATE), ..headroom_lab::Options::default() };
        let lab = Lab::start(scenario, options).await.unwrap();
        let client = connect(Some(lab.kubeconfig()), None).await.unwrap();
        let stage = Stage { lab, client, pods: 0 };
        stage.until("all nodes are ready", async || stage.ready().len() == 3).await;
        stage
    }

    /// Nodes on which an ADD finds an address.
    fn ready(&self) -> Vec<String> {
        self.lab
            .report()
            .nodes
            .into_iter()
            .filter(|node| node.ready && node.ips_total >= WARM)
            .map(|node| node.name)
            .collect()
    }

    /// More pods on a node, bound from the start, until each has its address.
    async fn run(&mut self, node: &str, count: u32) {
        let with_ip = |stage: &Stage| {
            let nodes = stage.lab.report().nodes;
            nodes.into_iter().find(|one| one.name == node).map_or(0, |node| node.pods_with_ip)
        };
        let want = with_ip(self) + count;
        for _ in 0..count {
            self.pods += 1;
            let name = format!("web-{}", self.pods);
            self.create("default", &name, node, false).await;
        }
        self.until("the pods have addresses", async || with_ip(self) >= want).await;
    }

    async fn create(&self, namespace: &str, name: &str, node: &str, host_network: bool) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
            "spec": { "nodeName": node, "hostNetwork": host_network, "containers": [{ "name": "c", "image": "c" }] },
        });
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    }

    /// What the nodes' ipamds say, each metric summed up.
    async fn truth(&self) -> BTreeMap<String, f64> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), "kube-system");
        let mut sums = BTreeMap::new();
        for pod in pods.list(&ListParams::default().labels("k8s-app=aws-node")).await.unwrap() {
            let name = pod.metadata.name.unwrap();
            let Ok(text) = pod_metrics(&self.client, "kube-system", &name, 61678, "metrics").await else { continue };
            for (sample, value) in
                text.lines().filter_map(|line| line.rsplit_once(' ')).filter(|(name, _)| !name.starts_with('#'))
            {
                let name = sample.split('{').next().unwrap_or_default();
                *sums.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap();
            }
        }
        sums
    }

    /// What CloudWatch has, oldest first, by ipamd's name.
    fn published(&self) -> BTreeMap<&'static str, Vec<f64>> {
        let vpc = self.lab.vpc();
        let mut published = BTreeMap::<_, Vec<f64>>::new();
        for (_, datum) in vpc.metrics().data().filter(|(namespace, _)| *namespace == "Kubernetes") {
            assert_eq!(datum.dimensions, BTreeMap::from([("CLUSTER_ID".to_owned(), "prod".to_owned())]));
            let figure = HELPER_FIGURES.iter().find(|figure| figure.name == datum.name).unwrap();
            let Samples::Values(values) = &datum.samples else { panic!("{datum:?}") };
            published.entry(figure.ipamd).or_default().extend(values.iter().map(|(value, _)| *value));
        }
        published
    }

    /// How far a counter has grown since the first round.
    fn grown(&self, name: &str) -> f64 {
        self.published().get(name).into_iter().flatten().sum()
    }

    fn rounds(&self) -> usize {
        self.published().get("awscni_add_ip_req_count").map_or(0, Vec::len)
    }

    /// Waits until ADDs have grown so far, and for two more rounds, which must not change that.
    async fn adds(&self, want: f64) {
        let adds = || self.grown("awscni_add_ip_req_count");
        self.until(&format!("{want} ADDs are told"), async || adds() >= want).await;
        let rounds = self.rounds();
        self.until("two more rounds", async || self.rounds() >= rounds + 2).await;
        assert_eq!(adds(), want);
    }

    async fn until(&self, what: &str, is: impl AsyncFn() -> bool) {
        let waited = async {
            while !is().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let timed_out = tokio::time::timeout(WITHIN, waited).await.is_err();
        assert!(!timed_out, "not in time: {what}; {:?}; {:?}", self.truth().await, self.published());
    }
}

/// Shorter rounds of EC2: the test lasts for minutes of the lab's time.
fn config() -> Config {
    Config {
        cluster_name: "prod".to_owned(),
        observe: Observe {
            subnets_secs: 5,
            enis_secs: 10,
            instances_secs: 10,
            groups_secs: 30,
            topology_secs: 60,
            ..Observe::default()
        },
        cloudwatch: CloudWatch { enabled: true, cni_metrics_helper_names: true, ..CloudWatch::default() },
        leader_election: LeaderElection { enabled: false, ..LeaderElection::default() },
        ..Config::default()
    }
}

/// Scrapes without an answer. The client tries a refused one again until its deadline, or the round's, which is earlier here.
async fn unanswered(advisor: &Advisor) -> f64 {
    let text = get(advisor.admin_addr(), "/metrics").await.unwrap();
    let scrapes = |outcome: &str| -> f64 {
        let name = format!("headroom_advisor_ipamd_scrapes_total{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    };
    scrapes("unreachable") + scrapes("timeout") + scrapes("late")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cloudwatch_has_what_the_ipamds_count() {
    let mut stage = Stage::start().await;
    let nodes = stage.ready();
    stage.run(&nodes[0], 4).await;
    let advisor = Advisor::start(Place::lab(&stage.lab), config()).await.unwrap();

    // What was counted before the first round is only where counting begins.
    stage.until("the first round", async || stage.rounds() >= 1).await;
    assert_eq!(stage.published()["awscni_add_ip_req_count"][0], 0.0);
    let calls_before = stage.truth().await["awscni_ec2api_req_count"];
    stage.run(&nodes[0], 2).await;
    stage.run(&nodes[1], 3).await;
    stage.adds(5.0).await;
    assert!(stage.grown("awscni_ec2api_req_count") >= stage.truth().await["awscni_ec2api_req_count"] - calls_before);
    let published = stage.published();
    assert_eq!(published.len(), HELPER_FIGURES.len(), "each name is there: {published:?}");
    stage
        .until("what EC2 and Kubernetes show is what the ipamds have", async || {
            let (truth, published) = (stage.truth().await, stage.published());
            SEEN.iter().all(|name| truth[*name] == *published[name].last().unwrap())
        })
        .await;
    assert_eq!(stage.truth().await["awscni_assigned_ip_addresses"], 9.0);

    // One that never answers is counted and left out.
    assert_eq!(unanswered(&advisor).await, 0.0);
    stage.create("kube-system", "aws-node-silent", &nodes[1], true).await;
    stage.until("it was asked", async || unanswered(&advisor).await > 0.0).await;
    stage.run(&nodes[1], 1).await;
    stage.adds(6.0).await;

    // A node goes with all that it has counted, and the one in its place begins at 0.
    let gone = nodes[0].clone();
    terminate(&stage, &gone).await;
    let new = || stage.ready().into_iter().find(|node| !nodes.contains(node));
    stage.until("another node is there", async || new().is_some()).await;
    let new = new().unwrap();
    stage.run(&new, 2).await;
    stage.adds(8.0).await;
    let published = stage.published();
    let counts = |name: &str| name.ends_with("_count");
    assert!(
        published.iter().filter(|(name, _)| counts(name)).all(|(_, values)| values.iter().all(|value| *value >= 0.0))
    );

    advisor.stop().await.unwrap();
    stage.lab.shutdown().await;
}

async fn terminate(stage: &Stage, node: &str) {
    let node = Api::<Node>::all(stage.client.clone()).get(node).await.unwrap();
    let provider_id = node.spec.unwrap().provider_id.unwrap();
    let instance = provider_id.rsplit('/').next().unwrap();
    let now = stage.lab.clock().now();
    stage.lab.vpc().terminate_instance(&instance.into(), now).unwrap();
}
