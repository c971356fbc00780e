//! Over both wires, encoded and decoded by the libraries that real clients use; no socket but for TLS.

mod parity;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, header::CONTENT_TYPE};
use futures::StreamExt as _;
use headroom_capacity::verdict::Reason;
use headroom_proto::v1::extender_client::ExtenderClient;
use headroom_proto::v1::filter_response::Answer;
use headroom_proto::v1::{self, ExplainRequest, FilterRequest, Verdict};
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use super::services;
use crate::config::Config;
use crate::core::{Clock, Core};
use crate::fixtures::{World, running};

async fn router(core: &Arc<Core>) -> Router {
    services(core, Clock::start(), std::future::pending()).await.0
}

/// `n1` has 56 IPs to give, `last` one, `full` none.
fn ready(config: Config) -> Arc<Core> {
    let core = Arc::new(Core::new(config));
    publish(&core);
    core
}

fn publish(core: &Core) {
    let mut world = World::with(&[("n1", "c5.xlarge"), ("last", "t3.nano"), ("full", "t3.nano")]);
    for (uid, node) in [("a", "full"), ("b", "full"), ("c", "last")] {
        world.pod(running(uid, node));
    }
    core.publish(world.snapshot(), &world.index.take_outcomes(), world.now);
}

fn pod(uid: &str) -> Option<v1::Pod> {
    Some(v1::Pod { uid: uid.to_owned(), ..v1::Pod::default() })
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn filter(core: &Arc<Core>, uid: &str, nodes: &[&str]) -> Result<Answer, Status> {
    let request = FilterRequest { pod: pod(uid), node_names: names(nodes) };
    let response = ExtenderClient::new(router(core).await).filter(request).await?;
    Ok(response.into_inner().answer.unwrap())
}

async fn explain(core: &Arc<Core>, uid: &str, nodes: &[&str]) -> v1::ExplainResponse {
    let request = ExplainRequest { pod: pod(uid), node_names: names(nodes) };
    ExtenderClient::new(router(core).await).explain(request).await.unwrap().into_inner()
}

#[track_caller]
fn assert_cause(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "headroom.dev"));
}

#[tokio::test]
async fn every_cause_has_its_code_and_is_counted() {
    let mut config = Config::default();
    config.http.max_body_bytes = 4096;
    let core = ready(config);
    assert_cause(&filter(&core, "", &["n1"]).await.unwrap_err(), Code::InvalidArgument, "NO_UID");
    let long = "x".repeat(5000);
    assert_cause(&filter(&core, "u", &[&long]).await.unwrap_err(), Code::ResourceExhausted, "TOO_LARGE");
    // A frame of one byte that begins a field and ends.
    assert_cause(
        &refused(router(&core).await, Body::from(&b"\0\0\0\0\x01\x0a"[..])).await,
        Code::InvalidArgument,
        "MALFORMED",
    );
    let cut = Body::from_stream(futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]));
    assert_cause(&refused(router(&core).await, cut).await, Code::DeadlineExceeded, "CUT_OFF");
    let waking = Arc::new(Core::new(Config::default()));
    let status = filter(&waking, "u", &["n1"]).await.unwrap_err();
    assert_cause(&status, Code::Unavailable, "NOT_READY");
    assert!(status.message().starts_with("headroom: not ready"), "{status}");

    let text = core.metrics_text().unwrap();
    for label in ["no_uid", "too_large", "malformed", "cut_off"] {
        let line = format!(r#"headroom_extender_requests_total{{verb="filter",answer="{label}"}} 1"#);
        assert!(text.contains(&line), "{line}\n{text}");
    }
}

fn post(body: Body) -> Request<Body> {
    let request = Request::post("/headroom.v1.Extender/Filter").header(CONTENT_TYPE, "application/grpc");
    request.header("te", "trailers").body(body).unwrap()
}

