//! pods/binding: how a scheduler places a pod.

use headroom_capacity::time::Time;
use serde_json::Value;

use super::{Object, Store};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::resource::PODS;

impl Store {
    /// Binds a pod to the node that `binding.target.name` says; its labels and annotations go to the pod
    /// (k/k `pkg/registry/core/pod/storage/storage.go`, `BindingREST`).
    ///
    /// # Errors
    /// 404, 409 when the pod is bound, is being deleted, has scheduling gates or is another one than `metadata.uid`
    /// says, 422 when the target is not a node.
    pub fn bind(&mut self, namespace: &str, name: &str, binding: &Value, now: Time) -> Result<Object, ApiError> {
        let node = object::text(binding, "/target/name");
        if node.is_empty() || !matches!(object::text(binding, "/target/kind"), "" | "Node") {
            return Err(ApiError::new(422, "Invalid", format!("Binding {name:?} is invalid: target: must be a Node")));
        }
        let pod = self.existing(&PODS, namespace, name)?;
        if let Some(why) = obstacle(&pod, binding) {
            return Err(ApiError::conflict(&PODS, name, &why).of_subresource(&PODS, "binding"));
        }
        let mut next = Value::clone(&pod);
        object::child(&mut next, "spec").insert("nodeName".to_owned(), node.into());
        for field in ["labels", "annotations"] {
            if let Some(added) = binding["metadata"][field].as_object() {
                let merged = object::child(&mut next["metadata"], field);
                merged.extend(added.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        object::set_condition(&mut next, "PodScheduled", "True", now);
        Ok(self.put(&PODS, next, now))
    }
}

fn obstacle(pod: &Value, binding: &Value) -> Option<String> {
    let name = object::name(pod);
    let (asked, actual) = (object::uid(binding), object::uid(pod));
    let node = object::text(pod, "/spec/nodeName");
    if !asked.is_empty() && asked != actual {
        Some(format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {actual}"))
    } else if object::is_deleting(pod) {
        Some(format!("pod {name} is being deleted, cannot be assigned to a host"))
    } else if !node.is_empty() {
        Some(format!("pod {name} is already assigned to node {node:?}"))
    } else if !object::items(pod, "/spec/schedulingGates").is_empty() {
        Some(format!("pod {name} has non-empty .spec.schedulingGates"))
    } else {
        None
    }
}
