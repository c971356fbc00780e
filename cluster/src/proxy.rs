//! A pod's own HTTP, read through the API server.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::client::Body;
use thiserror::Error;
use tokio::time::timeout;

use crate::connect::Client;

/// Most of an answer that is read. ipamd's is 10 to 100 KB; it has a series for each address that the node ever had.
const MAX_BYTES: usize = 4 << 20;
/// A node that is gone answers nobody, and the API server waits for it longer than this.
const DEADLINE: Duration = Duration::from_secs(3);

/// Why a pod's metrics could not be read.
#[derive(Debug, Error)]
pub enum PodMetricsError {
    /// No answer in time.
    #[error("no answer within {DEADLINE:?}")]
    Timeout,
    /// The caller may not.
    #[error("the API server refuses; RBAC must allow get on pods/proxy")]
    Denied,
    /// The pod is gone, or the API server cannot reach it, or it has no such page.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// Larger than 4 MiB.
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("the answer is not text")]
    NotText,
    /// The API server was not reached, or the answer broke off.
    #[error("failed to read the pod's metrics through the API server")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// GET `path`, without a leading slash, of a pod's `port`, through the API server: the node need not be reachable from here, only
/// from there. At most 4 MiB within 3 s.
///
/// RBAC: `get` on `pods/proxy` in the namespace.
///
/// # Errors
/// [`PodMetricsError`].
pub async fn pod_metrics(
    client: &Client,
    namespace: &str,
    pod: &str,
    port: u16,
    path: &str,
) -> Result<String, PodMetricsError> {
    let uri = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path}");
    timeout(DEADLINE, read(client, &uri)).await.unwrap_or(Err(PodMetricsError::Timeout))
}

async fn read(client: &Client, uri: &str) -> Result<String, PodMetricsError> {
    let request = Request::get(uri).body(Body::empty()).map_err(|error| PodMetricsError::Failed(error.into()))?;
    let answer = client.send(request).await.map_err(|error| PodMetricsError::Failed(error.into()))?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(PodMetricsError::Denied),
        status => return Err(PodMetricsError::Status(status)),
    }
    let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { PodMetricsError::TooLarge } else { PodMetricsError::Failed(error) }
    })?;
    String::from_utf8(body.to_bytes().into()).map_err(|_| PodMetricsError::NotText)
}
