//! The binary itself, with a cluster and an AWS that do not answer.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn advisor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headroom-advisor"));
    command.args(args).env_remove("KUBECONFIG");
    // Nobody listens there, and nothing of the machine's own settings counts.
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_REGION", "us-west-2"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nonexistent"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"),
    ] {
        command.env(name, value);
    }
    command
}

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = advisor(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn write(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Names an API server at a port that nobody listens on.
fn kubeconfig(dir: &Path) -> String {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gone",
        "clusters": [{"name": "gone", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "gone", "user": {}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "gone"}}],
    });
    write(dir, "kubeconfig", &config.to_string())
}

fn get(addr: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(20) {
        if let Some(value) = attempt() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}");
}

/// Ends with the test, however that ends.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already, as it should have.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn runs_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (config, kubeconfig) = (write(dir.path(), "config.yaml", "cluster_name: prod\n"), kubeconfig(dir.path()));
    let ready_file = dir.path().join("ready.json");
    let any = "127.0.0.1:0";
    let child = advisor(&["run", "--config", &config, "--kubeconfig", &kubeconfig, "--grpc-listen", any])
        .args(["--admin-listen", any, "--ready-file"])
        .arg(&ready_file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let addrs: Value = until("no ready file", || {
        let text = std::fs::read_to_string(&ready_file).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    });
    let admin = addrs["admin_addr"].as_str().unwrap();
    assert!(get(admin, "/livez").starts_with("HTTP/1.1 200"));
    let readyz = get(admin, "/readyz");
    assert!(
        readyz.starts_with("HTTP/1.1 503")
            && readyz.contains("not synced: node, pod")
            && readyz.contains("AWS subnets"),
        "{readyz}"
    );
    let _grpc = TcpStream::connect(addrs["grpc_addr"].as_str().unwrap()).unwrap();
    until("the connection was not counted", || {
        get(admin, "/metrics").contains(r#"headroom_advisor_connections_total{listener="grpc"} 1"#).then_some(())
    });

    assert!(Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
    let status = until("did not stop", || child.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn exit_codes_tell_what_is_wrong() {
    let (code, defaults, error) = output(&["check-config"]);
    assert_eq!((code, defaults.contains("subnets_secs: 30")), (Some(64), true), "{defaults}");
    assert!(error.contains("headroom-advisor: config: cluster_name: required"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let config = |text: &str| write(dir.path(), "config.yaml", text);
    let (code, text, _) = output(&["check-config", "--config", &config("cluster_name: prod\n"), "--subnets", "7"]);
    let parts = ["cluster_name: prod\n", "enis_secs: 60", "# Estimate for 7 subnets"];
    assert_eq!((code, parts.map(|part| text.contains(part))), (Some(0), [true; 3]), "{text}");
    let (code, _, error) = output(&["check-config", "--config", &config("cluster_nam: prod\n")]);
    assert_eq!((code, error.contains("did you mean 'cluster_name'?")), (Some(64), true), "{error}");
    let tls = "cluster_name: prod\ntls: {cert_file: /nonexistent/tls.crt, key_file: /nonexistent/tls.key}\n";
    let (code, _, error) = output(&["run", "--config", &config(tls), "--kubeconfig", &kubeconfig(dir.path())]);
    assert_eq!((code, error.contains("failed to read '/nonexistent/tls.crt'")), (Some(64), true), "{error}");

    assert_eq!(output(&["run", "--grpc-listen", "nowhere"]).0, Some(2));
    let config = config("cluster_name: prod\n");
    let without_region = advisor(&["run", "--config", &config, "--kubeconfig", &kubeconfig(dir.path())])
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&without_region.stderr);
    assert_eq!((without_region.status.code(), error.contains("aws.region")), (Some(64), true), "{error}");
    let (code, _, error) = output(&["run", "--config", &config, "--kubeconfig", "/nonexistent/kubeconfig"]);
    assert_eq!((code, error.contains("/nonexistent/kubeconfig")), (Some(1), true), "{error}");
}
