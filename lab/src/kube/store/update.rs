//! Replacing and patching.

use headroom_capacity::time::Time;
use serde_json::Value;

use super::create::normalize;
use super::{Object, Store};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::patch::Patch;
use crate::kube::resource::{PODS, Resource};

/// Which half of an object a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but status, where the resource has a status subresource.
    Main,
    /// The status subresource: status, and of built-in kinds also labels and annotations.
    Status,
}

/// Metadata that only the apiserver writes.
const SYSTEM_FIELDS: [&str; 7] =
    ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"];

impl Store {
    /// Replaces the object with `object`'s namespace and name.
    ///
    /// # Errors
    /// 400, 404, 409 when its `resourceVersion` or UID is not the current one, 422 for what must not change.
    pub fn update(
        &mut self,
        resource: &'static Resource,
        mut object: Value,
        part: Part,
        now: Time,
    ) -> Result<Object, ApiError> {
        normalize(resource, &mut object)?;
        let old = self.existing(resource, object::namespace(&object), object::name(&object))?;
        if object::text(&object, "/metadata/resourceVersion").is_empty() && !resource.unconditional_update {
            let why = "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update";
            return Err(ApiError::invalid(resource, object::name(&object), why));
        }
        self.replace(resource, &old, object, part, now)
    }

    /// Patches one object. Server-side apply to [`Part::Main`] creates it if it is not there.
    ///
    /// # Errors
    /// 404 and those of [`Patch::apply`], [`Store::update`] and [`Store::create`].
    pub fn patch(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        patch: &Patch,
        part: Part,
        now: Time,
    ) -> Result<Object, ApiError> {
        if let (None, Some(object), Part::Main) = (self.get(resource, namespace, name), patch.creates(), part) {
            let mut object = object.clone();
            let metadata = object::metadata(&mut object);
            metadata.insert("namespace".to_owned(), namespace.into());
            metadata.insert("name".to_owned(), name.into());
            return self.create(resource, object, now);
        }
        let old = self.existing(resource, namespace, name)?;
        let mut object = patch.apply(&old)?;
        normalize(resource, &mut object)?;
        if object::name(&object) != name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({name})",
                object::name(&object)
            )));
        }
        self.replace(resource, &old, object, part, now)
    }

    /// Puts `new` in place of `old` where they differ in what `part` may change.
    fn replace(
        &mut self,
        resource: &'static Resource,
        old: &Object,
        new: Value,
        part: Part,
        now: Time,
    ) -> Result<Object, ApiError> {
        let name = object::name(old);
        let version = object::text(&new, "/metadata/resourceVersion");
        if !version.is_empty() && version != object::text(old, "/metadata/resourceVersion") {
            return Err(ApiError::modified(resource, name));
        }
        if !object::uid(&new).is_empty() && object::uid(&new) != object::uid(old) {
            let (asked, actual) = (object::uid(&new), object::uid(old));
            let why = format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {actual}");
            return Err(ApiError::conflict(resource, name, &why));
        }
        let mut next = match part {
            Part::Main => main_part(resource, old, new),
            Part::Status => status_part(resource, old, new),
        };
        if *resource == PODS && next["spec"]["nodeName"] != old["spec"]["nodeName"] {
            let why = "spec: Forbidden: pod updates may not change spec.nodeName, use the binding subresource";
            return Err(ApiError::invalid(resource, name, why));
        }
        if resource.has_generation() && differs_outside_metadata_and_status(old, &next) {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
            object::metadata(&mut next).insert("generation".to_owned(), generation.into());
        }
        if next == **old {
            return Ok(old.clone());
        }
        if is_finalized(&next) { Ok(self.remove(resource, old, now)) } else { Ok(self.put(resource, next, now)) }
    }
}

/// Whether nothing holds a deleted object back any more.
fn is_finalized(object: &Value) -> bool {
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64);
    object::is_deleting(object) && grace == Some(0) && object::items(object, "/metadata/finalizers").is_empty()
}

fn main_part(resource: &Resource, old: &Value, mut new: Value) -> Value {
    let metadata = object::metadata(&mut new);
    for field in SYSTEM_FIELDS.iter().chain(&["resourceVersion"]) {
        match old["metadata"].get(field) {
            Some(value) => metadata.insert((*field).to_owned(), value.clone()),
            None => metadata.remove(*field),
        };
    }
    if resource.has_status() {
        copy_field(old, &mut new, "status");
    }
    new
}

fn status_part(resource: &Resource, old: &Value, new: Value) -> Value {
    let mut next = old.clone();
    copy_field(&new, &mut next, "status");
    if !resource.custom {
        for field in ["labels", "annotations"] {
            copy_field(&new["metadata"], &mut next["metadata"], field);
        }
    }
    next
}

fn copy_field(from: &Value, to: &mut Value, field: &str) {
    match (from.get(field), to.as_object_mut()) {
        (Some(value), Some(to)) => to.insert(field.to_owned(), value.clone()),
        (None, Some(to)) => to.remove(field),
        (_, None) => None,
    };
}

fn differs_outside_metadata_and_status(old: &Value, new: &Value) -> bool {
    let rest = |object: &Value| {
        let mut rest = object.as_object().cloned().unwrap_or_default();
        rest.retain(|key, _| key != "metadata" && key != "status");
        rest
    };
    rest(old) != rest(new)
}
