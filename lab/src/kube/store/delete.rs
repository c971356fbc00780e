//! Deletion: at once, after the pod's grace period, or when the finalizers are gone.

use headroom_capacity::time::Time;
use serde_json::Value;
use std::time::Duration;

use super::{Object, Store};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::resource::{NAMESPACES, PODS, RESOURCES, Resource};
use crate::kube::selector::Selector;

/// What a client may ask of a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds that a pod has to stop; `None` is the pod's own, 0 is what its kubelet sends in the end.
    pub grace_period_seconds: Option<u64>,
    /// Only if this is the object's UID.
    pub uid: Option<String>,
    /// Only if this is the object's resourceVersion.
    pub resource_version: Option<String>,
}

/// What a deletion came to.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// The object as it is now, or its last state.
    pub object: Object,
    /// Whether it is gone; otherwise it is waiting for its kubelet or its finalizers.
    pub gone: bool,
}

impl Store {
    /// Deletes one object. A bound pod that runs only gets its `deletionTimestamp`: its kubelet removes it, by
    /// [`Store::delete_now`] in process. A namespace takes its objects with it.
    ///
    /// # Errors
    /// 404, and 409 when a precondition does not hold.
    pub fn delete(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        now: Time,
    ) -> Result<Deletion, ApiError> {
        let old = self.existing(resource, namespace, name)?;
        check_preconditions(resource, &old, options)?;
        if *resource == NAMESPACES {
            self.empty(name, now);
        }
        let grace = grace_period(resource, &old, options);
        let finalizers = !object::items(&old, "/metadata/finalizers").is_empty();
        if grace == 0 && !finalizers {
            return Ok(Deletion { object: self.remove(resource, &old, now), gone: true });
        }
        let already = old.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64);
        if already.is_some_and(|already| already <= grace) {
            return Ok(Deletion { object: old, gone: false });
        }
        let mut next = Value::clone(&old);
        let metadata = object::metadata(&mut next);
        let at = object::timestamp(now + Duration::from_secs(grace));
        metadata.insert("deletionTimestamp".to_owned(), at.into());
        metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
        Ok(Deletion { object: self.put(resource, next, now), gone: false })
    }

    /// Deletes one object without a grace period, as a kubelet does once the containers have stopped.
    ///
    /// # Errors
    /// 404.
    pub fn delete_now(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        now: Time,
    ) -> Result<Deletion, ApiError> {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        self.delete(resource, namespace, name, &options, now)
    }

    /// Deletes every object that `selector` means, and returns those as they were.
    pub fn delete_all(
        &mut self,
        resource: &'static Resource,
        selector: &Selector,
        options: &DeleteOptions,
        now: Time,
    ) -> Vec<Object> {
        let objects: Vec<Object> = self.list(resource, selector).cloned().collect();
        for object in &objects {
            // Preconditions of a collection hold for none or some of its objects: the others stay.
            self.delete(resource, object::namespace(object), object::name(object), options, now).ok();
        }
        objects
    }

    fn empty(&mut self, namespace: &str, now: Time) {
        let selector = Selector::namespace(namespace);
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        for resource in RESOURCES.iter().filter(|resource| resource.namespaced) {
            self.delete_all(resource, &selector, &options, now);
        }
    }
}

fn check_preconditions(resource: &Resource, object: &Value, options: &DeleteOptions) -> Result<(), ApiError> {
    let checks = [
        ("UID", &options.uid, object::uid(object)),
        ("ResourceVersion", &options.resource_version, object::text(object, "/metadata/resourceVersion")),
    ];
    for (what, asked, actual) in checks {
        if let Some(asked) = asked.as_deref().filter(|asked| *asked != actual) {
            let why = format!("Precondition failed: {what} in precondition: {asked}, {what} in object meta: {actual}");
            return Err(ApiError::conflict(resource, object::name(object), &why));
        }
    }
    Ok(())
}

/// Only pods have one; those that no kubelet runs need none (k/k `pkg/registry/core/pod/strategy.go`,
/// `CheckGracefulDelete`).
fn grace_period(resource: &Resource, object: &Value, options: &DeleteOptions) -> u64 {
    let finished = matches!(object::text(object, "/status/phase"), "Succeeded" | "Failed");
    if *resource != PODS || object::text(object, "/spec/nodeName").is_empty() || finished {
        return 0;
    }
    let own = object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_u64);
    options.grace_period_seconds.or(own).unwrap_or(30)
}
