//! What it answers.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use crate::client::{Ask, Version, ask, request};
use crate::rig::{Rig, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_is_read_and_a_group_without_addresses_left_out() {
    let rig = Rig::start().await;
    let advisor = rig.advisor(Some("1.36")).await;
    let client = rig.client(&advisor).await;
    let best =
        async |version, asks: &[Ask], templates| client.best_options(request(version, asks, templates)).await.unwrap();
    // The roomy group has its node once EC2 and the cluster are of one time.
    until(&advisor, "nodes", "1").await;
    for version in Version::ALL {
        let both = [ask("eks-empty", 1, 0..2), ask("eks-roomy", 1, 0..2)];
        assert_eq!(best(version, &both, true).await, ["eks-roomy"], "{version:?}");
        assert_eq!(best(version, &both[..1], true).await, [""; 0], "{version:?}: a veto");
        assert_eq!(best(version, &both[1..], true).await, ["eks-roomy"], "{version:?}: one option");
        let unknown = [ask("unknown", 1, 0..2), ask("eks-empty", 1, 0..2)];
        assert_eq!(best(version, &unknown, true).await, ["unknown"], "{version:?}: nothing is known of it");
        let twice = [ask("eks-roomy", 1, 0..2), ask("eks-roomy", 9, 0..2)];
        assert_eq!(best(version, &twice, true).await, ["eks-roomy"], "{version:?}: twice");
        assert_eq!(best(version, &both, false).await, ["eks-roomy"], "{version:?}: no template");
        assert_eq!(best(version, &[], true).await, [""; 0], "{version:?}: nothing asked");
        let large = [
            Ask { padding: 6000, ..ask("eks-empty", 200, 0..2000) },
            Ask { padding: 6000, ..ask("eks-roomy", 1, 0..9) },
        ];
        assert_eq!(best(version, &large, true).await, ["eks-roomy"], "{version:?}: 12 MB and more");
    }
    let outcome = |outcome: &str| format!("expander_answers_total{{outcome=\"{outcome}\"}}");
    until(&advisor, &outcome("veto"), "3").await;
    until(&advisor, &outcome("fits"), "12").await;
    assert_eq!(client.nonsense().await, "13");
    until(&advisor, "expander_unanswered_total{reason=\"malformed\"}", "1").await;
    rig.lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_answer_only_where_it_means_a_veto() {
    let rig = Rig::start().await;
    for (version, want) in
        [(Some("1.36"), vec![]), (Some("1.32"), vec![]), (Some("1.31"), vec!["eks-empty"]), (None, vec!["eks-empty"])]
    {
        let advisor = rig.advisor(version).await;
        let client = rig.client(&advisor).await;
        let asked = request(Version::V1_31, &[ask("eks-empty", 1, 0..2)], true);
        assert_eq!(client.best_options(asked).await.unwrap(), want, "{version:?}");
        advisor.stop().await.unwrap();
    }
    rig.lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_are_not_promised_the_same_addresses() {
    let rig = Rig::start().await;
    let advisor = rig.advisor(Some("1.36")).await;
    until(&advisor, "nodes", "1").await;
    let client = rig.client(&advisor).await;
    let best = async |nodes, pods| {
        let asked = request(Version::V1_36, &[ask("eks-roomy", nodes, pods)], true);
        client.best_options(asked).await.unwrap()
    };
    // 8 each, of about 240.
    assert_eq!(best(16, 0..32).await, ["eks-roomy"]);
    until(&advisor, "expander_held_ips", "128").await;
    assert_eq!(best(16, 100..132).await, ["eks-roomy"], "most of them still find something");
    until(&advisor, "expander_answers_total{outcome=\"partial\"}", "1").await;
    assert_eq!(best(1, 200..202).await, [""; 0], "nothing is left");
    // The same pods as in the first call: nothing came of it.
    assert_eq!(best(1, 0..32).await, ["eks-roomy"], "what was promised for them is theirs again");
    rig.lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_another_name_is_not_taken() {
    let rig = Rig::start().await;
    let advisor = rig.advisor(None).await;
    let error = rig.connect(&advisor, "expander.kube-system.svc").await.err().unwrap().to_string();
    assert!(error.contains("not valid for name"), "{error}");
    rig.lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_autoscaler_s_own_pod_tells_its_version_and_what_undoes_an_answer() {
    let rig = Rig::start().await;
    let kubeconfig = Kubeconfig::read_from(rig.lab.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(kube::Client::try_from(config).unwrap(), "kube-system");
    let command = ["./cluster-autoscaler", "--expander=grpc,least-waste", "--balance-similar-node-groups"];
    let image = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.2";
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "cluster-autoscaler-0", "labels": {"app.kubernetes.io/name": "aws-cluster-autoscaler"}},
        "spec": {"containers": [{"name": "ca", "image": image, "command": command}]},
    }));
    pods.create(&PostParams::default(), &pod.unwrap()).await.unwrap();

    let advisor = rig.advisor(None).await;
    for series in ["autoscaler_present", "autoscaler_asks", "autoscaler_balances"] {
        until(&advisor, series, "1").await;
    }
    let asked = request(Version::V1_34_2, &[ask("eks-empty", 1, 0..2)], true);
    assert_eq!(rig.client(&advisor).await.best_options(asked).await.unwrap(), [""; 0], "1.34 knows a veto");
    rig.lab.shutdown().await;
}
