//! One folder of `deploy/rendered`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where each release of the tests is.
pub(crate) const NAMESPACE: &str = "headroom-system";

/// Groups whose CRDs are not here: their objects are not applied, and are looked at by `shape` alone.
const FOREIGN: [&str; 2] = ["cert-manager.io/", "monitoring.coreos.com/"];

/// What one set of values gives.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) objects: Vec<Value>,
}

impl Variant {
    /// Every one that is committed.
    pub(crate) fn all() -> Vec<Variant> {
        let mut all: Vec<Variant> = std::fs::read_dir(rendered())
            .unwrap()
            .map(|entry| Variant::read(&entry.unwrap().file_name().into_string().unwrap()))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(crate) fn read(name: &str) -> Variant {
        let text = std::fs::read_to_string(rendered().join(name).join("manifests.yaml")).unwrap();
        Variant { name: name.to_owned(), objects: serde_saphyr::from_multiple(&text).unwrap() }
    }

    /// What the control plane of the tests knows, for kubectl.
    pub(crate) fn write_known(&self, path: &Path) {
        let known = |object: &&Value| !FOREIGN.iter().any(|group| text(object, "/apiVersion").starts_with(group));
        let documents: Vec<String> = self.objects.iter().filter(known).map(Value::to_string).collect();
        std::fs::write(path, documents.join("\n---\n")).unwrap();
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == *kind)
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> &Value {
        let found = self.of_kind(kind).find(|object| text(object, "/metadata/name") == name);
        found.unwrap_or_else(|| panic!("{}: no {kind} {name}", self.name))
    }

    /// The Deployment or StatefulSet.
    pub(crate) fn workload(&self, name: &str) -> &Value {
        let of_kind = |kind| self.of_kind(kind).find(|object| text(object, "/metadata/name") == name);
        of_kind("Deployment").or_else(|| of_kind("StatefulSet")).unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }

    /// Every Deployment and StatefulSet.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = &Value> {
        self.of_kind("Deployment").chain(self.of_kind("StatefulSet"))
    }

    /// Its parts by name: `kube-scheduler`, `extender`, `advisor`.
    pub(crate) fn containers(&self) -> BTreeMap<&str, &Value> {
        let all = self.workloads().flat_map(|workload| containers(&workload["spec"]["template"]["spec"]));
        all.map(|container| (container["name"].as_str().unwrap(), container)).collect()
    }

    /// A file of a ConfigMap.
    pub(crate) fn file(&self, map: &str, file: &str) -> &str {
        self.find("ConfigMap", map)["data"][file].as_str().unwrap()
    }

    pub(crate) fn extender_config(&self) -> &str {
        self.file("headroom-scheduler-config", "extender.yaml")
    }

    pub(crate) fn advisor_config(&self) -> &str {
        self.file("headroom-advisor-config", "advisor.yaml")
    }

    pub(crate) fn scheduler_config(&self) -> Value {
        yaml(self.file("headroom-scheduler-config", "kube-scheduler.yaml"))
    }
}

fn rendered() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/rendered")
}

pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Those that run beside each other, whichever list they are in.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(pod, "initContainers").iter().chain(items(pod, "containers"))
}

/// The value of `--name=value`.
pub(crate) fn argument<'a>(container: &'a Value, name: &str) -> &'a str {
    let found = items(container, "args").iter().filter_map(Value::as_str).find_map(|arg| {
        let (flag, value) = arg.split_once('=')?;
        (flag == name).then_some(value)
    });
    found.unwrap_or_else(|| panic!("no {name} in {container}"))
}

/// The port of that name.
pub(crate) fn port(container: &Value, name: &str) -> u64 {
    let found = items(container, "ports").iter().find(|port| port["name"] == *name);
    found.and_then(|port| port["containerPort"].as_u64()).unwrap_or_else(|| panic!("no port {name} in {container}"))
}
