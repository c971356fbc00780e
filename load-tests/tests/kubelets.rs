//! The lab's nodes under the real control plane, without and with Headroom. Needs the binaries of
//! `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_extender::config::Config;
use headroom_lab::scenario::Scenario;
use headroom_load_tests::burst::HANGS_AFTER;
use headroom_load_tests::cluster::Cluster;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

/// 20 nodes with 9 IPs each and room for 110 pods by max-pods; half a minute is as long as a pod may take before it hangs.
const NODES: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/20 }]
ec2Quotas: { reads: { burst: 500, perSec: 100 }, writes: { burst: 500, perSec: 100 } }
cni: { env: { IP_COOLDOWN_PERIOD: '2' } }
nodeGroups: [{ name: workers, instanceType: t3.small, count: 20, subnets: [a], maxPods: 110 }]
";
const IPS: usize = 20 * 9;
const PODS: usize = IPS + 10;
/// Far more than it takes, and reached only when the test fails.
const WITHIN: Duration = Duration::from_secs(150);

async fn start(extender: Option<Config>) -> Cluster {
    let scenario = Scenario::parse("nodes.yaml", NODES).unwrap();
    let cluster = Cluster::start(scenario, extender).await.unwrap_or_else(|error| panic!("{error:#}"));
    cluster.create_pods((0..PODS).map(pod), 8).await.unwrap();
    cluster
}

fn pod(n: usize) -> Pod {
    let spec = json!({ "containers": [{ "name": "web", "image": "web" }], "terminationGracePeriodSeconds": 5 });
    serde_json::from_value(json!({ "metadata": { "name": format!("web-{n:03}") }, "spec": spec })).unwrap()
}

async fn pods(cluster: &Cluster) -> Vec<Pod> {
    Api::<Pod>::namespaced(cluster.client.clone(), "default").list(&ListParams::default()).await.unwrap().items
}

fn ip(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref()
}

fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap()
}

async fn sandbox_events(cluster: &Cluster) -> Vec<Event> {
    let failed = ListParams::default().fields("reason=FailedCreatePodSandBox");
    Api::<Event>::all(cluster.client.clone()).list(&failed).await.unwrap().items
}

async fn eventually(what: &str, check: impl AsyncFn() -> Result<(), String>) {
    headroom_load_tests::eventually::eventually(what, WITHIN, check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_headroom_pods_hang_and_kubelet_says_so() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let cluster = start(None).await;
    eventually("10 pods hang, and every other one has its IP", async || {
        let hanging = cluster.kubelets.placements().hanging(HANGS_AFTER);
        let without = pods(&cluster).await.iter().filter(|pod| ip(pod).is_none()).count();
        let settled = hanging == PODS - IPS && without == hanging;
        if settled { Ok(()) } else { Err(format!("{hanging} hang, {without} have no IP")) }
    })
    .await;
    let all = pods(&cluster).await;
    let hanging: BTreeMap<&str, &Pod> =
        all.iter().filter(|pod| ip(pod).is_none()).map(|pod| (pod.metadata.uid.as_deref().unwrap(), pod)).collect();
    let waiting = |pod: &Pod| {
        let status = pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap();
        status[0].state.as_ref().unwrap().waiting.as_ref().unwrap().reason.clone()
    };
    assert!(hanging.values().all(|pod| node(pod).is_some() && waiting(pod).as_deref() == Some("ContainerCreating")));
    let events = sandbox_events(&cluster).await;
    for (uid, pod) in &hanging {
        let about = events.iter().find(|event| event.involved_object.uid.as_deref() == Some(*uid));
        let about = about.unwrap_or_else(|| panic!("no event about {}", name(pod)));
        assert!(about.message.as_deref().unwrap().ends_with("failed to assign an IP address to container"));
        assert_eq!(about.source.as_ref().unwrap().host.as_deref(), node(pod));
    }

    // A pod that kubelet has stopped makes room: the one that hangs beside it gets the IP once it has cooled down.
    let hung = *hanging.values().next().unwrap();
    let beside = all.iter().find(|pod| node(pod) == node(hung) && ip(pod).is_some()).unwrap();
    let api = Api::<Pod>::namespaced(cluster.client.clone(), "default");
    api.delete(name(beside), &DeleteParams::default()).await.unwrap();
    eventually("the deleted pod is gone and the other one runs", async || {
        let (gone, runs) = (api.get_opt(name(beside)).await.unwrap(), api.get(name(hung)).await.unwrap());
        if gone.is_none() && ip(&runs).is_some() { Ok(()) } else { Err(format!("{:?}", runs.status)) }
    })
    .await;
    cordoned_nodes_are_tainted(&cluster).await;
    assert_eq!(cluster.kubelets.refused_writes(), 0);
    cluster.stop().await.unwrap();
}

/// What somebody else writes to a node reaches the lab, and what the lab answers comes back.
async fn cordoned_nodes_are_tainted(cluster: &Cluster) {
    let nodes = Api::<Node>::all(cluster.client.clone());
    let first = nodes.list(&ListParams::default()).await.unwrap().items[0].metadata.name.clone().unwrap();
    let own = json!({ "key": "example.org/own", "effect": "NoSchedule" });
    let patch = Patch::Merge(json!({ "spec": { "unschedulable": true, "taints": [own] } }));
    nodes.patch(&first, &PatchParams::default(), &patch).await.unwrap();
    eventually("the cordoned node is tainted, and other taints stay", async || {
        let taints = nodes.get(&first).await.unwrap().spec.unwrap().taints.unwrap_or_default();
        let keys: Vec<&str> = taints.iter().map(|taint| taint.key.as_str()).collect();
        let wanted = ["example.org/own", "node.kubernetes.io/unschedulable"];
        if keys == wanted { Ok(()) } else { Err(format!("{keys:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_headroom_every_ip_is_used_and_no_pod_hangs() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let cluster = start(Some(Config::default())).await;
    eventually("every IP is used", async || {
        let with_ip = pods(&cluster).await.iter().filter(|pod| ip(pod).is_some()).count();
        if with_ip == IPS { Ok(()) } else { Err(format!("{with_ip} with an IP")) }
    })
    .await;
    let all = pods(&cluster).await;
    assert_eq!(all.iter().filter(|pod| node(pod).is_some()).count(), IPS, "the others wait in kube-scheduler's queue");
    let longest = cluster.kubelets.placements().longest_wait();
    println!("longest time from bind to IP: {longest:?}");
    assert!(longest <= HANGS_AFTER, "{longest:?}");
    assert_eq!(cluster.kubelets.refused_writes(), 0);
    cluster.stop().await.unwrap();
}
