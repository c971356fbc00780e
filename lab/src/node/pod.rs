//! What kubelet reads of a Pod object.

use std::time::Duration;

use headroom_capacity::ids::PodUid;
use serde_json::Value;

/// Annotation on a pod that ends by itself: the whole seconds that it runs before it has succeeded. The lab's own.
pub const RUN_SECONDS: &str = "lab.headroom/run-seconds";
/// Extended resource of a pod that wants a branch ENI (VPC resource controller, `pkg/config`).
pub const POD_ENI: &str = "vpc.amazonaws.com/pod-eni";

/// Where a pod's address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The node's own.
    Host,
    /// ipamd's pool.
    Pool,
    /// A branch ENI.
    Branch,
}

/// A Pod object as far as a node acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// `metadata.uid`.
    pub uid: PodUid,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.nodeName`, once bound.
    pub node: Option<String>,
    /// Where its address comes from.
    pub network: Network,
    /// How long it runs, where it ends by itself.
    pub run_for: Option<Duration>,
    /// `metadata.deletionGracePeriodSeconds`, once it is being deleted.
    pub deleting: Option<Duration>,
    /// Whether `status.phase` is Succeeded or Failed.
    pub ended: bool,
    /// Name and image of its first container.
    pub container: (String, String),
}

impl PodView {
    /// Reads a Pod object; `None` when it has no UID, namespace or name.
    #[must_use]
    pub fn from_object(pod: &Value) -> Option<PodView> {
        let text = |at: &str| pod.pointer(at).and_then(Value::as_str);
        let run_for = pod.pointer("/metadata/annotations").and_then(|annotations| annotations.get(RUN_SECONDS));
        let run_for = run_for.and_then(Value::as_str).and_then(|seconds| seconds.parse().ok());
        let deleting = text("/metadata/deletionTimestamp").map(|_| {
            let grace = pod.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64);
            Duration::from_secs(grace.unwrap_or_default())
        });
        let container = |key| text(&format!("/spec/containers/0/{key}")).unwrap_or_default().to_owned();
        Some(PodView {
            uid: text("/metadata/uid")?.into(),
            namespace: text("/metadata/namespace")?.to_owned(),
            name: text("/metadata/name")?.to_owned(),
            node: text("/spec/nodeName").filter(|name| !name.is_empty()).map(str::to_owned),
            network: network(pod),
            run_for: run_for.map(Duration::from_secs),
            deleting,
            ended: matches!(text("/status/phase"), Some("Succeeded" | "Failed")),
            container: (container("name"), container("image")),
        })
    }
}

/// ipamd looks at the first container's limits only (CNI `pkg/ipamd/rpc_handler.go`, AddNetwork).
fn network(pod: &Value) -> Network {
    if pod.pointer("/spec/hostNetwork").and_then(Value::as_bool) == Some(true) {
        return Network::Host;
    }
    let limits = pod.pointer("/spec/containers/0/resources/limits");
    match limits.and_then(|limits| limits.get(POD_ENI)) {
        Some(_) => Network::Branch,
        None => Network::Pool,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_a_node_acts_on() {
        let pod = json!({
            "metadata": {
                "uid": "u1", "namespace": "shop", "name": "web-1", "annotations": { RUN_SECONDS: "40" },
                "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30,
            },
            "spec": { "nodeName": "n1", "containers": [{ "name": "app", "resources": { "limits": { POD_ENI: "1" } } }] },
            "status": { "phase": "Succeeded" },
        });
        let view = PodView::from_object(&pod).unwrap();
        assert_eq!((view.network, view.ended), (Network::Branch, true));
        assert_eq!(view.run_for, Some(Duration::from_secs(40)));
        assert_eq!(view.deleting, Some(Duration::from_secs(30)));
        assert_eq!(view.node.as_deref(), Some("n1"));
    }

    #[test]
    fn host_network_wins_and_unbound_is_unbound() {
        let pod = json!({
            "metadata": { "uid": "u1", "namespace": "shop", "name": "web-1" },
            "spec": { "nodeName": "", "hostNetwork": true, "containers": [{ "name": "app" }] },
        });
        let view = PodView::from_object(&pod).unwrap();
        assert_eq!((view.network, view.node, view.deleting, view.ended), (Network::Host, None, None, false));
        assert_eq!(PodView::from_object(&json!({ "metadata": { "name": "web-1" } })), None);
    }
}
