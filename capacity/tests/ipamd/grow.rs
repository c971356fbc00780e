//! Growing: one step a turn, retry with one, back-off, and everything that keeps the pool from growing.

use std::net::Ipv4Addr;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::ipamd::{Call, Ec2Error, Effect, Event, Ipamd, NewEni, Reply};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use crate::ec2::{NODE_SUBNET, Node, Subnet, by_ips, limits, manifest, roomy_subnets, uid, with_prefixes};

fn assign(eni: &str, count: u32) -> Call {
    Call::AssignIps { eni: eni.into(), count: Ips(count) }
}

fn create(subnet: &str, ips: u32) -> Call {
    Call::CreateEni { subnet: subnet.into(), ips: Ips(ips), prefixes: Prefixes::ZERO }
}

fn without_discovery() -> CniSettings {
    CniSettings { subnet_discovery: false, ..manifest() }
}

#[test]
fn one_step_a_turn() {
    let mut node = Node::roomy("m5.large", &by_ips(0, 25), 29);
    assert_eq!(node.turn(), [assign("eni-0000", 9)]);
    assert_eq!(node.turn(), [Call::DescribeSubnets, create(NODE_SUBNET, 9)]);
    assert_eq!(node.turn(), [Call::DescribeSubnets, create(NODE_SUBNET, 7)]);
    assert_eq!(node.turn(), []);
    assert_eq!(node.stats().total, Ips(25));
}

#[test]
fn fills_a_free_slot_before_it_makes_an_eni() {
    let mut node = Node::roomy("m5.large", &by_ips(1, 0), 29);
    assert_eq!(node.start_pods(9), 9);
    assert_eq!(node.slots(), [9, 1]);
    node.calls.clear();
    assert!(node.add(9).is_some());
    assert_eq!(node.turn(), [assign("eni-0001", 1)]);
}

#[test]
fn a_burst_gets_about_one_eni_a_turn() {
    let mut node = Node::roomy("m5.large", &manifest(), 29);
    node.settle();
    let served: Vec<usize> = (0..4)
        .map(|_| {
            let held = (0..27).filter(|pod| node.add(*pod).is_some()).count();
            node.turn();
            held
        })
        .collect();
    assert_eq!(served, [9, 18, 27, 27]);
    assert!(node.logged("DataStore has no available IP/Prefix addresses"));
}

#[test]
fn retries_with_one_address() {
    let mut node = Node::new(limits("m5.large"), &without_discovery(), 29, vec![Subnet::new(NODE_SUBNET, 2, 0)]);
    assert_eq!(node.turn(), [assign("eni-0000", 9), assign("eni-0000", 1)]);
    assert_eq!(node.turn(), [assign("eni-0000", 8), assign("eni-0000", 1)]);
    assert_eq!(node.stats().total, Ips(2));
    assert_eq!(node.ipamd.back_off_until(node.now), None);
}

#[test]
fn prefixes_are_retried_with_one_prefix() {
    let settings = with_prefixes(CniSettings { warm_prefix_target: 3, ..without_discovery() });
    let mut node = Node::new(limits("m5.large"), &settings, 110, vec![Subnet::new(NODE_SUBNET, 200, 1)]);
    let prefixes = |count| Call::AssignPrefixes { eni: "eni-0000".into(), count: Prefixes(count) };
    assert_eq!(node.turn(), [prefixes(3), prefixes(1)]);
    assert_eq!(node.stats().prefixes, Prefixes(1));
}

#[test]
fn backs_off_for_two_minutes_on_the_two_codes() {
    for (mode, ips) in [(without_discovery(), 0), (with_prefixes(without_discovery()), 200)] {
        let mut node = Node::new(limits("m5.large"), &mode, 29, vec![Subnet::new(NODE_SUBNET, ips, 0)]);
        assert_eq!(node.turn().len(), 2);
        let refused = node.now;
        let until = refused + std::time::Duration::from_secs(120);
        assert_eq!(node.ipamd.back_off_until(node.now), Some(until));
        assert!(node.logged("Unable to attach IPs/Prefixes for the ENI"));
        assert_eq!(node.run(120), [], "the last instant of the period belongs to it");
        assert_eq!(node.now, until);
        assert!(node.logged("Recently we had InsufficientCidr error hence will wait for 2m0s before retrying"));
        assert_eq!(node.turn().len(), 2);
    }
}

#[test]
fn other_codes_are_retried_every_turn() {
    for code in ["RequestLimitExceeded", "InvalidParameterValue"] {
        let mut node = Node::roomy("m5.large", &without_discovery(), 29);
        node.ec2.faults = vec![Some(Ec2Error::Other(code.to_owned())); 4].into();
        let both = [assign("eni-0000", 9), assign("eni-0000", 1)];
        assert_eq!(
            (node.turn(), node.turn(), node.turn()),
            (both.to_vec(), both.to_vec(), both[..1].to_vec()),
            "{code}"
        );
        assert_eq!(node.stats().total, Ips(9));
    }
}

