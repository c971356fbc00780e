//! What the books and their past come to.

use std::sync::Arc;

use headroom_capacity::budget::Budget;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::{Ips, Prefixes};
use headroom_forecast::Series;

use super::*;
use crate::headroom::fixtures::{node, subnet};
use crate::ledger::{Ledger, Owner};

const HOUR: usize = 12;
const DAY: usize = 24 * HOUR;

/// A value each five minutes.
fn series(steps: usize, value: impl Fn(usize) -> f64) -> Series {
    Series { start_secs: 1_796_000_000, step_secs: 300, values: (0..steps).map(|step| Some(value(step))).collect() }
}

/// A /24 of which `used` addresses are pods' and others', on `nodes` nodes.
fn ledger(used: u32, nodes: u32) -> Ledger {
    let mut account = subnet(251 - used, (251 - used) / 16);
    account.held[Owner::Pod as usize] = Ips(used / 2);
    account.held[Owner::Foreign as usize] = Ips(used - used / 2);
    let nodes = (0..nodes).map(|n| {
        let mut node = node(&CniSettings::shipped(), 0);
        node.assigned = Ips(used / 2 / nodes.max(1));
        (Arc::from(format!("node-{n}")), node)
    });
    let at = Time::from_secs(1_796_000_000);
    Ledger { at, subnets: [("s".into(), account)].into(), nodes: nodes.collect(), ..Ledger::default() }
}

fn outlook(ledger: &Ledger, used: &Series, pods: &Series, others: &Series) -> SubnetOutlook {
    let (settings, id) = (CniSettings::shipped(), "s".into());
    foresee(&Observed { id: &id, ledger, settings: &settings, used, pods, others, to_come: &ToCome::default() })
        .unwrap()
}

#[test]
fn a_subnet_that_fills_up_steadily_runs_out_when_the_line_says_so() {
    // One address in two hours: 51 are left, and in 102 hours none.
    let used = series(14 * DAY, |step| (200.0 - (14 * DAY - step) as f64 / 24.0).floor());
    let zero = series(14 * DAY, |_| 0.0);
    let of = outlook(&ledger(200, 0), &used, &zero, &used);
    let hours = |secs: Option<u64>| secs.unwrap() as f64 / 3600.0;
    assert!((90.0..=110.0).contains(&hours(of.exhaustion.p50_secs)), "{:?}", of.exhaustion);
    assert!(of.exhaustion.p10_secs <= of.exhaustion.p50_secs);
    assert_eq!((of.advice.remedy, of.reserve), (Remedy::AddSubnet, Ips::ZERO));
    assert!(of.advice.brings >= of.advice.short && !of.advice.short.is_zero());
}

#[test]
fn what_is_missing_may_be_more_than_is_free() {
    // 200 addresses in two weeks: another 100 in the next, of which 51 are there.
    let used = series(14 * DAY, |step| (step as f64 * 200.0 / (14 * DAY) as f64).floor());
    let of = outlook(&ledger(200, 0), &used, &series(14 * DAY, |_| 0.0), &used);
    assert!((40..=100).contains(&of.advice.short.get()), "{:?}", of.advice);
    assert!(of.advice.brings >= of.advice.short);
    assert!(of.points.iter().chain(&of.peaks).all(|point| point.values[4] <= 251.0), "nobody can hold more");
}

#[test]
fn two_hours_of_pods_do_not_displace_two_weeks_of_addresses() {
    let used = series(14 * DAY, |step| 100.0 + 50.0 * (step as f64 * std::f64::consts::TAU / DAY as f64).sin());
    let flat = series(3 * HOUR, |_| 50.0);
    assert!(!outlook(&ledger(100, 4), &used, &flat, &flat).by_pods);
}

#[test]
fn a_quiet_subnet_needs_nothing() {
    let used = series(14 * DAY, |step| 100.0 + (step % 3) as f64);
    let of = outlook(&ledger(100, 0), &used, &series(14 * DAY, |_| 0.0), &used);
    assert_eq!((of.exhaustion.p10_secs, of.advice.clone()), (None, Advice::nothing()));
    assert_eq!(of.advice.to_string(), "nothing to do");
}

#[test]
fn a_full_subnet_is_exhausted_now_whatever_the_past() {
    let used = series(HOUR, |_| 251.0);
    let of = outlook(&ledger(251, 0), &used, &series(HOUR, |_| 0.0), &used);
    assert_eq!([of.exhaustion.p10_secs, of.exhaustion.p50_secs, of.exhaustion.p90_secs], [Some(0); 3]);
    assert!(of.advice.to_string().ends_with("may be missing, now"), "{}", of.advice);
}

#[test]
fn without_any_past_nothing_is_expected_and_nothing_breaks() {
    let none = series(0, |_| 0.0);
    let of = outlook(&ledger(100, 3), &none, &none, &none);
    assert_eq!(of.at(3600)[2], 100.0);
    assert_eq!(of.exhaustion.p10_secs, None);
}

