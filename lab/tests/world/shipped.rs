//! The bundled scenarios show what their descriptions say.

use headroom_capacity::units::Prefixes;
use headroom_lab::scenario::Scenario;
use headroom_lab::world::Report;

use crate::bench::Bench;

/// Runs a scenario with a scheduler that knows nothing of IPs and takes the nodes in turn; a report for every second.
fn run(name: &str, secs: usize) -> Vec<Report> {
    let scenario = Scenario::bundled(name).unwrap().unwrap();
    let mut bench = Bench::of(scenario);
    let second = |_| {
        bench.run(1);
        bench.bind_all();
        bench.world.report()
    };
    (0..secs).map(second).collect()
}

/// Pods that hang at the end although everything that is to come has come.
fn hanging(name: &str) -> u32 {
    let reports = run(name, 200);
    let end = reports.last().unwrap();
    assert_eq!(end.totals.unbound, 0, "{name}");
    assert_eq!(end.totals.with_ip + end.totals.hanging, end.totals.bound, "{name}: {:?}", end.totals);
    end.totals.hanging
}

#[test]
fn planning_by_max_pods_leaves_pods_hanging() {
    for name in ["r4-c5-xlarge", "r4-t2-large", "r4-c5-large", "r4-m5-large", "r4-m5-xlarge"] {
        assert_eq!(hanging(name), 4, "{name}");
    }
}

#[test]
fn instances_have_a_limit_whoever_knows_it() {
    assert_eq!(hanging("r1-instance-limit"), 5);
    assert_eq!(hanging("r1-unknown-type"), 3);
    assert_eq!(hanging("custom-networking"), 4);
}

#[test]
fn an_empty_subnet_leaves_pods_hanging_on_instances_with_room() {
    let reports = run("r1-subnet-empty", 200);
    let end = reports.last().unwrap();
    assert!(end.totals.hanging > 5, "{:?}", end.totals);
    assert!(end.nodes.iter().any(|node| node.enis_attached < node.enis_max));
}

#[test]
fn prefixes_run_out_long_before_addresses() {
    let reports = run("prefix-fragmented", 200);
    let end = reports.last().unwrap();
    assert!(end.totals.hanging > 0, "{:?}", end.totals);
    assert_eq!(end.subnets[0].free_prefixes, Prefixes(0));
    assert!(end.subnets[0].free_ips.get() > 150, "{:?}", end.subnets);
}

#[test]
fn a_rollout_waits_for_the_cool_down() {
    let reports = run("r2-cooldown", 200);
    let worst = reports.iter().map(|report| report.totals.hanging).max();
    assert!(worst > Some(30), "{worst:?} of 50 new pods hang at the worst");
    assert_eq!(reports.last().unwrap().totals.hanging, 0);
}
