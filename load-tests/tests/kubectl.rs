//! kubectl reads the lab as it reads a cluster. Needs the binary of `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::control_plane::{Binaries, skip};

fn kubectl(binary: &Path, lab: &Lab, args: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(binary)
        .args(args)
        .arg("--request-timeout=20s")
        .env("KUBECONFIG", lab.kubeconfig())
        .env("HOME", home.path()) // kubectl caches discovery there
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "kubectl {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_gets_and_describes() {
    if skip() {
        return;
    }
    let binary = Binaries::find().unwrap().kubectl;
    let scenario = Scenario::bundled("r4-c5-xlarge").unwrap().unwrap();
    let lab = Lab::start(scenario, Options { rate: Some(20.0), ..Options::default() }).await.unwrap();
    while lab.report().nodes.len() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let nodes = kubectl(&binary, &lab, &["get", "nodes", "-o", "name"]);
    assert_eq!(nodes.lines().filter(|line| line.starts_with("node/ip-10-0-")).count(), 2, "{nodes}");
    let pods = kubectl(&binary, &lab, &["get", "pods", "-n", "kube-system", "-o", "name"]);
    assert!(pods.contains("pod/coredns-") && pods.contains("pod/aws-node-"), "{pods}");
    let cni_nodes = kubectl(&binary, &lab, &["get", "cninodes.vpcresources.k8s.aws", "-o", "name"]);
    assert_eq!(cni_nodes.lines().count(), 2, "{cni_nodes}");
    let name = nodes.lines().next().unwrap().strip_prefix("node/").unwrap();
    let described = kubectl(&binary, &lab, &["describe", "node", name]);
    for part in ["node.kubernetes.io/instance-type=c5.xlarge", "pods:", "110", "aws:///us-west-2a/i-"] {
        assert!(described.contains(part), "{part} in {described}");
    }
    lab.shutdown().await;
}
