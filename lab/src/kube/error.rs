//! Refusals in the apiserver's words (apimachinery `pkg/api/errors/errors.go`).

use serde_json::{Value, json};

use super::resource::Resource;

/// A refusal: what the apiserver sends as a `Status` object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status.
    pub code: u16,
    /// `Status.reason`: what clients match on.
    pub reason: &'static str,
    /// `Status.message`.
    pub message: String,
    /// `Status.details`, null if there are none.
    pub details: Value,
}

impl ApiError {
    /// A refusal without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    fn about(resource: &Resource, name: &str, code: u16, reason: &'static str, message: String) -> Self {
        Self { details: details(resource, name), ..Self::new(code, reason, message) }
    }

    /// 404: no such object.
    #[must_use]
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::about(resource, name, 404, "NotFound", format!("{} \"{name}\" not found", resource.qualified()))
    }

    /// 404: no such path.
    #[must_use]
    pub fn no_such_path() -> Self {
        Self { details: json!({}), ..Self::new(404, "NotFound", "the server could not find the requested resource") }
    }

    /// 409: the name is taken.
    #[must_use]
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::about(resource, name, 409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()))
    }

    /// 409: `why` says what stands against it.
    #[must_use]
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::about(resource, name, 409, "Conflict", message)
    }

    /// Says that the subresource was asked for, `pods/binding`, where it named the resource.
    #[must_use]
    pub fn of_subresource(mut self, resource: &Resource, subresource: &str) -> Self {
        let path = format!("{}/{subresource}", resource.plural);
        self.message = self.message.replacen(resource.plural, &path, 1);
        self.details["kind"] = path.into();
        self
    }

    /// 409: `metadata.resourceVersion` is not the object's.
    #[must_use]
    pub fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// 422: `why` names the field.
    #[must_use]
    pub fn invalid(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is invalid: {why}", resource.kind);
        Self::about(resource, name, 422, "Invalid", message)
    }

    /// 400.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 405: the resource is read-only, or the path takes another verb.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    /// 410: changes after `asked` are no longer known; the oldest version to watch from is `oldest`.
    #[must_use]
    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// The `Status` object.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

/// `Status.details` of one object: `kind` is the resource there.
pub(super) fn details(resource: &Resource, name: &str) -> Value {
    let mut details = json!({ "name": name, "kind": resource.plural });
    if !resource.group.is_empty() {
        details["group"] = resource.group.into();
    }
    details
}
