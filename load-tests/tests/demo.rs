//! End to end: lab, scheduler and extender over loopback, as `headroom-demo` runs them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use headroom_extender::config::Policy;
use headroom_lab::scenario::Scenario;
use headroom_load_tests::demo::{Mode, Options, Outcome, start};

fn options() -> Options {
    Options { rate: 15.0, policy: Policy::Soon, advisor: true, scaling: None, time_limit: Duration::from_secs(600) }
}

async fn outcome(scenario: &str, mode: Mode) -> Outcome {
    outcome_with(scenario, mode, &options()).await
}

async fn outcome_with(scenario: &str, mode: Mode, options: &Options) -> Outcome {
    let scenario = Scenario::bundled(scenario).expect("bundled").expect("bundled scenarios are valid");
    let mut running = start(scenario, mode, options).await.unwrap();
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

/// The same where the subnet changes just before the pods come: at 15 lab seconds a second a busy machine reads it too late.
async fn both_slowly(scenario: &'static str) -> (Outcome, Outcome) {
    let options = Options { rate: 5.0, ..options() };
    tokio::join!(outcome(scenario, Mode::Plain), outcome_with(scenario, Mode::Headroom, &options))
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

/// The advisor shows the extender the subnet: not one pod is bound for which it has no address. Under `soon` a pod may come before the
/// IP that ipamd is fetching for it, so a CNI ADD may fail once and is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_an_empty_subnet_takes_no_pod_that_it_cannot_feed() {
    let (plain, headroom) = both_slowly("r1-subnet-empty").await;
    let (without, with) = (plain.report.totals, headroom.report.totals);
    assert_eq!((without.bound, without.hanging), (32, 14), "{plain:#?}");
    assert_eq!((with.bound, with.with_ip, with.hanging, with.unbound), (18, 18, 0, 14), "{headroom:#?}");
}

/// 230 addresses are free, and three whole /28s. Which node's ipamd takes the last one is not known before the next reading: pods that were
/// promised addresses of it on the other node hang, fewer than half of those that do without Headroom.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fragmented_subnet_counts_by_its_free_prefixes() {
    let (plain, headroom) = both("prefix-fragmented").await;
    let (without, with) = (plain.report.totals, headroom.report.totals);
    assert_eq!(with.with_ip, 48, "{headroom:#?}");
    assert!(without.hanging > 0 && 2 * with.hanging < without.hanging, "{plain:#?} {headroom:#?}");
    // What is not attached yet is promised to nobody.
    let now = outcome_with("prefix-fragmented", Mode::Headroom, &Options { policy: Policy::Now, ..options() }).await;
    let totals = now.report.totals;
    assert_eq!((totals.bound, totals.with_ip, totals.hanging), (48, 48, 0), "{now:#?}");
}

/// No table knows the type; EC2 does, and the advisor tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_an_unknown_type_has_the_limits_that_ec2_tells() {
    let (plain, headroom) = both("r1-unknown-type").await;
    assert_eq!((plain.report.totals.bound, plain.report.totals.hanging), (30, 3), "{plain:#?}");
    let totals = headroom.report.totals;
    assert_eq!((totals.bound, totals.with_ip, totals.hanging), (27, 27, 0), "{headroom:#?}");
}

/// Without the advisor the extender sees Kubernetes alone; the first failures on a node close it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_advisor_an_empty_subnet_costs_a_few_pods_and_not_all() {
    let options = Options { advisor: false, ..options() };
    let headroom = outcome_with("r1-subnet-empty", Mode::Headroom, &options).await;
    let totals = headroom.report.totals;
    assert_eq!(totals.with_ip, 18, "every address is used: {headroom:#?}");
    assert!(totals.hanging < 14 && totals.unbound > 0, "{headroom:#?}");
}
