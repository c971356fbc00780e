//! What ties a pod to nodes by the pods that are there: affinity to pods, topology spread, ports of the host, resources that devices give.

mod port;
mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::event::Node;
use crate::placement::{Placement, Requirement};
use crate::pod::PodSpec;

pub use port::HostPort;
pub(crate) use raw::{ClaimRef, PodAffinity, RawSpread};

/// `metadata.labels` of a pod.
pub type Labels = BTreeMap<String, String>;

/// What of a pod's spec must hold between it and the pods that are on nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ties {
    /// Required pod affinity: all of them.
    pub affinity: Vec<PodTerm>,
    /// Required pod anti-affinity: none of them.
    pub anti_affinity: Vec<PodTerm>,
    /// Topology spread constraints with `DoNotSchedule`.
    pub spread: Vec<Spread>,
    /// Ports that it takes of its node.
    pub ports: Vec<HostPort>,
    /// What it requests beside CPU, memory and addresses, by resource: those of device plugins, huge pages, ephemeral storage.
    pub extended: BTreeMap<String, u64>,
    /// It has what is not read here: a namespace selector with labels, or resource claims.
    pub beyond: bool,
}

impl Ties {
    /// Of the pod in `namespace` with these labels and this `spec`, in JSON.
    ///
    /// # Errors
    /// A field that is not of the API's type.
    pub fn of_spec(spec: serde_json::Value, namespace: &str, labels: &Labels) -> Result<Ties, serde_json::Error> {
        let spec: PodSpec = serde_json::from_value(spec)?;
        Ok(spec.scheduling(namespace, labels).1)
    }
}

/// Which labels a `metav1.LabelSelector` selects; `None`, as one that is not there, selects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector(Option<Vec<Requirement>>);

impl Selector {
    /// Whether it selects a pod with these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let met = |one: &Requirement| one.met_by(labels.get(&one.key).map(String::as_str));
        self.0.as_ref().is_some_and(|all| all.iter().all(met))
    }
}

/// A required term of pod affinity or anti-affinity. `matchLabelKeys` and `mismatchLabelKeys` are in the selector already: kube-apiserver
/// puts them there (k/k `pkg/registry/core/pod/strategy.go`, `applyMatchLabelKeysAndMismatchLabelKeys`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodTerm {
    /// The label of nodes that makes one domain of all with the same value.
    pub topology_key: String,
    /// `None` for all of them.
    namespaces: Option<Vec<String>>,
    selector: Selector,
}

impl PodTerm {
    /// Whether it is about this pod (k/k kube-scheduler `framework/types.go`, `AffinityTerm.Matches`).
    #[must_use]
    pub fn matches(&self, namespace: &str, labels: &Labels) -> bool {
        let there = self.namespaces.as_ref().is_none_or(|all| all.iter().any(|one| one == namespace));
        there && self.selector.matches(labels)
    }
}

/// A topology spread constraint that must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spread {
    /// How many more of the pods the fullest domain may have than the emptiest.
    pub max_skew: u32,
    /// The label of nodes that makes one domain of all with the same value.
    pub topology_key: String,
    /// With fewer domains than these the emptiest counts as empty.
    pub min_domains: u32,
    selector: Selector,
    honors_affinity: bool,
    honors_taints: bool,
}

impl Spread {
    /// Whether it counts a pod of the same namespace with these labels. An empty selector counts none that is there (k/k
    /// `podtopologyspread/common.go`, `countPodsMatchSelector`).
    #[must_use]
    pub fn counts(&self, labels: &Labels) -> bool {
        self.selector.0.as_ref().is_some_and(|all| !all.is_empty()) && self.selector.matches(labels)
    }

    /// Whether it would count a pod with these labels that is placed.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        self.selector.matches(labels)
    }

    /// Whether the node is of a domain that counts for a pod with this placement (`matchNodeInclusionPolicies` there).
    #[must_use]
    pub fn includes(&self, placement: &Placement, node: &Node) -> bool {
        (!self.honors_affinity || placement.affine(node)) && (!self.honors_taints || placement.tolerates_taints(node))
    }
}
