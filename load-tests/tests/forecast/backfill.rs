//! An advisor that starts without a past, beside somebody who has one.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::get;
use headroom_advisor::config::{Backfill, CloudWatch, Config, Forecast, History, LeaderElection};
use headroom_advisor::outlook::report::Row;
use headroom_lab::Lab;
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::eventually::eventually;
use serde_json::json;

use crate::{STEP, WITHIN, forecast, lab, now_secs, subnet};

/// Lab seconds in a real one: steps of five minutes pass in seconds.
const RATE: f64 = 120.0;

fn config() -> Config {
    Config {
        forecast: Forecast { period_secs: 60 },
        leader_election: LeaderElection { enabled: false, ..LeaderElection::default() },
        ..crate::config()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_advisor_published_to_cloudwatch_is_the_next_ones_past() {
    let lab = lab(RATE).await;
    let began = now_secs(&lab);
    let cloudwatch = CloudWatch { enabled: true, ..CloudWatch::default() };
    let first = Advisor::start(Place::lab(&lab), Config { cloudwatch, ..config() }).await.unwrap();
    let published = |lab: &Lab| {
        let vpc = lab.vpc();
        let at = vpc.metrics().data().filter(|(_, datum)| datum.name == "SubnetFreeIPs");
        at.map(|(_, datum)| datum.at.as_secs() / STEP).collect::<BTreeSet<u64>>().len()
    };
    eventually("four steps are published", WITHIN, async || {
        let steps = published(&lab);
        if steps < 4 { Err(format!("{steps} are")) } else { Ok(()) }
    })
    .await;
    first.stop().await.unwrap();

    let restarted = now_secs(&lab);
    let backfill = Backfill { cloudwatch: true, prometheus: None };
    let history = History { backfill, ..History::default() };
    let second = Advisor::start(Place::lab(&lab), Config { history, ..config() }).await.unwrap();
    let (_, row) = forecast(second.admin_addr(), |row| row.history_start_secs + STEP < restarted).await;
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
    let lab = lab(RATE).await;
    let subnet = subnet(&lab);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let handler = move |RawQuery(query): RawQuery| async move { query_range(&query.unwrap(), &subnet).await };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/api/v1/query_range", get(handler))).await });

    let backfill = Backfill { cloudwatch: false, prometheus: Some(addr.to_string()) };
    let history = History { backfill, ..History::default() };
    let advisor = Advisor::start(Place::lab(&lab), Config { history, ..config() }).await.unwrap();
    let weeks = |row: &Row| row.history_ips.len() as u64 * STEP / (7 * 86_400);
    let (_, row) = forecast(advisor.admin_addr(), |row| weeks(row) >= 7).await;
    let known = row.history_ips.iter().flatten().filter(|ips| **ips == 77.0).count();
    // Of seven weeks; the step that runs may not be there yet.
    assert!(known >= 7 * 7 * 288, "{known} steps");
    advisor.stop().await.unwrap();
    lab.shutdown().await;
}
