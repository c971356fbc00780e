//! The extender's HTTP form. kube-scheduler's client takes any status but 200 for a failure and drops the connection, so every answer
//! that it may get is 200 and tells its error inside (k/k `pkg/scheduler/extender.go`, `send`).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use tokio::sync::Semaphore;

use crate::core::{Clock, Core};
use crate::metrics::Verb;
use crate::wire::RequestError;

/// A body that has not arrived by then never will: kube-scheduler's own timeout is 5 s by default.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// So many times the limit is read and thrown away: closing early would reset the connection before the client reads why.
const DISCARD_FACTOR: usize = 32;

#[derive(Clone, Debug)]
struct Service {
    core: Arc<Core>,
    clock: Clock,
    slots: Arc<Semaphore>,
}

/// `POST /v1/filter` and `POST /v1/prioritize`.
pub fn extender(core: Arc<Core>, clock: Clock) -> Router {
    let slots = Arc::new(Semaphore::new(core.config.http.max_in_flight));
    Router::new().route("/v1/filter", post(filter)).route("/v1/prioritize", post(prioritize)).with_state(Service {
        core,
        clock,
        slots,
    })
}

async fn filter(State(service): State<Service>, body: Body) -> Response {
    service.answer(Verb::Filter, body).await
}

async fn prioritize(State(service): State<Service>, body: Body) -> Response {
    service.answer(Verb::Prioritize, body).await
}

impl Service {
    async fn answer(&self, verb: Verb, body: Body) -> Response {
        let Ok(_slot) = self.slots.try_acquire() else {
            return json(self.core.refuse(verb, &RequestError::Overloaded));
        };
        let _counted = InFlight::start(&self.core);
        let read = tokio::time::timeout(BODY_TIMEOUT, read(body, self.core.config.http.max_body_bytes)).await;
        let reply = match read.unwrap_or(Err(RequestError::CutOff)) {
            Ok(body) if verb == Verb::Filter => self.core.filter(&body, self.clock.now()),
            Ok(body) => self.core.prioritize(&body, self.clock.now()),
            Err(error) => self.core.refuse(verb, &error),
        };
        json(reply)
    }
}

/// Counts a request until it is answered or its client is gone.
pub(crate) struct InFlight<'a>(&'a Core);

impl InFlight<'_> {
    pub(crate) fn start(core: &Core) -> InFlight<'_> {
        core.metrics.in_flight.inc();
        InFlight(core)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}

async fn read(body: Body, max_bytes: usize) -> Result<Vec<u8>, RequestError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut kept = Vec::with_capacity(announced.min(max_bytes));
    let mut seen = 0_usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| RequestError::CutOff)?;
        seen = seen.saturating_add(chunk.len());
        if seen <= max_bytes {
            kept.extend_from_slice(&chunk);
        } else if seen > max_bytes.saturating_mul(DISCARD_FACTOR) {
            break;
        }
    }
    if seen > max_bytes { Err(RequestError::TooLarge) } else { Ok(kept) }
}

/// A body of known length: hyper then sends Content-Length, and Go reuses the connection.
fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

#[cfg(test)]
mod tests;