#[test]
fn the_last_refusal_decides_on_the_back_off() {
    let mut node = Node::roomy("m5.large", &without_discovery(), 29);
    let throttled = Some(Ec2Error::Other("RequestLimitExceeded".to_owned()));
    node.ec2.faults = [Some(Ec2Error::InsufficientFreeAddressesInSubnet), throttled].into();
    node.turn();
    assert_eq!(node.ipamd.back_off_until(node.now), None);
}

#[test]
fn with_discovery_a_full_subnet_leads_to_a_new_eni_elsewhere() {
    let other = Subnet::new("subnet-pods", 500, 0).tagged("kubernetes.io/role/cni", "1");
    let mut node = Node::new(limits("m5.large"), &manifest(), 29, vec![Subnet::new(NODE_SUBNET, 0, 0), other]);
    let calls = [assign("eni-0000", 9), assign("eni-0000", 1), Call::DescribeSubnets, create("subnet-pods", 9)];
    assert_eq!(node.turn(), calls);
    assert_eq!(node.ipamd.back_off_until(node.now), None);
}

#[test]
fn with_discovery_nothing_backs_off_while_enis_are_exhausted() {
    let settings = CniSettings { max_eni: Some(1), ..manifest() };
    let mut node = Node::new(limits("m5.large"), &settings, 29, vec![Subnet::new(NODE_SUBNET, 0, 0)]);
    assert_eq!(node.turn().len(), 2);
    assert_eq!(node.turn().len(), 2);
    assert!(node.logged("Skipping ENI allocation as the max ENI limit is already reached"));
}

#[test]
fn a_new_eni_asks_for_all_or_nothing() {
    let mut node = Node::new(limits("m5.large"), &manifest(), 29, vec![Subnet::new(NODE_SUBNET, 12, 0)]);
    node.settle();
    node.add(0);
    assert_eq!(node.turn(), [Call::DescribeSubnets, create(NODE_SUBNET, 9)], "3 addresses are left for 10");
    assert!(node.ipamd.back_off_until(node.now).is_some());
    assert_eq!(node.stats().enis, Enis(1));
}

#[test]
fn a_pool_of_max_pods_is_not_low() {
    let mut node = Node::roomy("m5.4xlarge", &manifest(), 58);
    assert_eq!(node.start_pods(58), 58);
    assert_eq!((node.stats().total, node.stats().available()), (Ips(58), Ips(0)));
    assert_eq!(node.add(58), None);
    assert_eq!(node.run(60), []);
}

#[test]
fn a_minimum_alone_is_also_the_maximum() {
    let mut node = Node::roomy("m5.large", &by_ips(0, 12), 29);
    assert_eq!(node.start_pods(20), 12);
    assert_eq!(node.run(60), []);
}

#[test]
fn ip_targets_override_the_others() {
    let settings = CniSettings { warm_eni_target: 3, ..by_ips(2, 0) };
    let mut node = Node::roomy("m5.large", &settings, 29);
    node.settle();
    assert_eq!(node.stats().total, Ips(2));
    let settings = with_prefixes(CniSettings { warm_prefix_target: 3, ..by_ips(2, 0) });
    let mut node = Node::roomy("m5.large", &settings, 110);
    node.settle();
    assert_eq!(node.stats().prefixes, Prefixes(1));
}

#[test]
fn a_cordoned_node_does_not_grow() {
    let mut node = Node::roomy("m5.large", &manifest(), 29);
    node.apply(Event::Cordoned(true));
    assert_eq!(node.run(60), []);
    assert!(node.logged("AWS CNI is on a non schedulable node, will not try to attach any new IPs or ENIs right now"));
    node.apply(Event::Cordoned(false));
    assert_eq!(node.turn(), [assign("eni-0000", 9)]);

    let settings = CniSettings { manage_enis_non_schedulable: true, ..manifest() };
    let mut node = Node::roomy("m5.large", &settings, 29);
    node.apply(Event::Cordoned(true));
    assert_eq!(node.turn(), [assign("eni-0000", 9)]);
}

#[test]
fn provisioning_can_be_switched_off() {
    let settings = CniSettings { provisioning_disabled: true, ..manifest() };
    let mut node = Node::roomy("m5.large", &settings, 29);
    assert_eq!(node.run(120), []);
    assert_eq!(node.add(0), None);
}

#[test]
fn custom_networking_leaves_the_primary_eni_alone() {
    let settings = CniSettings { custom_networking: true, ..manifest() };
    let mut node = Node::roomy("m5.large", &settings, 29);
    assert_eq!(node.turn(), [create("subnet-pods", 9)]);
    assert_eq!(node.start_pods(29), 18);
    assert_eq!(node.slots(), [0, 9, 9]);
    assert_eq!(node.stats().enis, Enis(2));
}

