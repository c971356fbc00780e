//! An advisor that starts without a past, beside somebody who has one.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::get;
use headroom_advisor::config::{Backfill, CloudWatch, Config, Forecast, History, LeaderElection, Observe};
use headroom_advisor::outlook::report::{Report, Row};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::page;
use serde_json::json;

const SCENARIO: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/24, used: 150 }]
nodeGroups: [{ name: workers, instanceType: m5.large, count: 2, subnets: [a] }]
";
/// Lab seconds in a real one: steps of five minutes pass in seconds.
const RATE: f64 = 120.0;
const STEP: u64 = 300;
/// Real time for what takes a few seconds on an idle machine.
const WITHIN: Duration = Duration::from_secs(90);

fn config() -> Config {
    Config {
        cluster_name: "headroom-lab".to_owned(),
        observe: Observe { subnets_secs: 5, enis_secs: 10, instances_secs: 10, groups_secs: 10, topology_secs: 60 },
        forecast: Forecast { period_secs: 60 },
        leader_election: LeaderElection { enabled: false, ..LeaderElection::default() },
        ..Config::default()
    }
}

async fn lab() -> Lab {
    let scenario = Scenario::parse("backfill.yaml", SCENARIO).unwrap();
    Lab::start(scenario, Options { rate: Some(RATE), ..Options::default() }).await.unwrap()
}

fn now_secs(lab: &Lab) -> u64 {
    lab.clock().now().as_millis() / 1000
}

/// The forecast of the one subnet, once its history is as `enough` wants it.
async fn remembered(admin: SocketAddr, enough: impl Fn(&Row) -> bool) -> Row {
    let started = Instant::now();
    loop {
        let text = page::get(admin, "/forecast?history=true").await;
        let row = text.map(|text| serde_json::from_str::<Report>(&text).unwrap().subnets.remove(0));
        match row {
            Ok(row) if enough(&row) => return row,
            other => assert!(started.elapsed() < WITHIN, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_advisor_published_to_cloudwatch_is_the_next_ones_past() {
    let lab = lab().await;
    let began = now_secs(&lab);
    let cloudwatch = CloudWatch { enabled: true, ..CloudWatch::default() };
    let first = Advisor::start(Place::lab(&lab), Config { cloudwatch, ..config() }).await.unwrap();
    let published = |lab: &Lab| {
        let vpc = lab.vpc();
        let at = vpc.metrics().data().filter(|(_, datum)| datum.name == "SubnetFreeIPs");
        at.map(|(_, datum)| datum.at.as_millis() / 1000 / STEP).collect::<std::collections::BTreeSet<u64>>().len()
    };
    let started = Instant::now();
    while published(&lab) < 4 {
        assert!(started.elapsed() < WITHIN, "{} steps are published", published(&lab));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    first.stop().await.unwrap();

    let restarted = now_secs(&lab);
    let backfill = Backfill { cloudwatch: true, prometheus: None };
    let history = History { backfill, ..History::default() };
    let second = Advisor::start(Place::lab(&lab), Config { history, ..config() }).await.unwrap();
    let row = remembered(second.admin_addr(), |row| row.history_start_secs + STEP < restarted).await;
    assert!(row.history_start_secs + STEP > began, "nobody has seen more: {} {began}", row.history_start_secs);
    // Two nodes came with 20 addresses each, and others hold 150.
    let seen: Vec<f64> = row.history_ips.iter().copied().flatten().collect();
    assert!(seen.len() >= 3 && seen.iter().all(|ips| (150.0..=200.0).contains(ips)), "{seen:?}");
    second.stop().await.unwrap();
    lab.shutdown().await;
}

/// 77 addresses at every step that is asked for, of the expression for all held addresses only.
async fn query_range(query: &str, subnet: &str) -> String {
    let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)).unwrap().parse::<u64>().unwrap();
    let (start, end, step) = (value("start="), value("end="), value("step="));
    let mut values = Vec::new();
    let mut at = start;
    while at <= end && !query.contains("owner") {
        values.push(json!([at, "77"]));
        at += step;
    }
    let series = json!([{ "metric": { "subnet": subnet }, "values": values }]);
    json!({ "status": "success", "data": { "resultType": "matrix", "result": series } }).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_prometheus_scraped_is_the_past() {
    let lab = lab().await;
    let subnet = lab.vpc().subnets(lab.clock().now()).next().unwrap().id.to_string();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let handler = move |RawQuery(query): RawQuery| async move { query_range(&query.unwrap(), &subnet).await };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/api/v1/query_range", get(handler))).await });

    let backfill = Backfill { cloudwatch: false, prometheus: Some(addr.to_string()) };
    let history = History { backfill, ..History::default() };
    let advisor = Advisor::start(Place::lab(&lab), Config { history, ..config() }).await.unwrap();
    let weeks = |row: &Row| row.history_ips.len() as u64 * STEP / (7 * 86_400);
    let row = remembered(advisor.admin_addr(), |row| weeks(row) >= 7).await;
    let known = row.history_ips.iter().flatten().filter(|ips| **ips == 77.0).count();
    assert!(known > 7 * 7 * 288, "{known} steps");
    advisor.stop().await.unwrap();
    lab.shutdown().await;
}
