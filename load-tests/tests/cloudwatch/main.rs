//! What the advisor publishes, through the real SDK, in the lab's CloudWatch.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod cloud;
mod kill;

use std::time::Duration;

use headroom_advisor::cloudwatch::{Datum, Flushed, Loss, Sample, Unit};
use headroom_lab::aws::{FaultKind, Samples};

use cloud::{Cloud, file_config, memory_config, round, today};

const EMPTY: Flushed = Flushed::Empty;

#[tokio::test]
async fn cloudwatch_has_what_was_published() {
    let cloud = Cloud::start().await;
    let publisher = cloud.publisher(&memory_config());
    let histogram = Datum {
        samples: (0..400u32).map(|value| Sample { value: f64::from(value), count: 2.0 }).collect(),
        ..Datum::new("NodeHeadroomPods", Unit::Count, &[("Cluster", "prod")], 0.0)
    };
    let free = |subnet: &str| Datum::new("SubnetFreeIPs", Unit::Count, &[("Cluster", "prod"), ("Subnet", subnet)], 7.5);
    let age = Datum::new("ObservationAge", Unit::Seconds, &[("Cluster", "prod")], 31.25);
    let mut data = vec![histogram, age, Datum { samples: vec![], ..free("none") }];
    data.extend((0..1200).map(|index| free(&format!("subnet-{index}"))));
    let at = today() - Duration::from_secs(90);
    let helper = vec![Datum::new("assignIPAddresses", Unit::Count, &[("CLUSTER_ID", "prod")], 12.0)];
    publisher.publish(at, vec![("Headroom".into(), data), ("Kubernetes".into(), helper)], today()).await;
    assert_eq!(publisher.flush(today).await, EMPTY);

    let vpc = cloud.vpc.lock().unwrap();
    let metrics = vpc.metrics();
    let named = |name: &str| metrics.data().filter(|(_, datum)| datum.name == name).collect::<Vec<_>>();
    let spread: Vec<(f64, f64)> = named("NodeHeadroomPods")
        .iter()
        .flat_map(|(_, datum)| match &datum.samples {
            Samples::Values(values) => values.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(spread, (0..400u32).map(|value| (f64::from(value), 2.0)).collect::<Vec<_>>());
    let [(namespace, age)] = named("ObservationAge")[..] else { panic!("one") };
    assert_eq!((namespace, age.at, age.unit.as_str(), age.resolution_secs), ("Headroom", at, "Seconds", 60));
    assert_eq!(age.samples, Samples::Values(vec![(31.25, 1.0)]));
    let [(namespace, helper)] = named("assignIPAddresses")[..] else { panic!("one") };
    assert_eq!((namespace, helper.dimensions["CLUSTER_ID"].as_str()), ("Kubernetes", "prod"));
    let free = named("SubnetFreeIPs");
    let subnets: std::collections::BTreeSet<&str> =
        free.iter().map(|(_, datum)| datum.dimensions["Subnet"].as_str()).collect();
    assert_eq!((free.len(), subnets.len()), (1200, 1200));
    drop(vpc);
    // Two of Headroom's batches are large, the helper's is not.
    assert_eq!(cloud.gate.encodings(), (2, 1), "requests in gzip, and others");
    cloud.assert_metric("cloudwatch_points_sent_total 1205");
    cloud.assert_metric("cloudwatch_points_dropped_total{reason=\"empty\"} 1");
}

#[tokio::test]
async fn a_request_of_a_megabyte_is_taken() {
    let cloud = Cloud::start().await;
    let publisher = cloud.publisher(&memory_config());
    let datum = |index: u32| Datum {
        samples: (0..150u32).map(|value| Sample { value: f64::from(value) + 0.1, count: 1.5 }).collect(),
        ..Datum::new("NodeHeadroomPods", Unit::Count, &[("Cluster", "prod"), ("Id", &index.to_string())], 0.0)
    };
    publisher.publish(today(), vec![("Headroom".into(), (0..1000).map(datum).collect())], today()).await;
    assert_eq!(publisher.flush(today).await, EMPTY);
    assert_eq!(cloud.vpc.lock().unwrap().metrics().data().count(), 1000);
    cloud.assert_metric("cloudwatch_points_sent_total 1000");
}

#[tokio::test]
async fn faults_delay_and_lose_nothing() {
    let cloud = Cloud::start().await;
    let publisher = cloud.publisher(&memory_config());
    let faults = [FaultKind::Throttle, FaultKind::Unavailable, FaultKind::ExpiredToken, FaultKind::Drop];
    let outcomes = ["throttled", "service", "expired_credentials", "timeout"];
    for (number, (kind, outcome)) in (1..).zip(faults.into_iter().zip(outcomes)) {
        let at = today() - Duration::from_secs(600 - number * 60);
        publisher.publish(at, round(number, 10), today()).await;
        cloud.fault(kind);
        assert_eq!(publisher.flush(today).await, Flushed::Stuck { after: 0 });
        cloud.assert_metric(&format!("aws_requests_total{{operation=\"PutMetricData\",outcome=\"{outcome}\"}} 1"));
        cloud.assert_metric(&format!("cloudwatch_points_spooled {}", number * 10));
        cloud.end_faults();
    }
    assert_eq!(publisher.flush(today).await, EMPTY);
    assert_eq!(cloud.rounds_in_order(), [4, 1, 2, 3], "the latest first, then from the oldest on");
    assert!(cloud.points().values().all(|times| *times == 1));
    cloud.assert_metric("cloudwatch_points_failed_total 40");
    cloud.assert_metric("cloudwatch_points_spooled 0");
}

#[tokio::test]
async fn what_could_not_be_sent_is_replayed_after_a_restart() {
    let cloud = Cloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let config = file_config(dir.path());
    let nobody = Cloud::unreachable().await;
    let publisher = nobody.publisher(&config);
    let ages = [13 * 86_400, 12 * 86_400, 60];
    for (number, age) in (1..).zip(ages) {
        publisher.publish(today() - Duration::from_secs(age), round(number, 20), today()).await;
    }
    assert_eq!(publisher.flush(today).await, Flushed::Stuck { after: 0 });
    nobody.assert_metric("aws_requests_total{operation=\"PutMetricData\",outcome=\"connect\"} 1");
    drop(publisher);

    let publisher = cloud.publisher(&config);
    cloud.assert_metric("cloudwatch_points_spooled 60");
    let later = || today() + Duration::from_secs(86_400 + 3600);
    cloud.clock.advance(Duration::from_secs(86_400 + 3600));
    assert_eq!(publisher.flush(later).await, EMPTY);
    assert_eq!(cloud.rounds_in_order(), [2, 3], "the first is older than two weeks by then");
    cloud.assert_metric("cloudwatch_points_dropped_total{reason=\"too_old\"} 20");
    drop(publisher);
    assert_eq!(cloud.publisher(&config).flush(later).await, EMPTY);
    assert!(cloud.points().values().all(|times| *times == 1), "nothing is left to be sent again");
}

#[tokio::test]
async fn a_point_that_is_refused_does_not_hold_up_the_others() {
    let cloud = Cloud::start().await;
    let publisher = cloud.publisher(&memory_config());
    let mut sets = round(1, 40);
    for index in [3, 17, 18] {
        sets[0].1[index].name = cloud::REFUSED.to_owned();
    }
    publisher.publish(today(), sets, today()).await;
    publisher.publish(today(), vec![("AWS/Mine".into(), round(2, 3).remove(0).1)], today()).await;
    publisher.publish(today(), round(3, 5), today()).await;
    assert_eq!(publisher.flush(today).await, EMPTY);
    assert_eq!(cloud.points().len(), 37 + 5);
    assert!(cloud.points().values().all(|times| *times == 1));
    cloud.assert_metric(&format!("cloudwatch_points_dropped_total{{reason=\"{}\"}} 6", Loss::Refused.label()));
}

#[tokio::test]
async fn a_full_spool_keeps_the_newest() {
    let cloud = Cloud::start().await;
    let mut config = memory_config();
    config.spool_max_points = 1000;
    let publisher = cloud.publisher(&config);
    for number in 1..=12 {
        publisher.publish(today() - Duration::from_secs(60 * (20 - number)), round(number, 100), today()).await;
    }
    assert_eq!(publisher.flush(today).await, EMPTY);
    assert_eq!(cloud.rounds_in_order(), [12, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    cloud.assert_metric("cloudwatch_points_dropped_total{reason=\"spool_full\"} 200");
}

/// The loop that the advisor runs: it comes back by itself when CloudWatch does.
#[tokio::test]
async fn the_loop_sends_when_cloudwatch_is_back() {
    let cloud = Cloud::start().await;
    let publisher = std::sync::Arc::new(cloud.publisher(&memory_config()));
    let running = std::sync::Arc::clone(&publisher);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move { running.run(today, async { drop(stopped.await) }).await });
    cloud.fault(FaultKind::Unavailable);
    publisher.publish(today(), round(1, 5), today()).await;
    cloud.until(|cloud| cloud.text().contains("outcome=\"service\"} 1")).await;
    cloud.end_faults();
    cloud.until(|cloud| cloud.points().len() == 5).await;
    publisher.publish(today() + Duration::from_secs(1), round(2, 5), today()).await;
    cloud.until(|cloud| cloud.points().len() == 10).await;
    publisher.publish(today() + Duration::from_secs(2), round(3, 5), today()).await;
    drop(stop);
    task.await.unwrap();
    assert_eq!(cloud.points().len(), 15, "what is there at the end is sent");
    assert!(cloud.points().values().all(|times| *times == 1));
}
