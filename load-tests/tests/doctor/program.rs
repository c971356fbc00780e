//! The program: exit codes, text and JSON, live and from a file.

use std::path::Path;
use std::process::{Output, Stdio};

use headroom_doctor::Cause;
use serde_json::Value;
use tokio::process::Command;

use crate::rig::Rig;

async fn doctor(rig: Option<&Rig>, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_advisor-under-test"));
    command.arg("doctor").args(args).stdin(Stdio::null()).env_remove("KUBECONFIG").env("HOME", "/nowhere");
    if let Some(rig) = rig {
        command
            .args(["--kubeconfig".as_ref(), rig.lab.kubeconfig().as_os_str()])
            .env("AWS_ENDPOINT_URL", rig.lab.aws_url())
            .env("AWS_REGION", "us-west-2")
            .env("AWS_ACCESS_KEY_ID", "AKID")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
    }
    command.output().await.unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn causes(json: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(json).unwrap();
    report["findings"].as_array().unwrap().iter().map(|one| one["cause"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_and_from_a_file_the_program_says_the_same() {
    let rig = Rig::start("r4-c5-xlarge").await;
    rig.found(2, Cause::InstanceLimit).await;
    rig.given(112).await;
    let (namespace, name, node) = rig.hanging(2).unwrap();
    let pod = format!("{namespace}/{name}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bundle.json");
    let file = file.to_str().unwrap();

    let (code, out, err) = said(&doctor(Some(&rig), &["collect", "--output", file]).await);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", ""));
    let (code, live, _) = said(&doctor(Some(&rig), &["pod", &pod, "--output", "json"]).await);
    assert_eq!(code, Some(1), "{live}");
    let (code, saved, _) = said(&doctor(None, &["pod", &pod, "--output", "json", "--bundle", file]).await);
    assert_eq!(code, Some(1), "{saved}");
    assert_eq!(causes(&live), ["instance_limit", "max_pods_too_high"]);
    assert_eq!(causes(&live), causes(&saved));

    let (code, text, _) = said(&doctor(None, &["node", &node, "--more", "5", "--bundle", file]).await);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("max-pods   110, recommended 58") && text.contains("5 more pods: 0 at once"), "{text}");
    rig.stop().await;
}

async fn refused(dir: &Path, bundle: &str) -> (Option<i32>, String) {
    let file = dir.join("bad.json");
    std::fs::write(&file, bundle).unwrap();
    let (code, out, err) = said(&doctor(None, &["pod", "a/b", "--bundle", file.to_str().unwrap()]).await);
    assert_eq!(out, "");
    (code, err)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_used_is_named_with_an_exit_code_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (code, err) = refused(dir.path(), r#"{"version": 99}"#).await;
    assert!(code == Some(64) && err.contains("version is 99, and this program reads 1"), "{err}");
    let (code, err) = refused(dir.path(), r#"{"version": 1, "collected_at_ms": "now", "cluster": "c"}"#).await;
    assert!(code == Some(64) && err.contains("collected_at_ms: invalid type: string"), "{err}");
    let (code, err) = refused(dir.path(), "PK\u{3}\u{4}").await;
    assert!(code == Some(64) && err.contains("this is no bundle"), "{err}");

    let (code, out, _) = said(&doctor(None, &["pod", "a/b", "--bundle", "/nowhere/at/all"]).await);
    assert_eq!((code, out.as_str()), (Some(4), ""));
    let (code, _, err) = said(&doctor(None, &["pod", "web"]).await);
    assert!(code == Some(2) && err.contains("must be NAMESPACE/NAME"), "{err}");
    let (code, _, err) = said(&doctor(None, &["pod", "a/b", "--kubeconfig", "/nowhere/config"]).await);
    assert!(code == Some(4) && err.contains("failed to load kubeconfig '/nowhere/config'"), "{err}");
    let (code, _, err) = said(&doctor(None, &["pod", "a/b", "--config", "/nowhere/config"]).await);
    assert!(code == Some(64) && err.contains("failed to read config '/nowhere/config'"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_gone_is_told_and_not_guessed_at() {
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = dir.path().join("config");
    let text =
        "{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x, user: x}}],
        users: [{name: x, user: {}}], clusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}]}";
    std::fs::write(&kubeconfig, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_advisor-under-test"))
        .args(["doctor", "pod", "default/web", "--kubeconfig", kubeconfig.to_str().unwrap()])
        .env("AWS_REGION", "us-west-2")
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .await
        .unwrap();
    let (code, text, err) = said(&output);
    assert_eq!(code, Some(3), "{text}{err}");
    assert!(text.contains("unknown not_read (pods): pods could not be read: failed to list pods"), "{text}");
}
