//! The advisor and an extender that goes by its feed, under the real control plane. Needs the binaries of
//! `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use headroom_advisor::config::Observe;
use headroom_lab::scenario::Scenario;
use headroom_load_tests::cluster::Cluster;
use headroom_load_tests::eventually::eventually;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use serde_json::json;

/// Two m5.large could hold 54 pods. The /26 has 59 addresses: 39 are others', 2 the nodes' own, 18 are left.
const NODES: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/26, used: 39 }]
nodeGroups: [{ name: workers, instanceType: m5.large, count: 2, subnets: [a] }]
";
const IPS: usize = 18;
const PODS: usize = 32;
/// The cause is the subnet, not the instance: only the advisor can tell.
const REASON: &str = "no free IP in any subnet of the node";
/// Far more than it takes, and reached only when the test fails.
const WITHIN: Duration = Duration::from_secs(120);

fn pod(n: usize) -> Pod {
    let spec = json!({ "containers": [{ "name": "web", "image": "web" }] });
    serde_json::from_value(json!({ "metadata": { "name": format!("web-{n:02}") }, "spec": spec })).unwrap()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Pods {
    bound: usize,
    with_ip: usize,
    refused_for_the_subnet: usize,
}

async fn pods(cluster: &Cluster) -> Pods {
    let pods = Api::<Pod>::namespaced(cluster.client.clone(), "default").list(&ListParams::default()).await.unwrap();
    let mut counts = Pods::default();
    for pod in pods {
        let status = pod.status.unwrap_or_default();
        counts.bound += usize::from(pod.spec.is_some_and(|spec| spec.node_name.is_some()));
        counts.with_ip += usize::from(status.pod_ip.is_some());
        let mut messages = status.conditions.iter().flatten().filter_map(|condition| condition.message.as_deref());
        counts.refused_for_the_subnet += usize::from(messages.any(|message| message.contains(REASON)));
    }
    counts
}

/// The extender goes by a reading of AWS that was made when every node was there.
async fn fed(cluster: &Cluster) {
    let since = cluster.kubelets.clock().now();
    eventually("the extender is fed", WITHIN, async || {
        let metrics = cluster.metrics().await.unwrap().unwrap();
        let observed =
            metrics.lines().find(|line| line.starts_with("headroom_extender_feed_observed_timestamp_seconds"));
        let observed = observed.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        if observed.is_some_and(|secs| secs > since.as_millis() as f64 / 1e3) { Ok(()) } else { Err(metrics) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_pod_is_bound_that_its_subnet_cannot_feed() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let scenario = Scenario::parse("nodes.yaml", NODES).unwrap();
    let observe = Observe { subnets_secs: 5, enis_secs: 5, instances_secs: 5, ..Observe::default() };
    let advisor =
        headroom_advisor::config::Config { cluster_name: scenario.cluster_name.clone(), observe, ..Default::default() };
    let started = Cluster::start_observed(scenario, Default::default(), advisor).await;
    let cluster = started.unwrap_or_else(|error| panic!("{error:#}"));
    fed(&cluster).await;
    cluster.create_pods((0..PODS).map(pod), 8).await.unwrap();

    let wanted = Pods { bound: IPS, with_ip: IPS, refused_for_the_subnet: PODS - IPS };
    eventually("as many pods are bound as there are addresses", WITHIN, async || {
        let counts = pods(&cluster).await;
        assert!(counts.bound <= IPS, "bound without an address to come: {counts:?}");
        if counts == wanted {
            return Ok(());
        }
        Err(format!("{counts:?} instead of {wanted:?}; {:?}", cluster.kubelets.report()))
    })
    .await;
    assert_eq!(cluster.kubelets.refused_writes(), 0, "writes that the API server refused");
    cluster.stop().await.unwrap();
}
