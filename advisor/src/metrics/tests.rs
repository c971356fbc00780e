use std::collections::{BTreeMap, BTreeSet};

use headroom_capacity::units::Ips;

use super::*;
use crate::headroom::fixtures::subnet;
use crate::leaks::LeakReason;
use crate::ledger::{Leak, SubnetAccount};

fn ledger(subnets: &[&str]) -> Arc<Ledger> {
    let account = SubnetAccount {
        az: "us-west-2a".into(),
        cidr_reserved: Ips(2),
        held: [1, 2, 3, 4, 5, 6, 7, 8].map(Ips),
        reported_free: Ips(63),
        ..subnet(64, 2)
    };
    let leak = Leak {
        eni: "eni-1".into(),
        subnet: "subnet-a".into(),
        reason: LeakReason::InstanceGone,
        of_cluster: true,
        instance: None,
        created_at: None,
        ips: Ips(7),
    };
    Arc::new(Ledger {
        at: Time::from_millis(1500),
        subnets: subnets.iter().map(|id| ((*id).into(), account.clone())).collect(),
        leaks: vec![leak],
        pods_without_ip: 3,
        ..Ledger::default()
    })
}

fn headroom() -> Arc<Headroom> {
    let by_group = BTreeMap::from([(Arc::from("a \"quoted\" group"), 12)]);
    Arc::new(Headroom { cluster: 12, nodes: vec![12], by_az: BTreeMap::from([("us-west-2a".into(), 12)]), by_group })
}

/// Series without their values.
fn series(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect()
}

#[test]
fn closed_sets_are_there_from_the_start() {
    let metrics = Metrics::new();
    let before = metrics.encode().unwrap();
    let call = CallRecord { operation: Operation::PutMetricData, error: Some(ErrorClass::Throttled), seconds: 1.0 };
    metrics.aws_called(&call);
    metrics.observed(Duration::from_secs(1));
    metrics.event(&Event::Synced { kind: Kind::Pod, absent: false });
    metrics.event(&Event::WatchFailed { kind: Kind::Pod, class: WatchErrorClass::List, error: String::new() });
    metrics.points_dropped(Loss::TooOld, 5);
    metrics.points_spooled(7);
    metrics.leads(true);
    metrics.beat(Time::from_secs(3));
    let after = metrics.encode().unwrap();
    assert_eq!(series(&before), series(&after));
    for line in [
        "aws_requests_total{operation=\"PutMetricData\",outcome=\"throttled\"} 1",
        "aws_request_duration_seconds_count{operation=\"PutMetricData\"} 1",
        "observe_duration_seconds_sum 1.0",
        "watch_events_total{kind=\"pod\",event=\"synced\"} 1",
        "watch_errors_total{kind=\"pod\",error=\"list\"} 1",
        "cloudwatch_points_dropped_total{reason=\"too_old\"} 5",
        "cloudwatch_points_spooled 7",
        "leader 1",
        "heartbeat_timestamp_seconds 3.0",
    ] {
        assert!(after.contains(&format!("\nheadroom_advisor_{line}\n")), "{line} in {after}");
    }
}

#[test]
fn a_subnet_that_is_gone_takes_its_series_along() {
    let metrics = Metrics::new();
    assert!(!metrics.encode().unwrap().contains("subnet_free_ips"), "nothing is told before the first ledger");
    let read_at = ReadAt { enis: Some(Time::from_millis(1250)), ..ReadAt::default() };
    metrics.published(ledger(&["subnet-a", "subnet-b"]), headroom(), &read_at);
    let text = metrics.encode().unwrap();
    for line in [
        "subnet_free_ips{subnet=\"subnet-b\",az=\"us-west-2a\"} 64",
        "subnet_reported_difference_ips{subnet=\"subnet-a\",az=\"us-west-2a\"} -3",
        "subnet_fragmentation_ratio{subnet=\"subnet-a\",az=\"us-west-2a\"} 0.5",
        "subnet_held_ips{subnet=\"subnet-a\",az=\"us-west-2a\",owner=\"leaked\"} 7",
        "leaked_enis{subnet=\"subnet-a\",az=\"us-west-2a\"} 1",
        "leaked_enis{subnet=\"subnet-b\",az=\"us-west-2a\"} 0",
        "asg_headroom_pods{asg=\"a \\\"quoted\\\" group\"} 12",
        "headroom_pods 12",
        "pods_without_ip 3",
        "ledger_timestamp_seconds 1.5",
        "observed_timestamp_seconds{part=\"enis\"} 1.25",
        "observed_timestamp_seconds{part=\"groups\"} 0.0",
    ] {
        assert!(text.contains(&format!("\nheadroom_advisor_{line}\n")), "{line} in {text}");
    }
    metrics.published(ledger(&["subnet-a"]), headroom(), &read_at);
    let text = metrics.encode().unwrap();
    assert!(text.contains("subnet-a") && !text.contains("subnet-b"));
}
