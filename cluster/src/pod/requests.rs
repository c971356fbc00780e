//! What a pod requests, as kube-scheduler counts it.

use std::collections::{BTreeMap, BTreeSet};

use headroom_capacity::binding::Requests;
use prost::Message;
use serde::Deserialize;

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

/// CPU and memory.
#[derive(Clone, Copy, Default)]
struct Compute {
    cpu: Amount,
    memory: Amount,
}

impl Compute {
    fn of(quantities: &Quantities) -> Compute {
        let amount = |name: &str| quantities.get(name).and_then(Quantity::amount).unwrap_or_default();
        Compute { cpu: amount("cpu"), memory: amount("memory") }
    }

    fn requested(container: &Container) -> Compute {
        container.resources.as_ref().map(|resources| Compute::of(&resources.requests)).unwrap_or_default()
    }

    fn plus(self, other: Compute) -> Compute {
        Compute { cpu: self.cpu.plus(other.cpu), memory: self.memory.plus(other.memory) }
    }

    fn max(self, other: Compute) -> Compute {
        Compute { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }
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
    let running = spec.containers.iter().map(Compute::requested).fold(Compute::default(), Compute::plus);
    let (mut beside, mut most) = (Compute::default(), Compute::default());
    for container in &spec.init_containers {
        let own = Compute::requested(container);
        let now = beside.plus(own);
        if container.restart_policy.as_deref() == Some("Always") {
            beside = now;
        }
        most = most.max(now);
    }
    let mut sum = running.plus(beside).max(most);
    if let Some(own) = &spec.resources {
        let Compute { cpu, memory } = Compute::of(&own.requests);
        let has = |name: &str| own.requests.contains_key(name);
        sum = Compute {
            cpu: if has("cpu") { cpu } else { sum.cpu },
            memory: if has("memory") { memory } else { sum.memory },
        };
    }
    let Compute { cpu, memory } = sum.plus(Compute::of(&spec.overhead));
    Requests { cpu_millis: cpu.milli_value(), memory_bytes: memory.value(), volumes: volumes(&spec.volumes) }
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
