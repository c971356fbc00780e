//! Objects of another API server, kept here as they are there: UID and all.
//!
//! For nodes of the lab that serve a cluster whose API server is somebody else's. What is mirrored is that server's to change, a
//! pod's status excepted: it is what the lab's kubelets write.

use headroom_capacity::time::Time;
use serde_json::Value;

use super::create::normalize;
use super::{Object, Store};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::resource::{PODS, Resource};

impl Store {
    /// Takes in `object` as the other server has it now. Another object of its name, known by its UID, makes way. A pod that is
    /// here already keeps its status.
    ///
    /// # Errors
    /// 400 for something that is not an object of this resource, 422 when it has no name or no UID.
    pub fn mirror(&mut self, resource: &'static Resource, mut object: Value, now: Time) -> Result<Object, ApiError> {
        normalize(resource, &mut object)?;
        for field in ["/metadata/name", "/metadata/uid"] {
            if object::text(&object, field).is_empty() {
                let why = format!("{field}: Required value: a mirrored object has both");
                return Err(ApiError::invalid(resource, object::name(&object), &why));
            }
        }
        let old = self.get(resource, object::namespace(&object), object::name(&object)).cloned();
        if let Some(old) = old {
            if object::uid(&old) != object::uid(&object) {
                self.remove(resource, &old, now);
            } else {
                if *resource == PODS {
                    object["status"] = old["status"].clone();
                }
                object::metadata(&mut object)
                    .insert("resourceVersion".into(), old["metadata"]["resourceVersion"].clone());
                if object == *old {
                    return Ok(old);
                }
            }
        }
        Ok(self.put(resource, object, now))
    }

    /// The other server has deleted the object with this UID, at once.
    pub fn mirror_gone(&mut self, resource: &'static Resource, namespace: &str, name: &str, uid: &str, now: Time) {
        if let Some(old) = self.get(resource, namespace, name).filter(|old| object::uid(old) == uid).cloned() {
            self.remove(resource, &old, now);
        }
    }
}
