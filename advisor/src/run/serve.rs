//! `headroom.v1.Advisor`, and the same for a browser or `headroom-advisor forecast`: `/forecast`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use headroom_capacity::ids::SubnetId;
use headroom_proto::v1::advisor_server::{Advisor, AdvisorServer, SERVICE_NAME};
use headroom_proto::v1::{
    Expected, ForecastRequest, ForecastResponse, GroupRaised, HeadroomRequest, HeadroomResponse, NodeRemoved,
    PlanRequest, PlanResponse, PodEvicted, Refusal, SubnetForecast, TimeToExhaustion, UpperDriver, UpperScenario,
};
use prost_types::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tonic::{Request, Status};

use super::core::Core;
use super::foresee::past;
use crate::binding;
use crate::config::Mode;
use crate::history::Kind;
use crate::outlook::report::{DriverRow, Report, Row, UpperRow};
use crate::plan::report as plan;
use crate::what_if::fleet;

/// The gRPC service's name.
pub(super) const SERVICE: &str = SERVICE_NAME;

/// The gRPC service at its path.
pub(super) fn grpc(core: &Arc<Core>) -> Router {
    let service = AdvisorServer::new(Service(Arc::clone(core)));
    Router::new().route_service(&format!("/{SERVICE}/{{*method}}"), service)
}

/// `GET /plan` for `headroom-advisor plan`; `GET /reachability` for a browser; `GET /forecast`, and with what was observed `/forecast?history=true`; `GET /headroom` and `GET /fleet` for `headroom-advisor headroom`
/// and `what-if`.
pub(super) fn page(core: &Arc<Core>) -> Router {
    Router::new()
        .route("/forecast", get(forecast))
        .route("/headroom", get(headroom))
        .route("/plan", get(latest_plan))
        .route("/fleet", get(nodes_and_subnets))
        .route("/reachability", get(reachability))
        .with_state(Arc::clone(core))
}

async fn headroom(State(core): State<Arc<Core>>) -> Response {
    match core.headroom.load_full().zip(core.outlook.load_full()) {
        Some((headroom, outlook)) => json(&binding::report::Report::new(&headroom, &outlook.binding)),
        None => (StatusCode::SERVICE_UNAVAILABLE, "AWS or the cluster was not read yet\n").into_response(),
    }
}

async fn latest_plan(State(core): State<Arc<Core>>) -> Response {
    match core.plan.load_full() {
        Some(plan) => json(&plan::Report::new(&plan)),
        None if core.config.scaling.mode == Mode::Observe => {
            (StatusCode::NOT_FOUND, "no plans are made: scaling.mode is observe\n").into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "no plan yet: AWS or the cluster was not read\n").into_response(),
    }
}

async fn nodes_and_subnets(State(core): State<Arc<Core>>) -> Response {
    match core.ledger.load_full() {
        Some(ledger) => json(&fleet(&ledger, &core.cluster(core.clock.now()))),
        None => (StatusCode::SERVICE_UNAVAILABLE, "AWS or the cluster was not read yet\n").into_response(),
    }
}

