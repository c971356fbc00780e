//! The four kinds of patch.

use serde_json::{Map, Value};

use super::error::ApiError;

/// A patch of one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// JSON merge patch (RFC 7396): lists are replaced.
    Merge(Value),
    /// Strategic merge patch: the lists that have a merge key are merged by it.
    Strategic(Value),
    /// JSON patch (RFC 6902): a list of operations.
    Json(Value),
    /// Server-side apply. Fields have no owners here: it is a strategic merge that creates the object if need be.
    Apply(Value),
}

impl Patch {
    /// `target` with the patch applied.
    ///
    /// # Errors
    /// 400 for something that is not a patch of this kind, 422 for JSON patch operations that do not fit the object.
    pub fn apply(&self, target: &Value) -> Result<Value, ApiError> {
        let mut result = target.clone();
        match self {
            Patch::Merge(patch) => json_patch::merge(&mut result, object(patch)?),
            Patch::Strategic(patch) | Patch::Apply(patch) => {
                object(patch)?;
                strategic(&mut result, patch);
            }
            Patch::Json(operations) => {
                let operations: json_patch::Patch = serde_json::from_value(operations.clone())
                    .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
                json_patch::patch(&mut result, &operations).map_err(|error| {
                    ApiError::new(422, "Invalid", format!("the server rejected our request: {error}"))
                })?;
            }
        }
        if result.is_object() { Ok(result) } else { Err(ApiError::bad_request("a patch must leave an object")) }
    }

    /// The object that it creates where there is none: server-side apply's.
    #[must_use]
    pub fn creates(&self) -> Option<&Value> {
        if let Patch::Apply(object) = self { Some(object) } else { None }
    }
}

fn object(patch: &Value) -> Result<&Value, ApiError> {
    if patch.is_object() { Ok(patch) } else { Err(ApiError::bad_request("a merge patch must be an object")) }
}

/// Merges `patch` into `target` as apimachinery `pkg/util/strategicpatch` does.
fn strategic(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if patch.get("$patch").is_some_and(|directive| directive == "replace") {
        *target = Value::Object(patch.iter().filter(|(key, _)| *key != "$patch").map(cloned).collect());
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().map_or(&[][..], Vec::as_slice);
            if let Some(Value::Array(items)) = fields.get_mut(list) {
                items.retain(|item| !gone.contains(item));
            }
        } else if key == "$retainKeys" {
            let kept = value.as_array().map_or(&[][..], Vec::as_slice);
            fields.retain(|field, _| kept.iter().any(|k| k == field));
        } else if key.starts_with('$') {
            // $setElementOrder gives the order of a list's elements: the ones that are there keep theirs.
        } else if value.is_null() || value.get("$patch").is_some_and(|directive| directive == "delete") {
            fields.remove(key);
        } else {
            merge_field(fields.entry(key.clone()).or_insert(Value::Null), key, value);
        }
    }
}

fn cloned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn merge_field(target: &mut Value, key: &str, patch: &Value) {
    let Value::Array(elements) = patch else { return strategic(target, patch) };
    match merge_by(key, elements) {
        MergeBy::Replace => *target = patch.clone(),
        MergeBy::Set => {
            let set = list(target);
            for element in elements {
                if !set.contains(element) {
                    set.push(element.clone());
                }
            }
        }
        MergeBy::Key(key) => merge_list(list(target), key, elements),
    }
}

fn list(target: &mut Value) -> &mut Vec<Value> {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    target.as_array_mut().expect("it was just made a list")
}

fn merge_list(target: &mut Vec<Value>, key: &str, elements: &[Value]) {
    if elements.iter().any(|element| element["$patch"] == "replace") {
        target.clear();
    }
    for element in elements {
        let id = &element[key];
        match element["$patch"].as_str() {
            Some("delete") => target.retain(|item| item[key] != *id),
            Some("replace") if id.is_null() => {}
            _ => match target.iter_mut().find(|item| item[key] == *id) {
                Some(item) => strategic(item, element),
                None => {
                    let mut item = Value::Null;
                    strategic(&mut item, element);
                    target.push(item);
                }
            },
        }
    }
}

