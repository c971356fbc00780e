//! Pod -> domain event.

mod requests;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use headroom_capacity::binding::Requests;
use headroom_capacity::ids::PodUid;
use headroom_capacity::verdict::{Demand, Reason};
use k8s_openapi::api::core::v1 as core;
use prost::Message;
use serde::Deserialize;

use crate::event::{Event, Pod};
use crate::object::{Object, null_is_default};
use crate::placement::{NodeAffinity, Placement, Toleration};
use crate::ties::{ClaimRef, HostPort, Labels, PodAffinity, RawSpread, Ties};
use requests::{Container, Quantities, Resources, Volume};

/// The extended resource by which a pod asks for a branch ENI (VPC resource controller `pkg/config/type.go`).
pub(crate) const POD_ENI: &str = "vpc.amazonaws.com/pod-eni";
/// The extended resource by which a Windows pod asks for an address (likewise).
pub(crate) const WINDOWS_IP: &str = "vpc.amazonaws.com/PrivateIPv4Address";

/// The address that the CNI wrote on the pod where `ANNOTATE_POD_IP` is set, empty since it was taken back (CNI
/// `pkg/ipamd/rpc_handler.go`, `DelNetwork`).
const POD_IPS: &str = "vpc.amazonaws.com/pod-ips";

/// What kind of address a pod needs, from `spec.hostNetwork` and the names of the resources that its containers and init
/// containers request or limit. Admission puts the branch-ENI and Windows resources there, and kube-scheduler and ipamd go by them.
pub fn demand<'a>(host_network: bool, resources: impl IntoIterator<Item = &'a str>) -> Demand {
    if host_network {
        return Demand::None;
    }
    // No pod needs both; whichever comes first in a map must not decide.
    resources.into_iter().fold(Demand::PodIp, |found, name| match name {
        POD_ENI => Demand::BranchEni,
        WINDOWS_IP if found == Demand::PodIp => Demand::WindowsIp,
        _ => found,
    })
}

/// A Pod decoded only as far as needed. Protobuf tags are those of k8s.io/api `core/v1/generated.proto`.
pub(crate) type RawPod = Object<PodSpec, PodStatus>;

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodSpec {
    #[prost(string, optional, tag = "10")]
    node_name: Option<String>,
    #[prost(bool, optional, tag = "11")]
    host_network: Option<bool>,
    #[prost(int32, optional, tag = "25")]
    priority: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "null_is_default")]
    containers: Vec<Container>,
    #[prost(message, repeated, tag = "20")]
    #[serde(deserialize_with = "null_is_default")]
    init_containers: Vec<Container>,
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "null_is_default")]
    volumes: Vec<Volume>,
    #[prost(btree_map = "string, message", tag = "32")]
    #[serde(deserialize_with = "null_is_default")]
    overhead: Quantities,
    #[prost(message, optional, tag = "40")]
    resources: Option<Resources>,
    #[prost(btree_map = "string, string", tag = "7")]
    #[serde(deserialize_with = "null_is_default")]
    node_selector: BTreeMap<String, String>,
    #[prost(message, optional, tag = "18")]
    affinity: Option<Affinity>,
    #[prost(message, repeated, tag = "22")]
    #[serde(deserialize_with = "null_is_default")]
    tolerations: Vec<Toleration>,
    #[prost(message, repeated, tag = "33")]
    #[serde(deserialize_with = "null_is_default")]
    topology_spread_constraints: Vec<RawSpread>,
    #[prost(message, repeated, tag = "39")]
    #[serde(deserialize_with = "null_is_default")]
    resource_claims: Vec<ClaimRef>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
struct Affinity {
    #[prost(message, optional, tag = "1")]
    node_affinity: Option<NodeAffinity>,
    #[prost(message, optional, tag = "2")]
    pod_affinity: Option<PodAffinity>,
    #[prost(message, optional, tag = "3")]
    pod_anti_affinity: Option<PodAffinity>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodStatus {
    #[prost(string, optional, tag = "1")]
    phase: Option<String>,
    #[prost(string, optional, tag = "6")]
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[prost(string, optional, tag = "11")]
    nominated_node_name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "null_is_default")]
    conditions: Vec<Condition>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(default)]
struct Condition {
    #[prost(string, tag = "1")]
    #[serde(rename = "type")]
    kind: String,
    #[prost(string, tag = "2")]
    status: String,
    #[prost(string, optional, tag = "5")]
    reason: Option<String>,
    #[prost(string, optional, tag = "6")]
    message: Option<String>,
}

