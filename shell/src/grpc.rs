//! The standard gRPC services beside a binary's own: health and server reflection.

use axum::Router;
use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// Health, for the server as a whole and for `services`, and reflection of what the encoded `descriptors` describe. The second
/// value keeps health up to date, SERVING while `ready` says so, for as long as it is polled; it ends when `stopped` does, and with
/// it every health watch.
///
/// # Panics
/// When a descriptor cannot be decoded; they are compiled in.
pub async fn standard<S>(
    services: &'static [&'static str],
    descriptors: &[&'static [u8]],
    ready: watch::Receiver<bool>,
    stopped: S,
) -> (Router, impl Future<Output = ()> + Send + use<S>)
where
    S: Future<Output = ()> + Send,
{
    let health = Health { services, reporter: HealthReporter::new() };
    // It starts as SERVING.
    health.report(false).await;
    let service = HealthService::from_health_reporter(health.reporter.clone());
    let router = reflection(descriptors).route_service("/grpc.health.v1.Health/{*method}", HealthServer::new(service));
    (router, health.follow(ready, stopped))
}

/// Server reflection, v1 and the v1alpha that older clients still ask for.
fn reflection(descriptors: &[&'static [u8]]) -> Router {
    let builder = || {
        let with = tonic_reflection::server::Builder::register_encoded_file_descriptor_set;
        let health = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        descriptors.iter().copied().fold(health, with)
    };
    let broken = "the descriptors are compiled in, and tests of the binaries build this router";
    Router::new()
        .route_service("/grpc.reflection.v1.ServerReflection/{*method}", builder().build_v1().expect(broken))
        .route_service("/grpc.reflection.v1alpha.ServerReflection/{*method}", builder().build_v1alpha().expect(broken))
}

struct Health {
    services: &'static [&'static str],
    reporter: HealthReporter,
}

impl Health {
    /// The server as a whole, and its services.
    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once("").chain(self.services.iter().copied())
    }

    async fn report(&self, is_ready: bool) {
        let status = if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in self.names() {
            self.reporter.set_service_status(name, status).await;
        }
    }

    async fn follow(mut self, mut ready: watch::Receiver<bool>, stopped: impl Future<Output = ()>) {
        tokio::pin!(stopped);
        loop {
            let is_ready = *ready.borrow_and_update();
            self.report(is_ready).await;
            tokio::select! {
                changed = ready.changed() => if changed.is_err() { break },
                () = &mut stopped => break,
            }
        }
        self.report(false).await;
        for name in self.names() {
            // Ends the streams that watch it; they would hold up the shutdown.
            self.reporter.clear_service_status(name).await;
        }
    }
}
