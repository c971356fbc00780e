//! The protobuf watch against an API server that pages, splits frames, ends watches and forgets.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod fake;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, stream};
use headroom_cluster::{ErrorClass, Event, Kind, connect, watch};
use prost::Message;
use tokio::task::JoinSet;

#[derive(Message)]
struct Unknown {
    #[prost(message, optional, tag = "1")]
    type_meta: Option<TypeMeta>,
    #[prost(bytes = "vec", tag = "2")]
    raw: Vec<u8>,
}

#[derive(Message)]
struct TypeMeta {
    #[prost(string, tag = "2")]
    kind: String,
}

#[derive(Message)]
struct List {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ListMeta>,
    #[prost(message, repeated, tag = "2")]
    items: Vec<Pod>,
}

#[derive(Message)]
struct ListMeta {
    #[prost(string, tag = "2")]
    resource_version: String,
    #[prost(string, tag = "3")]
    r#continue: String,
}

#[derive(Message)]
struct Pod {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
    #[prost(message, optional, tag = "2")]
    spec: Option<PodSpec>,
}

#[derive(Message)]
struct ObjectMeta {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(string, tag = "6")]
    resource_version: String,
    /// `finalizers`, which the watch skips.
    #[prost(string, repeated, tag = "14")]
    finalizers: Vec<String>,
}

#[derive(Message)]
struct PodSpec {
    /// Bytes, so that it can be what a string cannot.
    #[prost(bytes = "vec", tag = "10")]
    node_name: Vec<u8>,
}

#[derive(Message)]
struct Status {
    #[prost(string, tag = "3")]
    message: String,
    #[prost(string, tag = "4")]
    reason: String,
    #[prost(int32, tag = "6")]
    code: i32,
}

#[derive(Message)]
struct WatchEvent {
    #[prost(string, tag = "1")]
    r#type: String,
    #[prost(message, optional, tag = "2")]
    object: Option<RawExtension>,
}

#[derive(Message)]
struct RawExtension {
    #[prost(bytes = "vec", tag = "1")]
    raw: Vec<u8>,
}

fn envelope(message: &impl Message) -> Vec<u8> {
    let type_meta = Some(TypeMeta { kind: "Thing".into() });
    [b"k8s\0".to_vec(), Unknown { type_meta, raw: message.encode_to_vec() }.encode_to_vec()].concat()
}

fn pod(uid: &str, version: u32) -> Pod {
    let metadata = ObjectMeta {
        name: uid.into(),
        namespace: "default".into(),
        uid: uid.into(),
        resource_version: version.to_string(),
        finalizers: vec!["a/b".into()],
    };
    Pod { metadata: Some(metadata), spec: Some(PodSpec { node_name: b"n1".to_vec() }) }
}

/// Go lets a string pass that is not UTF-8.
fn odd() -> Pod {
    Pod { spec: Some(PodSpec { node_name: vec![0xff] }), ..pod("odd", 2) }
}

fn expired() -> Status {
    Status { message: "too old resource version".into(), reason: "Expired".into(), code: 410 }
}

