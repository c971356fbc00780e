//! The binary itself, against an API server that knows one node and one pod.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Query};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;
use headroom_proto::v1::extender_client::ExtenderClient;
use headroom_proto::v1::{ExplainRequest, ExplainResponse, Pod};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

fn extender(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headroom-extender"));
    command.args(args).env_remove("KUBECONFIG");
    command
}

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = extender(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

async fn api(UrlPath(path): UrlPath<String>, query: Query<HashMap<String, String>>) -> Response {
    let items = match path.as_str() {
        "api/v1/nodes" => json!([{
            "metadata": {"name": "n1", "resourceVersion": "1", "labels": {"node.kubernetes.io/instance-type": "c5.xlarge"}},
            "spec": {}, "status": {"capacity": {"pods": "58"}, "conditions": [{"type": "Ready", "status": "True"}]},
        }]),
        "api/v1/pods" => json!([{
            "metadata": {"name": "web-0", "namespace": "default", "uid": "u0", "resourceVersion": "2"},
            "spec": {"containers": []}, "status": {"phase": "Pending"},
        }]),
        "api/v1/events" | "apis/apps/v1/namespaces/kube-system/daemonsets" => json!([]),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if query.contains_key("watch") {
        return Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()).into_response();
    }
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, "items": items})
        .to_string()
        .into_response()
}

/// Serves the API from a thread of its own for as long as the test runs; returns its kubeconfig.
fn cluster(dir: &Path) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, Router::new().route("/{*path}", get(api))).await
        })
    });
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": server}}],
        "users": [{"name": "fake", "user": {}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
    });
    let path = dir.join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn http(addr: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
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

/// What the running extender says of the pod that has asked.
fn explained_over_grpc(addr: &str) -> ExplainResponse {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let channel = service_fn(move |request| sender.clone().send_request(request));
        let origin: Uri = format!("http://{addr}").parse().unwrap();
        let health = HealthCheckRequest { service: "headroom.v1.Extender".to_owned() };
        let health = HealthClient::with_origin(channel.clone(), origin.clone()).check(health).await.unwrap();
        assert_eq!(health.into_inner().status(), ServingStatus::Serving);
        let pod = Some(Pod { uid: "u0".to_owned(), ..Pod::default() });
        let request = ExplainRequest { pod, node_names: Vec::new() };
        ExtenderClient::with_origin(channel, origin).explain(request).await.unwrap().into_inner()
    })
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
fn serves_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = cluster(dir.path());
    let ready_file = dir.path().join("ready.json");
    let any = "127.0.0.1:0";
    let child = extender(&["serve", "--kubeconfig", &kubeconfig, "--listen", any, "--admin-listen", any])
        .args(["--grpc-listen", any, "--ready-file"])
        .arg(&ready_file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let addrs: Value = until("no ready file", || {
        let text = std::fs::read_to_string(&ready_file).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    });
    let (addr, admin) = (addrs["addr"].as_str().unwrap(), addrs["admin_addr"].as_str().unwrap());
    until("never ready", || http(admin, "GET", "/readyz", "").starts_with("HTTP/1.1 200").then_some(()));

    let request = r#"{"Pod":{"metadata":{"uid":"u0"}},"Nodes":null,"NodeNames":["n1"]}"#;
    assert!(http(addr, "POST", "/v1/filter", request).contains(r#""NodeNames":["n1"]"#));
    let metrics = http(admin, "GET", "/metrics", "");
    assert!(metrics.contains("headroom_extender_claims 1\n"), "{metrics}");
    assert!(metrics.contains("headroom_extender_snapshot_nodes 1\n"), "{metrics}");
    let explained = explained_over_grpc(addrs["grpc_addr"].as_str().unwrap());
    // One ENI: in its first seconds nothing more can have been attached.
    assert_eq!((explained.claimed_node_names, explained.nodes[0].further_pods), (vec!["n1".to_owned()], Some(14)));

    assert!(Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
    let status = until("did not stop", || child.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn explains_a_pod_node_by_node() {
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = cluster(dir.path());
    let explain =
        |pod, more: &[&str]| output(&[&["explain", "--kubeconfig", &kubeconfig, "--pod", pod], more].concat());
    let (code, text, error) = explain("default/web-0", &[]);
    assert_eq!(code, Some(0), "{error}");
    assert!(text.contains("needs: pod IP") && text.contains("n1  now, 56 more"), "{text}");
    let (_, text, _) = explain("default/web-0", &["--output", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["nodes"][0]["verdict"], &report["nodes"][0]["ceiling"]), (&json!("now"), &json!(56)));
    assert_eq!(report["source"], "kubernetes");

    assert_eq!(explain("default/nobody", &[]).0, Some(1));
    let (code, _, error) = explain("nobody", &[]);
    assert_eq!((code, error.contains("namespace/name")), (Some(2), true), "{error}");
}

#[test]
fn exit_codes_tell_what_is_wrong() {
    let (code, defaults, _) = output(&["check-config"]);
    assert_eq!((code, defaults.contains("max_nodes: 50")), (Some(0), true), "{defaults}");

    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, "polici: now\n").unwrap();
    let (code, _, error) = output(&["check-config", "--config", config.to_str().unwrap()]);
    assert_eq!((code, error.contains("did you mean 'policy'?")), (Some(64), true), "{error}");

    assert_eq!(output(&["serve", "--listen", "nowhere"]).0, Some(2));
    std::fs::write(&config, "tls: {cert_file: /nonexistent/tls.crt, key_file: /nonexistent/tls.key}\n").unwrap();
    let tls = ["serve", "--config", config.to_str().unwrap(), "--kubeconfig", &cluster(dir.path())];
    let (code, _, error) = output(&tls);
    assert_eq!(
        (code, error.contains("tls.cert_file: failed to read '/nonexistent/tls.crt'")),
        (Some(64), true),
        "{error}"
    );
    let (code, _, error) = output(&["serve", "--kubeconfig", "/nonexistent/kubeconfig"]);
    assert_eq!((code, error.contains("/nonexistent/kubeconfig")), (Some(1), true), "{error}");

    let any = "127.0.0.1:0";
    let serve = ["serve", "--kubeconfig", &cluster(dir.path()), "--listen", any, "--admin-listen", any];
    let (code, _, error) = output(&[&serve[..], &["--ready-file", "/nonexistent/ready"]].concat());
    assert_eq!((code, error.contains("--ready-file '/nonexistent/ready'")), (Some(1), true), "{error}");
}
