//! Node -> domain event.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::binding::Allocatable;
use headroom_capacity::budget::NodeKind;
use prost::Message;
use serde::Deserialize;

use crate::drain::MARK;
use crate::event::{Event, Node, Taint};
use crate::object::{Object, null_is_default};
use crate::quantity::{Amount, Quantity};

/// The label that has the name of a node's zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// Every label that has it: Kubernetes' own (k8s.io/api `core/v1`, `well_known_labels.go`) and the EBS CSI driver's (aws-ebs-csi-driver
/// `pkg/driver/constants.go`, `ZoneTopologyKey`).
pub const ZONE_LABELS: [&str; 3] =
    [ZONE_LABEL, "failure-domain.beta.kubernetes.io/zone", "topology.ebs.csi.aws.com/zone"];
/// Every label that has the name of its region.
pub const REGION_LABELS: [&str; 2] = ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];

/// The EBS volumes that a node can have attached, from kubelets with the in-tree volume plugin (k/k
/// `pkg/volume/util/attach_limit.go`).
const EBS_VOLUMES: &str = "attachable-volumes-aws-ebs";

/// A Node decoded only as far as needed. Protobuf tags are those of k8s.io/api `core/v1/generated.proto`.
pub(crate) type RawNode = Object<NodeSpec, NodeStatus>;

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeSpec {
    #[prost(string, optional, tag = "3")]
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    #[prost(bool, optional, tag = "4")]
    unschedulable: Option<bool>,
    #[prost(message, repeated, tag = "5")]
    #[serde(deserialize_with = "null_is_default")]
    taints: Vec<RawTaint>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(default)]
struct RawTaint {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(string, tag = "3")]
    effect: String,
}

#[derive(Clone, Deserialize, Message)]
#[serde(default)]
pub(crate) struct NodeStatus {
    #[prost(btree_map = "string, message", tag = "1")]
    #[serde(deserialize_with = "null_is_default")]
    capacity: BTreeMap<String, Quantity>,
    #[prost(btree_map = "string, message", tag = "2")]
    #[serde(deserialize_with = "null_is_default")]
    allocatable: BTreeMap<String, Quantity>,
    #[prost(message, repeated, tag = "4")]
    #[serde(deserialize_with = "null_is_default")]
    conditions: Vec<Condition>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(default)]
struct Condition {
    #[prost(string, tag = "1")]
    r#type: String,
    #[prost(string, tag = "2")]
    status: String,
}

pub(crate) fn applied(raw: RawNode) -> Option<Event> {
    let name: Arc<str> = raw.metadata.name?.into();
    let labels = raw.metadata.labels.unwrap_or_default();
    let mut annotations = raw.metadata.annotations.unwrap_or_default();
    let scale_in = annotations.remove(MARK).map(Arc::from);
    annotations.retain(|_, value| could_name_an_object(value));
    let status = raw.status.unwrap_or_default();
    let provider_id = raw.spec.provider_id.filter(|id| !id.is_empty());
    let label = |key: &str| labels.get(key).map(|value| Arc::from(value.as_str()));
    Some(Event::NodeApplied(Box::new(Node {
        name,
        instance_type: label("node.kubernetes.io/instance-type"),
        zone: label(ZONE_LABEL),
        kind: NodeKind::from_node(|key| labels.get(key).map(String::as_str), provider_id.as_deref()),
        provider_id: provider_id.map(Arc::from),
        max_pods: count(&status.capacity, "pods").unwrap_or(0),
        pod_enis: count(&status.allocatable, crate::pod::POD_ENI),
        windows_ips: count(&status.allocatable, crate::pod::WINDOWS_IP),
        allocatable: allocatable(&status.allocatable),
        extended: extended(&status.allocatable),
        unschedulable: raw.spec.unschedulable.unwrap_or(false),
        ready: status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True"),
        trunk_label: labels.get("vpc.amazonaws.com/has-trunk-attached").is_some_and(|value| value == "true"),
        labels,
        annotations,
        taints: raw.spec.taints.into_iter().map(taint).collect(),
        scale_in,
    })))
}

fn taint(RawTaint { key, value, effect }: RawTaint) -> Taint {
    Taint { key, value, effect }
}

fn amount(of: &BTreeMap<String, Quantity>, resource: &str) -> Option<Amount> {
    of.get(resource)?.amount()
}

fn count(of: &BTreeMap<String, Quantity>, resource: &str) -> Option<u32> {
    amount(of, resource)?.value().try_into().ok()
}

fn allocatable(of: &BTreeMap<String, Quantity>) -> Allocatable {
    Allocatable {
        cpu_millis: amount(of, "cpu").map(Amount::milli_value),
        memory_bytes: amount(of, "memory").map(Amount::value),
        volumes: count(of, EBS_VOLUMES),
    }
}

fn extended(of: &BTreeMap<String, Quantity>) -> BTreeMap<String, u64> {
    let known = ["cpu", "memory", "pods", EBS_VOLUMES, crate::pod::POD_ENI, crate::pod::WINDOWS_IP];
    let others = of.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    others.filter_map(|(name, quantity)| Some((name.clone(), quantity.amount()?.value()))).collect()
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
                "annotations": {"k8s.amazonaws.com/eniConfig": "zone-a", "csi.volume.kubernetes.io/nodeid": "{\"ebs\":\"i-1\"}",
                    "headroom.dev/scale-in": "{\"began_at_ms\":7}"},
                "managedFields": [{"manager": "kubelet"}],
            },
            "spec": {"providerID": "aws:///eu-west-1a/i-1", "unschedulable": true, "podCIDR": "x",
                "taints": [{"key": "headroom.dev/scale-in", "effect": "NoSchedule"}]},
            "status": {"capacity": {"pods": "58"}, "allocatable": {"vpc.amazonaws.com/pod-eni": "18", "cpu": "3920m",
                    "memory": "7134420Ki", "attachable-volumes-aws-ebs": "25"},
                "conditions": [{"type": "PIDPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
                "images": [{"names": ["a"], "sizeBytes": 1}]},
        }));
        assert_eq!(node.instance_type.as_deref(), Some("c5.xlarge"));
        assert_eq!(node.max_pods, 58);
        assert_eq!((node.pod_enis, node.windows_ips), (Some(18), None));
        let allocatable =
            Allocatable { cpu_millis: Some(3920), memory_bytes: Some(7_134_420 * 1024), volumes: Some(25) };
        assert_eq!(node.allocatable, allocatable);
        assert!(node.unschedulable && node.ready && node.trunk_label);
        assert_eq!(node.annotations.keys().collect::<Vec<_>>(), ["k8s.amazonaws.com/eniConfig"]);
        assert_eq!(node.scale_in.as_deref(), Some(r#"{"began_at_ms":7}"#));
        let taint = Taint { key: "headroom.dev/scale-in".into(), value: String::new(), effect: "NoSchedule".into() };
        assert_eq!(node.taints, [taint]);
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
        assert_eq!(node.allocatable, Allocatable::default());
    }
}
