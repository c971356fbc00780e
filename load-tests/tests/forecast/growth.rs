//! What two weeks of an advisor's own history come to, over HTTP, gRPC and Prometheus.

use std::path::Path;

use axum::http::Uri;
use headroom_advisor::config::{Config, History as HistoryConfig};
use headroom_advisor::history::{History, Kind, Limits, SeriesKey};
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::page::get;
use headroom_proto::v1::advisor_client::AdvisorClient;
use headroom_proto::v1::{ForecastRequest, HeadroomRequest};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::{STEP, config, forecast, lab, now_secs, subnet};

const DAYS: u64 = 14;

/// As if the subnet's use had grown by one address in two hours until now.
fn remember(path: &Path, subnet: &str, used: f64, now_secs: u64) {
    let history = History::open(Some(path), Limits::default()).unwrap();
    let end = now_secs - now_secs % STEP;
    let points = (1..=DAYS * 24 * 12).map(|ago| (end - ago * STEP, (used - (ago as f64) / 24.0).floor()));
    let told = history.backfill(now_secs, &[(SeriesKey::new(Kind::SubnetUsedIps, subnet), points.collect())]).unwrap();
    assert!(told.filled > 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_weeks_of_growth_tell_when_the_subnet_runs_out() {
    let lab = lab(30.0).await;
    let subnet = subnet(&lab);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.redb");
    remember(&path, &subnet, 190.0, now_secs(&lab));
    let history = HistoryConfig { path: Some(path), ..HistoryConfig::default() };
    let config = Config { history, ..config() };
    let advisor = Advisor::start(Place::lab(&lab), config).await.unwrap();

    let (report, row) = forecast(advisor.admin_addr(), |_| true).await;
    let steps = DAYS * 24 * 12;
    assert!(row.history_ips.len() as u64 >= steps, "{} steps of {steps}", row.history_ips.len());
    // 61 addresses are free, 10 of them kept for a node: 102 hours.
    let hours = |secs: Option<u64>| secs.unwrap() as f64 / 3600.0;
    let [p10, p50, p90] = row.exhausted_in_secs;
    assert!(p10 <= p50 && p50 <= p90.or(Some(u64::MAX)), "{:?}", row.exhausted_in_secs);
    assert!((60.0..=150.0).contains(&hours(p50)), "{} h: {row:?}", hours(p50));
    assert_eq!(row.subnet, subnet);

    let metrics = get(advisor.admin_addr(), "/metrics").await.unwrap();
    let early = format!(
        "headroom_advisor_subnet_time_to_exhaustion_seconds{{subnet=\"{subnet}\",az=\"us-west-2a\",quantile=\"0.1\"}} "
    );
    let told = metrics.lines().find_map(|line| line.strip_prefix(&early)).unwrap_or_else(|| panic!("{metrics}"));
    assert!(told.parse::<f64>().unwrap().is_finite(), "{told}");

    let stream = TcpStream::connect(advisor.grpc_addr()).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let origin: Uri = format!("http://{}", advisor.grpc_addr()).parse().unwrap();
    let channel = tower::service_fn(move |request| sender.clone().send_request(request));
    let mut client = AdvisorClient::with_origin(channel, origin);
    let request = ForecastRequest { subnets: vec![subnet.clone()], history: false };
    let answer = client.forecast(request).await.unwrap().into_inner();
    assert_eq!((answer.subnets.len(), answer.horizon_secs), (1, report.horizon_secs));
    assert_eq!(answer.subnets[0].expected.len(), row.expected.len());
    assert!(answer.subnets[0].upper.is_some(), "{:?}", answer.subnets[0]);
    let unknown = ForecastRequest { subnets: vec!["subnet-0".to_owned()], history: false };
    assert!(client.forecast(unknown).await.unwrap_err().message().contains("'subnet-0' is not in the VPC"));
    assert!(client.headroom(HeadroomRequest {}).await.unwrap().into_inner().pods > 0);

    let fleet = get(advisor.admin_addr(), "/fleet").await.unwrap();
    assert!(fleet.contains("\"instance_type\":\"m5.large\"") && fleet.contains(&subnet), "{fleet}");
    advisor.stop().await.unwrap();
    lab.shutdown().await;
}
