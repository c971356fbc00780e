//! A cluster with a spare node, and an advisor that removes it, with everything between it and AWS under the test's control.

use std::time::Duration;

use headroom_advisor::config::{Aws, Config, LeaderElection, Mode, Observe, Reachability, ScaleIn, Scaling};
use headroom_lab::aws::{Fault, FaultKind};
use headroom_lab::net::Gate;
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::advisor::{Place, lab_clock};
use headroom_load_tests::eventually::eventually;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};

/// Lab seconds per real second.
pub(crate) const RATE: f64 = 20.0;
/// Far more than it takes.
const WITHIN: Duration = Duration::from_secs(120);

/// Four m5.large with two pods each, of which two have room for all.
const SPARE: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/24 }]
nodeGroups: [{ name: workers, instanceType: m5.large, min: 3, max: 6, desired: 4, subnets: [a] }]
workloads: [{ name: web, replicas: 8, replace: true, cpu: 10m, memory: 16Mi }]
";

/// What befalls the way to AWS, and AWS itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    Way(headroom_lab::net::Mode),
    Api(FaultKind),
}

pub(crate) struct Rig {
    pub(crate) lab: Lab,
    pub(crate) gate: Gate,
    pub(crate) nodes: Api<Node>,
    scheduler: tokio::task::JoinHandle<()>,
}

impl Rig {
    pub(crate) async fn start() -> Rig {
        let scenario = Scenario::parse("spare.yaml", SPARE).unwrap();
        let lab = Lab::start(scenario, Options { rate: Some(RATE), ..Options::default() }).await.unwrap();
        let client = headroom_cluster::connect(Some(lab.kubeconfig()), None).await.unwrap();
        let gate = Gate::start(lab.aws_url().trim_start_matches("http://").parse().unwrap()).await.unwrap();
        let options = headroom_load_tests::scheduler::Options { extender: None, clock: lab.clock().clone() };
        let run = headroom_load_tests::scheduler::run(client.clone(), options, std::future::pending());
        let scheduler = tokio::spawn(async move { run.await.unwrap() });
        Rig { lab, gate, nodes: Api::all(client), scheduler }
    }

    /// AWS is reached through the gate.
    pub(crate) fn place(&self) -> Place {
        Place {
            aws_url: format!("http://{}", self.gate.addr()),
            kubeconfig: self.lab.kubeconfig().to_owned(),
            clock: lab_clock(self.lab.clock()),
        }
    }

    pub(crate) async fn begin(&self, trouble: Trouble) {
        match trouble {
            Trouble::Way(mode) => self.gate.set(mode).await.unwrap(),
            Trouble::Api(kind) => {
                let (from, until) = (self.lab.clock().now(), self.lab.clock().now() + Duration::from_secs(86_400));
                self.lab.vpc().add_fault(Fault { operation: None, kind, from, until, every: 1 });
            }
        }
    }

    pub(crate) async fn end(&self, trouble: Trouble) {
        match trouble {
            Trouble::Way(_) => self.gate.set(headroom_lab::net::Mode::Pass).await.unwrap(),
            Trouble::Api(_) => self.lab.vpc().clear_faults(),
        }
    }

    pub(crate) fn desired(&self) -> u32 {
        self.lab.vpc().group("eks-workers").unwrap().desired
    }

    /// Names of nodes that are cordoned.
    pub(crate) async fn cordoned(&self) -> Vec<String> {
        let nodes = self.nodes.list(&ListParams::default()).await.unwrap().items;
        let held =
            nodes.into_iter().filter(|node| node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)));
        held.filter_map(|node| node.metadata.name).collect()
    }

    pub(crate) async fn until(&self, what: &str, check: impl AsyncFnMut() -> Result<(), String>) {
        eventually(what, WITHIN, check).await;
        assert_eq!(self.lab.report().totals.lost, 0, "pods ended with their node");
    }

    pub(crate) async fn marked(&self) {
        self.until("a scale-in has begun", async || {
            let held = self.cordoned().await;
            if held.is_empty() { Err(format!("desired {}", self.desired())) } else { Ok(()) }
        })
        .await;
    }

    /// The spare node is gone, no other with it, and every pod runs.
    pub(crate) async fn shrunk(&self) {
        self.until("the spare node is gone and nothing is left behind", async || {
            let (held, desired, totals) = (self.cordoned().await, self.desired(), self.lab.report().totals);
            let nodes = self.nodes.list(&ListParams::default()).await.unwrap().items.len();
            let done = held.is_empty() && desired == 3 && nodes == 3 && totals.with_ip == 8;
            if done { Ok(()) } else { Err(format!("desired {desired}, {nodes} nodes, cordoned {held:?}, {totals:?}")) }
        })
        .await;
    }

    pub(crate) async fn shutdown(self) {
        self.scheduler.abort();
        self.lab.shutdown().await;
    }
}

pub(crate) fn config() -> Config {
    Config {
        cluster_name: "headroom-lab".to_owned(),
        // Real time, as is that of the probes.
        aws: Aws {
            max_attempts: 1,
            connect_timeout_ms: 300,
            attempt_timeout_ms: 1000,
            call_timeout_ms: 1000,
            ..Aws::default()
        },
        observe: Observe { subnets_secs: 5, enis_secs: 10, instances_secs: 10, groups_secs: 10, ..Observe::default() },
        reachability: Reachability {
            period_secs: 5,
            passes: 2,
            dns_timeout_ms: 500,
            resolver_timeout_ms: 500,
            tcp_timeout_ms: 300,
            tls_timeout_ms: 300,
            http_timeout_ms: 500,
            signed_timeout_ms: 1000,
            // Two passes within 20 s of the lab's: a second of real time.
            ..Reachability::default()
        },
        leader_election: LeaderElection { lease_secs: 5, ..LeaderElection::default() },
        scaling: Scaling {
            mode: Mode::Act,
            period_secs: 5,
            group_tag: "eks:cluster-name".to_owned(),
            with_cluster_autoscaler: true,
            scale_in: ScaleIn {
                unneeded_secs: 60,
                min_age_secs: 60,
                after_scale_out_secs: 0,
                cool_down_secs: 10,
                // Whatever the rate, a scheduler takes its time to see a taint.
                settle_secs: 40,
                max_share_percent: 100,
                ..ScaleIn::default()
            },
            ..Scaling::default()
        },
        ..Config::default()
    }
}
