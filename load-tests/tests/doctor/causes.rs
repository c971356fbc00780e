//! The right cause for each way in which the lab makes pods hang, and none for those that run.

use headroom_advisor::doctor::Scope;
use headroom_doctor::{Cause, Level, node, pod};
use headroom_load_tests::eventually::eventually;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::rig::{Rig, WITHIN};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_subnet() {
    let rig = Rig::start("r1-subnet-empty").await;
    let report = rig.found(2, Cause::SubnetEmpty).await;
    let subnet = &rig.lab.report().subnets[0];
    let says = &report.findings[0].says;
    assert!(says.contains(&subnet.id) && says.contains("has 0 of 59 addresses free"), "{report}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_instance_with_a_subnet_that_is_not() {
    let rig = Rig::start("r4-c5-xlarge").await;
    let report = rig.found(2, Cause::InstanceLimit).await;
    rig.given(112).await;
    let too_high = report.findings.iter().find(|finding| finding.cause == Cause::MaxPodsTooHigh).unwrap();
    assert_eq!(too_high.level, Level::Warning);
    assert!(too_high.says.contains("is 110: 52 pods more than it has addresses for"), "{report}");

    let (.., name) = rig.hanging(1).unwrap();
    let found = node::diagnose(&rig.collect(&Scope::Node(name.clone())).await, &name, Some(10));
    let causes: Vec<Cause> = found.report.findings.iter().map(|finding| finding.cause).collect();
    assert_eq!(causes, [Cause::InstanceLimit, Cause::MaxPodsTooHigh], "{found}");
    let (figures, more) = (found.figures.clone().unwrap(), found.more.clone().unwrap());
    assert_eq!((figures.ceiling, figures.recommended_max_pods, figures.attached), (56, Some(58), 56), "{found}");
    assert_eq!((more.at_once + more.soon, more.lacking, more.why), (0, 10, Some("instance_ip_limit")), "{found}");

    let bundle = rig.collect(&Scope::Cluster).await;
    let mut healthy = 0;
    for one in bundle.pods.get().unwrap().iter().filter(|pod| pod.phase == "Running") {
        let report = pod::diagnose(&bundle, &one.namespace, &one.name);
        assert_eq!((report.exit_code(), report.findings.len()), (0, 0), "{report}");
        healthy += 1;
    }
    assert!(healthy > 100, "{healthy}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fragmented_subnet() {
    let rig = Rig::start("prefix-fragmented").await;
    let report = rig.found(2, Cause::SubnetFragmented).await;
    assert!(report.findings[0].says.contains("0 free /28s"), "{report}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_cool_down() {
    let rig = Rig::start("r2-cooldown").await;
    let report = rig.found(1, Cause::CoolingDown).await;
    assert!(report.findings[0].says.contains("were released less than 30 s ago"), "{report}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_only_ec2_knows() {
    let rig = Rig::start("r1-unknown-type").await;
    let report = rig.found(2, Cause::InstanceLimit).await;
    assert!(
        report.to_string().contains("3 ENIs × 9 addresses = 27 for pods, by EC2's DescribeInstanceTypes"),
        "{report}"
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_a_pod_do_not_leave_the_cluster() {
    const SECRET: &str = "hunter2-in-plain-text";
    let rig = Rig::start("r1-instance-limit").await;
    let pods = Api::<Pod>::namespaced(rig.client.clone(), "default");
    let secretive = json!({
        "metadata": {"name": "secretive", "annotations": {"token": SECRET}, "labels": {"token": SECRET}},
        "spec": {"containers": [{"name": "app", "image": format!("app:{SECRET}"), "args": [SECRET],
            "env": [{"name": "PASSWORD", "value": SECRET}], "resources": {"requests": {"cpu": "10m"}}}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(secretive).unwrap()).await.unwrap();
    let text = eventually("the pod is in the bundle", WITHIN, async || {
        let bundle = rig.collect(&Scope::Cluster).await;
        // It is Pending, or runs on a node where others wait.
        bundle.pod("default", "secretive").map(|_| bundle.to_json().unwrap()).ok_or("it is not")
    });
    let text = text.await;
    assert!(!text.contains(SECRET), "{text}");
    rig.stop().await;
}
