//! Which nodes a pod may be on: node selector, required node affinity, taints.

use std::collections::BTreeMap;

use prost::Message;
use serde::Deserialize;

use crate::event::{Node, Taint};
use crate::object::null_is_default;
use crate::pod::PodSpec;
use crate::ties::Labels;

/// What of a pod's spec keeps it from nodes, as far as a node alone decides it. What goes by the pods that are there is in
/// [`Ties`](crate::Ties).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Placement {
    selector: BTreeMap<String, String>,
    /// Any of them; `None` for no required node affinity.
    terms: Option<Vec<Term>>,
    tolerations: Vec<Toleration>,
}

/// A node as far as [`Placement`] goes by it, whether it exists or is to come.
pub trait Looks {
    /// `metadata.name`; `None` where nobody knows it yet.
    fn name(&self) -> Option<&str>;

    /// Whether `holds` of every value that the label may have, `None` for not being there.
    fn every(&self, label: &str, holds: &dyn Fn(Option<&str>) -> bool) -> bool;

    /// `spec.taints`.
    fn taints(&self) -> &[Taint];
}

impl Looks for Node {
    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn every(&self, label: &str, holds: &dyn Fn(Option<&str>) -> bool) -> bool {
        holds(self.labels.get(label).map(String::as_str))
    }

    fn taints(&self) -> &[Taint] {
        &self.taints
    }
}

impl Placement {
    pub(crate) fn new(
        selector: BTreeMap<String, String>,
        affinity: Option<NodeAffinity>,
        tolerations: Vec<Toleration>,
    ) -> Placement {
        let required = affinity.and_then(|affinity| affinity.required);
        Placement { selector, terms: required.map(|selector| selector.terms), tolerations }
    }

    /// Of the pod with this `spec`, in JSON.
    ///
    /// # Errors
    /// A field that is not of the API's type.
    pub fn of_spec(spec: serde_json::Value) -> Result<Placement, serde_json::Error> {
        let spec: PodSpec = serde_json::from_value(spec)?;
        Ok(spec.scheduling("", &Labels::new()).0)
    }

    /// Whether kube-scheduler would let the pod on `node` as far as this decides (k/k component-helpers
    /// `scheduling/corev1/nodeaffinity` and `scheduling/corev1/helpers.go`, `FindMatchingUntoleratedTaint`). Of a node to come that may
    /// look one way or another, whether it would whichever comes.
    #[must_use]
    pub fn allows(&self, node: &impl Looks) -> bool {
        self.affine(node) && self.tolerates_taints(node)
    }

    /// As far as labels and the name decide it.
    pub(crate) fn affine(&self, node: &impl Looks) -> bool {
        let selected = self.selector.iter().all(|(key, value)| node.every(key, &|has| has == Some(value)));
        // A required affinity without terms matches no node.
        selected && self.terms.as_ref().is_none_or(|terms| terms.iter().any(|term| matches(term, node)))
    }

    /// As far as taints do.
    pub(crate) fn tolerates_taints(&self, node: &impl Looks) -> bool {
        let mut hard = node.taints().iter().filter(|taint| taint.effect != "PreferNoSchedule");
        hard.all(|taint| self.tolerates(taint))
    }

    /// Whether it tolerates every taint: then it may come back to a node that is being emptied.
    #[must_use]
    pub fn tolerates_everything(&self) -> bool {
        let taint = |key: &str| Taint { key: key.to_owned(), value: String::new(), effect: "NoSchedule".to_owned() };
        [taint(crate::drain::MARK), taint("node.kubernetes.io/unschedulable")].iter().all(|one| self.tolerates(one))
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|one| tolerates(one, taint))
    }
}

/// `nodeAffinity`, as far as it is needed. Protobuf tags are those of k8s.io/api `core/v1/generated.proto`, here and below.
#[derive(Clone, Deserialize, Message)]
#[serde(default)]
pub(crate) struct NodeAffinity {
    #[prost(message, optional, tag = "1")]
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<NodeSelector>,
}

#[derive(Clone, Deserialize, Message)]
#[serde(default)]
struct NodeSelector {
    #[prost(message, repeated, tag = "1")]
    #[serde(rename = "nodeSelectorTerms", deserialize_with = "null_is_default")]
    terms: Vec<Term>,
}

#[derive(Clone, PartialEq, Eq, Hash, Deserialize, Message)]
#[serde(rename_all = "camelCase", default)]
struct Term {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "null_is_default")]
    match_expressions: Vec<Requirement>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "null_is_default")]
    match_fields: Vec<Requirement>,
}

#[derive(Clone, PartialEq, Eq, Hash, Deserialize, Message)]
#[serde(default)]
pub(crate) struct Requirement {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    operator: String,
    #[prost(string, repeated, tag = "3")]
    #[serde(deserialize_with = "null_is_default")]
    values: Vec<String>,
}

/// One of `spec.tolerations`.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize, Message)]
#[serde(default)]
pub(crate) struct Toleration {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    operator: String,
    #[prost(string, tag = "3")]
    value: String,
    #[prost(string, tag = "4")]
    effect: String,
}

/// A term without requirements matches nothing.
fn matches(term: &Term, node: &impl Looks) -> bool {
    let Term { match_expressions: labels, match_fields: fields } = term;
    let name = |key: &str| node.name().filter(|_| key == "metadata.name");
    !(labels.is_empty() && fields.is_empty())
        && labels.iter().all(|one| node.every(&one.key, &|value| one.met_by(value)))
        && fields.iter().all(|one| one.met_by(name(&one.key)))
}

impl Requirement {
    /// The label has this value.
    pub(crate) fn equals(key: &str, value: &str) -> Requirement {
        Requirement { key: key.to_owned(), operator: "In".to_owned(), values: vec![value.to_owned()] }
    }

    /// By the value of a label or field, `None` where it is not there.
    pub(crate) fn met_by(&self, value: Option<&str>) -> bool {
        let among = |value: &str| self.values.iter().any(|one| one == value);
        let compared = || Some((value?.parse::<i64>().ok()?, self.values.first()?.parse::<i64>().ok()?));
        match self.operator.as_str() {
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
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let Toleration { key, operator, value, effect } = toleration;
    let is = |text: &str, of_taint: &str| text.is_empty() || text == of_taint;
    let same = match operator.as_str() {
        "Exists" => true,
        "" | "Equal" => !key.is_empty() && *value == taint.value,
        _ => false,
    };
    same && is(effect, &taint.effect) && is(key, &taint.key)
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
        Placement::of_spec(spec).unwrap().allows(&node)
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
        let everything = |tolerations: Value| Placement::of_spec(with(tolerations)).unwrap().tolerates_everything();
        assert!(everything(json!([{"operator": "Exists"}])));
        assert!(!everything(json!([{"key": "team", "operator": "Exists"}])));
    }
}
