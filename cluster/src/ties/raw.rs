//! As it is written. Protobuf tags are those of k8s.io/api `core/v1/generated.proto` and apimachinery `pkg/apis/meta/v1`.

use std::collections::BTreeMap;

use prost::Message;
use serde::Deserialize;

use super::{Labels, PodTerm, Selector, Spread};
use crate::object::null_is_default;
use crate::placement::Requirement;

/// `podAffinity` or `podAntiAffinity`.
#[derive(Clone, Deserialize, Message)]
#[serde(default)]
pub(crate) struct PodAffinity {
    #[prost(message, repeated, tag = "1")]
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution", deserialize_with = "null_is_default")]
    required: Vec<RawTerm>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
struct RawTerm {
    #[prost(message, optional, tag = "1")]
    label_selector: Option<LabelSelector>,
    #[prost(string, repeated, tag = "2")]
    #[serde(deserialize_with = "null_is_default")]
    namespaces: Vec<String>,
    #[prost(string, tag = "3")]
    topology_key: String,
    #[prost(message, optional, tag = "4")]
    namespace_selector: Option<LabelSelector>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
struct LabelSelector {
    #[prost(btree_map = "string, string", tag = "1")]
    #[serde(deserialize_with = "null_is_default")]
    match_labels: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "null_is_default")]
    match_expressions: Vec<Requirement>,
}

/// One of `spec.topologySpreadConstraints`.
#[derive(Clone, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RawSpread {
    #[prost(int32, tag = "1")]
    max_skew: i32,
    #[prost(string, tag = "2")]
    topology_key: String,
    #[prost(string, tag = "3")]
    when_unsatisfiable: String,
    #[prost(message, optional, tag = "4")]
    label_selector: Option<LabelSelector>,
    #[prost(int32, optional, tag = "5")]
    min_domains: Option<i32>,
    #[prost(string, optional, tag = "6")]
    node_affinity_policy: Option<String>,
    #[prost(string, optional, tag = "7")]
    node_taints_policy: Option<String>,
    #[prost(string, repeated, tag = "8")]
    #[serde(deserialize_with = "null_is_default")]
    match_label_keys: Vec<String>,
}

/// One of `spec.resourceClaims`: that there is one is all that counts.
#[derive(Clone, Deserialize, Message)]
#[serde(default)]
pub(crate) struct ClaimRef {
    #[prost(string, tag = "1")]
    name: String,
}

impl PodAffinity {
    /// The terms of a pod in `namespace`, and whether one of them selects namespaces by labels. Which those are is not known: it is taken
    /// to be about all, so that a pod that is there keeps away whom it may keep away.
    pub(crate) fn terms(self, namespace: &str) -> (Vec<PodTerm>, bool) {
        let mut beyond = false;
        let terms = self.required.into_iter().map(|raw| {
            // Without either it is the pod's own (k/k kube-scheduler `framework/types.go`, `getNamespacesFromPodAffinityTerm`).
            let namespaces = match raw.namespace_selector {
                Some(by) if by.is_empty() => None,
                Some(_) => {
                    beyond = true;
                    None
                }
                None if raw.namespaces.is_empty() => Some(vec![namespace.to_owned()]),
                None => Some(raw.namespaces),
            };
            PodTerm { topology_key: raw.topology_key, namespaces, selector: selector(raw.label_selector) }
        });
        (terms.collect(), beyond)
    }
}

impl RawSpread {
    /// Of a pod with these labels; `None` for one that need not hold. Defaults are those of k/k `podtopologyspread/common.go`,
    /// `filterTopologySpreadConstraints`.
    pub(crate) fn read(self, labels: &Labels) -> Option<Spread> {
        if self.when_unsatisfiable != "DoNotSchedule" {
            return None;
        }
        let mut selector = selector(self.label_selector);
        if let Some(all) = &mut selector.0 {
            let own = self.match_label_keys.iter().filter_map(|key| Some((key, labels.get(key)?)));
            all.extend(own.map(|(key, value)| Requirement::equals(key, value)));
        }
        Some(Spread {
            max_skew: u32::try_from(self.max_skew).unwrap_or_default(),
            topology_key: self.topology_key,
            min_domains: self.min_domains.and_then(|least| u32::try_from(least).ok()).unwrap_or(1),
            selector,
            honors_affinity: self.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: self.node_taints_policy.as_deref() == Some("Honor"),
        })
    }
}

impl LabelSelector {
    fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }
}

fn selector(raw: Option<LabelSelector>) -> Selector {
    Selector(raw.map(|raw| {
        let labels = raw.match_labels.iter().map(|(key, value)| Requirement::equals(key, value));
        labels.chain(raw.match_expressions).collect()
    }))
}