#[test]
fn the_next_node_is_kept_room_for() {
    let flat = series(14 * DAY, |_| 200.0);
    let mut books = ledger(200, 4);
    let of = outlook(&books, &flat, &series(14 * DAY, |_| 100.0), &series(14 * DAY, |_| 100.0));
    // One ENI of ten addresses: a new m5.large with WARM_ENI_TARGET=1.
    assert_eq!((of.reserve, of.limit), (Ips(10), 241.0));
    // What is spoken for is no room.
    books.subnets.get_mut(&"s".into()).unwrap().in_flight_ips = Ips(11);
    let less = outlook(&books, &flat, &flat, &flat);
    assert_eq!(less.limit, of.limit - 11.0);
}

#[test]
fn leaks_are_the_first_remedy_where_they_are_enough() {
    let used = series(14 * DAY, |step| (200.0 - (14 * DAY - step) as f64 / 24.0).floor());
    let mut books = ledger(200, 0);
    let held = &mut books.subnets.get_mut(&"s".into()).unwrap().held;
    held[Owner::Foreign as usize] = Ips(0);
    held[Owner::Leaked as usize] = Ips(100);
    let of = outlook(&books, &used, &series(14 * DAY, |_| 0.0), &used);
    assert_eq!((of.advice.remedy, of.advice.brings), (Remedy::DeleteLeaks, Ips(100)));
}

#[test]
fn addresses_follow_pods_in_steps_of_enis() {
    let settings = CniSettings::shipped();
    let Budget::Ipv4(budget) = node(&CniSettings::shipped(), 0).budget else { panic!("an IPv4 node") };
    let at_rest = headroom_capacity::steady::steady(&settings, &budget, 8).subnet_ips.get();
    let fleet = Fleet { settings: &settings, budget, nodes: 10, pods: 80, held: 10 * at_rest, pods_per_node: 8.0 };
    assert_eq!(fleet.ips(80.0), f64::from(10 * at_rest), "as it is");
    assert_eq!(fleet.ips(160.0), f64::from(20 * at_rest), "twice the pods on twice the nodes");
    assert!(fleet.ips(81.0) > fleet.ips(80.0), "one pod too many is one node more");
    assert_eq!(fleet.ips(0.0), 0.0);
    // A pool that has grown and does not give back.
    let held = Fleet { held: 10 * at_rest + 50, ..fleet };
    assert_eq!(held.ips(80.0), f64::from(10 * at_rest + 50));
    assert_eq!(held.ips(40.0), f64::from(5 * at_rest + 25), "half of the nodes took half of it along");
}

#[test]
fn the_books_are_remembered_by_subnet_zone_and_group() {
    let mut books = ledger(100, 2);
    for node in books.nodes.values_mut() {
        node.waiting = 1;
    }
    let values: Vec<(String, f64)> = sample(&books, [&Arc::from("spare"), &Arc::from("workers")])
        .into_iter()
        .map(|(key, value)| (format!("{} {}", key.kind.label(), key.id), value))
        .collect();
    let expected = [
        ("subnet_used_ips s", 100.0),
        ("subnet_capacity_ips s", 251.0),
        ("subnet_unusable_ips s", 5.0),
        ("subnet_pods s", 50.0),
        ("subnet_other_ips s", 50.0),
        ("az_nodes a", 2.0),
        ("az_pods a", 52.0),
        ("group_nodes spare", 0.0),
        ("group_pods spare", 0.0),
        ("group_nodes workers", 2.0),
        ("group_pods workers", 52.0),
    ];
    assert_eq!(values, expected.map(|(key, value)| (key.to_owned(), value)));
}

#[test]
fn single_addresses_are_no_room_for_prefixes() {
    let flat = series(14 * DAY, |_| 150.0);
    let mut books = ledger(150, 4);
    books.subnets.get_mut(&"s".into()).unwrap().free_prefixes = Prefixes(1);
    for node in books.nodes.values_mut() {
        let Budget::Ipv4(budget) = &mut node.budget else { panic!("an IPv4 node") };
        budget.mode = headroom_capacity::budget::Mode::Prefix;
    }
    let of = outlook(&books, &flat, &flat, &flat);
    assert_eq!(of.limit, f64::from(150 + 16 - of.reserve.get()));
}

#[test]
fn a_group_asks_for_what_its_pods_come_to() {
    let books = ledger(160, 10);
    let settings = CniSettings::shipped();
    let pods = series(14 * DAY, |_| 80.0);
    let workers = demand(&books, &settings, |node| node.group.as_deref() == Some("workers"), &pods);
    assert_eq!((workers.nodes, workers.pods, workers.ips), (10, 80, Ips(100)));
    let day = workers.expected_pods.iter().position(|point| point.horizon_secs == 86_400).unwrap();
    assert_eq!((workers.expected_pods[day].values[2], workers.expected_ips[day].values[2]), (80.0, 100.0));
    let nobody = demand(&books, &settings, |_| false, &pods);
    assert_eq!((nobody.nodes, nobody.expected_ips.len()), (0, 0));
}
