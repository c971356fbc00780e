//! The extender beside the real kube-scheduler. Needs the binaries of `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod cluster;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{Cluster, eventually, ip, node, refusal};
use k8s_openapi::api::core::v1::Pod;

/// The extender's one constant reason in kube-scheduler's words (k/k `pkg/scheduler/framework/types.go`, `FitError`); what
/// preemption has to say follows it.
const LIMIT_REACHED: &str = "0/2 nodes are available: 2 no pod IP left: instance type's ENI and IP limit reached. ";

/// Two c5.xlarge have 2 x 4 ENIs x 14 secondary addresses for pods; kubelet would take 2 x 110 pods.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_c5_xlarge_get_112_pods_and_the_others_when_ips_are_back() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let cluster = Cluster::start("policy: soon").await;
    cluster.create_pods((0..116).map(|n| format!("web-{n:03}")), false).await;
    let pods = eventually("112 pods have an IP and 4 are refused", async || {
        let pods = cluster.pods().await;
        let with_ip = pods.iter().filter(|pod| node(pod).is_some() && ip(pod).is_some()).count();
        let refused = pods.iter().filter(|pod| refusal(pod).is_some()).count();
        if (with_ip, refused) == (112, 4) { Ok(pods) } else { Err(format!("{with_ip} with an IP, {refused} refused")) }
    })
    .await;
    let mut per_node = BTreeMap::<&str, u32>::new();
    for node in pods.iter().filter_map(node) {
        *per_node.entry(node).or_default() += 1;
    }
    assert_eq!(per_node.values().copied().collect::<Vec<_>>(), [56, 56], "{per_node:?}");
    for refusal in pods.iter().filter_map(refusal) {
        assert_eq!(refusal.reason.as_deref(), Some("Unschedulable"));
        let message = refusal.message.as_deref().unwrap();
        assert!(message.starts_with(LIMIT_REACHED), "{message}");
    }

    cluster.create_pods(["agent".to_owned()].into_iter(), true).await;
    eventually("a hostNetwork pod is bound though no IP is left", async || left_waiting(&cluster, 4).await).await;

    for pod in pods.iter().filter(|pod| node(pod).is_some()).take(3) {
        cluster.delete_pod(pod.metadata.name.as_deref().unwrap()).await;
    }
    // This cluster has no life of its own, and kube-scheduler tries a refused pod again only when something changes.
    let touched = Cell::new(0);
    eventually("3 of the 4 are bound after the cool-down", async || {
        touched.set(touched.get() + 1);
        cluster.touch_a_node(touched.get()).await;
        left_waiting(&cluster, 1).await
    })
    .await;
    // The last one is tried again and still finds no IP.
    let tried = cluster.refusals().await;
    cluster.touch_a_node(0).await;
    eventually("the last pod is tried again", async || {
        let now = cluster.refusals().await;
        if now > tried { Ok(()) } else { Err("not tried".to_owned()) }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(waiting(&cluster.pods().await), 1);

    let connections = cluster.metric(r#"headroom_extender_connections_total{listener="extender"}"#).await;
    assert_eq!(connections, 1.0, "kube-scheduler reuses its connection");
    cluster.stop().await;
}

async fn left_waiting(cluster: &Cluster, wanted: usize) -> Result<(), String> {
    let waiting = waiting(&cluster.pods().await);
    if waiting == wanted { Ok(()) } else { Err(format!("{waiting} without a node")) }
}

fn waiting(pods: &[Pod]) -> usize {
    pods.iter().filter(|pod| node(pod).is_none()).count()
}
