//! End to end: lab, scheduler and extender over loopback, as `headroom-demo` runs them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use headroom_extender::config::Policy;
use headroom_lab::scenario::Scenario;
use headroom_load_tests::demo::{Mode, Options, Outcome, start};

async fn outcome(scenario: &str, mode: Mode) -> Outcome {
    let options = Options { rate: 15.0, policy: Policy::Soon, time_limit: Duration::from_secs(600) };
    let scenario = Scenario::bundled(scenario).expect("bundled").expect("bundled scenarios are valid");
    let mut running = start(scenario, mode, &options).await.unwrap();
    loop {
        if let (_, Some(outcome)) = running.progress().await.unwrap() {
            running.shutdown().await.unwrap();
            return outcome;
        }
    }
}

/// Both modes of one scenario, side by side.
async fn both(scenario: &'static str) -> (Outcome, Outcome) {
    tokio::join!(outcome(scenario, Mode::Plain), outcome(scenario, Mode::Headroom))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_two_c5_xlarge_hold_112_pods_and_no_more_are_bound() {
    let (plain, headroom) = both("r4-c5-xlarge").await;
    assert!(plain.settled && headroom.settled);
    assert_eq!((plain.report.totals.bound, plain.report.totals.hanging), (116, 4), "{plain:#?}");
    let totals = headroom.report.totals;
    assert_eq!((totals.bound, totals.with_ip, totals.hanging, totals.unbound), (112, 112, 0, 4), "{headroom:#?}");
    let reason = "0/2 nodes are available: 2 no pod IP left: instance type's ENI and IP limit reached.";
    assert_eq!(headroom.reasons, [(reason.to_owned(), 4)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_instance_limit_binds_before_the_subnet() {
    let (plain, headroom) = both("r1-instance-limit").await;
    assert_eq!((plain.report.totals.bound, plain.report.totals.hanging), (20, 5), "{plain:#?}");
    let totals = headroom.report.totals;
    assert_eq!((totals.bound, totals.hanging, totals.unbound), (15, 0, 5), "{headroom:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_networking_takes_an_eni_from_every_node() {
    let (plain, headroom) = both("custom-networking").await;
    assert_eq!((plain.report.totals.bound, plain.report.totals.hanging), (40, 4), "{plain:#?}");
    let totals = headroom.report.totals;
    assert_eq!((totals.bound, totals.hanging, totals.unbound), (36, 0, 4), "{headroom:#?}");
}

/// The extender cannot see the subnet; the first failures on a node close it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_empty_subnet_costs_a_few_pods_and_not_all() {
    let (plain, headroom) = both("r1-subnet-empty").await;
    let (without, with) = (plain.report.totals, headroom.report.totals);
    assert_eq!((without.bound, without.hanging), (32, 14), "{plain:#?}");
    assert_eq!(with.with_ip, 18, "every address is used: {headroom:#?}");
    assert!(with.hanging < without.hanging && with.unbound > 0, "{headroom:#?}");
}
