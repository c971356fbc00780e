//! Writing: create, replace, patch, delete, bind, evict.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{Api, Request, json_response, list, success};
use crate::kube::error::{self, ApiError};
use crate::kube::object;
use crate::kube::patch::Patch;
use crate::kube::resource::Access;
use crate::kube::store::{DeleteOptions, Deletion, Part};

pub(super) fn create(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let mut object = request.object()?;
    if request.target.resource.access == Access::Review {
        // The lab knows no users: everybody may do everything.
        object["status"] = json!({ "allowed": true });
        return Ok(json_response(StatusCode::CREATED, &object));
    }
    let created = api.store().create(request.encoding.stored(), object, api.clock.now())?;
    Ok(json_response(StatusCode::CREATED, &request.encoding.encode(&created)))
}

pub(super) fn replace(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let object = request.object()?;
    let (name, asked) = (object::name(&object), request.target.name());
    if name != asked {
        let message = format!("the name of the object ({name}) does not match the name on the URL ({asked})");
        return Err(ApiError::bad_request(message));
    }
    let replaced = api.store().update(request.encoding.stored(), object, request.part(), api.clock.now())?;
    Ok(json_response(StatusCode::OK, &request.encoding.encode(&replaced)))
}

pub(super) fn patch(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let patch = request.patch()?;
    let (target, stored) = (&request.target, request.encoding.stored());
    let (namespace, name) = (target.namespace(), target.name());
    let mut store = api.store();
    let code = match store.get(stored, namespace, name) {
        None if patch.creates().is_some() => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let patched = store.patch(stored, namespace, name, &patch, request.part(), api.clock.now())?;
    Ok(json_response(code, &request.encoding.encode(&patched)))
}

pub(super) fn delete(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let options = request.delete_options(&request.optional_body()?)?;
    let (target, stored) = (&request.target, request.encoding.stored());
    let now = api.clock.now();
    let Deletion { object, gone } = api.store().delete(stored, target.namespace(), target.name(), &options, now)?;
    if gone && stored.plural != "pods" {
        let mut details = error::details(target.resource, target.name());
        details["uid"] = object::uid(&object).into();
        return Ok(success(StatusCode::OK, details));
    }
    Ok(json_response(StatusCode::OK, &request.encoding.encode(&object)))
}

pub(super) fn delete_collection(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let options = request.delete_options(&request.optional_body()?)?;
    let selector = request.params.selector(request.target.resource, request.target.namespace.as_deref())?;
    let mut store = api.store();
    let deleted = store.delete_all(request.encoding.stored(), &selector, &options, api.clock.now());
    let metadata = json!({ "resourceVersion": store.revision().to_string() });
    Ok(json_response(StatusCode::OK, &list::list_object(request, metadata, &deleted)))
}

pub(super) fn bind(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let binding = request.json()?;
    api.store().bind(request.target.namespace(), request.target.name(), &binding, api.clock.now())?;
    Ok(success(StatusCode::CREATED, Value::Null))
}

pub(super) fn evict(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let eviction = request.json()?;
    if object::name(&eviction) != request.target.name() {
        return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
    }
    let options = request.delete_options(&eviction["deleteOptions"])?;
    api.store().evict(request.target.namespace(), request.target.name(), &options, api.clock.now())?;
    Ok(success(StatusCode::CREATED, Value::Null))
}

impl Request {
    fn part(&self) -> Part {
        if self.target.subresource.as_deref() == Some("status") { Part::Status } else { Part::Main }
    }

    fn json(&self) -> Result<Value, ApiError> {
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim();
        if !matches!(media_type, "" | "application/json") {
            return Err(unsupported(&["application/json"]));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::bad_request(format!("couldn't read the body as JSON: {error}")))
    }

    fn optional_body(&self) -> Result<Value, ApiError> {
        if self.body.is_empty() { Ok(Value::Null) } else { self.json() }
    }

    /// The body as an object of this resource in the namespace of the path.
    fn object(&self) -> Result<Value, ApiError> {
        let mut object = self.encoding.decode(self.json()?);
        if !object.is_object() {
            return Err(ApiError::bad_request("the object provided is unrecognized: it must be a JSON object"));
        }
        if let Some(namespace) = &self.target.namespace {
            let sent = object::namespace(&object);
            if !sent.is_empty() && sent != namespace {
                let message = "the namespace of the provided object does not match the namespace sent on the request";
                return Err(ApiError::bad_request(message));
            }
            object::metadata(&mut object).insert("namespace".to_owned(), namespace.as_str().into());
        }
        Ok(object)
    }

    fn patch(&self) -> Result<Patch, ApiError> {
        const STRATEGIC: &str = "application/strategic-merge-patch+json";
        const OTHERS: [&str; 3] =
            ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim();
        let json = || {
            let value = serde_json::from_slice(&self.body);
            value.map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))
        };
        let merge = || json().map(|patch| self.encoding.decode(patch));
        match media_type {
            "application/merge-patch+json" => Ok(Patch::Merge(merge()?)),
            "application/json-patch+json" => Ok(Patch::Json(json()?)),
            "application/apply-patch+yaml" => Ok(Patch::Apply(self.encoding.decode(self.applied()?))),
            STRATEGIC if !self.target.resource.custom => Ok(Patch::Strategic(merge()?)),
            _ if self.target.resource.custom => Err(unsupported(&OTHERS)),
            _ => Err(unsupported(&[&OTHERS[..], &[STRATEGIC]].concat())),
        }
    }

    /// The object that server-side apply sends: YAML, or JSON, which is the same.
    fn applied(&self) -> Result<Value, ApiError> {
        let object: Value = serde_json::from_slice(&self.body).or_else(|_| {
            serde_saphyr::from_slice(&self.body)
                .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))
        })?;
        let (api_version, kind) = (object::text(&object, "/apiVersion"), object::text(&object, "/kind"));
        if api_version.is_empty() || kind.is_empty() {
            return Err(ApiError::bad_request(format!("invalid object type: {api_version}, Kind={kind}")));
        }
        if self.params.field_manager.is_empty() {
            let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: \
                is required for apply patch";
            return Err(ApiError::new(422, "Invalid", message));
        }
        Ok(object)
    }

    fn delete_options(&self, options: &Value) -> Result<DeleteOptions, ApiError> {
        let precondition = |field: &str| options["preconditions"][field].as_str().map(str::to_owned);
        let grace = options["gracePeriodSeconds"].as_u64();
        Ok(DeleteOptions {
            grace_period_seconds: grace.map_or_else(|| self.params.grace_period_seconds(), |grace| Ok(Some(grace)))?,
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
        })
    }
}

fn unsupported(accepted: &[&str]) -> ApiError {
    let accepted = accepted.join(", ");
    let message =
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
    ApiError::new(415, "UnsupportedMediaType", message)
}
