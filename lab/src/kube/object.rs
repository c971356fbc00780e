//! Reading and writing the usual fields of an object that is kept as JSON.

use headroom_capacity::time::Time;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// `metadata.name`, empty if there is none.
#[must_use]
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`, empty for objects of the cluster.
#[must_use]
pub fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `metadata.uid`.
#[must_use]
pub fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// What lists are sorted by.
pub(super) fn order(object: &Value) -> (&str, &str) {
    (namespace(object), name(object))
}

/// `metadata.resourceVersion` as the number that it is in this store; 0 if there is none.
#[must_use]
pub fn revision(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or(0)
}

/// Whether `metadata.deletionTimestamp` is set.
#[must_use]
pub fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
}

/// The text at a JSON pointer, empty if there is none.
#[must_use]
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a JSON pointer, empty if there is none.
#[must_use]
pub fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Status of the condition of this type: `True`, `False`, `Unknown`, or empty if it is not there.
#[must_use]
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    let conditions = items(object, "/status/conditions");
    conditions.iter().find(|condition| condition["type"] == kind).map_or("", |condition| text(condition, "/status"))
}

/// A `metav1.Time`: RFC 3339 in whole seconds.
#[must_use]
pub fn timestamp(at: Time) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    // Past the year 9999 there is no RFC 3339; clamping keeps a runaway clock from ending the lab.
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time of a `metav1.Time` or `MicroTime`.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Time> {
    let at: Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Time::from_millis)
}

/// The object at `key`, made if it is not there or something else.
///
/// # Panics
/// When `parent` itself is not an object.
pub(super) fn child<'a>(parent: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let value = &mut parent[key];
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was just made an object")
}

/// `metadata`.
pub(super) fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    child(object, "metadata")
}

/// Sets condition `kind` to `status` and its transition time to `now` if it was something else.
pub(super) fn set_condition(object: &mut Value, kind: &str, status: &str, now: Time) {
    if condition(object, kind) == status {
        return;
    }
    let conditions = child(object, "status").entry("conditions").or_insert_with(|| json!([]));
    let new = json!({ "type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": timestamp(now) });
    if let Some(conditions) = conditions.as_array_mut() {
        conditions.retain(|condition| condition["type"] != kind);
        conditions.push(new);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timestamps_are_whole_seconds() {
        let at = Time::from_millis(1_767_225_600_999);
        assert_eq!(timestamp(at), "2026-01-01T00:00:00Z");
        assert_eq!(parse_timestamp("2026-01-01T00:00:00Z"), Some(Time::from_secs(1_767_225_600)));
        assert_eq!(parse_timestamp("2026-01-01T00:00:00.250000Z"), Some(Time::from_millis(1_767_225_600_250)));
        assert!(timestamp(Time::ZERO + Duration::MAX).starts_with("9999-"));
    }

    #[test]
    fn condition_keeps_its_transition_time_while_its_status_stays() {
        let mut pod = json!({ "metadata": {} });
        set_condition(&mut pod, "Ready", "True", Time::from_secs(1));
        let before = pod.clone();
        set_condition(&mut pod, "Ready", "True", Time::from_secs(9));
        assert_eq!(pod, before);
        set_condition(&mut pod, "Ready", "False", Time::from_secs(9));
        assert_eq!(condition(&pod, "Ready"), "False");
        assert_eq!(pod["status"]["conditions"][0]["lastTransitionTime"], "1970-01-01T00:00:09Z");
    }
}