fn list(items: Vec<Pod>, version: u32, token: &str) -> Response {
    let metadata = Some(ListMeta { resource_version: version.to_string(), r#continue: token.into() });
    let body = envelope(&List { metadata, items });
    ([("content-type", "application/vnd.kubernetes.protobuf")], body).into_response()
}

fn frame(kind: &str, object: &impl Message) -> Vec<u8> {
    let event =
        WatchEvent { r#type: kind.into(), object: Some(RawExtension { raw: envelope(object) }) }.encode_to_vec();
    [u32::try_from(event.len()).unwrap().to_be_bytes().to_vec(), event].concat()
}

/// Sends the frames a byte at a time; then the connection stays open, or the answer ends.
fn frames(frames: Vec<Vec<u8>>, open: bool) -> Response {
    let bytes: Vec<_> = frames.concat().into_iter().map(|byte| Ok::<_, Infallible>(Bytes::from(vec![byte]))).collect();
    let end = if open { stream::pending().left_stream() } else { stream::empty().right_stream() };
    let body = Body::from_stream(stream::iter(bytes).chain(end));
    ([("content-type", "application/vnd.kubernetes.protobuf;stream=watch")], body).into_response()
}

#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
}

async fn pods(State(fake): State<Fake>, Query(params): Query<HashMap<String, String>>, headers: HeaderMap) -> Response {
    assert!(headers["accept"].to_str().unwrap().starts_with("application/vnd.kubernetes.protobuf"));
    let param = |name: &str| params.get(name).cloned().unwrap_or_default();
    let asked = if param("watch") == "true" {
        assert_eq!((param("allowWatchBookmarks").as_str(), param("timeoutSeconds").as_str()), ("true", "55"));
        format!("watch {}", param("resourceVersion"))
    } else {
        assert_eq!(param("limit"), "500");
        format!("list {}", param("continue"))
    };
    let mut all = fake.asked.lock().unwrap();
    all.push(asked.clone());
    let nth = all.iter().filter(|one| **one == asked).count();
    match (asked.as_str(), nth) {
        ("list ", 1) => list(vec![pod("a", 1)], 10, "next"),
        ("list next", _) => list(vec![odd(), pod("b", 3)], 10, ""),
        ("watch 10", _) => frames(vec![frame("ADDED", &pod("c", 11)), frame("BOOKMARK", &pod("", 20))], false),
        ("watch 20", _) => frames(vec![frame("DELETED", &pod("b", 21)), frame("ERROR", &expired())], true),
        ("list ", 2) => list(vec![pod("c", 11), odd()], 30, ""),
        ("watch 30", _) => {
            let kind = [("content-type", "application/vnd.kubernetes.protobuf")];
            (StatusCode::GONE, kind, envelope(&expired())).into_response()
        }
        ("list ", 3) => list(vec![pod("c", 11), odd()], 40, ""),
        ("watch 40", _) => frames(vec![frame("MODIFIED", &pod("last", 41))], true),
        unexpected => panic!("{unexpected:?}"),
    }
}

#[tokio::test]
async fn pages_resumes_and_lists_again() {
    let fake = Fake::default();
    let router = Router::new().route("/api/v1/pods", get(pods)).with_state(fake.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = fake::kubeconfig(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let client = connect(Some(file.path()), None).await.unwrap();
    let mut watching = watch(&client);
    let mut tasks = JoinSet::new();
    for (kind, task) in watching.tasks {
        if kind == Kind::Pod {
            tasks.spawn(task);
        }
    }
    let mut seen = Vec::new();
    let all = async {
        while seen.last().is_none_or(|last| last != "applied last on n1") {
            seen.push(told(watching.events.recv().await.unwrap()));
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), all).await.is_ok(), "{seen:#?} {:?}", fake.asked);
    let relisted = ["recovered", "applied c on n1", "odd default/odd"];
    let mut expected = vec!["applied a on n1", "odd default/odd", "applied b on n1", "synced"];
    expected.extend(["applied c on n1", "deleted b", "failed Server"]);
    expected.extend(relisted);
    expected.extend(["deleted a", "synced", "failed Start"]);
    expected.extend(relisted);
    expected.extend(["synced", "applied last on n1"]);
    assert_eq!(seen, expected);
    let asked = ["list ", "list next", "watch 10", "watch 20", "list ", "watch 30", "list ", "watch 40"];
    assert_eq!(*fake.asked.lock().unwrap(), asked);
}

fn told(event: Event) -> String {
    match event {
        Event::PodApplied(pod) => format!("applied {} on {}", pod.uid.as_str(), pod.node.unwrap_or_default()),
        Event::PodDeleted(uid) => format!("deleted {}", uid.as_str()),
        Event::Undecodable { object, .. } => format!("odd {object}"),
        Event::Synced { absent: false, .. } => "synced".into(),
        Event::WatchFailed { class: class @ (ErrorClass::Server | ErrorClass::Start), error, .. } => {
            assert!(error.contains("too old resource version"), "{error}");
            format!("failed {class:?}")
        }
        Event::WatchRecovered(_) => "recovered".into(),
        other => format!("{other:?}"),
    }
}
