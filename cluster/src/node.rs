//! Node -> domain event.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::budget::NodeKind;
use serde::Deserialize;

use crate::event::{Event, Node};
use crate::object::Object;

/// A Node decoded only as far as needed.
pub(crate) type RawNode = Object<NodeSpec, NodeStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeSpec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    unschedulable: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeStatus {
    capacity: Option<BTreeMap<String, String>>,
    allocatable: Option<BTreeMap<String, String>>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

pub(crate) fn applied(raw: RawNode) -> Option<Event> {
    let name: Arc<str> = raw.metadata.name?.into();
    let labels = raw.metadata.labels.unwrap_or_default();
    let mut annotations = raw.metadata.annotations.unwrap_or_default();
    annotations.retain(|_, value| could_name_an_object(value));
    let status = raw.status.unwrap_or_default();
    let label = |key: &str| labels.get(key).map(|value| Arc::from(value.as_str()));
    Some(Event::NodeApplied(Box::new(Node {
        name,
        instance_type: label("node.kubernetes.io/instance-type"),
        zone: label("topology.kubernetes.io/zone"),
        kind: NodeKind::from_node(|key| labels.get(key).map(String::as_str), raw.spec.provider_id.as_deref()),
        provider_id: raw.spec.provider_id.map(Arc::from),
        max_pods: count(status.capacity.as_ref(), "pods").unwrap_or(0),
        pod_enis: count(status.allocatable.as_ref(), crate::pod::POD_ENI),
        windows_ips: count(status.allocatable.as_ref(), crate::pod::WINDOWS_IP),
        unschedulable: raw.spec.unschedulable.unwrap_or(false),
        ready: status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.r#type == "Ready" && condition.status == "True"),
        trunk_label: labels.get("vpc.amazonaws.com/has-trunk-attached").is_some_and(|value| value == "true"),
        labels,
        annotations,
    })))
}

/// Counts are whole numbers; kubelet and the VPC resource controller write them without a suffix.
fn count(of: Option<&BTreeMap<String, String>>, resource: &str) -> Option<u32> {
    of?.get(resource)?.parse().ok()
}

/// An ENIConfig's name is a DNS subdomain; everything else, JSON blobs above all, can be dropped.
fn could_name_an_object(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 253
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(value: serde_json::Value) -> Node {
        match applied(serde_json::from_value(value).unwrap()) {
            Some(Event::NodeApplied(node)) => *node,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn takes_what_bears_on_ips_and_drops_the_rest() {
        let node = decode(json!({
            "metadata": {
                "name": "ip-10-0-0-1",
                "labels": {"node.kubernetes.io/instance-type": "c5.xlarge", "topology.kubernetes.io/zone": "eu-west-1a",
                    "vpc.amazonaws.com/has-trunk-attached": "true"},
                "annotations": {"k8s.amazonaws.com/eniConfig": "zone-a", "csi.volume.kubernetes.io/nodeid": "{\"ebs\":\"i-1\"}"},
                "managedFields": [{"manager": "kubelet"}],
            },
            "spec": {"providerID": "aws:///eu-west-1a/i-1", "unschedulable": true, "podCIDR": "x"},
            "status": {"capacity": {"pods": "58"}, "allocatable": {"vpc.amazonaws.com/pod-eni": "18"},
                "conditions": [{"type": "PIDPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
                "images": [{"names": ["a"], "sizeBytes": 1}]},
        }));
        assert_eq!(node.instance_type.as_deref(), Some("c5.xlarge"));
        assert_eq!(node.max_pods, 58);
        assert_eq!((node.pod_enis, node.windows_ips), (Some(18), None));
        assert!(node.unschedulable && node.ready && node.trunk_label);
        assert_eq!(node.annotations.keys().collect::<Vec<_>>(), ["k8s.amazonaws.com/eniConfig"]);
    }

    #[test]
    fn the_provider_tells_what_the_labels_do_not() {
        let kind = |labels: serde_json::Value, provider: &str| {
            decode(json!({"metadata": {"name": "n", "labels": labels}, "spec": {"providerID": provider}})).kind
        };
        assert_eq!(kind(json!({}), "eks-hybrid:///eu-west-1/prod/mi-0123"), NodeKind::Hybrid);
        assert_eq!(kind(json!({}), "aws:///eu-west-1a/i-1"), NodeKind::Linux);
        assert_eq!(kind(json!({"eks.amazonaws.com/compute-type": "auto"}), "aws:///eu-west-1a/i-1"), NodeKind::Auto);
    }

    #[test]
    fn a_node_that_kubelet_has_not_reported_on_has_no_pods_yet() {
        let node = decode(json!({"metadata": {"name": "new"}, "spec": {}}));
        assert_eq!((node.max_pods, node.instance_type, node.unschedulable, node.ready), (0, None, false, false));
    }
}
