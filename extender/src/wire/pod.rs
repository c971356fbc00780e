//! The part of `v1.Pod` that decides. Everything else is skipped, and text is borrowed from the body unless it is escaped.

use std::borrow::Cow;
use std::fmt;

use headroom_capacity::verdict::Demand;
use headroom_cluster::{demand, failure_fingerprint};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// What is used of the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod<'a> {
    /// `metadata.uid`.
    pub uid: Cow<'a, str>,
    /// `metadata.namespace`.
    pub namespace: Cow<'a, str>,
    /// `metadata.name`.
    pub name: Cow<'a, str>,
    /// `metadata.resourceVersion`, 0 where it is not a number.
    pub resource_version: u64,
    /// `spec.priority`, 0 where unset.
    pub priority: i32,
    /// From `spec.hostNetwork` and the containers' resources.
    pub demand: Demand,
    /// The fingerprint of the condition `PodScheduled=False`, where it has one.
    pub failure: Option<u64>,
    /// Whether it says where it would rather be: preferred affinity or anti-affinity, or a spread that it would give up.
    pub prefers: bool,
}

impl Default for Pod<'_> {
    fn default() -> Self {
        Pod {
            uid: Cow::default(),
            namespace: Cow::default(),
            name: Cow::default(),
            resource_version: 0,
            priority: 0,
            demand: Demand::PodIp,
            failure: None,
            prefers: false,
        }
    }
}

/// A string that borrows where it can. serde's own `Cow` does so only outside of an `Option` or a `Vec`.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

/// `v1.Pod` by its JSON tags. Go would match them in any case too, but kube-scheduler always writes them as they are.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct RawPod<'a> {
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    spec: Option<Spec<'a>>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    resource_version: Option<Text<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    host_network: Option<bool>,
    priority: Option<i32>,
    #[serde(borrow)]
    containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    init_containers: Option<Vec<Container<'a>>>,
    affinity: Option<Affinity>,
    #[serde(borrow)]
    topology_spread_constraints: Option<Vec<Spread<'a>>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Affinity {
    node_affinity: Option<Preferences>,
    pod_affinity: Option<Preferences>,
    pod_anti_affinity: Option<Preferences>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preferences {
    preferred_during_scheduling_ignored_during_execution: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spread<'a> {
    #[serde(borrow)]
    when_unsatisfiable: Option<Text<'a>>,
}

impl Spec<'_> {
    fn prefers(&self) -> bool {
        let affinity = self.affinity.iter();
        let rules = affinity.flat_map(|it| [&it.node_affinity, &it.pod_affinity, &it.pod_anti_affinity]).flatten();
        let mut rules = rules.filter_map(|rule| rule.preferred_during_scheduling_ignored_during_execution.as_ref());
        let mut spreads = self.topology_spread_constraints.iter().flatten();
        rules.any(|rules| !rules.is_empty())
            || spreads.any(|spread| or_empty(&spread.when_unsatisfiable) == "ScheduleAnyway")
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Container<'a> {
    #[serde(borrow)]
    resources: Option<Resources<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Resources<'a> {
    #[serde(borrow)]
    limits: Option<Addresses<'a>>,
    #[serde(borrow)]
    requests: Option<Addresses<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// Those names of a resource list that ask for another kind of address than a pod IP: of most pods, none.
#[derive(Debug, Default)]
struct Addresses<'a>(Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Addresses<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Addresses<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a resource list")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Addresses<'de>, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<Text<'de>, _>()? {
                    if demand(false, [&*name.0]) != Demand::PodIp {
                        names.push(name);
                    }
                }
                Ok(Addresses(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

impl<'a> From<RawPod<'a>> for Pod<'a> {
    fn from(raw: RawPod<'a>) -> Pod<'a> {
        let metadata = raw.metadata.unwrap_or_default();
        let spec = raw.spec.unwrap_or_default();
        let containers = spec.containers.iter().chain(&spec.init_containers).flatten();
        let resources = containers.filter_map(|container| container.resources.as_ref()).flat_map(|resources| {
            resources.limits.iter().chain(&resources.requests).flat_map(|names| &names.0).map(|name| &*name.0)
        });
        let conditions = raw.status.unwrap_or_default().conditions.unwrap_or_default();
        let failed =
            conditions.iter().find(|it| or_empty(&it.kind) == "PodScheduled" && or_empty(&it.status) == "False");
        let owned = |text: Option<Text<'a>>| text.map(|text| text.0).unwrap_or_default();
        Pod {
            prefers: spec.prefers(),
            demand: demand(spec.host_network.unwrap_or(false), resources),
            uid: owned(metadata.uid),
            namespace: owned(metadata.namespace),
            name: owned(metadata.name),
            resource_version: or_empty(&metadata.resource_version).parse().unwrap_or(0),
            priority: spec.priority.unwrap_or(0),
            failure: failed.map(|it| failure_fingerprint(or_empty(&it.reason), or_empty(&it.message))),
        }
    }
}

fn or_empty<'t>(text: &'t Option<Text<'_>>) -> &'t str {
    text.as_ref().map_or("", |text| &text.0)
}
