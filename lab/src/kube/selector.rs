//! Label and field selectors.

use serde_json::Value;

use super::error::ApiError;
use super::object;
use super::resource::Resource;

/// Which objects of a resource are meant. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Namespace, `None` for all.
    pub namespace: Option<String>,
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRequirement {
    label: String,
    value: String,
    equal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    DoesNotExist,
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Selector {
    /// Everything in `namespace`.
    #[must_use]
    pub fn namespace(namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..Self::default() }
    }

    /// Adds `labelSelector` in the syntax of the query parameter: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// 400 when it cannot be parsed.
    pub fn with_labels(mut self, text: &str) -> Result<Self, ApiError> {
        for part in split_requirements(text) {
            let requirement = parse_requirement(part)
                .ok_or_else(|| ApiError::bad_request(format!("unable to parse requirement: {part:?} in {text:?}")))?;
            self.labels.push(requirement);
        }
        Ok(self)
    }

    /// Adds `fieldSelector`: `spec.nodeName=a,status.phase!=Running`.
    ///
    /// # Errors
    /// 400 when it cannot be parsed or the resource has no such field label.
    pub fn with_fields(mut self, resource: &Resource, text: &str) -> Result<Self, ApiError> {
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (label, value, equal) = parse_field(part).ok_or_else(|| {
                ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'"))
            })?;
            let known = matches!(label, "metadata.name" | "metadata.namespace") || resource.fields.contains(&label);
            if !known {
                return Err(ApiError::bad_request(format!("field label not supported: {label}")));
            }
            self.fields.push(FieldRequirement { label: label.to_owned(), value: value.to_owned(), equal });
        }
        Ok(self)
    }

    /// Adds a `metav1.LabelSelector`, as in a PodDisruptionBudget. An empty one matches everything.
    #[must_use]
    pub fn with_label_selector(mut self, selector: &Value) -> Self {
        let labels = selector["matchLabels"].as_object().into_iter().flatten();
        self.labels.extend(labels.map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::In(vec![value.as_str().unwrap_or_default().to_owned()]),
        }));
        for expression in object::items(selector, "/matchExpressions") {
            let values = object::items(expression, "/values").iter().filter_map(|v| v.as_str().map(str::to_owned));
            let operator = match object::text(expression, "/operator") {
                "In" => Operator::In(values.collect()),
                "NotIn" => Operator::NotIn(values.collect()),
                "Exists" => Operator::Exists,
                _ => Operator::DoesNotExist,
            };
            self.labels.push(Requirement { key: object::text(expression, "/key").to_owned(), operator });
        }
        self
    }

    /// Whether it means `object`.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| namespace == object::namespace(object))
            && self.labels.iter().all(|requirement| requirement.matches(&object["metadata"]["labels"]))
            && self.fields.iter().all(|field| (field_value(object, &field.label) == field.value) == field.equal)
    }
}

impl Requirement {
    /// As apimachinery `labels.Requirement.Matches`: `notin` and `!=` also match objects without the label.
    fn matches(&self, labels: &Value) -> bool {
        let value = labels.get(&self.key).and_then(Value::as_str);
        match &self.operator {
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
            Operator::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
        }
    }
}

/// The value of a field label. Events know their source by two fields (k/k `pkg/registry/core/event/strategy.go`).
fn field_value(object: &Value, label: &str) -> String {
    if label == "source" {
        let component = object::text(object, "/source/component");
        return if component.is_empty() { object::text(object, "/reportingComponent") } else { component }.to_owned();
    }
    match label.split('.').fold(object, |value, key| &value[key]) {
        Value::String(text) => text.clone(),
        Value::Null if matches!(label, "spec.unschedulable" | "spec.hostNetwork") => "false".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn parse_field(part: &str) -> Option<(&str, &str, bool)> {
    let (label, value, equal) = match part.split_once("!=") {
        Some((label, value)) => (label, value, false),
        None => {
            let (label, value) = part.split_once('=')?;
            (label, value.strip_prefix('=').unwrap_or(value), true)
        }
    };
    (!label.is_empty()).then_some((label.trim(), value.trim(), equal))
}

/// Splits at the commas outside parentheses.
fn split_requirements(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

fn parse_requirement(part: &str) -> Option<Requirement> {
    let one = |value: &str| vec![value.trim().to_owned()];
    let (key, operator) = if let Some(key) = part.strip_prefix('!') {
        (key, Operator::DoesNotExist)
    } else if let Some((key, value)) = part.split_once("!=") {
        (key, Operator::NotIn(one(value)))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (key, Operator::In(one(value)))
    } else if let Some((head, values)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let head = head.trim();
        match head.strip_suffix(" notin") {
            Some(key) => (key, Operator::NotIn(values)),
            None => (head.strip_suffix(" in")?, Operator::In(values)),
        }
    } else {
        (part, Operator::Exists)
    };
    let key = key.trim();
    let valid = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    valid.then(|| Requirement { key: key.to_owned(), operator })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::resource::{EVENTS, NODES, PODS};
    use super::*;

    fn labels(selector: &str, labels: &Value) -> bool {
        Selector::default().with_labels(selector).unwrap().matches(&json!({ "metadata": { "labels": labels } }))
    }

    #[test]
    fn label_selectors() {
        let web = json!({ "app": "web", "tier": "front" });
        for selector in
            ["", "app=web", "app==web", "app", "!gone", "app!=db", "gone!=x", "app in (db, web),tier", "app notin (db)"]
        {
            assert!(labels(selector, &web), "{selector}");
        }
        for selector in ["app=db", "gone", "!app", "app!=web", "app in (db,cache)", "app notin (db, web)", "app,gone"] {
            assert!(!labels(selector, &web), "{selector}");
        }
        assert!(Selector::default().with_labels("app in web").is_err());
        assert!(Selector::default().with_labels("=web").is_err());
    }

    #[test]
    fn label_selector_objects() {
        let selector = json!({
            "matchLabels": { "app": "web" },
            "matchExpressions": [{ "key": "tier", "operator": "NotIn", "values": ["back"] }],
        });
        let selector = Selector::default().with_label_selector(&selector);
        assert!(selector.matches(&json!({ "metadata": { "labels": { "app": "web" } } })));
        assert!(!selector.matches(&json!({ "metadata": { "labels": { "app": "web", "tier": "back" } } })));
    }

    #[test]
    fn field_selectors() {
        let pending = json!({ "metadata": { "name": "a" }, "spec": {}, "status": { "phase": "Pending" } });
        let bound =
            json!({ "metadata": { "name": "b" }, "spec": { "nodeName": "n1" }, "status": { "phase": "Running" } });
        let pods = |text| Selector::default().with_fields(&PODS, text).unwrap();
        assert!(pods("spec.nodeName=").matches(&pending) && !pods("spec.nodeName=").matches(&bound));
        assert!(pods("spec.nodeName!=,status.phase==Running").matches(&bound));
        assert!(!pods("spec.nodeName=n1,metadata.name=a").matches(&bound));
        let ready = Selector::default().with_fields(&NODES, "spec.unschedulable=false").unwrap();
        assert!(ready.matches(&json!({ "metadata": { "name": "n" } })));
        assert!(!ready.matches(&json!({ "spec": { "unschedulable": true } })));
        let kubelet = Selector::default().with_fields(&EVENTS, "source=kubelet").unwrap();
        assert!(kubelet.matches(&json!({ "source": { "component": "kubelet" } })));
        assert!(Selector::default().with_fields(&NODES, "spec.nodeName=a").is_err());
        assert!(Selector::default().with_fields(&NODES, "metadata.name").is_err());
    }
}
