//! Whatever happens, no address is in two places and none is lost.

use std::collections::BTreeSet;

use headroom_lab::kube::{Object, object};
use proptest::prelude::*;

use crate::bench::{Bench, scenario};

#[derive(Clone, Debug)]
enum Step {
    BindAll,
    Delete(prop::sample::Index),
    Terminate(prop::sample::Index),
    Run(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::BindAll),
        4 => any::<prop::sample::Index>().prop_map(Step::Delete),
        1 => any::<prop::sample::Index>().prop_map(Step::Terminate),
        6 => (1_u64..60).prop_map(Step::Run),
    ]
}

fn take(bench: &mut Bench, step: &Step) {
    match step {
        Step::BindAll => bench.bind_all(),
        Step::Run(secs) => bench.run(*secs),
        Step::Delete(index) => {
            let pods = bench.pods();
            if !pods.is_empty() {
                let pod: &Object = index.get(&pods);
                bench.delete(object::name(pod));
            }
        }
        Step::Terminate(index) => {
            let (vpc, now) = (bench.world.vpc(), bench.world.now());
            let mut vpc = vpc.lock().unwrap();
            let running: Vec<_> =
                vpc.instances().filter(|one| !one.state.is_ending()).map(|one| one.id.clone()).collect();
            if !running.is_empty() {
                vpc.terminate_instance(index.get(&running), now).unwrap();
            }
        }
    }
}

/// Every live pod's address is its own; every address that is not free belongs to exactly one ENI; what pods hold is on an
/// ENI of the VPC.
fn check(bench: &Bench, usable: u32) {
    let mut of_pods = BTreeSet::new();
    for pod in bench.pods() {
        let ip = object::text(&pod, "/status/podIP").to_owned();
        if !ip.is_empty() && object::text(&pod, "/status/phase") == "Running" {
            assert!(of_pods.insert(ip.clone()), "{ip} is held by two pods");
        }
    }
    let vpc = bench.world.vpc();
    let vpc = vpc.lock().unwrap();
    let mut on_enis = BTreeSet::new();
    for block in vpc.enis().flat_map(headroom_lab::aws::Eni::blocks) {
        let base = u32::from(block.base());
        for ip in base..base + (1 << (32 - block.len())) {
            assert!(on_enis.insert(ip), "{} is on two ENIs", std::net::Ipv4Addr::from(ip));
        }
    }
    let free: u32 = vpc.subnets(bench.world.now()).map(|subnet| subnet.free_ips.get()).sum();
    assert_eq!(u32::try_from(on_enis.len()).unwrap() + free, usable, "addresses are neither lost nor made");
    drop(vpc);
    let report = bench.world.report();
    for node in &report.nodes {
        assert!(node.ips_assigned + node.ips_cooling <= node.ips_total, "{node:?}");
        assert!(node.enis_attached <= node.enis_max || node.enis_max.is_zero(), "{node:?}");
    }
    assert!(report.totals.with_ip + report.totals.hanging <= report.totals.bound, "{:?}", report.totals);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn addresses_are_conserved(steps in prop::collection::vec(step(), 1..30), seed in 0_u32..1000, prefixes: bool) {
        let more = format!(
            "seed: {seed}\ncni: {{ env: {{ ENABLE_PREFIX_DELEGATION: '{prefixes}' }} }}\n\
             workloads: [{{ name: web, replicas: 40, over: 60s, replace: true }}]"
        );
        let mut bench = Bench::new(&scenario("cidr: 10.0.0.0/25, used: 40", "t3.medium", "count: 2, maxPods: 40", &more));
        for step in &steps {
            take(&mut bench, step);
            check(&bench, 128 - 5);
        }
    }
}