/// Tells one failed scheduling attempt from another: kube-scheduler writes the condition only when reason or message changed,
/// so a pod that changes with the same fingerprint changed for another cause. Equal within one process only.
#[must_use]
pub fn failure_fingerprint(reason: &str, message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (reason, message).hash(&mut hasher);
    hasher.finish()
}

/// What kind of address the pod of a whole spec needs, what else it takes, and where it may be.
pub(crate) fn needs(spec: &core::PodSpec, namespace: &str, labels: &Labels) -> (Demand, Requests, Placement, Ties) {
    // By the same reading as the watch's: a spec becomes JSON and JSON a spec without fail.
    let spec = serde_json::to_value(spec).and_then(serde_json::from_value::<PodSpec>).unwrap_or_default();
    let (demand, requests) = (demand(spec.on_host(), resource_names(&spec)), requests::requests(&spec));
    let (placement, ties) = spec.scheduling(namespace, labels);
    (demand, requests, placement, ties)
}

impl PodSpec {
    pub(crate) fn on_host(&self) -> bool {
        self.host_network.unwrap_or(false)
    }

    /// Where a pod in `namespace` with `labels` may be.
    pub(crate) fn scheduling(self, namespace: &str, labels: &Labels) -> (Placement, Ties) {
        let extended = requests::extended(&self);
        let ports = host_ports(&self);
        let PodSpec { node_selector, affinity, tolerations, topology_spread_constraints, resource_claims, .. } = self;
        let Affinity { node_affinity, pod_affinity, pod_anti_affinity } = affinity.unwrap_or_default();
        let terms = |affinity: Option<PodAffinity>| affinity.unwrap_or_default().terms(namespace);
        let ((affinity, attracted_beyond), (anti_affinity, repelled_beyond)) =
            (terms(pod_affinity), terms(pod_anti_affinity));
        let ties = Ties {
            affinity,
            anti_affinity,
            spread: topology_spread_constraints.into_iter().filter_map(|one| one.read(labels)).collect(),
            ports,
            extended,
            beyond: attracted_beyond || repelled_beyond || !resource_claims.is_empty(),
        };
        (Placement::new(node_selector, node_affinity, tolerations), ties)
    }
}

/// Those of containers and of init containers that go on beside them (k/k `pkg/scheduler/util/utils.go`, `GetHostPorts`). On the host's
/// network every port of a container is the host's, which kube-apiserver has written there.
fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let beside = spec.init_containers.iter().filter(|one| one.restarts_always());
    let ports = spec.containers.iter().chain(beside).flat_map(|container| &container.ports);
    let of_host = ports.filter_map(|port| Some((port, u32::try_from(port.host_port).ok().filter(|port| *port > 0)?)));
    of_host.map(|(port, number)| HostPort::new(port.host_ip.clone(), port.protocol.clone(), number)).collect()
}

pub(crate) fn applied(raw: RawPod) -> Option<Event> {
    let RawPod { metadata, mut spec, status, .. } = raw;
    let status = status.unwrap_or_default();
    let demand = demand(spec.on_host(), resource_names(&spec));
    let requests = requests::requests(&spec);
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    let deleting = metadata.deletion_timestamp.is_some();
    let labels = metadata.labels.unwrap_or_default();
    let taken_back = metadata.annotations.is_some_and(|all| all.get(POD_IPS).is_some_and(String::is_empty));
    let namespace = metadata.namespace.unwrap_or_default();
    let node = present(spec.node_name.take());
    let priority = spec.priority.unwrap_or(0);
    let (placement, ties) = spec.scheduling(&namespace, &labels);
    Some(Event::PodApplied(Box::new(Pod {
        uid: PodUid::from(metadata.uid?),
        namespace: namespace.into(),
        name: metadata.name?.into(),
        resource_version: metadata.resource_version.and_then(|version| version.parse().ok()).unwrap_or(0),
        node: node.map(Into::into),
        nominated_node: present(status.nominated_node_name).map(Into::into),
        priority,
        demand,
        requests,
        ip: status.pod_ip.and_then(|ip| ip.parse().ok()),
        terminal: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) || (deleting && taken_back),
        deleting,
        schedule_failure: schedule_failure(&status.conditions),
        shortage: shortage(&status.conditions),
        placement,
        ties,
        labels,
    })))
}

fn schedule_failure(conditions: &[Condition]) -> Option<u64> {
    let scheduled = conditions.iter().find(|condition| condition.kind == "PodScheduled")?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (scheduled.status == "False").then(|| failure_fingerprint(&text(&scheduled.reason), &text(&scheduled.message)))
}

