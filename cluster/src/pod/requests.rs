//! What a pod requests, as kube-scheduler counts it.

use std::collections::{BTreeMap, BTreeSet};

use headroom_capacity::binding::Requests;
use prost::Message;
use serde::Deserialize;

use super::{POD_ENI, WINDOWS_IP};
use crate::object::{Skipped, null_is_default};
use crate::quantity::{Amount, Quantity};

/// Amounts by resource name.
pub(super) type Quantities = BTreeMap<String, Quantity>;

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Container {
    #[prost(message, optional, tag = "8")]
    pub(super) resources: Option<Resources>,
    #[prost(string, optional, tag = "24")]
    restart_policy: Option<String>,
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "null_is_default")]
    pub(super) ports: Vec<Port>,
}

impl Container {
    /// An init container that goes on beside the others.
    pub(super) fn restarts_always(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }

    fn requests(&self, resource: &str) -> Amount {
        let of = self.resources.as_ref().and_then(|resources| resources.requests.get(resource));
        of.and_then(Quantity::amount).unwrap_or_default()
    }
}

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Port {
    #[prost(int32, tag = "2")]
    pub(super) host_port: i32,
    #[prost(string, tag = "4")]
    pub(super) protocol: String,
    #[prost(string, tag = "5")]
    #[serde(rename = "hostIP")]
    pub(super) host_ip: String,
}

#[derive(Clone, Deserialize, Message)]
#[serde(default)]
pub(super) struct Resources {
    #[prost(btree_map = "string, message", tag = "1")]
    #[serde(deserialize_with = "null_is_default")]
    pub(super) limits: BTreeMap<String, Skipped>,
    #[prost(btree_map = "string, message", tag = "2")]
    #[serde(deserialize_with = "null_is_default")]
    pub(super) requests: Quantities,
}

