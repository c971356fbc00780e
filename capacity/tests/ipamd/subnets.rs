//! Which subnet a new ENI is made in.

use headroom_capacity::ids::SubnetId;
use headroom_capacity::ipamd::{Call, Ec2Error, SubnetInfo, discovery};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::{Ips, Prefixes};

use crate::ec2::{NODE_SUBNET, Node, Subnet, limits, manifest};

const ROLE: &str = "kubernetes.io/role/cni";
const BLUE: &str = "cni.networking.k8s.aws/cluster/blue";
const GREEN: &str = "cni.networking.k8s.aws/cluster/green";

fn subnet(id: &str, free: u32, tags: &[(&str, &str)]) -> SubnetInfo {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    SubnetInfo { id: id.into(), available_ips: Ips(free), tags }
}

/// Tags; whether new ENIs are made there if it is the primary subnet, and if it is not; whether ENIs there are excluded.
type TagRow = (&'static [(&'static str, &'static str)], bool, bool, bool);

#[test]
fn tags_decide() {
    let rows: [TagRow; 9] = [
        (&[], true, false, false),
        (&[(ROLE, "1")], true, true, false),
        (&[(ROLE, "shared")], true, true, false),
        (&[(ROLE, "0")], false, false, true),
        (&[(ROLE, "")], true, false, false),
        (&[(ROLE, "1"), (BLUE, "")], true, true, false),
        (&[(ROLE, "1"), (GREEN, "")], false, false, true),
        (&[(ROLE, "1"), (GREEN, ""), (BLUE, "")], true, true, false),
        (&[(GREEN, "")], true, false, false),
    ];
    for (tags, as_primary, as_other, excluded) in rows {
        let here = subnet("subnet-a", 10, tags);
        let new = |primary: &str| discovery::takes_new_eni(&here, &primary.into(), Some("blue"));
        assert_eq!((new("subnet-a"), new("subnet-b")), (as_primary, as_other), "{tags:?}");
        assert_eq!(discovery::is_excluded(&here, Some("blue")), excluded, "{tags:?}");
    }
    let green = subnet("subnet-a", 10, &[(ROLE, "1"), (GREEN, "")]);
    assert!(discovery::takes_new_eni(&green, &"subnet-b".into(), None), "without CLUSTER_NAME no cluster tag counts");
}

#[test]
fn most_free_addresses_first_equal_ones_in_order() {
    let subnets = [
        subnet("subnet-a", 5, &[(ROLE, "1")]),
        subnet("subnet-b", 9, &[(ROLE, "1")]),
        subnet("subnet-c", 9, &[]),
        subnet("subnet-d", 9, &[(ROLE, "1")]),
        subnet("subnet-e", 7, &[]),
    ];
    let order = discovery::candidates(&subnets, &"subnet-e".into(), None);
    assert_eq!(order, ["subnet-b", "subnet-d", "subnet-e", "subnet-a"].map(SubnetId::from));
}

fn create(subnet: &str) -> Call {
    Call::CreateEni { subnet: subnet.into(), ips: Ips(9), prefixes: Prefixes::ZERO }
}

/// A node that needs a second ENI at its next turn.
fn needy(settings: &CniSettings, subnets: Vec<Subnet>) -> Node {
    let mut node = Node::new(limits("m5.large"), settings, 29, subnets);
    node.settle();
    assert!(node.add(0).is_some());
    node
}

fn three() -> Vec<Subnet> {
    let tagged = |id: &str, ips| Subnet::new(id, ips, 0).tagged(ROLE, "1");
    vec![Subnet::new(NODE_SUBNET, 15, 0), tagged("subnet-big", 500), tagged("subnet-small", 100)]
}

#[test]
fn each_subnet_is_tried_whatever_the_error() {
    let mut node = needy(&manifest(), three());
    let denied = Some(Ec2Error::Other("UnauthorizedOperation".to_owned()));
    node.ec2.faults = [None, denied, Some(Ec2Error::InsufficientFreeAddressesInSubnet)].into();
    let calls = node.turn();
    assert_eq!(calls, [Call::DescribeSubnets, create("subnet-big"), create("subnet-small"), create(NODE_SUBNET)]);
    assert!(node.ipamd.back_off_until(node.now).is_some(), "the primary subnet, tried last, has 6 of 10");
}

#[test]
fn when_discovery_fails_the_primary_subnet_is_used_if_it_is_not_excluded() {
    let failed = || Some(Ec2Error::Other("RequestLimitExceeded".to_owned()));
    let roomy = || vec![Subnet::new(NODE_SUBNET, 500, 0)];
    let mut node = needy(&manifest(), roomy());
    node.ec2.faults = [failed()].into();
    assert_eq!(node.turn(), [Call::DescribeSubnets, Call::DescribeSubnets, create(NODE_SUBNET)]);

    let mut node = needy(&manifest(), roomy());
    node.ec2.faults = [failed(), failed()].into();
    assert_eq!(node.turn(), [Call::DescribeSubnets, Call::DescribeSubnets]);
    assert_eq!(node.ipamd.back_off_until(node.now), None);
}

#[test]
fn without_discovery_only_the_primary_subnet() {
    let settings = CniSettings { subnet_discovery: false, ..manifest() };
    let mut node = needy(&settings, three());
    assert_eq!(node.turn(), [Call::DescribeSubnets, create(NODE_SUBNET)]);
    assert!(node.ipamd.back_off_until(node.now).is_some());

    let mut node = needy(&settings, vec![Subnet::new(NODE_SUBNET, 500, 0)]);
    node.ec2.faults = [Some(Ec2Error::Other("RequestLimitExceeded".to_owned()))].into();
    assert_eq!(node.turn(), [Call::DescribeSubnets, create(NODE_SUBNET)], "in doubt it is taken to be usable");

    let mut node = needy(&settings, vec![Subnet::new(NODE_SUBNET, 500, 0).tagged(ROLE, "0")]);
    assert_eq!(node.turn(), [Call::DescribeSubnets]);
}

#[test]
fn without_a_usable_subnet_nothing_backs_off() {
    let mut node = needy(&manifest(), vec![Subnet::new(NODE_SUBNET, 500, 0).tagged(ROLE, "0")]);
    assert_eq!(node.turn(), [Call::DescribeSubnets]);
    assert_eq!(node.turn(), [Call::DescribeSubnets]);
    assert!(node.logged("no valid subnets available for ENI creation"));
}

#[test]
fn custom_networking_takes_precedence_over_discovery() {
    let settings = CniSettings { custom_networking: true, ..manifest() };
    let subnets = vec![Subnet::new(NODE_SUBNET, 5_000, 0), Subnet::new("subnet-pods", 0, 0)];
    let mut node = Node::new(limits("m5.large"), &settings, 29, subnets);
    assert_eq!(node.turn(), [create("subnet-pods")]);
    assert!(node.ipamd.back_off_until(node.now).is_some());
}
