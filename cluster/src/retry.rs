//! Makes kube-scheduler try a waiting pod again.

use headroom_capacity::ids::PodUid;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use thiserror::Error;

use crate::connect::Client;

/// The annotation that is written; its value only has to differ from the one before.
pub const RETRY_ANNOTATION: &str = "headroom.dev/retry-at";

/// Why a pod was not touched.
#[derive(Debug, Error)]
pub enum RetryError {
    /// It is gone, or its name now belongs to another pod.
    #[error("the pod is gone")]
    Gone,
    /// The API server refused or did not answer; without the RBAC verb `patch` on `pods` it always does.
    #[error("failed to patch annotation {RETRY_ANNOTATION}; RBAC must allow patch on pods")]
    Failed(#[source] Box<kube::Error>),
}

/// Writes `value` into [`RETRY_ANNOTATION`] of one pod and nothing else. kube-scheduler takes any update of a pod that an
/// extender rejected as a reason to queue exactly that pod (k/k `pkg/scheduler/backend/queue/scheduling_queue.go`, `Update`).
///
/// # Errors
/// [`RetryError::Gone`] when there is no such pod any more, else what the client reports.
pub async fn request_retry(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: &PodUid,
    value: &str,
) -> Result<(), RetryError> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    // The UID, which is immutable, makes the API server refuse the patch (422) where the name has passed to another pod.
    let patch = json!({"metadata": {"uid": uid.as_str(), "annotations": {RETRY_ANNOTATION: value}}});
    match pods.patch_metadata(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 422) => Err(RetryError::Gone),
        Err(error) => Err(RetryError::Failed(Box::new(error))),
    }
}
