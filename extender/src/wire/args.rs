//! `ExtenderArgs`, decoded in one pass: names borrow from the body, and of the pod only what decides is kept.

use std::borrow::Cow;
use std::fmt;

use headroom_capacity::verdict::Demand;
use headroom_cluster::{demand, failure_fingerprint};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// A filter or prioritize request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args<'a> {
    /// The pod.
    pub pod: Pod,
    /// `NodeNames`; `None` where null or absent.
    pub names: Option<Vec<Name<'a>>>,
    /// Whether `Nodes` was there instead.
    pub has_nodes: bool,
}

/// What is used of the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.resourceVersion`, 0 where it is not a number.
    pub resource_version: u64,
    /// `spec.priority`, 0 where unset.
    pub priority: i32,
    /// From `spec.hostNetwork` and the containers' resources.
    pub demand: Demand,
    /// The fingerprint of the condition `PodScheduled=False`, where it has one.
    pub failure: Option<u64>,
}

impl Default for Pod {
    fn default() -> Pod {
        Pod {
            uid: String::new(),
            namespace: String::new(),
            name: String::new(),
            resource_version: 0,
            priority: 0,
            demand: Demand::PodIp,
            failure: None,
        }
    }
}

/// A node name: borrowed, unless it was escaped, which Go never does to a DNS name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'a>(Cow<'a, str>);

impl Name<'_> {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Args<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Args<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ExtenderArgs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Args<'de>, A::Error> {
                let mut args = Args::default();
                while let Some(Name(key)) = map.next_key::<Name<'de>>()? {
                    if key.eq_ignore_ascii_case("pod") {
                        args.pod = map.next_value::<Option<RawPod>>()?.map(Pod::from).ok_or_else(no_pod)?;
                    } else if key.eq_ignore_ascii_case("nodenames") {
                        args.names = map.next_value()?;
                    } else if key.eq_ignore_ascii_case("nodes") {
                        args.has_nodes = map.next_value::<Option<IgnoredAny>>()?.is_some();
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(args)
            }
        }
        fn no_pod<E: serde::de::Error>() -> E {
            E::custom("Pod is null")
        }
        deserializer.deserialize_map(Fields)
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct RawPod {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    uid: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    resource_version: Option<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    host_network: Option<bool>,
    priority: Option<i32>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Container {
    resources: Option<Resources>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Resources {
    limits: Option<Keys>,
    requests: Option<Keys>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Status {
    conditions: Option<Vec<Condition>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    reason: Option<String>,
    message: Option<String>,
}

/// The keys of an object whose values do not matter.
#[derive(Debug, Default)]
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a resource list")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    if keys.len() == MAX_RESOURCES {
                        return Err(A::Error::custom("more than 1000 resources in one container"));
                    }
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// No container asks for nearly as many.
const MAX_RESOURCES: usize = 1000;

impl From<RawPod> for Pod {
    fn from(raw: RawPod) -> Pod {
        let metadata = raw.metadata.unwrap_or_default();
        let spec = raw.spec.unwrap_or_default();
        let containers = spec.containers.iter().chain(&spec.init_containers).flatten();
        let resources = containers.filter_map(|container| container.resources.as_ref()).flat_map(|resources| {
            resources.limits.iter().chain(&resources.requests).flat_map(|keys| &keys.0).map(String::as_str)
        });
        let conditions = raw.status.unwrap_or_default().conditions.unwrap_or_default();
        let failed = conditions.iter().find(|condition| {
            condition.kind.as_deref() == Some("PodScheduled") && condition.status.as_deref() == Some("False")
        });
        Pod {
            demand: demand(spec.host_network.unwrap_or(false), resources),
            uid: metadata.uid.unwrap_or_default(),
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            resource_version: metadata.resource_version.and_then(|version| version.parse().ok()).unwrap_or(0),
            priority: spec.priority.unwrap_or(0),
            failure: failed.map(|condition| {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                failure_fingerprint(&text(&condition.reason), &text(&condition.message))
            }),
        }
    }
}
