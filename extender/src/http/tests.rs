use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use headroom_shell::admin;
use headroom_shell::listen::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::extender;
use crate::config::Config;
use crate::core::{Clock, Core};
use crate::fixtures::{World, running};
use crate::metrics::Listener;

const TWO: &str = r#"{"Pod":{"metadata":{"uid":"u1"}},"Nodes":null,"NodeNames":["n1","full"]}"#;

fn ready(config: Config) -> Arc<Core> {
    let core = Arc::new(Core::new(config));
    let mut world = World::with(&[("n1", "c5.xlarge"), ("full", "t3.nano")]);
    world.pod(running("a", "full"));
    world.pod(running("b", "full"));
    core.publish(world.snapshot(), &world.index.take_outcomes(), world.now);
    core
}

async fn send(router: Router, method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn filter(core: &Arc<Core>, body: &str) -> String {
    let (status, body) = send(extender(Arc::clone(core), Clock::start()), "POST", "/v1/filter", body.to_owned()).await;
    assert_eq!(status, StatusCode::OK);
    body
}

#[tokio::test]
async fn filters_and_scores() {
    let core = ready(Config::default());
    let reply = filter(&core, TWO).await;
    assert_eq!(
        reply,
        r#"{"Nodes":null,"NodeNames":["n1"],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}"#
    );
    let router = extender(Arc::clone(&core), Clock::start());
    let (_, scores) = send(router, "POST", "/v1/prioritize", TWO.to_owned()).await;
    assert_eq!(scores, r#"[{"Host":"n1","Score":10},{"Host":"full","Score":0}]"#);
}

#[tokio::test]
async fn every_refusal_is_200_with_an_error_inside() {
    let mut config = Config::default();
    config.http.max_body_bytes = 4096;
    let core = ready(config);
    for (body, expected) in [
        ("{".to_owned(), "malformed request"),
        (r#"{"Pod":{},"Nodes":{"items":[]},"NodeNames":null}"#.to_owned(), "nodeCacheCapable: true"),
        (format!(r#"{{"pad":"{}"}}"#, "x".repeat(5000)), "http.max_body_bytes"),
    ] {
        let reply: serde_json::Value = serde_json::from_str(&filter(&core, &body).await).unwrap();
        assert!(reply["Error"].as_str().unwrap().contains(expected), "{reply}");
        assert!(reply["NodeNames"].is_null());
    }
    let router = extender(Arc::clone(&core), Clock::start());
    assert_eq!(send(router, "POST", "/v1/prioritize", "{").await, (StatusCode::OK, "[]".to_owned()));
    let text = core.metrics_text().unwrap();
    assert!(text.contains(r#"headroom_extender_requests_total{verb="filter",answer="too_large"} 1"#), "{text}");
}

#[tokio::test]
async fn says_what_is_missing_until_it_is_ready() {
    let core = Arc::new(Core::new(Config::default()));
    let (status, body) = send(admin::router(Arc::clone(&core)), "GET", "/readyz", "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, "not synced: node, pod, cninode, eniconfig, aws_node, sandbox_event\n");
    assert!(filter(&core, TWO).await.contains("headroom: not ready"));
    let host = r#"{"Pod":{"metadata":{"uid":"u"},"spec":{"hostNetwork":true}},"NodeNames":["n9"]}"#;
    assert!(filter(&core, host).await.contains(r#""NodeNames":["n9"]"#), "host-network pods need no state");

    let core = ready(Config::default());
    assert_eq!(send(admin::router(Arc::clone(&core)), "GET", "/readyz", "").await.0, StatusCode::OK);
    assert_eq!(send(admin::router(core), "GET", "/livez", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn every_series_is_there_before_anything_happened() {
    let (status, text) = send(admin::router(Arc::new(Core::new(Config::default()))), "GET", "/metrics", "").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        r#"headroom_extender_filter_nodes_total{verdict="never",reason="cooling_down"} 0"#,
        r#"headroom_extender_policy_uses_total{policy="on_stale_state",choice="reject"} 0"#,
        r#"headroom_extender_watch_errors_total{kind="pod",error="stream"} 0"#,
        r#"headroom_extender_filter_duration_seconds_bucket{le="0.00001"} 0"#,
        r#"headroom_extender_connections_total{listener="admin"} 0"#,
        r#"headroom_extender_tls_handshake_errors_total{listener="extender"} 0"#,
        r#"headroom_extender_tls_reloads_total{result="refused"} 0"#,
        "headroom_extender_claims 0",
        "headroom_extender_build_info{version=",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("tls_certificate_expiry_timestamp_seconds{"), "no series without a certificate");
}

struct Server {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

async fn listen(core: Arc<Core>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = extender(Arc::clone(&core), Clock::start());
    let connections = core.metrics.served.by(Listener::Extender.label());
    let task = tokio::spawn(serve(listener, connections, None, router, async { drop(stopped.await) }));
    Server { addr, stop, task }
}

async fn head_and_body(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        assert_ne!(read, 0, "connection closed early");
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            if body.len() >= length.parse().unwrap() {
                return (head, body.to_owned());
            }
        }
    }
}

fn post(body: &str, length: usize) -> String {
    format!("POST /v1/filter HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn one_connection_carries_many_calls_and_ends_with_the_json() {
    let server = listen(ready(Config::default())).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    for _ in 0..3 {
        stream.write_all(post(TWO, TWO.len()).as_bytes()).await.unwrap();
        let (head, body) = head_and_body(&mut stream).await;
        assert!(head.starts_with("http/1.1 200 ok"), "{head}");
        assert!(!head.contains("transfer-encoding") && !head.contains("connection: close"), "{head}");
        assert!(body.ends_with('}'), "no byte after the JSON");
    }
    drop(server.stop);
    let ended = tokio::time::timeout(Duration::from_secs(1), server.task).await;
    assert!(ended.is_ok(), "an idle connection does not hold up shutdown");
}

#[tokio::test]
async fn an_open_request_is_answered_on_shutdown_and_the_connection_closed() {
    let server = listen(ready(Config::default())).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let (first, rest) = TWO.split_at(20);
    stream.write_all(post(first, TWO.len()).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.send(()).unwrap();
    stream.write_all(rest.as_bytes()).await.unwrap();
    let (head, body) = head_and_body(&mut stream).await;
    assert!(head.contains("connection: close"), "{head}");
    assert!(body.contains("n1"));
    server.task.await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_the_server_alive() {
    let server = listen(ready(Config::default())).await;
    let mut cut = TcpStream::connect(server.addr).await.unwrap();
    cut.write_all(post("{\"Pod\"", TWO.len()).as_bytes()).await.unwrap();
    drop(cut);
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(post(TWO, TWO.len()).as_bytes()).await.unwrap();
    assert!(head_and_body(&mut stream).await.1.contains("n1"));
}
