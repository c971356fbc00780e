//! The watches against an API server that misbehaves: an absent CRD, a kind that may not be read, an object of the wrong shape, a log
//! that was compacted.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod fake;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, stream};
use headroom_cluster::{ErrorClass, Event, Kind, connect, watch};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[derive(Clone, Default)]
struct Fake {
    pod_lists: Arc<AtomicUsize>,
    pod_watches: Arc<AtomicUsize>,
}

type Params = Query<HashMap<String, String>>;

fn is_watch(params: &Params) -> bool {
    params.get("watch").is_some_and(|value| value == "true" || value == "1")
}

fn list(items: Value) -> Response {
    json_response(&json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "10"}, "items": items}))
}

fn json_response(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

/// Sends the events, `type` first as kube-apiserver does, and then nothing, the connection open.
fn events(events: Vec<Value>) -> Response {
    let line = |event: Value| format!("{{\"type\":{},\"object\":{}}}\n", event["type"], event["object"]);
    let lines = events.into_iter().map(move |event| Ok::<_, Infallible>(Bytes::from(line(event))));
    Body::from_stream(stream::iter(lines).chain(stream::pending())).into_response()
}

async fn empty(params: Params) -> Response {
    if is_watch(&params) { events(Vec::new()) } else { list(json!([])) }
}

async fn nodes(params: Params) -> Response {
    if is_watch(&params) {
        return events(Vec::new());
    }
    list(
        json!([{"metadata": {"name": "n1", "resourceVersion": "1"}, "spec": {}, "status": {"capacity": {"pods": "58"}}}]),
    )
}

fn pod(uid: &str) -> Value {
    json!({"metadata": {"uid": uid, "name": uid, "namespace": "default", "resourceVersion": "11"},
        "spec": {"nodeName": "n1"}, "status": {}})
}

/// The first list has a and b; the watch then adds c and breaks; the second list lacks a. An answer in JSON to who asks for
/// protobuf only shows that there is none.
async fn pods(State(fake): State<Fake>, params: Params, headers: HeaderMap) -> Response {
    if headers.get("accept").is_some_and(|accept| accept.to_str().unwrap().contains("protobuf")) {
        return list(json!([]));
    }
    if !is_watch(&params) {
        let odd = json!({"metadata": {"uid": "odd", "name": "odd", "namespace": "default"}, "spec": {"hostNetwork": "maybe"}});
        return match fake.pod_lists.fetch_add(1, Ordering::Relaxed) {
            0 => list(json!([pod("a"), pod("b"), odd])),
            _ => list(json!([pod("b"), pod("c"), odd])),
        };
    }
    match fake.pod_watches.fetch_add(1, Ordering::Relaxed) {
        0 => events(vec![
            json!({"type": "ADDED", "object": pod("c")}),
            json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "too old resource version", "reason": "Expired", "code": 410}}),
        ]),
        _ => events(Vec::new()),
    }
}

async fn config_maps(params: Params) -> Response {
    assert_eq!(params["fieldSelector"], "metadata.name=amazon-vpc-cni");
    if is_watch(&params) {
        return events(Vec::new());
    }
    let data = json!({"branch-eni-cooldown": "45"});
    list(
        json!([{"metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system", "resourceVersion": "1"}, "data": data}]),
    )
}

async fn absent() -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the server could not find the requested resource", "reason": "NotFound", "code": 404});
    (StatusCode::NOT_FOUND, json_response(&status)).into_response()
}

async fn forbidden() -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "cronjobs.batch is forbidden: User \"advisor\" cannot list resource \"cronjobs\"", "reason": "Forbidden", "code": 403});
    (StatusCode::FORBIDDEN, json_response(&status)).into_response()
}

/// Two of the same name: the watch takes one of them away.
async fn stateful_sets(params: Params) -> Response {
    let set = |namespace: &str| json!({"metadata": {"name": "db", "namespace": namespace, "resourceVersion": "12"}, "spec": {"replicas": 3}});
    if is_watch(&params) {
        return events(vec![json!({"type": "DELETED", "object": set("shop")})]);
    }
    list(json!([set("shop"), set("ops")]))
}

