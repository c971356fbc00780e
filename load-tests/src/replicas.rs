//! A ReplicaSet for tests: the control plane on loopback has no controller manager.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Node, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};

/// From one look at the pods to the next.
const PERIOD: Duration = Duration::from_millis(500);

/// Keeps as many pods of `scheduler` in namespace `default` as `wanted` says, until it is dropped. Where some have to go, they go evenly, so
/// that no node is empty by that alone.
///
/// # Errors
/// When the API server refuses to list or to create.
pub async fn replicate(client: Client, scheduler: &'static str, wanted: Arc<AtomicUsize>) -> kube::Result<()> {
    let pods = Api::<Pod>::namespaced(client, "default");
    let mut made = 0;
    loop {
        let there = pods.list(&ListParams::default()).await?.items;
        let standing: Vec<&Pod> = there.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
        let wanted = wanted.load(Ordering::Relaxed);
        for _ in standing.len()..wanted {
            pods.create(&PostParams::default(), &pod(made, scheduler)).await?;
            made += 1;
        }
        let all = standing.len().max(1);
        let goes = |at: usize| at * wanted / all == (at + 1) * wanted / all;
        let surplus = standing.iter().enumerate().filter(|(at, _)| goes(*at));
        for name in surplus.filter_map(|(_, pod)| pod.metadata.name.as_deref()) {
            // Somebody may have evicted it meanwhile.
            pods.delete(name, &DeleteParams::default()).await.ok();
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// A pod that something makes anew, for `scheduler`.
#[must_use]
pub fn pod(n: usize, scheduler: &str) -> Pod {
    let owner = OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: "ReplicaSet".to_owned(),
        name: "web".to_owned(),
        uid: "web".to_owned(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    let container = Container { name: "web".to_owned(), image: Some("web".to_owned()), ..Container::default() };
    let spec = PodSpec {
        containers: vec![container],
        scheduler_name: Some(scheduler.to_owned()),
        termination_grace_period_seconds: Some(5),
        ..PodSpec::default()
    };
    let metadata =
        ObjectMeta { name: Some(format!("web-{n:04}")), owner_references: Some(vec![owner]), ..ObjectMeta::default() };
    Pod { metadata, spec: Some(spec), ..Pod::default() }
}

/// Pods of namespace `default` with an address, pods there in all, nodes, nodes that are cordoned.
///
/// # Errors
/// When the API server does not answer.
pub async fn counts(client: &Client) -> kube::Result<[usize; 4]> {
    let pods = Api::<Pod>::namespaced(client.clone(), "default").list(&ListParams::default()).await?.items;
    let with_ip = pods.iter().filter(|pod| pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some())).count();
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?.items;
    let held = nodes.iter().filter(|node| node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)));
    Ok([with_ip, pods.len(), nodes.len(), held.count()])
}