async fn reachability(State(core): State<Arc<Core>>) -> Response {
    let reached = core.reached.load();
    json(&reached.ladders.values().map(|ladder| headroom_reach::Report::from(&**ladder)).collect::<Vec<_>>())
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn forecast(State(core): State<Arc<Core>>, RawQuery(query): RawQuery) -> Response {
    match core.report(query.as_deref() == Some("history=true"), Vec::new()).await {
        Some(report) => json(&report),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no forecast yet: AWS or the cluster was not read\n").into_response(),
    }
}

impl Core {
    /// The latest outlook; `None` before the first. `of` are the subnets whose history is wanted, none for all.
    async fn report(self: &Arc<Core>, history: bool, of: Vec<String>) -> Option<Report> {
        let outlook = self.outlook.load_full()?;
        if !history {
            return Some(Report::new(&outlook, |_| None));
        }
        let core = Arc::clone(self);
        let read = move || {
            let at_secs = outlook.at.as_secs();
            // What cannot be read is left out: the forecast is there all the same.
            let wanted = |id: &str| of.is_empty() || of.iter().any(|one| one == id);
            Report::new(&outlook, |id| {
                wanted(id).then(|| past(&core.history, Kind::SubnetUsedIps, id, at_secs).ok()).flatten()
            })
        };
        // Eight weeks of each subnet are read from the file.
        spawn_blocking(read).await.ok()
    }
}

struct Service(Arc<Core>);

#[tonic::async_trait]
impl Advisor for Service {
    async fn forecast(&self, request: Request<ForecastRequest>) -> Result<tonic::Response<ForecastResponse>, Status> {
        let ForecastRequest { subnets, history } = request.into_inner();
        let outlook = self.0.outlook.load_full().ok_or_else(|| Status::unavailable("no forecast yet"))?;
        if let Some(unknown) = subnets.iter().find(|id| !outlook.subnets.contains_key(&SubnetId::from(id.as_str()))) {
            return Err(Status::not_found(format!("subnets: '{unknown}' is not in the VPC")));
        }
        let report = self.0.report(history, subnets.clone()).await.ok_or_else(|| Status::internal("no report"))?;
        let wanted = |row: &Row| subnets.is_empty() || subnets.contains(&row.subnet);
        Ok(tonic::Response::new(ForecastResponse {
            made_at: Some(timestamp(report.made_at_secs)),
            horizon_secs: report.horizon_secs,
            levels: report.levels,
            subnets: report.subnets.into_iter().filter(wanted).map(message).collect(),
        }))
    }

    async fn plan(&self, _: Request<PlanRequest>) -> Result<tonic::Response<PlanResponse>, Status> {
        match self.0.plan.load_full() {
            Some(plan) => Ok(tonic::Response::new(plan_message(plan::Report::new(&plan)))),
            None if self.0.config.scaling.mode == Mode::Observe => {
                Err(Status::failed_precondition("no plans are made: scaling.mode is observe"))
            }
            None => Err(Status::unavailable("no plan yet")),
        }
    }

    async fn headroom(&self, _: Request<HeadroomRequest>) -> Result<tonic::Response<HeadroomResponse>, Status> {
        let books = self.0.ledger.load_full().zip(self.0.headroom.load_full());
        let (ledger, headroom) = books.ok_or_else(|| Status::unavailable("AWS or the cluster was not read yet"))?;
        let named = |of: &BTreeMap<Arc<str>, u64>| of.iter().map(|(name, pods)| (name.to_string(), *pods)).collect();
        Ok(tonic::Response::new(HeadroomResponse {
            made_at: Some(timestamp(ledger.at.as_secs())),
            pods: headroom.cluster,
            by_az: named(&headroom.by_az),
            by_group: named(&headroom.by_group),
        }))
    }
}

fn plan_message(report: plan::Report) -> PlanResponse {
    let raised = report.scale_out.into_iter().map(|step| GroupRaised {
        group: step.group,
        from: step.from,
        to: step.to,
        subnet: step.subnet.unwrap_or_default(),
        pods: step.pods,
        cause: step.cause,
    });
    let evictions = report.evictions.into_iter();
    let refused = report.refused.into_iter();
    PlanResponse {
        generation: report.generation,
        made_at: Some(timestamp(report.made_at_secs)),
        mode: report.mode,
        text: report.text,
        pods_needing_nodes: report.pods_needing_nodes,
        scale_out: raised.collect(),
        scale_in: report.scale_in.map(|one| NodeRemoved {
            group: one.group,
            node: one.node,
            instance: one.instance,
            pods: one.pods,
            ips: one.ips,
        }),
        evictions: evictions
            .map(|one| PodEvicted { pod: one.pod, node: one.node, waiting_secs: one.waiting_secs })
            .collect(),
        refused: refused
            .map(|one| Refusal { action: one.action, of: one.of, reason: one.reason, text: one.text })
            .collect(),
    }
}

fn message(row: Row) -> SubnetForecast {
    let [p10_secs, p50_secs, p90_secs] = row.exhausted_in_secs;
    SubnetForecast {
        subnet: row.subnet,
        az: row.az,
        usable_ips: row.usable_ips,
        used_ips: row.used_ips,
        in_flight_ips: row.in_flight_ips,
        free_prefixes: row.free_prefixes,
        reserve_ips: row.reserve_ips,
        exhaustion: Some(TimeToExhaustion { p10_secs, p50_secs, p90_secs }),
        model: row.model,
        assumption: row.assumption,
        by_pods: row.by_pods,
        advice: row.advice,
        advice_text: row.advice_text,
        advice_ips: row.advice_ips,
        upper: Some(scenario(row.upper)),
        expected: row.expected.into_iter().map(|at| Expected { horizon_secs: at.horizon_secs, ips: at.ips }).collect(),
        history_start: (!row.history_ips.is_empty()).then(|| timestamp(row.history_start_secs)),
        history_ips: row.history_ips.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
    }
}

fn scenario(row: UpperRow) -> UpperScenario {
    let driver = |DriverRow { cause, kind, name, pods }| UpperDriver { cause, kind, name, pods };
    let UpperRow { ips, short_ips, pods, drivers, more_drivers, unknown } = row;
    let drivers = drivers.into_iter().map(driver).collect();
    UpperScenario { ips, short_ips, pods, drivers, more_drivers, unknown }
}

fn timestamp(secs: u64) -> Timestamp {
    Timestamp { seconds: i64::try_from(secs).unwrap_or(i64::MAX), nanos: 0 }
}