async fn serve(fake: Fake) -> String {
    let router = Router::new()
        .route("/api/v1/nodes", get(nodes))
        .route("/api/v1/pods", get(pods))
        .route("/api/v1/events", get(empty))
        .route("/apis/apps/v1/namespaces/kube-system/daemonsets", get(empty))
        .route("/api/v1/namespaces/kube-system/configmaps", get(config_maps))
        .route("/apis/apps/v1/statefulsets", get(stateful_sets))
        .route("/apis/batch/v1/cronjobs", get(forbidden))
        .fallback(absent)
        .with_state(fake);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{addr}")
}

#[tokio::test]
async fn survives_absent_kinds_odd_objects_and_a_compacted_log() {
    let fake = Fake::default();
    let file = fake::kubeconfig(&serve(fake.clone()).await);
    let client = connect(Some(file.path()), None).await.unwrap();
    let watching = watch(&client);
    let mut tasks = JoinSet::new();
    for (_, task) in watching.tasks {
        tasks.spawn(task);
    }
    let mut events = watching.events;
    let mut seen = Vec::new();
    let all = async {
        let deleted = |event: &Event| matches!(event, Event::PodDeleted(_));
        // One is refused.
        while !seen.iter().any(deleted) || synced(&seen).len() < Kind::ALL.len() - 1 || !seen.iter().any(undeclared) {
            seen.push(events.recv().await.unwrap());
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), all).await.is_ok(), "{seen:#?}");

    for kind in [Kind::CniNode, Kind::EniConfig, Kind::Deployment, Kind::DaemonSet, Kind::CsiNode] {
        assert!(seen.contains(&Event::Synced { kind, absent: true }), "{kind:?}");
    }
    assert!(seen.contains(&Event::Synced { kind: Kind::Node, absent: false }));
    let gone: Vec<&Event> = seen.iter().filter(|event| undeclared(event)).collect();
    assert_eq!(gone, [&Event::DeclaredDeleted { kind: Kind::StatefulSet, name: "shop/db".into() }]);
    let refused = |event: &Event| matches!(event, Event::WatchFailed { kind: Kind::CronJob, error, .. } if error.contains("cannot list"));
    assert_eq!(seen.iter().filter(|event| refused(event)).count(), 1, "a refusal is not asked about again at once");
    assert!(!synced(&seen).contains(&Kind::CronJob));
    let cooldown =
        |event: &Event| matches!(event, Event::ControllerSettings(read) if read.branch_cooldown.as_secs() == 45);
    assert!(seen.iter().any(cooldown));
    let gone: Vec<&str> = seen
        .iter()
        .filter_map(|event| if let Event::PodDeleted(uid) = event { Some(uid.as_str()) } else { None })
        .collect();
    assert_eq!(gone, ["a"], "the deletion that the watch missed");
    let odd =
        |event: &Event| matches!(event, Event::Undecodable { kind: Kind::Pod, object, .. } if object == "default/odd");
    assert!(seen.iter().any(odd));
    let failed = |event: &Event| matches!(event, Event::WatchFailed { kind: Kind::Pod, class: ErrorClass::Server, .. });
    let failed = seen.iter().position(failed).unwrap();
    let recovered = seen.iter().position(|event| *event == Event::WatchRecovered(Kind::Pod)).unwrap();
    assert!(failed < recovered);
    drop(events);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported_with_its_cause() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let file = fake::kubeconfig(&format!("http://127.0.0.1:{port}"));
    let client = connect(Some(file.path()), None).await.unwrap();
    let mut watching = watch(&client);
    let mut tasks: JoinSet<()> = JoinSet::new();
    for (_, task) in watching.tasks {
        tasks.spawn(task);
    }
    let Some(Event::WatchFailed { class, error, .. }) = watching.events.recv().await else { panic!() };
    assert_eq!(class, ErrorClass::List);
    assert!(error.contains("refused"), "{error}");
}

fn undeclared(event: &Event) -> bool {
    matches!(event, Event::DeclaredDeleted { .. })
}

fn synced(seen: &[Event]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = seen
        .iter()
        .filter_map(|event| if let Event::Synced { kind, .. } = event { Some(*kind) } else { None })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn a_missing_kubeconfig_is_named() {
    let error = connect(Some("/nonexistent/kubeconfig".as_ref()), None).await.err().unwrap();
    assert_eq!(error.to_string(), "failed to load kubeconfig '/nonexistent/kubeconfig'");
}
