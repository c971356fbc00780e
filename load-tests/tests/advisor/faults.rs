//! AWS goes wrong while it runs.

use std::time::Duration;

use headroom_advisor::aws::Operation;
use headroom_advisor::config::{Config, Mode, Scaling};
use headroom_capacity::time::Time;
use headroom_lab::aws::{Datum, Fault, FaultKind};
use headroom_load_tests::advisor::Advisor;

use crate::rig::{Page, Rig, begins_to_lead, config, ready, readyz, until, value};
use crate::told::told;

/// Three rounds of the slowest reading.
const MAX_AGE: Duration = Duration::from_secs(30);
/// How long AWS is out of order, in the lab's time.
const FAULT: Duration = Duration::from_secs(200);

fn read_by_the_advisor() -> impl Iterator<Item = Operation> {
    Operation::ALL.into_iter().filter(|operation| *operation != Operation::PutMetricData)
}

/// From now on, in everything but CloudWatch.
fn begin(rig: &Rig, kind: FaultKind) -> (Time, Time) {
    let (from, until) = (rig.now(), rig.now() + FAULT);
    for operation in read_by_the_advisor() {
        let operation = Some(operation.label().to_owned());
        rig.vpc().add_fault(Fault { operation, kind, from, until, every: 1 });
    }
    (from, until)
}

async fn reaches(rig: &Rig, at: Time) {
    let real = rig.lab.clock().real(at.since(rig.now()));
    tokio::time::sleep(real).await;
}

fn told_within(rig: &Rig, name: &str, from: Time, until: Time) -> Vec<Datum> {
    rig.points(name).into_iter().filter(|datum| (from..until).contains(&datum.at)).collect()
}

async fn observed(advisor: &Advisor, part: &str) -> Time {
    let secs = Page::of(advisor.admin_addr()).await.get(&format!("observed_timestamp_seconds{{part=\"{part}\"}}"));
    Time::ZERO + Duration::from_secs_f64(secs)
}

async fn running() -> (Rig, Advisor) {
    let rig = Rig::quiet().await;
    rig.nodes_ready(2).await;
    let scaling = Scaling { mode: Mode::Advise, ..Scaling::default() };
    let advisor = rig.advisor(Config { scaling, ..config() }).await;
    ready(advisor.admin_addr()).await;
    begins_to_lead(advisor.admin_addr()).await;
    // What the nodes were still taking is told, and read.
    reaches(&rig, rig.now() + Duration::from_secs(60)).await;
    (rig, advisor)
}

/// While no part can be read: the feed tells its last state, nothing that AWS said is published once it is too old, and all is well
/// soon after.
async fn outlives(kind: FaultKind, class: &str) {
    let (rig, advisor) = running().await;
    until("all is published", async || {
        if rig.points("SubnetFreeIPs").is_empty() { Err("nothing of AWS".to_owned()) } else { Ok(()) }
    })
    .await;
    let before = told(advisor.grpc_addr()).await;
    let (from, end) = begin(&rig, kind);
    reaches(&rig, end - Duration::from_secs(20)).await;

    assert_eq!(readyz(advisor.admin_addr()).await, Ok(()), "{kind:?}");
    let meanwhile = told(advisor.grpc_addr()).await;
    assert_eq!(
        (&meanwhile.epoch, &meanwhile.nodes, &meanwhile.subnets),
        (&before.epoch, &before.nodes, &before.subnets)
    );
    assert!(Time::from_secs(u64::try_from(meanwhile.observed_at).unwrap()) <= from, "{kind:?}: it says how old it is");
    let page = Page::of(advisor.admin_addr()).await;
    assert!(page.calls("DescribeInstances", class) > 0.0, "{kind:?}");
    assert!(page.calls("DescribeNetworkInterfaces", class) > 0.0, "{kind:?}");
    let (silent, until_then) = (from + MAX_AGE + Duration::from_secs(5), end - Duration::from_secs(20));
    assert_eq!(told_within(&rig, "SubnetFreeIPs", silent, until_then), [], "{kind:?}");
    assert_eq!(told_within(&rig, "HeadroomPods", silent, until_then), [], "{kind:?}");
    for figure in ["AdvisorHeartbeat", "PodIPDemand", "ObservationAge"] {
        assert!(told_within(&rig, figure, silent, until_then).len() >= 4, "{kind:?}: {figure}");
    }
    let ages = told_within(&rig, "ObservationAge", silent, until_then);
    assert!(ages.iter().all(|age| value(age) > MAX_AGE.as_secs_f64()), "{kind:?}");

    for figure in ["EndpointsDown", "ScaleInBlocked"] {
        let figures = told_within(&rig, figure, silent, until_then);
        assert!(figures.iter().any(|datum| value(datum) > 0.0), "{kind:?}: {figures:?}");
    }

    until("it reads AWS again and publishes", async || {
        let last = rig.points("SubnetFreeIPs").last().map(|datum| datum.at);
        let troubled = ["EndpointsDown", "ScaleInBlocked"].map(|figure| rig.points(figure).last().map(value));
        if observed(&advisor, "enis").await >= end && last > Some(end) && troubled == [Some(0.0); 2] {
            Ok(())
        } else {
            Err(format!("{kind:?}: {last:?}, {troubled:?}"))
        }
    })
    .await;
    assert!(rig.now().since(end) < Duration::from_secs(200), "{kind:?}: soon");
    advisor.stop().await.unwrap();
    rig.lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aws_that_refuses_costs_nothing_but_news() {
    tokio::join!(
        outlives(FaultKind::Throttle, "throttled"),
        outlives(FaultKind::Unavailable, "service"),
        outlives(FaultKind::ExpiredToken, "expired_credentials"),
        outlives(FaultKind::Drop, "timeout"),
    );
}

/// The SDK learns the difference from the first refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_goes_wrong_is_made_up_for_while_it_is_wrong() {
    let (rig, advisor) = running().await;
    let (from, end) = (rig.now(), rig.now() + FAULT);
    let kind = FaultKind::ClockAhead(Duration::from_secs(1200));
    rig.vpc().add_fault(Fault { operation: None, kind, from, until: end, every: 1 });
    until("everything is read in spite of it", async || {
        let read = observed(&advisor, "enis").await.min(observed(&advisor, "groups").await);
        if read > from + MAX_AGE { Ok(()) } else { Err(format!("{read:?}")) }
    })
    .await;
    let last = rig.now();
    until("everything is published in spite of it", async || {
        let told = told_within(&rig, "SubnetFreeIPs", last, end).len();
        if told > 0 { Ok(()) } else { Err("nothing is".to_owned()) }
    })
    .await;
    assert!(rig.now() < end, "the clock is still wrong");
    assert_eq!(readyz(advisor.admin_addr()).await, Ok(()));
    let page = Page::of(advisor.admin_addr()).await;
    assert!(read_by_the_advisor().any(|operation| page.calls(operation.label(), "clock_skew") > 0.0));
    advisor.stop().await.unwrap();
    rig.lab.shutdown().await;
}
