//! Which nodes a pod may be on: node selector, required node affinity, taints.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

use crate::event::{Node, Taint};

/// What of a pod's spec keeps it from nodes, as far as a node alone decides it. Topology spread and affinity between pods are not
/// among it: [`Tenant::depends_on_others`](crate::drain::Tenant::depends_on_others) tells that a pod has such.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    selector: BTreeMap<String, String>,
    /// Any of them; `None` for no required node affinity.
    terms: Option<Vec<core::NodeSelectorTerm>>,
    tolerations: Vec<core::Toleration>,
}

impl Placement {
    pub(crate) fn of(spec: &core::PodSpec) -> Placement {
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required = affinity.and_then(|node| node.required_during_scheduling_ignored_during_execution.as_ref());
        Placement {
            selector: spec.node_selector.clone().unwrap_or_default(),
            terms: required.map(|selector| selector.node_selector_terms.clone()),
            tolerations: spec.tolerations.clone().unwrap_or_default(),
        }
    }

    /// Whether kube-scheduler would let the pod on `node` as far as this decides (k/k component-helpers
    /// `scheduling/corev1/nodeaffinity` and `scheduling/corev1/helpers.go`, `FindMatchingUntoleratedTaint`).
    #[must_use]
    pub fn allows(&self, node: &Node) -> bool {
        let selected = self.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
        // A required affinity without terms matches no node.
        let affine = self.terms.as_ref().is_none_or(|terms| terms.iter().any(|term| matches(term, node)));
        let hard = node.taints.iter().filter(|taint| taint.effect != "PreferNoSchedule");
        selected && affine && hard.into_iter().all(|taint| self.tolerations.iter().any(|one| tolerates(one, taint)))
    }
}

impl Placement {
    /// Whether it tolerates every taint: then it may come back to a node that is being emptied.
    #[must_use]
    pub fn tolerates_everything(&self) -> bool {
        let taint = |key: &str| Taint { key: key.to_owned(), value: String::new(), effect: "NoSchedule".to_owned() };
        let (ours, cordon) = (taint(crate::drain::MARK), taint("node.kubernetes.io/unschedulable"));
        [ours, cordon].iter().all(|taint| self.tolerations.iter().any(|one| tolerates(one, taint)))
    }
}

/// A term without requirements matches nothing.
fn matches(term: &core::NodeSelectorTerm, node: &Node) -> bool {
    let labels = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let name = |key: &str| (key == "metadata.name").then(|| &*node.name);
    !(labels.is_empty() && fields.is_empty())
        && labels.iter().all(|one| meets(one, node.labels.get(&one.key).map(String::as_str)))
        && fields.iter().all(|one| meets(one, name(&one.key)))
}

fn meets(requirement: &core::NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let among = |value: &str| values.iter().any(|one| one == value);
    let compared = || Some((value?.parse::<i64>().ok()?, values.first()?.parse::<i64>().ok()?));
    match requirement.operator.as_str() {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(|(has, than)| has > than),
        "Lt" => compared().is_some_and(|(has, than)| has < than),
        // An operator to come: nothing is promised.
        _ => false,
    }
}

fn tolerates(toleration: &core::Toleration, taint: &Taint) -> bool {
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let effect = set(&toleration.effect).is_none_or(|effect| effect == taint.effect);
    let key = set(&toleration.key).is_none_or(|key| key == taint.key);
    let value = match toleration.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => {
            set(&toleration.key).is_some() && toleration.value.as_deref().unwrap_or_default() == taint.value
        }
        Some(_) => false,
    };
    effect && key && value
}

#[cfg(test)]
mod tests {
    use headroom_capacity::budget::NodeKind;
    use serde_json::{Value, json};

    use super::*;

    fn allows(spec: Value, labels: Value, taints: &[(&str, &str, &str)]) -> bool {
        let mut node = Node::ready("n", NodeKind::Linux, 10);
        node.labels = serde_json::from_value(labels).unwrap();
        let taint = |(key, value, effect): &(&str, &str, &str)| Taint {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            effect: (*effect).to_owned(),
        };
        node.taints = taints.iter().map(taint).collect();
        Placement::of(&serde_json::from_value(spec).unwrap()).allows(&node)
    }

    fn affinity(terms: Value) -> Value {
        json!({"containers": [], "affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
    }

    #[test]
    fn a_selector_wants_every_label() {
        let spec = json!({"containers": [], "nodeSelector": {"a": "1", "b": "2"}});
        assert!(allows(spec.clone(), json!({"a": "1", "b": "2", "c": "3"}), &[]));
        assert!(!allows(spec, json!({"a": "1", "b": "3"}), &[]));
    }

    #[test]
    fn one_term_of_the_affinity_is_enough_and_none_is_not() {
        let one = |key, operator, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        let labels = json!({"zone": "a", "cores": "8"});
        for (terms, allowed) in [
            (json!([one("zone", "In", &["a", "b"])]), true),
            (json!([one("zone", "NotIn", &["a"]), one("cores", "Gt", &["4"])]), true),
            (json!([one("zone", "NotIn", &["a"]), one("cores", "Lt", &["4"])]), false),
            (json!([one("gpu", "Exists", &[])]), false),
            (json!([one("gpu", "DoesNotExist", &[])]), true),
            (json!([one("gpu", "NotIn", &["x"])]), true),
            (json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]), true),
            (json!([{}]), false),
            (json!([]), false),
        ] {
            assert_eq!(allows(affinity(terms.clone()), labels.clone(), &[]), allowed, "{terms}");
        }
    }

    #[test]
    fn every_hard_taint_must_be_tolerated() {
        let with = |tolerations: Value| json!({"containers": [], "tolerations": tolerations});
        let taints = &[("team", "x", "NoSchedule"), ("soft", "", "PreferNoSchedule")];
        for (tolerations, allowed) in [
            (json!([]), false),
            (json!([{"key": "team", "operator": "Exists"}]), true),
            (json!([{"operator": "Exists"}]), true),
            (json!([{"key": "team", "value": "x", "effect": "NoSchedule"}]), true),
            (json!([{"key": "team", "value": "y"}]), false),
            (json!([{"key": "team", "operator": "Exists", "effect": "NoExecute"}]), false),
        ] {
            assert_eq!(allows(with(tolerations.clone()), json!({}), taints), allowed, "{tolerations}");
        }
        let everything = |tolerations: Value| {
            Placement::of(&serde_json::from_value(with(tolerations)).unwrap()).tolerates_everything()
        };
        assert!(everything(json!([{"operator": "Exists"}])));
        assert!(!everything(json!([{"key": "team", "operator": "Exists"}])));
    }
}
