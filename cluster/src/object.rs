//! Objects of lists and watches, decoded as far as needed; one of the wrong shape does not take the others with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use prost::Message;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object, or what is wrong with it.
///
/// As kube's `DeserializeGuard`, which builds and copies a tree of every object before it decodes it: with managedFields and
/// image lists that took three quarters of the time of a list, and as much memory again as its text. The text is kept
/// instead, so a watch event's `type` has to come before its `object`, as kube-apiserver sends it (`metav1.WatchEvent`).
#[derive(Clone, Debug)]
pub(crate) struct Guard<K>(pub(crate) Result<K, Invalid>);

/// An object that could not be decoded.
#[derive(Clone, Debug)]
pub(crate) struct Invalid {
    /// The decoder's message.
    pub(crate) error: String,
    /// Which object it is.
    pub(crate) metadata: ObjectMeta,
}

#[derive(Deserialize)]
struct MetadataOnly {
    #[serde(deserialize_with = "metadata")]
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guard<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        match serde_json::from_str(text.get()) {
            Ok(object) => Ok(Guard(Ok(object))),
            Err(error) => {
                let MetadataOnly { metadata } =
                    serde_json::from_str(text.get()).map_err(<D::Error as serde::de::Error>::custom)?;
                Ok(Guard(Err(Invalid { error: error.to_string(), metadata })))
            }
        }
    }
}

impl<K: Resource> Resource for Guard<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &Self::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &Self::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|invalid| &invalid.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|invalid| &mut invalid.metadata, K::meta_mut)
    }
}

/// An object of which `S` and `T` are decoded. As kube's `Object`, without managedFields.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Object<S, T> {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: S,
    pub(crate) status: Option<T>,
}

impl<S, T> Resource for Object<S, T> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        of.kind.as_str().into()
    }

    fn group(of: &ApiResource) -> Cow<'_, str> {
        of.group.as_str().into()
    }

    fn version(of: &ApiResource) -> Cow<'_, str> {
        of.version.as_str().into()
    }

    fn plural(of: &ApiResource) -> Cow<'_, str> {
        of.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let raw = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: raw.name,
        namespace: raw.namespace,
        uid: raw.uid,
        resource_version: raw.resource_version,
        generation: raw.generation,
        deletion_timestamp: raw.deletion_timestamp,
        labels: raw.labels,
        annotations: raw.annotations,
        ..ObjectMeta::default()
    })
}

/// `namespace/name`, or the name alone where there is no namespace.
pub(crate) fn full_name(namespace: Option<&str>, name: &str) -> Arc<str> {
    namespace.map_or_else(|| Arc::from(name), |namespace| Arc::from(format!("{namespace}/{name}")))
}

/// A value that is not looked at, in JSON or in protobuf.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Skipped {}

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|IgnoredAny| Skipped {})
    }
}

/// Go writes a nil slice or map as `null` where the field has no `omitempty`.
pub(crate) fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Deserialize)]
    struct Spec {
        replicas: u32,
    }

    fn decode(text: &str) -> Guard<Object<Spec, IgnoredAny>> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_right_object_comes_without_what_is_not_needed() {
        let text = r#"{"kind": "Thing", "metadata": {"name": "a", "labels": {"k": "v"}, "deletionTimestamp": "2026-11-25T08:00:00Z",
            "managedFields": [{"fieldsV1": {"f:spec": {}}}]}, "spec": {"replicas": 3}}"#;
        let object = decode(text).0.unwrap();
        assert_eq!((object.spec.replicas, object.metadata.name.as_deref()), (3, Some("a")));
        assert!(object.metadata.managed_fields.is_none() && object.metadata.deletion_timestamp.is_some());
    }

    #[test]
    fn a_wrong_object_still_says_which_one_it_is() {
        let guard = decode(r#"{"metadata": {"name": "a", "namespace": "b"}, "spec": {"replicas": "three"}}"#);
        assert_eq!((guard.meta().name.as_deref(), guard.meta().namespace.as_deref()), (Some("a"), Some("b")));
        let error = guard.0.unwrap_err().error;
        assert!(error.contains(r#"invalid type: string "three", expected u32"#), "{error}");
    }

    #[test]
    fn a_list_survives_one_wrong_object() {
        let text = r#"[{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}, "spec": {"replicas": 1}}]"#;
        let list: Vec<Guard<Object<Spec, IgnoredAny>>> = serde_json::from_str(text).unwrap();
        assert_eq!(list.iter().map(|guard| guard.0.is_ok()).collect::<Vec<_>>(), [false, true]);
    }
}
