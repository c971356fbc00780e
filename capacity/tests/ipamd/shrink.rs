//! Giving back: cool-down, the decrease interval, and when an ENI may go.

use std::collections::BTreeSet;

use headroom_capacity::ids::EniId;
use headroom_capacity::ipamd::{Call, Ec2Error, Event};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use crate::ec2::{Node, by_ips, manifest, uid, with_prefixes};

fn unassigned(calls: &[Call]) -> Vec<usize> {
    let counts = calls.iter().filter_map(|call| match call {
        Call::Unassign { blocks, .. } => Some(blocks.len()),
        _ => None,
    });
    counts.collect()
}

fn freed(calls: &[Call]) -> Vec<EniId> {
    let enis = calls.iter().filter_map(|call| match call {
        Call::FreeEni { eni } => Some(eni.clone()),
        _ => None,
    });
    enis.collect()
}

fn throttled() -> Option<Ec2Error> {
    Some(Ec2Error::Other("RequestLimitExceeded".to_owned()))
}

#[test]
fn cooling_addresses_satisfy_the_targets_and_serve_nobody() {
    let mut node = Node::roomy("m5.large", &by_ips(0, 9), 29);
    assert_eq!(node.start_pods(9), 9);
    (0..9).for_each(|pod| assert!(node.del(pod).is_some()));
    assert_eq!((node.stats().available(), node.stats().assignable()), (Ips(9), Ips(0)));
    assert_eq!(node.add(10), None);
    assert_eq!(node.run(30), [], "nothing is asked for meanwhile");
    assert_eq!(node.add(10), None, "the last instant of the period belongs to it");
    node.wait(1);
    assert_eq!(node.stats().assignable(), Ips(9));
    assert!(node.add(10).is_some());
}

#[test]
fn the_cool_down_can_be_set() {
    let settings = CniSettings { ip_cooldown: std::time::Duration::from_secs(5), ..by_ips(0, 1) };
    let mut node = Node::roomy("m5.large", &settings, 29);
    assert_eq!(node.start_pods(1), 1);
    let ip = node.del(0);
    node.wait(5);
    assert_eq!(node.add(1), None);
    node.wait(1);
    assert_eq!(node.add(1), ip);
}

#[test]
fn blocks_are_given_back_every_30_seconds_at_most_and_while_they_cool() {
    let mut node = Node::roomy("m5.large", &by_ips(2, 0), 29);
    assert_eq!(node.start_pods(9), 9);
    assert_eq!(node.stats().total, Ips(11));
    (0..3).for_each(|pod| assert!(node.del(pod).is_some()));
    let calls = node.turn();
    let first = node.now;
    assert_eq!(unassigned(&calls).iter().sum::<usize>(), 3);
    (3..6).for_each(|pod| assert!(node.del(pod).is_some()));
    let before = node.calls.len();
    node.run(30);
    assert_eq!(node.now.since(first).as_secs(), 30);
    assert_eq!(node.calls.len(), before);
    assert!(node.logged("Skipping decrease Datastore pool because time since last 5s <= 30s"));
    assert_eq!(unassigned(&node.turn()).iter().sum::<usize>(), 3);
}

#[test]
fn free_prefixes_beyond_the_target_go() {
    let mut node = Node::roomy("m5.large", &with_prefixes(manifest()), 110);
    assert_eq!(node.start_pods(17), 17);
    assert_eq!(node.stats().prefixes, Prefixes(3));
    (0..16).for_each(|pod| assert!(node.del(pod).is_some()));
    assert_eq!(unassigned(&node.turn()), [1]);
    assert_eq!(node.stats().prefixes, Prefixes(2));
}

#[test]
fn scattered_pods_hold_their_prefixes() {
    let mut node = Node::roomy("m5.large", &with_prefixes(by_ips(1, 0)), 110).with_luck(7);
    assert_eq!(node.start_pods(33), 33);
    assert_eq!(node.stats().prefixes, Prefixes(3));
    (0..30).for_each(|pod| assert!(node.del(pod).is_some()));
    let prefixes = node.ipamd.store().enis().flat_map(|eni| eni.blocks());
    let held = prefixes.filter(|block| block.assigned() > Ips(0)).count();
    assert!(held > 1, "3 pods on one prefix: another seed is needed");
    node.run(300);
    assert_eq!(node.stats().prefixes, Prefixes(held.try_into().unwrap()));
}

/// Two pods on an m5.large with a warm ENI each: ENI 1 is superfluous as soon as the pods of ENI 0 leave room for a whole one.
fn two_enis() -> Node {
    let mut node = Node::roomy("m5.large", &manifest(), 29);
    assert_eq!(node.start_pods(1), 1);
    assert_eq!(node.slots(), [9, 9]);
    node
}

#[test]
fn an_eni_goes_when_it_is_a_minute_old_and_more_than_the_target_is_free() {
    let mut node = two_enis();
    let attached = node.ipamd.store().eni(&"eni-0001".into()).unwrap().created();
    node.del(0);
    assert!((0..30).any(|_| !freed(&node.turn()).is_empty()));
    assert_eq!(node.now.since(attached).as_secs(), 60);
    assert_eq!(node.slots(), [9]);
    assert_eq!(node.run(120), []);
}