async fn refused(router: Router, body: Body) -> Status {
    let response = router.oneshot(post(body)).await.unwrap();
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn more_calls_than_the_limit_are_refused_at_once() {
    let mut config = Config::default();
    config.http.max_in_flight = 1;
    let core = ready(config);
    let router = router(&core).await;
    let (open, chunks) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let chunks = futures::stream::unfold(chunks, |mut chunks| async { Some((chunks.recv().await?, chunks)) });
    let slow = tokio::spawn(router.clone().oneshot(post(Body::from_stream(chunks))));
    while core.metrics.in_flight.get() == 0 {
        tokio::task::yield_now().await;
    }
    let second = ExtenderClient::new(router.clone());
    let request = FilterRequest { pod: pod("u"), node_names: names(&["n1"]) };
    let status = second.clone().filter(request.clone()).await.unwrap_err();
    assert_cause(&status, Code::ResourceExhausted, "OVERLOADED");
    drop(open);
    slow.await.unwrap().unwrap();
    assert!(second.clone().filter(request).await.is_ok(), "the slot is free again");
}

#[tokio::test]
async fn explains_claims_and_makes_none() {
    let core = ready(Config::default());
    let Answer::Passed(passed) = filter(&core, "first", &["last"]).await.unwrap() else { panic!("one IP is left") };
    assert_eq!(passed.node_names, ["last"]);

    let explained = explain(&core, "second", &["last", "n1", "nowhere"]).await;
    assert_eq!((explained.claiming_pods, explained.claimed_node_names.len()), (1, 0));
    let [last, n1, nowhere] = &explained.nodes[..] else { panic!("{explained:?}") };
    assert_eq!((last.verdict(), last.reason(), last.claims), (Verdict::Never, v1::Reason::Claimed, 1));
    assert_eq!((last.message.as_str(), &last.claimed_by_uids), (Reason::Claimed.as_str(), &names(&["first"])));
    assert!(last.figures.contains("1 claimed"), "{}", last.figures);
    assert_eq!((n1.verdict(), n1.further_pods, n1.claims, n1.passes), (Verdict::Now, Some(56), 0, true));
    assert_eq!((nowhere.verdict(), nowhere.reason()), (Verdict::Unknown, v1::Reason::UnknownNode));

    let own = explain(&core, "first", &["last"]).await;
    assert_eq!(own.claimed_node_names, ["last"]);
    assert_eq!((own.nodes[0].verdict(), own.nodes[0].claims), (Verdict::Now, 0), "its own claim is not in its way");
    assert!(own.nodes[0].claimed_by_uids.is_empty());
    let again = explain(&core, "second", &["last"]).await;
    assert_eq!(again.claiming_pods, 1, "explaining claims nothing");
}

#[tokio::test]
async fn explains_every_node_when_none_is_named() {
    let core = ready(Config::default());
    let explained = explain(&core, "", &[]).await;
    let nodes: Vec<_> = explained.nodes.iter().map(|node| (node.node_name.as_str(), node.verdict())).collect();
    assert_eq!(nodes, [("full", Verdict::Never), ("last", Verdict::Now), ("n1", Verdict::Now)]);
    assert!(explained.nodes.iter().all(|node| node.figures.is_empty()));
    let summary: Vec<_> =
        explained.summary.iter().map(|count| (count.verdict(), count.reason(), count.nodes)).collect();
    assert_eq!(summary, [(Verdict::Now, v1::Reason::Unspecified, 2), (Verdict::Never, v1::Reason::InstanceIpLimit, 1)]);
}

#[tokio::test]
async fn health_follows_readiness_and_its_watches_end_on_shutdown() {
    let core = Arc::new(Core::new(Config::default()));
    let (stop, stopped) = oneshot::channel::<()>();
    let (router, health) = services(&core, Clock::start(), async { drop(stopped.await) }).await;
    let follow = tokio::spawn(health);
    let mut client = HealthClient::new(router);
    let request = HealthCheckRequest { service: "headroom.v1.Extender".to_owned() };
    let mut statuses = client.watch(request).await.unwrap().into_inner();
    let mut next = async || {
        let status =
            tokio::time::timeout(Duration::from_secs(5), statuses.next()).await.expect("the watch has news or ends");
        status.map(|status| status.unwrap().status())
    };
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    publish(&core);
    assert_eq!(next().await, Some(ServingStatus::Serving));
    let whole = client.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(whole.into_inner().status(), ServingStatus::Serving);
    stop.send(()).unwrap();
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    assert_eq!(next().await, None);
    tokio::time::timeout(Duration::from_secs(5), follow).await.unwrap().unwrap();
}

#[tokio::test]
async fn reflection_lists_the_services_and_describes_ours() {
    let mut client = ServerReflectionClient::new(router(&ready(Config::default())).await);
    let ask = |request| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        futures::stream::iter([request])
    };
    let mut answer = async |request| {
        let mut answers = client.server_reflection_info(ask(request)).await.unwrap().into_inner();
        answers.next().await.unwrap().unwrap().message_response.unwrap()
    };
    let MessageResponse::ListServicesResponse(list) = answer(MessageRequest::ListServices(String::new())).await else {
        panic!("not a list")
    };
    let listed: Vec<String> = list.service.into_iter().map(|ServiceResponse { name }| name).collect();
    for name in ["headroom.v1.Extender", "grpc.health.v1.Health"] {
        assert!(listed.iter().any(|listed| listed == name), "{listed:?}");
    }
    for symbol in ["headroom.v1.Extender.Explain", "google.rpc.ErrorInfo"] {
        let request = MessageRequest::FileContainingSymbol(symbol.to_owned());
        assert!(matches!(answer(request).await, MessageResponse::FileDescriptorResponse(_)), "{symbol}");
    }
}