#[test]
fn addresses_that_the_primary_eni_had_before_custom_networking_still_serve() {
    let settings = CniSettings { custom_networking: true, ..manifest() };
    let node = Node::roomy("m5.large", &settings, 29);
    let cidr = Cidr::parse("10.1.0.1/32").unwrap();
    let primary =
        NewEni { id: "eni-0000".into(), subnet: NODE_SUBNET.into(), device_index: 0, blocks: vec![cidr], trunk: false };
    let mut ipamd = Ipamd::start(node.ipamd.config().clone(), vec![primary], Time::ZERO);
    let effects = ipamd.apply(Event::Add(uid(0)), Time::ZERO, &mut |_| 0);
    assert_eq!(effects, [Effect::Assigned { pod: uid(0), ip: Ipv4Addr::new(10, 1, 0, 1) }]);
}

#[test]
fn a_trunk_holds_a_slot_and_gives_nothing() {
    let settings = CniSettings { pod_eni: true, ..manifest() };
    let mut node = Node::roomy("m5.large", &settings, 29);
    assert_eq!(node.start_pods(29), 18, "one slot is kept for the trunk");
    let trunk = NewEni {
        id: EniId::from("eni-trunk"),
        subnet: NODE_SUBNET.into(),
        device_index: 2,
        blocks: Vec::new(),
        trunk: true,
    };
    node.apply(Event::Discovered(trunk));
    assert_eq!(node.run(60), []);
    assert_eq!(node.stats().enis, Enis(2));
}

#[test]
fn an_excluded_eni_gives_nothing() {
    let pods = Subnet::new("subnet-pods", 500, 0).tagged("kubernetes.io/role/cni", "1");
    let node_subnet = Subnet::new(NODE_SUBNET, 500, 0).tagged("kubernetes.io/role/cni", "0");
    let mut node = Node::new(limits("m5.large"), &manifest(), 29, vec![node_subnet, pods]);
    let mut config = node.ipamd.config().clone();
    config.excluded_subnets = vec![SubnetId::from(NODE_SUBNET)];
    config.budget.pod_enis = Enis(2);
    let primary =
        NewEni { id: "eni-0000".into(), subnet: NODE_SUBNET.into(), device_index: 0, blocks: Vec::new(), trunk: false };
    node.ipamd = Ipamd::start(config, vec![primary], node.now);
    assert_eq!(node.start_pods(29), 18);
    assert_eq!(node.slots(), [0, 9, 9]);
}

#[test]
fn while_a_call_is_in_flight_pods_are_served_and_ticks_are_not() {
    let mut node = Node::roomy("m5.large", &manifest(), 29);
    node.settle();
    node.add(0);
    node.apply(Event::Tick);
    assert_eq!(node.in_flight, Some(Call::DescribeSubnets));
    assert_eq!(node.apply(Event::Tick), []);
    assert!((1..9).all(|pod| node.add(pod).is_some()));
    assert!(matches!(node.apply(Event::Add(uid(9)))[..], [Effect::Log(_), Effect::NoAddress(_)]));
    assert!(node.del(0).is_some());
    node.answer();
    node.answer();
    assert_eq!(node.slots(), [9, 9]);
    assert!(node.add(9).is_some());
}

#[test]
fn an_unasked_reply_changes_nothing() {
    let mut node = Node::roomy("m5.large", &manifest(), 29);
    node.settle();
    let before = node.stats();
    let stray = vec![Cidr::parse("10.9.9.9/32").unwrap()];
    assert_eq!(node.apply(Event::Reply(Reply::Assigned(stray))), []);
    assert_eq!(node.stats(), before);
}

#[test]
fn a_pod_that_asks_again_gets_the_same_address() {
    let mut node = Node::roomy("m5.large", &manifest(), 29);
    node.settle();
    let ip = node.add(0);
    assert!(ip.is_some());
    assert_eq!(node.add(0), ip);
    assert_eq!(node.ipamd.pods().len(), 1);
    assert_eq!(node.del(1), None);
}

#[test]
fn an_eni_that_ec2_knows_to_be_full_is_read_again() {
    let mut node = Node::new(limits("m5.large"), &by_ips(2, 9), 29, roomy_subnets());
    node.settle();
    assert!((0..9).all(|pod| node.add(pod).is_some()));
    node.settle();
    assert!((0..8).all(|pod| node.del(pod).is_some()));
    // Two of eleven are to go; EC2 does not let go of them, and then says that the ENI is full.
    assert_eq!(node.slots(), [9, 2]);
    node.ec2.faults = [Some(Ec2Error::Other("RequestLimitExceeded".to_owned()))].into();
    node.turn();
    assert_eq!(node.slots(), [7, 2]);
    node.wait(31);
    assert!((20..28).all(|pod| node.add(pod).is_some()));
    assert_eq!(node.turn(), [assign("eni-0000", 2)]);
    assert_eq!(node.slots(), [9, 2]);
}
