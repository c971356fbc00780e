//! Creation: names, system fields and the few defaults that others rely on.

use headroom_capacity::time::Time;
use serde_json::{Map, Value, json};

use super::{Object, Store};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::resource::{NAMESPACES, NODES, PODS, Resource};

/// Characters of generated names: no vowels, so no words (apimachinery `pkg/util/rand`).
const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

impl Store {
    /// Creates `object`; namespace and name, or `generateName`, are in its metadata.
    ///
    /// # Errors
    /// 400 for something that is not an object of this resource, 404 when its namespace does not exist, 409 when the
    /// name is taken, 422 when there is no name or it is not one.
    pub fn create(&mut self, resource: &'static Resource, mut object: Value, now: Time) -> Result<Object, ApiError> {
        normalize(resource, &mut object)?;
        if object::metadata(&mut object).remove("resourceVersion").is_some_and(|version| version != "") {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        self.name(resource, &mut object)?;
        if resource.namespaced && self.get(&NAMESPACES, "", object::namespace(&object)).is_none() {
            return Err(ApiError::not_found(&NAMESPACES, object::namespace(&object)));
        }
        if self.get(resource, object::namespace(&object), object::name(&object)).is_some() {
            return Err(ApiError::already_exists(resource, object::name(&object)));
        }
        let uid = self.uid();
        let metadata = object::metadata(&mut object);
        for system in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields", "selfLink"] {
            metadata.remove(system);
        }
        metadata.insert("uid".to_owned(), uid.into());
        metadata.insert("creationTimestamp".to_owned(), object::timestamp(now).into());
        if resource.has_generation() {
            metadata.insert("generation".to_owned(), 1.into());
        }
        set_defaults(resource, &mut object);
        Ok(self.put(resource, object, now))
    }

    fn name(&mut self, resource: &'static Resource, object: &mut Value) -> Result<(), ApiError> {
        let prefix = object::text(object, "/metadata/generateName").to_owned();
        while object::name(object).is_empty() && !prefix.is_empty() {
            let suffix = (0..5).map(|_| char::from(NAME_ALPHABET[self.rng.usize(..NAME_ALPHABET.len())]));
            let name: String = prefix.chars().chain(suffix).collect();
            if self.get(resource, object::namespace(object), &name).is_none() {
                object::metadata(object).insert("name".to_owned(), name.into());
            }
        }
        match object::name(object) {
            "" => {
                Err(ApiError::invalid(resource, "", "metadata.name: Required value: name or generateName is required"))
            }
            name if !is_name(name) => {
                let why = format!("metadata.name: Invalid value: {name:?}: a lowercase RFC 1123 subdomain is required");
                Err(ApiError::invalid(resource, name, &why))
            }
            _ => Ok(()),
        }
    }

    /// A random (version 4) UUID.
    fn uid(&mut self) -> String {
        let bits = (self.rng.u128(..) & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
        let (low, high) = (bits & 0xffff_ffff_ffff, bits >> 48);
        let groups = (high >> 48, (high >> 32) & 0xffff, (high >> 16) & 0xffff, high & 0xffff);
        format!("{:08x}-{:04x}-{:04x}-{:04x}-{low:012x}", groups.0, groups.1, groups.2, groups.3)
    }
}

/// A DNS-1123 subdomain, which the names of all resources served are.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Brings an object that a client sent into the form that is stored: metadata, `apiVersion`, `kind`, namespace.
pub(super) fn normalize(resource: &Resource, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request("the object provided is unrecognized: it must be a JSON object"));
    }
    let api_version = resource.api_version();
    for (field, expected) in [("kind", resource.kind), ("apiVersion", &api_version)] {
        let sent = object::text(object, &format!("/{field}"));
        if !sent.is_empty() && sent != expected {
            let message = format!("the {field} of the object, {sent:?}, is not the one of this resource, {expected:?}");
            return Err(ApiError::bad_request(message));
        }
        object[field] = expected.into();
    }
    let default = if resource.namespaced { "default" } else { "" };
    let metadata = object::metadata(object);
    metadata.remove("managedFields");
    if !resource.namespaced {
        metadata.remove("namespace");
    } else if metadata.get("namespace").and_then(Value::as_str).is_none_or(str::is_empty) {
        metadata.insert("namespace".to_owned(), default.into());
    }
    Ok(())
}

/// Status belongs to the controllers, so it starts empty; only a kubelet registers its node with one
/// (`PrepareForCreate` of the strategies in k/k `pkg/registry`).
fn set_defaults(resource: &Resource, object: &mut Value) {
    if resource.has_status() && *resource != NODES {
        object.as_object_mut().map(|fields| fields.remove("status"));
    }
    if *resource == NAMESPACES {
        let name = object::name(object).to_owned();
        object::child(&mut object["metadata"], "labels").insert("kubernetes.io/metadata.name".to_owned(), name.into());
        object["status"] = json!({ "phase": "Active" });
    } else if *resource == PODS {
        let spec = object::child(object, "spec");
        default(spec, "restartPolicy", "Always".into());
        default(spec, "schedulerName", "default-scheduler".into());
        default(spec, "terminationGracePeriodSeconds", 30.into());
        object["status"] = json!({ "phase": "Pending" });
    }
}

fn default(fields: &mut Map<String, Value>, key: &str, value: Value) {
    fields.entry(key).or_insert(value);
}