#[test]
fn an_eni_with_a_pod_or_a_cooling_address_stays() {
    let mut node = Node::roomy("m5.large", &manifest(), 29);
    assert_eq!(node.start_pods(10), 10);
    assert_eq!(node.slots(), [9, 9, 9]);
    node.wait(120);
    (0..9).for_each(|pod| assert!(node.del(pod).is_some()));
    node.settle();
    assert_eq!(node.slots(), [9, 9], "the empty one of three");
    assert!(node.del(9).is_some());
    assert_eq!(node.run(30), [], "its address cools");
    assert_eq!(freed(&node.turn()), ["eni-0001".into()]);
}

#[test]
fn one_eni_a_turn() {
    let mut node = Node::roomy("m5.4xlarge", &CniSettings { warm_eni_target: 3, ..manifest() }, 234);
    assert_eq!(node.start_pods(88), 88);
    assert_eq!(node.stats().enis, Enis(7));
    (0..88).for_each(|pod| assert!(node.del(pod).is_some()));
    node.wait(120);
    let turns: Vec<usize> = (0..5).map(|_| freed(&node.turn()).len()).collect();
    assert_eq!(turns, [1, 1, 1, 1, 0]);
    assert_eq!(node.stats().enis, Enis(3));
}

#[test]
fn ip_targets_free_an_eni_if_its_blocks_are_the_ones_to_go() {
    let outcome =
        |seed| {
            let mut node = Node::roomy("m5.large", &by_ips(2, 4), 29).with_luck(seed);
            assert_eq!(node.start_pods(12), 12);
            let last =
                |pod: &u32| {
                    node.ipamd.store().eni(&"eni-0001".into()).unwrap().blocks().any(|block| {
                        node.ipamd.store().address_of(&uid(*pod)).is_some_and(|ip| block.cidr().contains(ip))
                    })
                };
            let (going, staying): (Vec<u32>, Vec<u32>) = (0..12).partition(last);
            node.wait(120);
            going.iter().chain(&staying[3..]).for_each(|pod| assert!(node.del(*pod).is_some()));
            node.run(120);
            assert_eq!(node.stats().total, Ips(5));
            node.stats().enis
        };
    // Where blocks of both ENIs went, each holds an address that WARM_IP_TARGET needs, and both stay.
    assert_eq!((0..20).map(outcome).collect::<BTreeSet<Enis>>(), BTreeSet::from([Enis(1), Enis(2)]));
}

#[test]
fn warm_prefixes_keep_an_eni_beside_ip_targets() {
    // IP targets override WARM_PREFIX_TARGET for prefixes; an ENI is kept for it all the same.
    let enis = |warm_prefix_target| {
        let mut node = Node::roomy("t3.small", &with_prefixes(CniSettings { warm_prefix_target, ..by_ips(5, 0) }), 110);
        assert_eq!(node.start_pods(44), 44);
        assert_eq!(node.slots(), [3, 1]);
        node.wait(120);
        (0..6).chain(16..22).for_each(|pod| assert!(node.del(pod).is_some()));
        node.run(120);
        assert_eq!(node.stats().prefixes, Prefixes(3));
        node.stats().enis
    };
    assert_eq!((enis(1), enis(0)), (Enis(2), Enis(1)));
}

#[test]
fn a_cordoned_node_gives_back_blocks_and_no_eni() {
    let mut node = two_enis();
    node.wait(120);
    node.del(0);
    node.apply(Event::Cordoned(true));
    assert_eq!(node.run(120), []);
    assert!(node.logged("AWS CNI is on a non schedulable node, not detaching any ENIs"));

    let mut node = Node::roomy("m5.large", &by_ips(1, 0), 29);
    assert_eq!(node.start_pods(4), 4);
    node.del(0);
    node.apply(Event::Cordoned(true));
    assert_eq!(unassigned(&node.turn()), [1]);
}

#[test]
fn blocks_that_ec2_keeps_return_after_a_minute() {
    let mut node = Node::roomy("m5.large", &by_ips(1, 0), 29);
    assert_eq!(node.start_pods(4), 4);
    node.del(0);
    node.ec2.faults = [throttled()].into();
    node.turn();
    let refused = node.now;
    assert_eq!(node.stats().total, Ips(4));
    let turns = (1..20).find(|_| {
        node.wait(5);
        node.apply(Event::Tick);
        node.in_flight.is_some()
    });
    assert_eq!((turns, node.now.since(refused).as_secs()), (Some(13), 65), "the turn after 60 s without a change");
    assert!(matches!(node.in_flight, Some(Call::Unassign { .. })), "and is given back again");
}

#[test]
fn an_eni_that_ec2_keeps_returns() {
    let mut node = two_enis();
    node.wait(120);
    node.del(0);
    node.wait(31);
    node.ec2.faults = [throttled()].into();
    assert_eq!(freed(&node.turn()).len(), 1);
    assert_eq!(node.slots(), [9]);
    assert_eq!(node.turn(), []);
    node.run(60);
    assert_eq!(node.slots(), [9, 9]);
    node.run(60);
    assert_eq!((node.slots(), node.ec2.enis.len()), (vec![9], 1), "it had to grow old again");
}
