//! The advisor's feed server and the extender's client over loopback: the feed decides while it tells, and nothing stops when it does not.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use headroom_advisor::config::Feed as FeedConfig;
use headroom_advisor::feed::{Feed, view};
use headroom_advisor::ledger::{Ledger, NodeAccount, Owner, SubnetAccount};
use headroom_capacity::budget::Budget;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::{Hypervisor, InstanceLimits, LimitSource};
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::Reason;
use headroom_extender::config::{self, Config, OnUnknown};
use headroom_extender::{Handle, Options};
use headroom_lab::Lab;
use headroom_lab::scenario::Scenario;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const WITHIN: Duration = Duration::from_secs(30);
const SUBNET: &str = "subnet-a";
/// A type that no table knows.
const TYPE: &str = "m99x.large";
const SCENARIO: &str = "
description: two nodes
clock: { rate: 10 }
vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: nodes-a, az: us-west-2a, cidr: 10.0.0.0/24 }]
nodeGroups:
  - name: workers
    instanceType: m99x.large
    count: 2
    subnets: [nodes-a]
    maxPods: 110
    cpu: '2'
    memory: 8Gi
    limits: { enis: 3, ipv4PerEni: 10 }
";

/// One advisor's server. Everything about it is gone when it is stopped.
struct Server {
    feed: Feed,
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(addr: SocketAddr, epoch: &str, max_clients: u32) -> Server {
        let feed = Feed::new(epoch, &FeedConfig { max_clients, ..FeedConfig::default() });
        let (stop, stopped) = watch::channel(false);
        let router = feed.router(stopped.clone());
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut stopped = stopped;
        let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(shutdown).await.unwrap();
        });
        Server { feed, addr, stop, serving }
    }

    /// Tells of these nodes, as if EC2 had just been read.
    fn tell(&self, nodes: &[String], attached: u32, free: u32) {
        self.feed.publish(view(&ledger(nodes, attached, free), &types()), now());
    }

    /// The streams end, and with them the connections.
    async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(WITHIN, self.serving).await.expect("streams end at shutdown").unwrap();
    }
}

