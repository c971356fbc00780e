use headroom_capacity::budget::NodeKind;
use proptest::prelude::*;

use super::fixtures::{ledger, node, state, subnet};
use super::*;
use crate::ledger::{InFlight, SubnetAccount};

const NOW: Time = Time::from_secs(1000);

#[test]
fn a_subnet_that_two_nodes_share_is_counted_once() {
    let settings = CniSettings::default();
    let two = [("n1", node(&settings, 9)), ("n2", node(&settings, 9))];
    let state = state(&["n1", "n2"], &settings);
    let of = |free| headroom(&ledger(subnet(free, 0), &two), &state, NOW);
    let ample = of(1000);
    assert_eq!((ample.cluster, ample.nodes.as_slice()), (36, [18, 18].as_slice()), "27 is m5.large's ceiling");
    // Each new ENI takes ten: its own address and nine for pods.
    let scarce = of(20);
    assert_eq!((scarce.cluster, scarce.nodes.as_slice()), (18, [18, 0].as_slice()));
    assert_eq!((scarce.by_az["a"], scarce.by_group["workers"]), (18, 18));
    assert_eq!(of(0).cluster, 0);
}

#[test]
fn what_is_attached_counts_and_what_others_will_take_does_not() {
    let settings = CniSettings::default();
    let state = state(&["n1"], &settings);
    let mine = InFlight { subnet: "s".into(), ips: Ips(10), prefixes: Prefixes::ZERO };
    let one = [("n1", NodeAccount { in_flight: vec![mine], ..node(&settings, 5) })];
    let coming = |ips| SubnetAccount { in_flight_ips: Ips(ips), ..subnet(20, 0) };
    let of = |ips| headroom(&ledger(coming(ips), &one), &state, NOW).cluster;
    assert_eq!(of(10), 4 + 18, "what is on its way to the node itself is room for its pods");
    assert_eq!(of(20), 4 + 9, "ten go to an instance that is no node yet");
    assert_eq!(of(30), 4);
}

#[test]
fn nodes_that_take_no_pods_have_no_headroom() {
    let settings = CniSettings::default();
    let nodes = [("cordoned", node(&settings, 0)), ("fargate", node(&settings, 0)), ("gone", node(&settings, 0))];
    let mut ledger = ledger(subnet(100, 0), &nodes);
    ledger.nodes.get_mut("fargate").unwrap().budget = Budget::NotManaged(NodeKind::Fargate);
    let mut state = state(&["cordoned", "fargate"], &settings);
    state.nodes.get_mut("cordoned").unwrap().node.unschedulable = true;
    assert_eq!(headroom(&ledger, &state, NOW).cluster, 0);
}

proptest! {
    /// Growth never needs more addresses than the subnet has, whoever takes them.
    #[test]
    fn growth_fits_into_the_subnet(
        prefix in any::<bool>(),
        free in 0..200u32,
        blocks in 0..12u32,
        nodes in prop::collection::vec((0..=9u32, 0..3u32, 0..10u32, 0..5u32), 1..6),
    ) {
        let settings = CniSettings { prefix_delegation: prefix, warm_prefix_target: 1, ..CniSettings::default() };
        let names = ["n0", "n1", "n2", "n3", "n4"];
        let account = |(assigned, enis, slots, waiting)| NodeAccount {
            pod_enis: Enis(1 + enis),
            free_slots: BTreeMap::from([("s".into(), slots)]),
            waiting,
            ..node(&settings, assigned)
        };
        let at_once: u32 = nodes.iter().map(|(assigned, ..)| 9 - assigned).sum();
        let nodes: Vec<(&str, NodeAccount)> = names.into_iter().zip(nodes.into_iter().map(account)).collect();
        let ledger = ledger(subnet(free, blocks.min(free / 16)), &nodes);
        let got = headroom(&ledger, &state(&names, &settings), NOW);
        let growth = if prefix { blocks.min(free / 16) * 16 } else { free };
        prop_assert!(got.cluster <= u64::from(at_once + growth));
        prop_assert_eq!(got.cluster, got.nodes.iter().copied().map(u64::from).sum::<u64>());
        prop_assert_eq!(got.by_group["workers"], got.cluster, "one group is the whole cluster");
    }
}
