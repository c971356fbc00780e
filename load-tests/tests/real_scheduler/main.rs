//! The extender beside the real kube-scheduler. Needs the binaries of `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod cluster;
mod tls;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cluster::{COOLDOWN, Cluster, eventually, ip, node, refusal};
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
    // This cluster has no life of its own: nothing but the extender tells kube-scheduler that the addresses have cooled down.
    let deleted = Instant::now();
    eventually("3 of the 4 are bound after the cool-down", async || left_waiting(&cluster, 1).await).await;
    println!("bound {:?} after the deletion, with a cool-down of {COOLDOWN:?}", deleted.elapsed());
    assert!(cluster.metric("headroom_extender_woken_pods_total").await >= 1.0);
    assert_eq!(cluster.metric("headroom_extender_wake_errors_total").await, 0.0);

    // The last one is remembered, and left alone while nothing changes.
    let tries = async || (cluster.refusals().await, cluster.metric("headroom_extender_woken_pods_total").await);
    eventually("no pod is tried any more", async || {
        let before = tries().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = tries().await;
        if now == before { Ok(()) } else { Err(format!("{before:?}, a second later {now:?}")) }
    })
    .await;
    assert_eq!(waiting(&cluster.pods().await), 1);
    assert_eq!(cluster.metric("headroom_extender_waiting_pods").await, 1.0);

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
