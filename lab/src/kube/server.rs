//! The apiserver's HTTP: objects, watches, discovery.

mod discovery;
mod encode;
mod list;
mod query;
mod target;
mod watch;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::error::ApiError;
use super::resource::Access;
use super::store::Store;
use crate::clock::Clock;
use encode::Encoding;
use query::Params;
use target::Target;

/// Largest body that is read (k/k `staging/src/k8s.io/apiserver/pkg/server/config.go`, `MaxRequestBodyBytes`).
const MAX_BODY: usize = 3 << 20;

/// Serves `store`. Timestamps are the `clock`'s, but a watch's `timeoutSeconds` are real ones, as its client's are.
///
/// A watch stream lives until its timeout: to shut a server down, stop accepting and call [`Store::break_watches`].
pub fn router(store: Arc<Mutex<Store>>, clock: Clock) -> Router {
    Router::new()
        .route("/livez", get(ok))
        .route("/readyz", get(ok))
        .route("/healthz", get(ok))
        .route("/version", get(discovery::version))
        .route("/api", get(discovery::core))
        .route("/apis", get(discovery::groups))
        .route("/apis/{group}", get(discovery::group))
        .route("/api/{version}", get(discovery::core_resources))
        .route("/apis/{group}/{version}", get(discovery::resources))
        .fallback(serve)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Api { store, clock })
}

/// What every handler needs.
#[derive(Clone, Debug)]
struct Api {
    store: Arc<Mutex<Store>>,
    clock: Clock,
}

impl Api {
    /// A panic elsewhere leaves the store as it was before or after a change, never in between.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request for an object or a collection.
struct Request {
    target: Target,
    params: Params,
    encoding: Encoding,
    content_type: String,
    body: Bytes,
}

async fn ok() -> &'static str {
    "ok"
}

async fn serve(
    State(api): State<Api>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Query(params): Query<Params>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let target = Target::parse(uri.path()).ok_or_else(ApiError::no_such_path)?;
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = Encoding::negotiate(target.resource, header(header::ACCEPT));
    let content_type = header(header::CONTENT_TYPE).to_owned();
    let request = Request { target, params, encoding, content_type, body };
    request.check(&method)?;
    let subresource = request.target.subresource.as_deref();
    match (method.as_str(), request.target.name.is_some(), subresource) {
        ("GET", false, None) if request.params.watch()? => watch::open(&api, &request),
        ("GET", false, None) => list::list(&api, &request),
        ("GET", true, None | Some("status")) => list::get(&api, &request),
        ("POST", false, None) => write::create(&api, &request),
        ("POST", true, Some("binding")) => write::bind(&api, &request),
        ("POST", true, Some("eviction")) => write::evict(&api, &request),
        ("PUT", true, None | Some("status")) => write::replace(&api, &request),
        ("PATCH", true, None | Some("status")) => write::patch(&api, &request),
        ("DELETE", true, None) => write::delete(&api, &request),
        ("DELETE", false, None) => write::delete_collection(&api, &request),
        _ => Err(ApiError::method_not_allowed()),
    }
}

impl Request {
    fn check(&self, method: &Method) -> Result<(), ApiError> {
        let allowed = match self.target.resource.access {
            Access::Full => true,
            Access::ReadOnly => *method == Method::GET,
            Access::Review => *method == Method::POST,
        };
        let nowhere = self.target.resource.namespaced && self.target.namespace.is_none();
        if !allowed || (nowhere && *method != Method::GET) {
            return Err(ApiError::method_not_allowed());
        }
        if self.params.dry_run.is_some() {
            return Err(ApiError::bad_request("dryRun is not served by the lab: send the request without it"));
        }
        Ok(())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        json_response(code, &self.status())
    }
}

fn json_response(code: StatusCode, body: &Value) -> Response {
    (code, [(header::CONTENT_TYPE, "application/json")], Body::from(body.to_string())).into_response()
}

fn success(code: StatusCode, details: Value) -> Response {
    let mut status =
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code.as_u16() });
    if !details.is_null() {
        status["details"] = details;
    }
    json_response(code, &status)
}
