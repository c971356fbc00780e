//! Cluster Autoscaler's own pods: how it was started.

use std::time::Duration;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use tokio::time::timeout;

use crate::connect::Client;

/// Labels of its pods: those of the examples in kubernetes/autoscaler (`cloudprovider/aws/examples`), which kops has too, and of its Helm
/// chart on AWS.
const SELECTORS: [&str; 2] =
    ["app=cluster-autoscaler", "app.kubernetes.io/name in (cluster-autoscaler, aws-cluster-autoscaler)"];
const DEADLINE: Duration = Duration::from_secs(10);

/// A pod of Cluster Autoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoscalerPod {
    /// `namespace/name`.
    pub name: String,
    /// Its container's image.
    pub image: String,
    /// Its container's command and arguments.
    pub command: Vec<String>,
}

/// The pods that Cluster Autoscaler runs in, by the labels that its manifests give them, in any namespace. One list for each label.
///
/// RBAC: `list` on `pods`.
///
/// # Errors
/// When the API server does not answer within 10 s, or refuses: its message.
pub async fn autoscaler_pods(client: &Client) -> Result<Vec<AutoscalerPod>, String> {
    let pods = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &pods);
    let mut found: Vec<AutoscalerPod> = Vec::new();
    for selector in SELECTORS {
        let params = ListParams::default().labels(selector);
        let list = timeout(DEADLINE, api.list(&params)).await;
        let list = list.map_err(|_| format!("no answer within {DEADLINE:?}"))?.map_err(|error| error.to_string())?;
        let pods = list.items.iter().filter_map(pod);
        found.extend(pods.filter(|pod| !found.iter().any(|known| known.name == pod.name)).collect::<Vec<_>>());
    }
    Ok(found)
}

/// `None` for one that has ended.
fn pod(object: &DynamicObject) -> Option<AutoscalerPod> {
    let (metadata, data) = (&object.metadata, &object.data);
    if matches!(data.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed")) {
        return None;
    }
    let containers = data.pointer("/spec/containers")?.as_array()?;
    let image = |container: &Value| container["image"].as_str().unwrap_or_default().to_owned();
    // A sidecar may come first.
    let ours = containers.iter().find(|container| image(container).contains("cluster-autoscaler"));
    let container = ours.or(containers.first())?;
    let words = ["command", "args"].into_iter().filter_map(|key| container[key].as_array()).flatten();
    Some(AutoscalerPod {
        name: format!("{}/{}", metadata.namespace.as_deref()?, metadata.name.as_deref()?),
        image: image(container),
        command: words.filter_map(|word| word.as_str().map(str::to_owned)).collect(),
    })
}
