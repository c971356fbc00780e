//! The pods of a node that is to be emptied, and the budgets that protect them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headroom_capacity::binding::Requests;
use headroom_capacity::ids::PodUid;
use headroom_capacity::verdict::Demand;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::placement::Placement;
use crate::pod;
use crate::ties::Ties;

/// Cluster Autoscaler's annotation by which an owner forbids or allows that a pod is moved
/// (`cluster-autoscaler/utils/drain/drain.go`, `PodSafeToEvictKey`).
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// kubelet's on pods that it runs from a file (k/k `pkg/kubelet/types/pod_update.go`, `ConfigMirrorAnnotationKey`).
const MIRROR: &str = "kubernetes.io/config.mirror";
/// How long a pod may take to end where it does not say (k/k `pkg/apis/core/v1/defaults.go`).
const DEFAULT_GRACE_SECS: i64 = 30;

/// What makes a pod anew when it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nothing does.
    Nobody,
    /// A DaemonSet: the node has it as long as it is there.
    DaemonSet,
    /// ReplicaSet, StatefulSet, Job, or another controller.
    Controller,
}

/// A pod on a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// `metadata.uid`.
    pub uid: PodUid,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// What makes it anew.
    pub owner: Owner,
    /// kubelet runs it from a file: it cannot be evicted, and ends with the node.
    pub mirror: bool,
    /// Succeeded or Failed.
    pub finished: bool,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// What kind of address it needs.
    pub demand: Demand,
    /// What else it takes.
    pub requests: Requests,
    /// Which nodes it may be on.
    pub placement: Placement,
    /// And by the pods that are there.
    pub ties: Ties,
    /// `status.podIP` is set.
    pub has_ip: bool,
    /// It has an `emptyDir` or `hostPath` volume, which does not move with it.
    pub local_storage: bool,
    /// Its PersistentVolumeClaims. Not those of generic ephemeral volumes, which are made anew with it.
    pub claims: BTreeSet<String>,
    /// By which volume its data is bound to its node, or why that is not known. `None` until [`pin`](crate::drain::pin) has looked.
    pub pinned: Option<String>,
    /// Cluster Autoscaler's `safe-to-evict` annotation.
    pub safe_to_evict: Option<bool>,
    /// How long it may take to end.
    pub grace: Duration,
}

impl Tenant {
    /// `namespace/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it has to be gone before its node may be: not what a DaemonSet or kubelet keeps there, nor what has ended.
    #[must_use]
    pub fn must_leave(&self) -> bool {
        !self.mirror && !self.finished && self.owner != Owner::DaemonSet
    }

    pub(crate) fn of(pod: core::Pod) -> Option<Tenant> {
        let core::Pod { metadata, spec, status } = pod;
        let spec = spec?;
        let annotations = metadata.annotations.unwrap_or_default();
        let status = status.unwrap_or_default();
        let phase = status.phase.unwrap_or_default();
        let controller =
            metadata.owner_references.unwrap_or_default().into_iter().find(|owner| owner.controller == Some(true));
        let namespace = metadata.namespace.unwrap_or_default();
        let labels = metadata.labels.unwrap_or_default();
        let (demand, requests, placement, ties) = pod::needs(&spec, &namespace, &labels);
        let grace = spec.termination_grace_period_seconds.unwrap_or(DEFAULT_GRACE_SECS);
        Some(Tenant {
            uid: PodUid::from(metadata.uid?),
            namespace,
            name: metadata.name?,
            labels,
            owner: match controller.map(|owner| owner.kind) {
                None => Owner::Nobody,
                Some(kind) if kind == "DaemonSet" => Owner::DaemonSet,
                Some(_) => Owner::Controller,
            },
            mirror: annotations.contains_key(MIRROR),
            finished: matches!(phase.as_str(), "Succeeded" | "Failed"),
            deleting: metadata.deletion_timestamp.is_some(),
            demand,
            requests,
            placement,
            ties,
            has_ip: status.pod_ip.is_some_and(|ip| !ip.is_empty()),
            local_storage: spec
                .volumes
                .iter()
                .flatten()
                .any(|volume| volume.empty_dir.is_some() || volume.host_path.is_some()),
            claims: spec
                .volumes
                .into_iter()
                .flatten()
                .filter_map(|one| Some(one.persistent_volume_claim?.claim_name))
                .collect(),
            pinned: None,
            safe_to_evict: annotations.get(SAFE_TO_EVICT).and_then(|text| text.parse().ok()),
            grace: Duration::from_secs(u64::try_from(grace).unwrap_or(0)),
        })
    }
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq)]
pub struct Disruption {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `status.disruptionsAllowed`, as of the disruption controller's last look.
    pub allowed: u32,
    selector: Option<LabelSelector>,
}

