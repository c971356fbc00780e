//! A pod's metrics through an API server that proxies.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod fake;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headroom_cluster::{PodMetricsError, connect, pod_metrics};

async fn pod(Path((namespace, pod, path)): Path<(String, String, String)>) -> Response {
    assert_eq!((namespace.as_str(), path.as_str()), ("kube-system", "metrics"));
    match pod.as_str() {
        "good:61678" => "a 1\n".into_response(),
        "denied:61678" => StatusCode::FORBIDDEN.into_response(),
        "broken:61678" => StatusCode::BAD_GATEWAY.into_response(),
        "large:61678" => vec![b'a'; 5 << 20].into_response(),
        "binary:61678" => vec![0xff].into_response(),
        // The client tries these again, until the time is up.
        "gone:61678" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "silent:61678" => std::future::pending().await,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn answers_are_bounded_and_failures_told_apart() {
    let router = Router::new().route("/api/v1/namespaces/{namespace}/pods/{pod}/proxy/{*path}", get(pod));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let file = fake::kubeconfig(&server);
    let client = connect(Some(file.path()), None).await.unwrap();
    let read = async |pod| pod_metrics(&client, "kube-system", pod, 61678, "metrics").await;

    assert_eq!(read("good").await.unwrap(), "a 1\n");
    assert!(matches!(read("denied").await, Err(PodMetricsError::Denied)));
    assert!(matches!(read("broken").await, Err(PodMetricsError::Status(StatusCode::BAD_GATEWAY))));
    assert!(matches!(read("large").await, Err(PodMetricsError::TooLarge)));
    assert!(matches!(read("binary").await, Err(PodMetricsError::NotText)));
    assert!(matches!(read("gone").await, Err(PodMetricsError::Timeout)));
    assert!(matches!(read("silent").await, Err(PodMetricsError::Timeout)));
}
