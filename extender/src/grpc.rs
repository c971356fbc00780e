//! `headroom.v1.Extender` over gRPC, with the standard health service and server reflection: another wire for what `core` decides.

mod convert;
mod status;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response as HttpResponse};
use headroom_proto::v1::extender_server::{Extender, ExtenderServer, SERVICE_NAME};
use headroom_proto::v1::{
    ExplainRequest, ExplainResponse, FilterRequest, FilterResponse, PrioritizeRequest, PrioritizeResponse,
};
use headroom_shell::grpc::standard;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::core::{Clock, Core};
use crate::http::{BODY_TIMEOUT, InFlight};
use crate::metrics::Verb;
use crate::wire::RequestError;

/// The three services. The second value keeps the health service up to date for as long as it is polled; it ends when `stopped`
/// does, and with it every health watch.
pub async fn services<S>(
    core: &Arc<Core>,
    clock: Clock,
    stopped: S,
) -> (Router, impl Future<Output = ()> + Send + use<S>)
where
    S: Future<Output = ()> + Send,
{
    let service = Service { core: Arc::clone(core), clock };
    let extender = ExtenderServer::new(service).max_decoding_message_size(core.config.http.max_body_bytes);
    let gate = Gate { core: Arc::clone(core), slots: Arc::new(Semaphore::new(core.config.http.max_in_flight)) };
    let router = Router::new()
        .route_service(&format!("/{SERVICE_NAME}/{{*method}}"), extender)
        .route_layer(from_fn_with_state(gate, through));
    let descriptors = [headroom_proto::FILE_DESCRIPTOR_SET, tonic_types::pb::FILE_DESCRIPTOR_SET];
    let (standard, health) = standard(&[SERVICE_NAME], &descriptors, core.readiness(), stopped).await;
    (router.merge(standard), health)
}

#[derive(Clone, Debug)]
struct Service {
    core: Arc<Core>,
    clock: Clock,
}

#[tonic::async_trait]
impl Extender for Service {
    async fn filter(&self, request: Request<FilterRequest>) -> Result<Response<FilterResponse>, Status> {
        let started = Instant::now();
        let FilterRequest { pod, node_names } = request.into_inner();
        let names: Vec<&str> = node_names.iter().map(String::as_str).collect();
        let decision = convert::pod(pod).and_then(|pod| self.core.decide(&pod, &names, self.clock.now()));
        let decision = decision.map_err(|error| self.refuse(Verb::Filter, &error))?;
        let response = convert::filter_response(decision, node_names);
        self.core.metrics.filter_took(started.elapsed());
        Ok(Response::new(response))
    }

    async fn prioritize(&self, request: Request<PrioritizeRequest>) -> Result<Response<PrioritizeResponse>, Status> {
        let PrioritizeRequest { pod, node_names } = request.into_inner();
        let names: Vec<&str> = node_names.iter().map(String::as_str).collect();
        let scores = convert::pod(pod).and_then(|pod| self.core.score(&pod, &names, self.clock.now()));
        let scores = scores.map_err(|error| self.refuse(Verb::Prioritize, &error))?;
        Ok(Response::new(convert::prioritize_response(scores, node_names)))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let ExplainRequest { pod, node_names } = request.into_inner();
        let names: Vec<&str> = node_names.iter().map(String::as_str).collect();
        let explanation = self.core.explain(&convert::any_pod(pod.unwrap_or_default()), &names);
        let explanation = explanation.map_err(|error| self.refuse(Verb::Explain, &error))?;
        Ok(Response::new(convert::explain_response(&explanation)))
    }
}

impl Service {
    fn refuse(&self, verb: Verb, error: &RequestError) -> Status {
        self.core.count_refusal(verb, error);
        status::of(error)
    }
}

/// What stands before the extender's methods: the limits of HTTP, and the errors of the transport made ours.
#[derive(Clone, Debug)]
struct Gate {
    core: Arc<Core>,
    slots: Arc<Semaphore>,
}

async fn through(State(gate): State<Gate>, request: HttpRequest, next: Next) -> HttpResponse {
    let verb = match request.uri().path().rsplit('/').next() {
        Some("Filter") => Verb::Filter,
        Some("Prioritize") => Verb::Prioritize,
        Some("Explain") => Verb::Explain,
        _ => return next.run(request).await,
    };
    let Ok(_slot) = gate.slots.try_acquire() else { return gate.refuse(verb, &RequestError::Overloaded) };
    let _counted = InFlight::start(&gate.core);
    // tonic reads the whole message before it calls the method.
    match tokio::time::timeout(BODY_TIMEOUT, next.run(request)).await {
        Err(_) => gate.refuse(verb, &RequestError::CutOff),
        Ok(response) => match status::refused_by_tonic(response.headers()) {
            Some(error) => gate.refuse(verb, &error),
            None => response,
        },
    }
}

impl Gate {
    fn refuse(&self, verb: Verb, error: &RequestError) -> HttpResponse {
        self.core.count_refusal(verb, error);
        status::of(error).into_http::<axum::body::Body>().into_response()
    }
}

#[cfg(test)]
mod tests;