impl Disruption {
    pub(crate) fn of(budget: PodDisruptionBudget) -> Option<Disruption> {
        let allowed = budget.status.and_then(|status| status.disruptions_allowed).unwrap_or(0);
        Some(Disruption {
            namespace: budget.metadata.namespace.unwrap_or_default(),
            name: budget.metadata.name?,
            allowed: u32::try_from(allowed).unwrap_or(0),
            selector: budget.spec.and_then(|spec| spec.selector),
        })
    }

    /// Whether it protects the pod. In policy/v1 an empty selector protects every pod of the namespace, and none at all no pod
    /// (k/k `pkg/registry/core/pod/storage/eviction.go`, `getPodDisruptionBudgets`).
    #[must_use]
    pub fn protects(&self, pod: &Tenant) -> bool {
        let Some(selector) = self.selector.as_ref().filter(|_| self.namespace == pod.namespace) else { return false };
        let labelled = selector.match_labels.iter().flatten().all(|(key, value)| pod.labels.get(key) == Some(value));
        labelled
            && selector.match_expressions.iter().flatten().all(|one| {
                let value = pod.labels.get(&one.key);
                let among = |value: &String| one.values.iter().flatten().any(|other| other == value);
                match one.operator.as_str() {
                    "In" => value.is_some_and(among),
                    "NotIn" => !value.is_some_and(among),
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    // What cannot be judged may protect.
                    _ => true,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn tenant(metadata: Value, spec: Value) -> Tenant {
        let mut pod = json!({"metadata": {"uid": "u", "namespace": "shop", "name": "web-1"}, "spec": spec});
        for (key, value) in metadata.as_object().unwrap() {
            pod["metadata"][key] = value.clone();
        }
        Tenant::of(serde_json::from_value(pod).unwrap()).unwrap()
    }

    fn owned(kind: &str) -> Value {
        json!({"ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "o", "controller": true}]})
    }

    #[test]
    fn daemon_set_pods_and_mirrors_stay_with_their_node() {
        let spec = json!({"containers": [{"name": "c"}]});
        assert!(tenant(owned("ReplicaSet"), spec.clone()).must_leave());
        assert!(!tenant(owned("DaemonSet"), spec.clone()).must_leave());
        assert!(!tenant(json!({"annotations": {MIRROR: "x"}}), spec.clone()).must_leave());
        assert_eq!(tenant(json!({}), spec).owner, Owner::Nobody);
    }

    #[test]
    fn what_it_takes_is_counted_as_in_the_watch() {
        let spec = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}],
            "volumes": [{"name": "v", "emptyDir": {}}], "terminationGracePeriodSeconds": 7});
        let pod = tenant(owned("ReplicaSet"), spec);
        assert_eq!((pod.requests.cpu_millis, pod.requests.memory_bytes), (250, 64 << 20));
        assert_eq!((pod.demand, pod.local_storage, pod.grace), (Demand::PodIp, true, Duration::from_secs(7)));
    }

    #[test]
    fn its_claims_are_those_that_outlive_it() {
        let claim = |name: &str| json!({"name": name, "persistentVolumeClaim": {"claimName": name}});
        let volumes =
            json!([claim("data"), claim("logs"), {"name": "tmp", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
        let pod = tenant(owned("StatefulSet"), json!({"containers": [], "volumes": volumes}));
        assert_eq!(pod.claims, ["data", "logs"].map(str::to_owned).into());
        assert_eq!((pod.requests.volumes, pod.local_storage, pod.pinned), (3, false, None));
    }

    #[test]
    fn a_budget_protects_what_it_selects_in_its_namespace() {
        let pod = tenant(json!({"labels": {"app": "web", "tier": "front"}}), json!({"containers": []}));
        let budget = |namespace: &str, selector: Value| {
            let budget = json!({"metadata": {"name": "b", "namespace": namespace}, "spec": {"selector": selector},
                "status": {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}});
            Disruption::of(serde_json::from_value(budget).unwrap()).unwrap()
        };
        assert!(budget("shop", json!({"matchLabels": {"app": "web"}})).protects(&pod));
        assert!(budget("shop", json!({})).protects(&pod));
        assert!(!budget("shop", json!(null)).protects(&pod));
        assert!(!budget("other", json!({"matchLabels": {"app": "web"}})).protects(&pod));
        let not_front = json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]});
        assert!(!budget("shop", not_front).protects(&pod));
    }
}
