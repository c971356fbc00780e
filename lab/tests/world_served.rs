//! The lab as its clients see it: over HTTP, by the kubeconfig, on a clock that runs fast.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::core::v1::{Binding, Event, Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Status};
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};

async fn client(lab: &Lab) -> Client {
    let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn autoscaling(lab: &Lab) -> aws_sdk_autoscaling::Client {
    use aws_sdk_autoscaling::config::{BehaviorVersion, Credentials, Region};
    let config = aws_sdk_autoscaling::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .endpoint_url(lab.aws_url())
        .credentials_provider(Credentials::new("lab", "lab", None, None, "test"));
    aws_sdk_autoscaling::Client::from_conf(config.build())
}

/// Waits for the report to be as wanted, a few real seconds at most.
async fn until(lab: &Lab, wanted: impl Fn(&headroom_lab::world::Report) -> bool) {
    for _ in 0..200 {
        if wanted(&lab.report()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{:#?}", lab.report());
}

#[tokio::test]
async fn a_scheduler_over_http_fills_a_node_until_pods_hang() {
    let scenario = Scenario::bundled("r1-instance-limit").unwrap().unwrap();
    let lab = Lab::start(scenario, Options { rate: Some(100.0), ..Options::default() }).await.unwrap();
    let client = client(&lab).await;
    until(&lab, |report| report.nodes.iter().any(|node| node.ready) && report.totals.unbound == 20).await;
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default().fields("spec.nodeName=")).await.unwrap();
    assert_eq!((nodes.items.len(), pods.items.len()), (1, 20));
    for pod in &pods.items {
        let binding = Binding {
            metadata: ObjectMeta { name: pod.metadata.name.clone(), ..ObjectMeta::default() },
            target: ObjectReference { name: nodes.items[0].metadata.name.clone(), ..ObjectReference::default() },
        };
        let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap());
        let (name, params) = (pod.name_any(), PostParams::default());
        api.create_subresource::<_, Status>("binding", &name, &params, &binding).await.unwrap();
    }
    until(&lab, |report| report.totals.with_ip == 15 && report.totals.hanging == 5).await;
    let events = Api::<Event>::all(client).list(&ListParams::default()).await.unwrap();
    assert!(events.items.iter().any(|event| event.reason.as_deref() == Some("FailedCreatePodSandBox")));
    let groups = autoscaling(&lab).describe_auto_scaling_groups().send().await.unwrap();
    let [group] = groups.auto_scaling_groups() else { panic!("{groups:?}") };
    assert_eq!((group.auto_scaling_group_name(), group.instances().len()), (Some("eks-workers"), 1));
    let kubeconfig = lab.kubeconfig().to_owned();
    lab.shutdown().await;
    assert!(!kubeconfig.exists(), "the temporary file is removed");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let scenario = Scenario::bundled("r4-t2-large").unwrap().unwrap();
    let error = Lab::start(scenario, Options { kube_port: port, ..Options::default() }).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("cannot listen on 127.0.0.1:{port}; give another kube-port")),
        "{error}"
    );
}
