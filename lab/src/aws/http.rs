//! The wire side: one port for every API, told apart as AWS tells them apart, by version or by path.

mod access;
mod cloudwatch;
mod ec2;
mod filter;
mod groups;
mod page;
mod params;
mod query;
mod sts;
mod xml;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::Response;

use super::faults::Admission;
use super::{ApiError, Service, Vpc};
use crate::clock::Clock;

/// Serves the APIs of one VPC: EC2, Auto Scaling and STS over the Query protocol at `/`, CloudWatch over rpc-v2-cbor and
/// AWS JSON 1.0.
pub fn router(vpc: Arc<Mutex<Vpc>>, clock: Clock) -> Router {
    Router::new().fallback(handle).with_state(Shared { vpc, clock })
}

#[derive(Clone)]
struct Shared {
    /// A plain mutex: no request holds it across an await, and none takes longer than a walk over the VPC.
    vpc: Arc<Mutex<Vpc>>,
    clock: Clock,
}

/// A request after its protocol has been found.
struct Call<'a> {
    service: Service,
    operation: &'a str,
    headers: &'a HeaderMap,
}

async fn handle(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(request) = cloudwatch::Request::find(&uri, &headers) {
        let call = Call { service: Service::CloudWatch, operation: request.operation, headers: &headers };
        let result = shared.admit_and(&call, |vpc, now| request.run(vpc, &body, now)).await;
        return shared.dated(request.respond(result));
    }
    let request = match query::Request::parse(&method, &uri, &body) {
        Ok(request) => request,
        Err(error) => return shared.dated(query::no_service(&error)),
    };
    let call = Call { service: request.service, operation: &request.operation, headers: &headers };
    let result = shared.admit_and(&call, |vpc, now| request.run(vpc, now)).await;
    shared.dated(request.respond(result))
}

impl Shared {
    /// Checks access and admission, waits where a fault says so, and runs `f` at the time that it is then.
    async fn admit_and<T>(
        &self,
        call: &Call<'_>,
        f: impl FnOnce(&mut Vpc, headroom_capacity::time::Time) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        access::check(call, self.clock_ahead())?;
        let admission = self.lock().admit(call.service, call.operation, self.clock.now());
        let answers = admission != Admission::LoseAnswer;
        match admission {
            Admission::Refuse(error) => return Err(error),
            Admission::Drop => std::future::pending().await,
            Admission::LoseAnswer => {}
            Admission::Go(delay) if delay.is_zero() => {}
            Admission::Go(delay) => tokio::time::sleep(self.clock.real(delay)).await,
        }
        let now = self.clock.now();
        let done = {
            let mut vpc = self.lock();
            vpc.settle(now);
            f(&mut vpc, now)
        };
        if answers { done } else { std::future::pending().await }
    }

    fn clock_ahead(&self) -> Duration {
        self.lock().clock_ahead(self.clock.now())
    }

    /// The answer with AWS's date, which the SDKs compare to their own.
    fn dated(&self, mut response: Response) -> Response {
        let ahead = self.clock_ahead();
        if !ahead.is_zero() {
            let date = jiff::Timestamp::now()
                .saturating_add(jiff::SignedDuration::try_from(ahead).unwrap_or(jiff::SignedDuration::ZERO));
            let date = date.unwrap_or(jiff::Timestamp::MAX).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            response.headers_mut().extend(date.try_into().ok().map(|date: HeaderValue| (header::DATE, date)));
        }
        response
    }

    /// A handler that panicked has left no half-made state that would be worse than no lab at all.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vpc> {
        self.vpc.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
