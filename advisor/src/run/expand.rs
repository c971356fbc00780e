//! `grpcplugin.Expander`: Cluster Autoscaler asks which group to grow. Every advisor answers, the leader or not; from memory, so that
//! nothing is waited for.

use std::fmt::Write as _;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use headroom_proto::grpcplugin::expander_server::{Expander, ExpanderServer, SERVICE_NAME};
use headroom_proto::grpcplugin::{BestOptionsRequest, BestOptionsResponse, Option as Named};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tonic::{Code, Request, Status};

use super::core::Core;
use crate::autoscaler::Version;
use crate::cloudwatch::figures::max_age;
use crate::expander::{Answer, Asked, MOST_BYTES, Outcome, Rules, decide, read};
use crate::metrics::expander::{Unanswered, Unjudged};

/// The gRPC service's name.
pub(super) const SERVICE: &str = SERVICE_NAME;

/// Calls at once: one Cluster Autoscaler makes one, and each may take as much memory as its message.
const AT_ONCE: usize = 2;
/// Groups of an answer that are written to the log.
const LOGGED: usize = 20;

/// The gRPC service at its path.
pub(super) fn grpc(core: &Arc<Core>) -> Router {
    let service = ExpanderServer::new(Service(Arc::clone(core))).max_decoding_message_size(MOST_BYTES);
    let limit = Arc::new(Limit { core: Arc::clone(core), calls: Semaphore::new(AT_ONCE) });
    Router::new()
        .route_service(&format!("/{SERVICE}/{{*method}}"), service)
        .layer(from_fn_with_state(limit, few_at_once))
}

struct Limit {
    core: Arc<Core>,
    calls: Semaphore,
}

/// Counts what ends without an answer, too: a message that cannot be decoded never reaches the service.
async fn few_at_once(State(limit): State<Arc<Limit>>, request: axum::extract::Request, next: Next) -> Response {
    let Ok(_permit) = limit.calls.try_acquire() else {
        limit.core.metrics.expander.unanswered(Unanswered::Busy);
        return Status::resource_exhausted("others are being answered").into_http();
    };
    let response = next.run(request).await;
    let status = Status::from_header_map(response.headers());
    if let Some(status) = status.filter(|status| status.code() != Code::Ok) {
        limit.core.metrics.expander.unanswered(Unanswered::Malformed);
        tracing::warn!(%status, "a call of Cluster Autoscaler was not answered");
    }
    response
}

struct Service(Arc<Core>);

#[tonic::async_trait]
impl Expander for Service {
    async fn best_options(
        &self,
        request: Request<BestOptionsRequest>,
    ) -> Result<tonic::Response<BestOptionsResponse>, Status> {
        let core = Arc::clone(&self.0);
        let request = request.into_inner();
        // Up to 100 ms of work.
        let kept = spawn_blocking(move || core.expand(&request)).await;
        let kept = kept.map_err(|_| Status::internal("the answer could not be made"))?;
        let named = kept.into_iter().map(|node_group_id| Named { node_group_id, ..Named::default() });
        Ok(tonic::Response::new(BestOptionsResponse { options: named.collect() }))
    }
}

impl Core {
    /// The groups to go on with; all of them where nothing is known.
    fn expand(&self, request: &BestOptionsRequest) -> Vec<String> {
        let began = Instant::now();
        let (asked, now) = (read(request), self.clock.now());
        let rooms = self.rooms.load_full();
        let most = max_age(&self.config.observe);
        let unjudged = match &rooms {
            None => Some(Unjudged::NoBooks),
            Some(rooms) => (now.since(rooms.read_at) > most).then_some(Unjudged::Stale),
        };
        let (Some(rooms), None) = (rooms, unjudged) else {
            let why = unjudged.unwrap_or(Unjudged::NoBooks);
            self.metrics.expander.passed(why, began.elapsed());
            tracing::warn!(
                groups = asked.len(),
                reason = why.label(),
                "Cluster Autoscaler was told to go on with every group"
            );
            return asked.into_iter().map(|asked| asked.group).collect();
        };
        let config = &self.config.expander;
        let rules = Rules {
            spare_ips: config.spare_ips,
            tolerance_percent: config.tolerance_percent,
            can_veto: self.autoscaler_version().is_some_and(|version| version >= Version::VETO),
        };
        let (answer, held) = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.settle(&rooms, &asked, now, Duration::from_secs(config.hold_secs));
            let answer = decide(&rooms, &held.units(), &asked, &rules);
            held.promise(&answer, &asked, now);
            (answer, held.units().values().map(|units| u64::from(units.ips)).sum::<u64>())
        };
        let took = began.elapsed();
        self.metrics.expander.answered(answer.outcome, answer.judged.iter().map(|group| group.reason), took);
        self.metrics.expander.held(held);
        say(&answer, &asked, took);
        answer.kept.iter().map(|at| asked[*at].group.clone()).collect()
    }

    /// As configured, else as seen.
    fn autoscaler_version(&self) -> Option<Version> {
        match &self.config.expander.cluster_autoscaler_version {
            Some(version) => Version::parse(version),
            None => self.autoscaler.load().as_ref()?.version,
        }
    }
}

/// One line an answer, which names the reasons.
fn say(answer: &Answer, asked: &[Asked], took: Duration) {
    let unread: u32 = asked.iter().map(|asked| asked.pods.unread).sum();
    if unread > 0 {
        tracing::warn!(
            pods = unread,
            "pods of Cluster Autoscaler's request could not be read; each counts as one address"
        );
    }
    let kept: Vec<&str> = answer.kept.iter().map(|at| &*asked[*at].group).collect();
    let (outcome, groups) = (answer.outcome.label(), groups(answer, asked));
    let took_ms = took.as_millis();
    match answer.outcome {
        Outcome::Fits | Outcome::Unknown | Outcome::NoOptions => {
            tracing::info!(outcome, ?kept, groups, took_ms, "Cluster Autoscaler answered");
        }
        Outcome::Partial | Outcome::Veto | Outcome::LeastBad => {
            tracing::warn!(
                outcome,
                ?kept,
                groups,
                took_ms,
                "Cluster Autoscaler answered: no group is known to have the addresses for all its nodes"
            );
        }
    }
}

/// `name: reason, 2 of 3 nodes with 12 pods each, 40 IPs left, subnet-a`, one after another.
fn groups(answer: &Answer, asked: &[Asked]) -> String {
    let mut text = String::new();
    for (judged, asked) in answer.judged.iter().zip(asked).take(LOGGED) {
        let separator = if text.is_empty() { "" } else { "; " };
        let tightest = judged.tightest.as_ref().map_or("", |subnet| subnet.as_str());
        let written = write!(
            text,
            "{separator}{}: {}, {} of {} nodes with {} pods each, {} IPs left, {tightest}",
            asked.group,
            judged.reason.label(),
            judged.fed,
            judged.nodes,
            judged.pods_per_node,
            judged.left
        );
        written.expect("a string takes any text");
    }
    if answer.judged.len() > LOGGED {
        text.push_str("; ...");
    }
    text
}
