//! From the books to what groups can take.

use headroom_capacity::verdict::Demand;

use super::*;
use crate::inventory::{Group, InstanceId, Member};
use crate::ledger::Known;
use crate::ledger::tests::fixture::{Fixture, NOW, policy};

/// A group of three m5.large, of which it wants one more.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new(CniSettings::default());
    let mut members = Vec::new();
    for (name, ip) in [("i-1", "10.0.0.10"), ("i-2", "10.0.0.20"), ("i-3", "10.0.0.30")] {
        fixture.node(name, 5000);
        fixture.eni(name, 0, "a", &[ip]);
        fixture.inventory.instances.get_mut(&InstanceId::from(name)).unwrap().group = Some("workers".into());
        members.push(Member {
            instance: name.into(),
            instance_type: "m5.large".into(),
            lifecycle: "InService".into(),
            protected: false,
        });
    }
    let group = Group {
        name: "workers".into(),
        min: 0,
        max: 9,
        desired: 4,
        subnets: vec!["a".into(), "elsewhere".into()],
        members,
        types: Vec::new(),
        suspended: Vec::new(),
        tags: Default::default(),
    };
    fixture.inventory.groups.insert("workers".into(), group);
    fixture
}

fn rooms_of(fixture: &Fixture) -> Rooms {
    let policy = policy();
    let known = Known::new(&fixture.inventory, &fixture.cluster, &policy, NOW);
    super::super::rooms(&known, &fixture.ledger(), None, NOW)
}

#[test]
fn a_group_with_what_the_books_say() {
    let rooms = rooms_of(&fixture());
    let group = &rooms.groups["workers"];
    assert_eq!((group.wanted, group.nodes, &group.per_az), (4, 3, &[("us-west-2a".into(), 3)].into()));
    let [landing] = &group.landings[..] else { panic!("EC2 shows one of its subnets: {group:?}") };
    assert_eq!((&landing.subnet, &landing.new_eni), (&"a".into(), &vec!["a".into()]));
    assert_eq!(landing.in_books, [("a".into(), Units::ips(10))], "its own address and an ENI's for pods");
    let ledger = fixture().ledger();
    let account = &ledger.subnets[&"a".into()];
    assert!(account.in_flight_ips.get() >= 10, "the fourth is on its way: {account:?}");
    assert_eq!(rooms.subnets[&"a".into()].free.ips, (account.free_ips - account.in_flight_ips).get());
}

#[test]
fn a_pod_on_each_node_is_a_daemon_sets() {
    let mut fixture = fixture();
    for (nth, node) in ["i-1", "i-2", "i-3"].into_iter().enumerate() {
        fixture.pod(node, None).name = format!("monitoring/exporter-abcd{nth}").into();
        let host = fixture.pod(node, None);
        (host.name, host.demand) = (format!("kube-system/proxy-abcd{nth}").into(), Demand::None);
        for of_two in ["x", "y"] {
            fixture.pod(node, None).name = format!("default/web-0123-abc{of_two}{nth}").into();
        }
    }
    fixture.pod("i-1", None).name = "default/one-abcde".into();
    let daemons = |fixture: &Fixture| rooms_of(fixture).groups["workers"].daemons;
    assert_eq!(daemons(&fixture), 1, "the exporter's");
    fixture.cluster.nodes.get_mut("i-3").unwrap().node.ready = false;
    assert_eq!(daemons(&fixture), 0, "two nodes show too little");
}
