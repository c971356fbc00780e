//! Pods of the scenario and the objects that own them.

use serde_json::{Map, Value, json};

use crate::kube::Resource;
use crate::kube::resource::{JOBS, REPLICA_SETS};
use crate::node::pod::{POD_ENI, RUN_SECONDS};
use crate::scenario::Workload;

/// A scenario's workload and how far it is.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) spec: Workload,
    pub(super) namespace: String,
    /// UID of the ReplicaSet or Job, empty until the first pod is created.
    pub(super) owner_uid: String,
    /// Whether all of its pods were deleted for good.
    pub(super) over: bool,
}

impl Running {
    /// Pods end by themselves or run for ever: what owns them differs.
    pub(super) fn owner_resource(spec: &Workload) -> &'static Resource {
        if spec.run_for.is_some() { &JOBS } else { &REPLICA_SETS }
    }

    /// The owner's object.
    pub(super) fn owner(spec: &Workload, namespace: &str) -> Value {
        let resource = Running::owner_resource(spec);
        let count = if spec.run_for.is_some() { "completions" } else { "replicas" };
        let mut owner = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind,
            "metadata": { "name": spec.name, "namespace": namespace },
            "spec": {
                "selector": { "matchLabels": { "app": spec.name } },
                "template": { "metadata": { "labels": labels(spec) }, "spec": pod_spec(spec) },
            },
        });
        owner["spec"][count] = json!(spec.replicas);
        owner
    }

    /// A new pod; the store names it as Kubernetes does.
    pub(super) fn pod(&self) -> Value {
        let spec = &self.spec;
        let resource = Running::owner_resource(spec);
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": format!("{}-", spec.name),
                "namespace": self.namespace,
                "labels": labels(spec),
                "ownerReferences": [{
                    "apiVersion": resource.api_version(), "kind": resource.kind, "name": spec.name,
                    "uid": self.owner_uid, "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": pod_spec(spec),
        });
        if let Some(run_for) = spec.run_for {
            pod["metadata"]["annotations"] = json!({ RUN_SECONDS: run_for.0.as_secs().to_string() });
        }
        pod
    }
}

fn labels(spec: &Workload) -> Map<String, Value> {
    let given = spec.pod_labels.iter().map(|(key, value)| (key.clone(), json!(value)));
    std::iter::once(("app".to_owned(), json!(spec.name))).chain(given).collect()
}

fn pod_spec(spec: &Workload) -> Value {
    let mut requests = Map::new();
    requests.extend(spec.cpu.as_ref().map(|cpu| ("cpu".to_owned(), json!(cpu.as_str()))));
    requests.extend(spec.memory.as_ref().map(|memory| ("memory".to_owned(), json!(memory.as_str()))));
    let mut resources = json!({});
    if spec.pod_eni {
        requests.insert(POD_ENI.to_owned(), json!("1"));
        resources["limits"] = json!({ POD_ENI: "1" });
    }
    resources["requests"] = Value::Object(requests);
    let mut pod = json!({
        "schedulerName": spec.scheduler_name,
        "restartPolicy": if spec.run_for.is_some() { "Never" } else { "Always" },
        "terminationGracePeriodSeconds": 30,
        "containers": [{ "name": spec.name, "image": format!("{}:lab", spec.name), "resources": resources }],
    });
    if spec.host_network {
        pod["hostNetwork"] = json!(true);
    }
    if !spec.node_selector.is_empty() {
        pod["nodeSelector"] = json!(spec.node_selector);
    }
    pod
}
