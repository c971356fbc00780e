//! The pages for probes and scrapers: `/livez`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What the pages tell.
pub trait Status: Send + Sync + 'static {
    /// What is not complete yet, by name; ready once there is none.
    fn missing(&self) -> Vec<&'static str>;

    /// All metrics as OpenMetrics text.
    ///
    /// # Errors
    /// When the encoder fails, which writing to memory does not.
    fn metrics_text(&self) -> Result<String, std::fmt::Error>;
}

/// `GET /livez`, `/readyz`, `/metrics`.
pub fn router<S: Status>(status: Arc<S>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz::<S>))
        .route("/metrics", get(metrics::<S>))
        .with_state(status)
}

async fn readyz<S: Status>(State(status): State<Arc<S>>) -> Response {
    let missing = status.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not synced: {}\n", missing.join(", "))).into_response()
}

async fn metrics<S: Status>(State(status): State<Arc<S>>) -> Response {
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    match status.metrics_text() {
        Ok(text) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