fn shortage(conditions: &[Condition]) -> Option<Reason> {
    let scheduled =
        conditions.iter().find(|condition| condition.kind == "PodScheduled" && condition.status == "False")?;
    let message = scheduled.message.as_deref()?;
    Reason::ALL.into_iter().find(|reason| message.contains(reason.as_str()))
}

fn resource_names(spec: &PodSpec) -> impl Iterator<Item = &str> {
    let containers = spec.containers.iter().chain(&spec.init_containers);
    containers
        .filter_map(|container| container.resources.as_ref())
        .flat_map(|resources| resources.limits.keys().chain(resources.requests.keys()).map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(spec: serde_json::Value, status: serde_json::Value) -> Pod {
        let raw = json!({
            "metadata": {"uid": "u1", "namespace": "default", "name": "web-0", "resourceVersion": "41"},
            "spec": spec, "status": status,
        });
        match applied(serde_json::from_value(raw).unwrap()) {
            Some(Event::PodApplied(pod)) => *pod,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pending_pod_waits_for_a_node_and_for_an_ip() {
        let pod = decode(
            json!({"containers": null, "priority": 7}),
            json!({"phase": "Pending", "nominatedNodeName": "n2",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}),
        );
        assert_eq!((&pod.node, pod.has_ip(), pod.terminal), (&None, false, false));
        assert_eq!((pod.nominated_node.as_deref(), pod.priority, pod.resource_version), (Some("n2"), 7, 41));
        assert_eq!(pod.schedule_failure, Some(failure_fingerprint("Unschedulable", "")));
        assert_eq!(pod.demand, Demand::PodIp);
    }

    #[test]
    fn a_pod_that_the_extender_kept_from_every_node_says_why() {
        let waiting = |message: &str| {
            let condition =
                json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
            decode(json!({}), json!({"conditions": [condition]})).shortage
        };
        let text =
            "0/3 nodes are available: 1 Insufficient cpu, 2 no pod IP left: no free IP in any subnet of the node.";
        assert_eq!(waiting(text), Some(Reason::SubnetExhausted));
        assert_eq!(waiting("0/3 nodes are available: 3 Insufficient cpu."), None);
    }

    #[test]
    fn a_finished_pod_is_terminal_although_its_ip_stays_in_the_status() {
        let pod = decode(json!({"nodeName": "n1"}), json!({"phase": "Succeeded", "podIP": "10.0.0.7"}));
        assert!(pod.terminal && pod.schedule_failure.is_none());
        assert_eq!(pod.ip, Some([10, 0, 0, 7].into()));
    }

    #[test]
    fn a_deleted_pod_is_terminal_when_the_cni_has_taken_its_ip_back() {
        let terminal = |deleted: Option<&str>, ips: Option<&str>| {
            let metadata = json!({"uid": "u1", "name": "web-0", "deletionTimestamp": deleted,
                "annotations": {"vpc.amazonaws.com/pod-ips": ips.unwrap_or_default(), "other": ""}});
            let mut raw =
                json!({"metadata": metadata, "spec": {}, "status": {"phase": "Running", "podIP": "10.0.0.7"}});
            if ips.is_none() {
                raw["metadata"]["annotations"] = json!(null);
            }
            match applied(serde_json::from_value(raw).unwrap()) {
                Some(Event::PodApplied(pod)) => pod.terminal,
                other => panic!("{other:?}"),
            }
        };
        let deleted = Some("2026-11-25T08:05:00Z");
        assert!(terminal(deleted, Some("")));
        assert!(!terminal(deleted, Some("10.0.0.7")) && !terminal(deleted, None));
        assert!(!terminal(None, Some("")), "its sandbox is made anew");
    }

    #[test]
    fn demand_follows_host_network_and_the_injected_resources() {
        let with = |name: &str| json!({"containers": [{}, {"resources": {"requests": {name: "1"}}}]});
        let of = |spec| decode(spec, json!({})).demand;
        assert_eq!(of(json!({"hostNetwork": true})), Demand::None);
        assert_eq!(of(with("vpc.amazonaws.com/pod-eni")), Demand::BranchEni);
        assert_eq!(of(with("vpc.amazonaws.com/PrivateIPv4Address")), Demand::WindowsIp);
        assert_eq!(of(with("cpu")), Demand::PodIp);
        let init = json!({"initContainers": [{"resources": {"limits": {"vpc.amazonaws.com/pod-eni": 1}}}]});
        assert_eq!(of(init), Demand::BranchEni);
    }
}
