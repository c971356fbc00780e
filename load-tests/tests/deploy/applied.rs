//! Every variant against kube-apiserver's own validation and admission.

use headroom_load_tests::control_plane::{ControlPlane, skip};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::install::{apply, create_namespace, kubectl_apply};
use crate::manifests::{NAMESPACE, Variant, containers, items, text};

/// One after the other, as an upgrade from values to values does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_variant_is_valid_and_its_pods_are_restricted() {
    if skip() {
        return;
    }
    let control_plane = ControlPlane::start().await.unwrap();
    create_namespace(&control_plane.client).await;
    let pods = Api::<Pod>::namespaced(control_plane.client.clone(), NAMESPACE);
    for variant in Variant::all() {
        apply(&control_plane, &variant).await;
        for workload in variant.workloads() {
            let pod = pod_of(workload);
            admitted(&pods, &pod).await.unwrap_or_else(|error| panic!("{}: {error}", variant.name));
            for container in containers(&pod["spec"]) {
                let error = admitted(&pods, &unrestricted(&pod, text(container, "/name"))).await.unwrap_err();
                assert!(error.contains("violates PodSecurity \"restricted"), "{error}");
            }
        }
    }
    // What is misspelt would be told.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("misspelt.yaml");
    let mut misspelt = Variant::read("default").workload("headroom-scheduler").clone();
    misspelt["spec"]["template"]["spec"]["priorityClass"] = json!("system-cluster-critical");
    std::fs::write(&file, misspelt.to_string()).unwrap();
    let error = kubectl_apply(&control_plane, &file).await.unwrap_err();
    assert!(error.contains("priorityClass"), "{error}");
}

/// As the controller makes it: a StatefulSet's claims become volumes.
fn pod_of(workload: &Value) -> Value {
    let template = &workload["spec"]["template"];
    let mut pod = json!({ "metadata": template["metadata"], "spec": template["spec"] });
    pod["metadata"]["name"] = json!("of-the-template");
    for claim in items(&workload["spec"], "volumeClaimTemplates") {
        let name = text(claim, "/metadata/name");
        let volume = json!({ "name": name, "persistentVolumeClaim": { "claimName": format!("{name}-0") } });
        pod["spec"]["volumes"].as_array_mut().unwrap().push(volume);
    }
    pod
}

/// Without the security context of one container.
fn unrestricted(pod: &Value, container: &str) -> Value {
    let mut pod = pod.clone();
    for list in ["initContainers", "containers"] {
        for one in pod["spec"][list].as_array_mut().into_iter().flatten() {
            if one["name"] == *container {
                one["securityContext"] = Value::Null;
            }
        }
    }
    pod
}

async fn admitted(pods: &Api<Pod>, pod: &Value) -> Result<(), String> {
    let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    pods.create(&dry_run, &pod).await.map(drop).map_err(|error| error.to_string())
}