/// In JSON the source's one field stands beside the name.
#[derive(Clone, Deserialize, Message)]
#[serde(transparent)]
pub(super) struct Volume {
    #[prost(message, optional, tag = "2")]
    source: Option<VolumeSource>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
struct VolumeSource {
    #[prost(message, optional, tag = "4")]
    aws_elastic_block_store: Option<Skipped>,
    #[prost(message, optional, tag = "10")]
    persistent_volume_claim: Option<Claim>,
    #[prost(message, optional, tag = "29")]
    ephemeral: Option<Skipped>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
struct Claim {
    #[prost(string, tag = "1")]
    claim_name: String,
}

/// What a pod's spec requests (k/k component-helpers `resource/helpers.go`, `PodRequests` and `AggregateContainerRequests`):
///
/// - its containers together, with the init containers that are restarted always, which go on beside them;
/// - or more, where an init container needs more with those of them that started before it;
/// - the pod's own requests instead, for each resource that it has any for;
/// - and the overhead of its runtime class.
///
/// Volumes are its claims, generic ephemeral ones, and EBS volumes named inline (k/k `plugins/nodevolumelimits/csi.go`). Whether
/// a claim's volume is EBS is in its PersistentVolume, which is not watched. While a pod is being resized kube-scheduler goes by
/// its status too.
pub(super) fn requests(spec: &super::PodSpec) -> Requests {
    Requests {
        cpu_millis: total(spec, "cpu").milli_value(),
        memory_bytes: total(spec, "memory").value(),
        volumes: volumes(&spec.volumes),
    }
}

/// What it requests of everything else, the addresses that the VPC resource controller hands out aside.
pub(super) fn extended(spec: &super::PodSpec) -> BTreeMap<String, u64> {
    let containers = spec.containers.iter().chain(&spec.init_containers);
    let resources = containers.filter_map(|container| container.resources.as_ref()).chain(&spec.resources);
    let names = resources.flat_map(|resources| resources.requests.keys()).chain(spec.overhead.keys());
    let others: BTreeSet<&String> =
        names.filter(|name| !matches!(name.as_str(), "cpu" | "memory" | POD_ENI | WINDOWS_IP)).collect();
    others.into_iter().map(|name| (name.clone(), total(spec, name).value())).collect()
}

fn total(spec: &super::PodSpec, resource: &str) -> Amount {
    let overhead = spec.overhead.get(resource).and_then(Quantity::amount).unwrap_or_default();
    if let Some(own) = spec.resources.as_ref().and_then(|own| own.requests.get(resource)) {
        return own.amount().unwrap_or_default().plus(overhead);
    }
    let running = spec.containers.iter().map(|one| one.requests(resource)).fold(Amount::default(), Amount::plus);
    let (mut beside, mut most) = (Amount::default(), Amount::default());
    for container in &spec.init_containers {
        let now = beside.plus(container.requests(resource));
        if container.restarts_always() {
            beside = now;
        }
        most = most.max(now);
    }
    running.plus(beside).max(most).plus(overhead)
}

fn volumes(all: &[Volume]) -> u32 {
    let sources = || all.iter().filter_map(|volume| volume.source.as_ref());
    let claims: BTreeSet<&str> = sources()
        .filter_map(|source| source.persistent_volume_claim.as_ref())
        .map(|claim| claim.claim_name.as_str())
        .collect();
    let own = sources().filter(|source| source.ephemeral.is_some() || source.aws_elastic_block_store.is_some()).count();
    u32::try_from(claims.len() + own).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn of(spec: Value) -> (u64, u64, u32) {
        let Requests { cpu_millis, memory_bytes, volumes } = requests(&serde_json::from_value(spec).unwrap());
        assert_eq!(memory_bytes % MIB, 0);
        (cpu_millis, memory_bytes / MIB, volumes)
    }

    fn asks(cpu: &str, memory: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    fn sidecar(cpu: &str, memory: &str) -> Value {
        let mut container = asks(cpu, memory);
        container["restartPolicy"] = "Always".into();
        container
    }

    #[test]
    fn containers_add_up_and_limits_do_not_count() {
        assert_eq!(of(json!({})), (0, 0, 0));
        assert_eq!(of(json!({"containers": [asks("100m", "64Mi"), {}, asks("0.25", "1Gi")]})), (350, 1088, 0));
        assert_eq!(of(json!({"containers": [{"resources": {"limits": {"cpu": "1"}, "requests": null}}]})), (0, 0, 0));
    }

    /// The example of KEP 753.
    #[test]
    fn an_init_container_needs_its_own_and_what_the_sidecars_before_it_have() {
        let containers = json!([asks("100m", "100Mi")]);
        let with = |init: Value| of(json!({"containers": containers, "initContainers": init}));
        assert_eq!(with(json!([asks("1", "10Mi")])), (1000, 100, 0));
        assert_eq!(with(json!([asks("1", "10Mi"), asks("200m", "1Gi")])), (1000, 1024, 0), "one after another");
        assert_eq!(with(json!([sidecar("50m", "50Mi")])), (150, 150, 0));
        assert_eq!(with(json!([sidecar("50m", "50Mi"), asks("1", "10Mi"), sidecar("25m", "25Mi")])), (1050, 175, 0));
        assert_eq!(with(json!([asks("1", "10Mi"), sidecar("50m", "50Mi")])), (1000, 150, 0));
    }

    #[test]
    fn the_pods_own_requests_go_before_its_containers_and_overhead_comes_on_top() {
        let spec = json!({"containers": [asks("100m", "64Mi")], "resources": {"requests": {"cpu": "2"}},
            "overhead": {"cpu": "250m", "memory": "120Mi"}});
        assert_eq!(of(spec), (2250, 184, 0));
    }

    #[test]
    fn volumes_are_counted_once() {
        let claim = |name: &str| json!({"name": name, "persistentVolumeClaim": {"claimName": name, "readOnly": true}});
        let volumes = json!([claim("data"), claim("logs"), claim("data"), {"name": "tmp", "emptyDir": {}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
            {"name": "old", "awsElasticBlockStore": {"volumeID": "vol-1"}}, {"name": "token", "projected": {}}]);
        assert_eq!(of(json!({"volumes": volumes})).2, 4);
        assert_eq!(of(json!({"volumes": null})).2, 0);
    }
}