fn now() -> Time {
    Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn limits() -> InstanceLimits {
    InstanceLimits {
        enis: Enis(3),
        ipv4_per_eni: 10,
        hypervisor: Hypervisor::Nitro,
        bare_metal: false,
        network_cards: 1,
        branch: None,
        source: LimitSource::DescribeInstanceTypes,
    }
}

fn types() -> BTreeMap<Arc<str>, InstanceLimits> {
    [(TYPE.into(), limits())].into()
}

fn ledger(nodes: &[String], attached: u32, free: u32) -> Ledger {
    let subnet = SubnetId::from(SUBNET);
    let node = NodeAccount {
        instance: None,
        group: None,
        az: None,
        budget: Budget::Unknown(Reason::UnknownInstanceType),
        enis: Enis(1),
        pod_enis: Enis(1),
        unmanaged: Enis(0),
        excluded: Enis(0),
        trunk: false,
        attached: Ips(attached),
        prefixes: Prefixes(0),
        assigned: Ips(0),
        cooling: Ips(0),
        waiting: 0,
        branch: Enis(0),
        free_slots: [(subnet.clone(), 9 - attached)].into(),
        primary_subnet: Some(subnet.clone()),
        new_eni_subnets: vec![subnet.clone()],
        in_flight: Vec::new(),
    };
    let account = SubnetAccount {
        cidr: Cidr::new([10, 0, 0, 0].into(), 24).unwrap(),
        az: "us-west-2a".into(),
        reserved: Ips(5),
        cidr_reserved: Ips(0),
        held: [Ips(0); Owner::ALL.len()],
        free_ips: Ips(free),
        free_prefixes: Prefixes(free / 16),
        in_flight_ips: Ips(0),
        in_flight_prefixes: Prefixes(0),
        reported_free: Ips(free),
        conflicts: Ips::ZERO,
    };
    Ledger {
        nodes: nodes.iter().map(|name| (name.as_str().into(), node.clone())).collect(),
        subnets: [(subnet, account)].into(),
        ..Ledger::default()
    }
}

/// An extender beside the lab's API server.
struct Extender {
    handle: Handle,
    stop: watch::Sender<bool>,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Extender {
    async fn start(lab: &Lab, advisor: SocketAddr) -> Extender {
        let mut config = Config::default();
        config.failure.on_unknown_capacity = OnUnknown::Reject;
        // Shorter than a configuration file may say.
        config.feed = config::Feed {
            endpoint: vec![format!("http://{advisor}")],
            stale_after_secs: 3,
            ..config::Feed::default()
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options {
            config,
            kubeconfig: Some(lab.kubeconfig().to_owned()),
            context: None,
            listen: any,
            admin_listen: any,
            grpc_listen: None,
        };
        let (stop, mut stopped) = watch::channel(false);
        let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        let handle = headroom_extender::run(options, shutdown).await.unwrap();
        Extender { handle, stop, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.handle.wait().await.unwrap();
    }

    async fn get(&self, request: Request<Full<Bytes>>) -> String {
        let body = self.http.request(request).await.unwrap().into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    async fn metric(&self, name: &str) -> Option<f64> {
        let url = format!("http://{}/metrics", self.handle.admin_addr);
        let text = self.get(Request::get(url).body(Full::default()).unwrap()).await;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Why a pod that needs an IP may go to no node, or `passes`.
    async fn answer(&self, nodes: &[String]) -> String {
        let pod = json!({"metadata": {"name": "web", "namespace": "default", "uid": "u"}, "spec": {"containers": []}});
        let body = json!({"Pod": pod, "NodeNames": nodes}).to_string();
        let url = format!("http://{}/v1/filter", self.handle.addr);
        let request = Request::post(url).body(Full::from(body)).unwrap();
        let reply: Value = serde_json::from_str(&self.get(request).await).unwrap();
        if reply["NodeNames"].as_array().is_some_and(|names| !names.is_empty()) {
            return "passes".to_owned();
        }
        let failed = reply["FailedAndUnresolvableNodes"].as_object().and_then(|nodes| nodes.values().next());
        failed.map_or_else(|| reply.to_string(), |reason| reason.as_str().unwrap().to_owned())
    }

    /// Waits until that is the answer, while `meanwhile` is called again and again.
    async fn until(&self, nodes: &[String], answer: &str, meanwhile: impl Fn()) {
        let mut last = String::new();
        let same = async {
            while last != answer {
                meanwhile();
                last = self.answer(nodes).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let timed_out = tokio::time::timeout(WITHIN, same).await.is_err();
        assert!(!timed_out, "'{last}' is still the answer, not '{answer}'");
    }
}

async fn lab() -> (Lab, Vec<String>) {
    let scenario = Scenario::parse("feed.yaml", SCENARIO).unwrap();
    let lab = Lab::start(scenario, headroom_lab::Options::default()).await.unwrap();
    let file = Kubeconfig::read_from(lab.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    let nodes = Api::<Node>::all(kube::Client::try_from(config).unwrap());
    let mut names = Vec::new();
    while names.len() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let listed = nodes.list(&ListParams::default()).await.unwrap();
        names = listed.items.into_iter().filter_map(|node| node.metadata.name).collect();
    }
    (lab, names)
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_decides_while_it_tells_and_is_done_without_when_it_does_not() {
    let (lab, nodes) = lab().await;
    let server = Server::start(loopback(), "first", 8).await;
    let addr = server.addr;
    let extender = Extender::start(&lab, addr).await;

    // Nothing is told yet, and the extender is ready all the same.
    extender.until(&nodes, Reason::UnknownInstanceType.as_str(), || {}).await;
    assert_eq!(extender.metric("headroom_extender_feed_observed_timestamp_seconds").await, None);
    extender.until(&nodes, "passes", || server.tell(&nodes, 9, 100)).await;
    assert_eq!(extender.metric("headroom_extender_feed_up").await, Some(1.0));
    assert!(extender.metric("headroom_extender_feed_observed_timestamp_seconds").await > Some(1e9));
    extender.until(&nodes, Reason::SubnetExhausted.as_str(), || server.tell(&nodes, 0, 0)).await;
    assert!(server.feed.counters().updates_sent.load(Ordering::Relaxed) > 0);

    server.stop().await;
    extender.until(&nodes, Reason::UnknownSubnet.as_str(), || {}).await;
    assert_eq!(extender.metric("headroom_extender_feed_up").await, Some(0.0));
    assert!(extender.metric("headroom_extender_feed_errors_total{error=\"ended\"}").await > Some(0.0));

    let server = Server::start(addr, "second", 8).await;
    extender.until(&nodes, "passes", || server.tell(&nodes, 9, 100)).await;
    extender.until(&nodes, Reason::SubnetExhausted.as_str(), || server.tell(&nodes, 0, 0)).await;
    extender.stop().await;
    server.stop().await;
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_tells_eight_extenders_and_refuses_the_ninth() {
    let (lab, nodes) = lab().await;
    let server = Server::start(loopback(), "only", 8).await;
    server.tell(&nodes, 9, 100);
    let mut extenders = Vec::new();
    for _ in 0..8 {
        let extender = Extender::start(&lab, server.addr).await;
        extender.until(&nodes, "passes", || server.tell(&nodes, 9, 100)).await;
        extenders.push(extender);
    }
    assert_eq!(server.feed.counters().clients.load(Ordering::Relaxed), 8);
    let ninth = Extender::start(&lab, server.addr).await;
    let refused = async {
        while ninth.metric("headroom_extender_feed_errors_total{error=\"refused\"}").await < Some(1.0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WITHIN, refused).await.expect("the ninth is refused");
    for extender in &extenders {
        extender.until(&nodes, Reason::SubnetExhausted.as_str(), || server.tell(&nodes, 0, 0)).await;
    }
    let counters = server.feed.counters();
    assert_eq!(counters.whole_sent.load(Ordering::Relaxed), 8);
    assert!(counters.refused.load(Ordering::Relaxed) >= 1);

    // The place of one that is gone is free.
    extenders.pop().unwrap().stop().await;
    ninth.until(&nodes, Reason::SubnetExhausted.as_str(), || server.tell(&nodes, 0, 0)).await;
    for extender in extenders {
        extender.stop().await;
    }
    ninth.stop().await;
    server.stop().await;
    assert_eq!(lab.report().totals.bound, 0);
    lab.shutdown().await;
}
