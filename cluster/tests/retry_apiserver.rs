//! The request for a retry against an API server that knows one pod.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod fake;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::patch;
use headroom_cluster::{RETRY_ANNOTATION, RetryError, connect, request_retry};
use serde_json::{Value, json};

/// Refuses as kube-apiserver does: 404 without the pod, 422 for another UID, 403 in a namespace of others.
async fn pod(Path((namespace, name)): Path<(String, String)>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-type"], "application/merge-patch+json");
    let patch: Value = serde_json::from_slice(&body).unwrap();
    match (namespace.as_str(), name.as_str(), patch["metadata"]["uid"].as_str()) {
        ("default", "web", Some("u1")) => {}
        ("default", "web", _) => return refused(StatusCode::UNPROCESSABLE_ENTITY),
        ("default", ..) => return refused(StatusCode::NOT_FOUND),
        _ => return refused(StatusCode::FORBIDDEN),
    }
    assert_eq!(patch, json!({"metadata": {"uid": "u1", "annotations": {RETRY_ANNOTATION: "7"}}}));
    let metadata = json!({"name": "web", "namespace": "default", "uid": "u1"});
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
        .to_string()
        .into_response()
}

fn refused(code: StatusCode) -> Response {
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "code": code.as_u16()});
    (code, status.to_string()).into_response()
}

#[tokio::test]
async fn touches_the_annotation_of_that_pod_only_and_tells_why_not() {
    let router = Router::new().route("/api/v1/namespaces/{namespace}/pods/{name}", patch(pod));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let file = fake::kubeconfig(&server);
    let client = connect(Some(file.path()), None).await.unwrap();
    let retry = async |namespace, name, uid: &str| request_retry(&client, namespace, name, &uid.into(), "7").await;

    retry("default", "web", "u1").await.unwrap();
    for (name, uid) in [("web", "u2"), ("gone", "u1")] {
        let result = retry("default", name, uid).await;
        assert!(matches!(result, Err(RetryError::Gone)), "{name} {uid}: {result:?}");
    }
    let error = retry("theirs", "web", "u1").await.unwrap_err();
    assert!(matches!(error, RetryError::Failed(_)) && error.to_string().contains("RBAC"), "{error}");
}
