//! How a client sees an object: as it is stored, its metadata only, or an event in the words of events.k8s.io.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::kube::resource::{EVENTS, GROUP_EVENTS, Resource};

/// Fields of an event in the core group and in events.k8s.io (k8s.io/api `core/v1` and `events/v1`).
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
];

/// How one request sees objects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoding {
    served: &'static Resource,
    metadata_only: bool,
}

impl Encoding {
    /// By resource and `Accept` header. A client that would rather have tables or protobuf takes plain JSON too.
    pub(super) fn negotiate(served: &'static Resource, accept: &str) -> Self {
        let first = accept.split(',').next().unwrap_or_default();
        Self { served, metadata_only: first.contains("as=PartialObjectMetadata") }
    }

    /// Where the objects are kept.
    pub(super) fn stored(self) -> &'static Resource {
        if *self.served == GROUP_EVENTS { &EVENTS } else { self.served }
    }

    /// `apiVersion` and `kind` of what is sent.
    pub(super) fn types(self) -> (String, &'static str) {
        if self.metadata_only {
            ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata")
        } else {
            (self.served.api_version(), self.served.kind)
        }
    }

    /// A stored object as it is sent.
    pub(super) fn encode(self, object: &Value) -> Cow<'_, Value> {
        let (api_version, kind) = self.types();
        if self.metadata_only {
            return Cow::Owned(json!({ "kind": kind, "apiVersion": api_version, "metadata": object["metadata"] }));
        }
        if *self.served != GROUP_EVENTS {
            return Cow::Borrowed(object);
        }
        let mut event = object.clone();
        rename(&mut event, EVENT_FIELDS);
        event["apiVersion"] = api_version.into();
        Cow::Owned(event)
    }

    /// An object, or a merge patch of one, as it is stored.
    pub(super) fn decode(self, mut object: Value) -> Value {
        if *self.served == GROUP_EVENTS {
            rename(&mut object, EVENT_FIELDS.map(|(core, group)| (group, core)));
            if let Some(api_version) = object.get_mut("apiVersion") {
                *api_version = EVENTS.api_version().into();
            }
        }
        object
    }
}

fn rename<'a>(object: &mut Value, names: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let Value::Object(fields) = object else { return };
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::resource::PODS;

    #[test]
    fn event_reads_the_same_after_a_round_trip() {
        let encoding = Encoding::negotiate(&GROUP_EVENTS, "application/json");
        let event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": { "name": "e" },
            "regarding": { "name": "p" },
            "note": "no addresses",
            "deprecatedCount": 3,
            "reason": "FailedScheduling",
        });
        let stored = encoding.decode(event.clone());
        assert_eq!(
            (&stored["apiVersion"], &stored["message"], &stored["count"]),
            (&json!("v1"), &json!("no addresses"), &json!(3))
        );
        assert_eq!(*encoding.encode(&stored), event);
    }

    #[test]
    fn metadata_is_sent_alone_on_request() {
        let pod = json!({ "metadata": { "name": "p" }, "spec": {} });
        let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        let sent = Encoding::negotiate(&PODS, accept).encode(&pod).into_owned();
        assert_eq!(
            sent,
            json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": { "name": "p" } })
        );
        assert_eq!(*Encoding::negotiate(&PODS, "application/json").encode(&pod), pod);
    }
}