enum MergeBy {
    Replace,
    Set,
    Key(&'static str),
}

/// `patchStrategy` and `patchMergeKey` in the types of k8s.io/api (`core/v1`, `meta/v1`), by the list's name. Taints,
/// tolerations and container statuses have none: they are replaced.
fn merge_by(list: &str, elements: &[Value]) -> MergeBy {
    MergeBy::Key(match list {
        "conditions" | "addresses" => "type",
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "resourceClaims"
        | "schedulingGates"
        | "secrets" => "name",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "topologySpreadConstraints" => "topologyKey",
        "hostAliases" | "podIPs" | "hostIPs" => "ip",
        "ownerReferences" => "uid",
        // A container's ports and a service's share the name of the list.
        "ports" if elements.iter().any(|port| port.get("containerPort").is_some()) => "containerPort",
        "ports" => "port",
        "finalizers" | "podCIDRs" => return MergeBy::Set,
        _ => return MergeBy::Replace,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(patch: &Patch, before: &Value, after: &Value) {
        assert_eq!(patch.apply(before).unwrap(), *after);
    }

    #[test]
    fn merge_patch_replaces_lists_and_drops_nulls() {
        let before = json!({ "a": { "x": 1, "y": 2 }, "l": [1, 2] });
        let patch = Patch::Merge(json!({ "a": { "x": null, "z": 3 }, "l": [3] }));
        check(&patch, &before, &json!({ "a": { "y": 2, "z": 3 }, "l": [3] }));
    }

    #[test]
    fn strategic_patch_merges_conditions_by_type() {
        let before = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "r" }] } });
        let patch = json!({ "status": {
            "$setElementOrder/conditions": [{ "type": "Ready" }, { "type": "PodScheduled" }],
            "conditions": [{ "type": "PodScheduled", "status": "False" }, { "type": "Ready", "status": "False" }],
        } });
        let after = json!({ "status": { "conditions": [
            { "type": "Ready", "status": "False", "reason": "r" },
            { "type": "PodScheduled", "status": "False" },
        ] } });
        check(&Patch::Strategic(patch.clone()), &before, &after);
        check(&Patch::Apply(patch), &before, &after);
    }

    #[test]
    fn strategic_patch_directives() {
        let before = json!({
            "metadata": { "finalizers": ["a", "b"] },
            "spec": { "containers": [{ "name": "x", "image": "1" }, { "name": "y" }], "taints": [{ "key": "k" }] },
        });
        let patch = json!({
            "metadata": { "$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"] },
            "spec": {
                "containers": [{ "name": "y", "$patch": "delete" }, { "name": "x", "image": "2" }],
                "taints": [{ "key": "other" }],
            },
        });
        let after = json!({
            "metadata": { "finalizers": ["b", "c"] },
            "spec": { "containers": [{ "name": "x", "image": "2" }], "taints": [{ "key": "other" }] },
        });
        check(&Patch::Strategic(patch), &before, &after);
        let replace = json!({ "spec": { "$patch": "replace", "paused": true } });
        let metadata = &before["metadata"];
        check(&Patch::Strategic(replace), &before, &json!({ "metadata": metadata, "spec": { "paused": true } }));
    }

    #[test]
    fn json_patch_applies_all_operations_or_none() {
        let before = json!({ "metadata": { "labels": { "a": "1" } } });
        let patch = Patch::Json(json!([
            { "op": "test", "path": "/metadata/labels/a", "value": "1" },
            { "op": "replace", "path": "/metadata/labels/a", "value": "2" },
            { "op": "add", "path": "/metadata/labels/x~1y", "value": "3" },
        ]));
        check(&patch, &before, &json!({ "metadata": { "labels": { "a": "2", "x/y": "3" } } }));
        let failing = Patch::Json(json!([{ "op": "test", "path": "/metadata/labels/a", "value": "9" }]));
        assert_eq!(failing.apply(&before).unwrap_err().code, 422);
        assert_eq!(Patch::Json(json!({ "op": "add" })).apply(&before).unwrap_err().code, 400);
    }
}
