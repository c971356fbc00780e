//! Reading: one object, a list, a page of one.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::query::Start;
use super::{Api, Request, json_response};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::selector::Selector;
use crate::kube::store::Object;

pub(super) fn get(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let (target, stored) = (&request.target, request.encoding.stored());
    let found = api.store().get(stored, target.namespace(), target.name()).cloned();
    let object = found.ok_or_else(|| ApiError::not_found(target.resource, target.name()))?;
    Ok(json_response(StatusCode::OK, &request.encoding.encode(&object)))
}

pub(super) fn list(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let page = Page::read(api, request)?;
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if let (Some(last), true) = (page.objects.last(), page.remaining > 0) {
        metadata["continue"] = Continue::after(page.revision, last).to_string().into();
        if request.params.selects_all() {
            metadata["remainingItemCount"] = page.remaining.into();
        }
    }
    Ok(json_response(StatusCode::OK, &list_object(request, metadata, &page.objects)))
}

/// The list object of a resource's kind.
pub(super) fn list_object(request: &Request, metadata: Value, objects: &[Object]) -> Value {
    let (api_version, kind) = request.encoding.types();
    let items: Vec<Value> = objects.iter().map(|object| request.encoding.encode(object).into_owned()).collect();
    json!({ "kind": format!("{kind}List"), "apiVersion": api_version, "metadata": metadata, "items": items })
}

struct Page {
    revision: u64,
    objects: Vec<Object>,
    remaining: usize,
}

impl Page {
    fn read(api: &Api, request: &Request) -> Result<Page, ApiError> {
        let params = &request.params;
        let stored = request.encoding.stored();
        let selector = params.selector(request.target.resource, request.target.namespace.as_deref())?;
        let limit = params.limit()?.unwrap_or(usize::MAX);
        let start = params.start()?;
        let store = api.store();
        if !params.continue_token.is_empty() {
            let token = Continue::parse(&params.continue_token)?;
            let objects = store.list_at(stored, token.revision).map_err(|_| token_expired())?;
            return Ok(Page::cut(token.revision, rest(objects, &selector, &token), limit));
        }
        let newest = store.revision();
        match start {
            Start::Revision(revision) if revision > newest => {
                let message = format!("Timeout: Too large resource version: {revision}, current: {newest}");
                Err(ApiError::new(504, "Timeout", message))
            }
            Start::Revision(revision) if params.exact() => {
                let mut objects = store.list_at(stored, revision)?;
                objects.retain(|object| selector.matches(object));
                Ok(Page::cut(revision, objects, limit))
            }
            _ => Ok(Page::cut(newest, store.list(stored, &selector).cloned().collect(), limit)),
        }
    }

    fn cut(revision: u64, mut objects: Vec<Object>, limit: usize) -> Page {
        let remaining = objects.len().saturating_sub(limit);
        objects.truncate(limit);
        Page { revision, objects, remaining }
    }
}

fn rest(mut objects: Vec<Object>, selector: &Selector, token: &Continue) -> Vec<Object> {
    objects.retain(|object| object::order(object) > (&token.namespace, &token.name) && selector.matches(object));
    objects
}

fn token_expired() -> ApiError {
    let message = "The provided continue parameter is too old to display a consistent list result. \
        You must start a new list without the continue parameter.";
    ApiError::new(410, "Expired", message)
}

/// Where a list goes on: after which object, in the state at which revision.
struct Continue {
    revision: u64,
    namespace: String,
    name: String,
}

impl Continue {
    fn after(revision: u64, object: &Value) -> Self {
        let (namespace, name) = object::order(object);
        Self { revision, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn parse(token: &str) -> Result<Self, ApiError> {
        let mut parts = token.splitn(3, '/');
        let mut next = || parts.next().ok_or_else(|| ApiError::bad_request("continue key is not valid"));
        let (revision, namespace, name) = (next()?, next()?, next()?);
        let revision = revision.parse().map_err(|_| ApiError::bad_request("continue key is not valid"))?;
        Ok(Self { revision, namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl std::fmt::Display for Continue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.revision, self.namespace, self.name)
    }
}
