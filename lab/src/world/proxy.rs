//! The API server's pod proxy, as far as it leads to ipamd's metrics on aws-node's pods.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};

use super::{World, lock};
use crate::kube::ApiError;
use crate::kube::resource::PODS;

/// ipamd's metrics (CNI `pkg/ipamd/introspect.go`).
const PORT: &str = "61678";
/// Questions that wait for the world's next step.
const WAITING: usize = 1024;

/// One request for a page.
#[derive(Debug)]
pub(super) struct Question {
    namespace: String,
    /// `name:port`.
    pod: String,
    path: String,
    answer: oneshot::Sender<Result<String, ApiError>>,
}

pub(super) fn channel() -> (mpsc::Sender<Question>, mpsc::Receiver<Question>) {
    mpsc::channel(WAITING)
}

impl World {
    /// Serves `/api/v1/namespaces/{ns}/pods/{pod}:{port}/proxy/{path}`, to be merged into the API server's router. Only a world that
    /// is [driven](super::driver) answers.
    pub fn pod_proxy(&self) -> Router {
        Router::new()
            .route("/api/v1/namespaces/{namespace}/pods/{pod}/proxy/{*path}", get(serve))
            .with_state(self.asker.clone())
    }

    pub(super) fn answer(&self, question: Question) {
        let page = self.page(&question.namespace, &question.pod, &question.path);
        // Who asked may be gone.
        question.answer.send(page).ok();
    }

    fn page(&self, namespace: &str, pod: &str, path: &str) -> Result<String, ApiError> {
        let (name, port) = pod.split_once(':').unwrap_or((pod, ""));
        let object = lock(&self.store).get(&PODS, namespace, name).cloned();
        let object = object.ok_or_else(|| ApiError::not_found(&PODS, name))?;
        let is_aws_node = object["metadata"]["labels"]["k8s-app"] == "aws-node" && namespace == "kube-system";
        let node = object["spec"]["nodeName"].as_str().and_then(|node| self.nodes.get(self.by_name.get(node)?));
        let node = node.filter(|node| is_aws_node && port == PORT && node.alive);
        let page = node.and_then(|node| node.agent.metrics(self.now)).ok_or_else(|| {
            let ip = object["status"]["podIP"].as_str().unwrap_or_default();
            let message = format!("error trying to reach service: dial tcp {ip}:{port}: connect: connection refused");
            ApiError::new(503, "ServiceUnavailable", message)
        })?;
        if path == "metrics" { Ok(page) } else { Err(ApiError::no_such_path()) }
    }
}

async fn serve(
    State(asker): State<mpsc::Sender<Question>>,
    Path((namespace, pod, path)): Path<(String, String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    let (answer, answered) = oneshot::channel();
    let stopped = || ApiError::new(503, "ServiceUnavailable", "the lab has stopped");
    asker.send(Question { namespace, pod, path, answer }).await.map_err(|_| stopped())?;
    let page = answered.await.map_err(|_| stopped())??;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page))
}
