//! The rules case by case; sums over generated clusters are in [`invariants`].

pub(crate) mod fixture;
mod generate;
mod invariants;
mod load;

use std::time::Duration;

use headroom_capacity::budget::{Budget, Mode, NodeKind};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use super::Owner;
use crate::inventory::{EniKind, InstanceState};
use fixture::{Fixture, NOW, ip, tags};

fn secondary() -> CniSettings {
    CniSettings::default()
}

fn prefixes() -> CniSettings {
    CniSettings { prefix_delegation: true, ..secondary() }
}

/// A node whose primary ENI has three addresses for pods, and a further one with one.
fn two_enis(settings: CniSettings) -> Fixture {
    let mut fixture = Fixture::new(settings);
    fixture.node("n1", 5000);
    fixture.eni("n1", 0, "a", &["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13"]);
    fixture.eni("n1", 1, "b", &["10.0.1.20", "10.0.1.21"]);
    fixture
}

fn owners<const N: usize>(fixture: &Fixture, addresses: [&str; N]) -> [Option<Owner>; N] {
    addresses.map(|address| fixture.owner(address))
}

#[test]
fn addresses_of_a_node_by_use() {
    let mut fixture = two_enis(secondary());
    fixture.pod("n1", Some("10.0.0.11"));
    fixture.pod("n1", Some("10.0.1.21")).over = true;
    fixture.pod("n1", None).refused_at = Some(NOW);
    fixture.cluster.cooling.insert(ip("10.0.0.12"), NOW + Duration::from_millis(1));
    fixture.cluster.cooling.insert(ip("10.0.1.21"), NOW);
    let all = ["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.1.20", "10.0.1.21", "10.0.1.22"];
    use Owner::{Cooling, EniPrimary, NodePrimary, Pod, Warm};
    let expected = [Some(NodePrimary), Some(Pod), Some(Cooling), Some(Warm), Some(EniPrimary), Some(Warm), None];
    assert_eq!(owners(&fixture, all), expected);

    let ledger = fixture.ledger();
    let node = &ledger.nodes["n1"];
    assert_eq!((node.enis, node.pod_enis), (Enis(2), Enis(2)));
    assert_eq!((node.attached, node.assigned, node.cooling, node.warm()), (Ips(4), Ips(1), Ips(1), Ips(2)));
    assert_eq!(node.free_slots, [("a".into(), 6), ("b".into(), 8)].into());
    assert_eq!(node.new_eni_subnets, ["a".into()], "subnet b has no tag for pods");
    assert_eq!((ledger.pods_without_ip, ledger.pods_refused, node.waiting), (1, 1, 1));
    let subnet = &ledger.subnets[&"a".into()];
    assert_eq!((subnet.reserved, subnet.used(), subnet.free_ips), (Ips(5), Ips(4), Ips(247)));
    assert_eq!(subnet.free_prefixes, Prefixes(14), "the first /28 holds AWS's and these, the last AWS's");
}

#[test]
fn a_pod_of_a_node_that_is_gone_does_not_hold_what_another_has() {
    let mut fixture = two_enis(secondary());
    fixture.node("gone", 5000);
    fixture.pod("gone", Some("10.0.0.11"));
    fixture.pod("unknown", Some("10.0.0.12"));
    assert_eq!(owners(&fixture, ["10.0.0.11", "10.0.0.12"]), [Some(Owner::Warm); 2]);
}

#[test]
fn leftovers_of_the_other_mode_take_slots_and_serve_nobody() {
    let mut fixture = two_enis(prefixes());
    fixture.eni("n1", 2, "b", &["10.0.1.30", "10.0.1.64/28"]);
    fixture.pod("n1", Some("10.0.0.11"));
    let all = ["10.0.0.11", "10.0.0.12", "10.0.1.21", "10.0.1.64", "10.0.1.79"];
    use Owner::{EniPrimary, Pod, Warm};
    assert_eq!(owners(&fixture, all), [Pod, EniPrimary, EniPrimary, Warm, Warm].map(Some));
    let node = &fixture.ledger().nodes["n1"];
    assert_eq!((node.attached, node.prefixes, node.assigned), (Ips(17), Prefixes(1), Ips(1)));
    assert_eq!(node.free_slots, [("a".into(), 6), ("b".into(), 8 + 8)].into());

    let mut xen = Fixture::new(prefixes());
    xen.instance("n1", "m4.large", 5000);
    xen.register("n1", NodeKind::Linux);
    xen.eni("n1", 0, "a", &["10.0.0.10", "10.0.0.11"]);
    assert_eq!(xen.owner("10.0.0.11"), Some(Owner::Warm), "xen has no prefixes: the mode falls back");
}

#[test]
fn under_custom_networking_the_primary_eni_keeps_what_it_has_and_takes_no_more() {
    let mut fixture = two_enis(CniSettings { custom_networking: true, ..secondary() });
    let node = fixture.cluster.nodes.get_mut("n1").unwrap();
    node.eni_config_subnet = Some("b".into());
    assert_eq!(fixture.owner("10.0.0.11"), Some(Owner::Warm));
    let node = &fixture.ledger().nodes["n1"];
    assert_eq!((node.pod_enis, node.free_slots.clone()), (Enis(1), [("b".into(), 8)].into()));
    assert_eq!(node.new_eni_subnets, ["b".into()]);
    assert!(matches!(node.budget, Budget::Ipv4(budget) if budget.pod_enis == Enis(2)));
}

#[test]
fn what_ipamd_leaves_alone_holds_a_place_and_gives_nothing() {
    type Change = fn(&mut Fixture);
    let changes: [(&str, Change); 3] = [
        ("tagged", |fixture| fixture.inventory.enis[1].tags.no_manage = true),
        ("untagged", |fixture| {
            fixture.cluster.settings = CniSettings { manage_untagged_enis: false, ..secondary() }.into();
            fixture.inventory.enis[1].tags.instance = None;
        }),
        ("EFA only", |fixture| fixture.inventory.enis[1].kind = EniKind::EfaOnly),
    ];
    for (what, change) in changes {
        let mut fixture = two_enis(secondary());
        change(&mut fixture);
        let expected = [Some(Owner::EniPrimary), Some(Owner::Foreign), Some(Owner::Warm)];
        assert_eq!(owners(&fixture, ["10.0.1.20", "10.0.1.21", "10.0.0.11"]), expected, "{what}");
        let node = &fixture.ledger().nodes["n1"];
        assert_eq!((node.enis, node.pod_enis, node.unmanaged), (Enis(2), Enis(1), Enis(1)), "{what}");
        assert!(matches!(node.budget, Budget::Ipv4(budget) if budget.pod_enis == Enis(2)), "{what}");
    }
    let mut untagged = two_enis(secondary());
    untagged.inventory.enis[1].tags = Default::default();
    assert_eq!(untagged.owner("10.0.1.21"), Some(Owner::Warm), "by default ipamd takes it");
    untagged.cluster.settings = CniSettings { manage_untagged_enis: false, ..secondary() }.into();
    untagged.inventory.enis[0].tags = Default::default();
    assert_eq!(untagged.owner("10.0.0.11"), Some(Owner::Warm), "the primary ENI is always managed");
}

#[test]
fn excluded_subnets_keep_their_pods_and_give_no_new_ones() {
    let mut fixture = two_enis(secondary());
    fixture.inventory.subnets.get_mut(&"b".into()).unwrap().tags = tags(&[("kubernetes.io/role/cni", "0")]);
    fixture.inventory.enis[1].secondary_ips.push(ip("10.0.1.22"));
    fixture.pod("n1", Some("10.0.1.22"));
    assert_eq!(owners(&fixture, ["10.0.1.21", "10.0.1.22"]), [Owner::EniPrimary, Owner::Pod].map(Some));
    let node = &fixture.ledger().nodes["n1"];
    assert_eq!((node.excluded, node.pod_enis, node.free_slots.clone()), (Enis(1), Enis(1), [("a".into(), 6)].into()));
}

#[test]
fn discovery_offers_tagged_subnets_and_the_primary_one() {
    let mut fixture = two_enis(secondary());
    let b = fixture.inventory.subnets.get_mut(&"b".into()).unwrap();
    (b.tags, b.available_ips) = (tags(&[("kubernetes.io/role/cni", "1")]), Ips(200));
    assert_eq!(fixture.ledger().nodes["n1"].new_eni_subnets, ["b".into(), "a".into()], "most free addresses first");
    fixture.inventory.subnets.get_mut(&"b".into()).unwrap().az = "us-west-2b".into();
    assert_eq!(fixture.ledger().nodes["n1"].new_eni_subnets, ["a".into()]);
    fixture.cluster.settings = CniSettings { subnet_discovery: false, ..secondary() }.into();
    assert_eq!(fixture.ledger().nodes["n1"].new_eni_subnets, ["a".into()]);
    fixture.cluster.settings = CniSettings { provisioning_disabled: true, ..secondary() }.into();
    assert!(fixture.ledger().nodes["n1"].new_eni_subnets.is_empty());
}

#[test]
fn windows_pods_live_on_the_primary_eni() {
    let mut fixture = two_enis(prefixes());
    fixture.register("n1", NodeKind::Windows);
    let expected = [Some(Owner::Warm), Some(Owner::EniPrimary), Some(Owner::Foreign)];
    assert_eq!(owners(&fixture, ["10.0.0.11", "10.0.1.20", "10.0.1.21"]), expected);
    let node = &fixture.ledger().nodes["n1"];
    assert_eq!((node.budget, node.free_slots.clone()), (Budget::Windows { ceiling: Ips(9) }, [("a".into(), 6)].into()));
}

#[test]
fn branch_enis_follow_their_trunk() {
    let mut fixture = two_enis(CniSettings { pod_eni: true, ..secondary() });
    fixture.eni("n1", 2, "a", &["10.0.0.30"]).kind = EniKind::Trunk;
    fixture.eni("others", 1, "a", &["10.0.0.40"]).kind = EniKind::Trunk;
    fixture.inventory.enis[3].tags = Default::default();
    for (trunk, address) in [("eni-2", "10.0.0.31"), ("eni-3", "10.0.0.41"), ("eni-gone", "10.0.0.51")] {
        let eni = fixture.eni("none", 1, "a", &[address]);
        (eni.kind, eni.attachment, eni.tags) = (EniKind::Branch, None, Default::default());
        eni.tags.trunk = Some(trunk.into());
    }
    let all = ["10.0.0.30", "10.0.0.31", "10.0.0.40", "10.0.0.41", "10.0.0.51"];
    use Owner::{Branch, EniPrimary, Foreign};
    assert_eq!(owners(&fixture, all), [EniPrimary, Branch, Foreign, Foreign, Branch].map(Some));
    let node = &fixture.ledger().nodes["n1"];
    assert_eq!((node.enis, node.pod_enis, node.branch, node.unmanaged), (Enis(3), Enis(2), Enis(1), Enis(0)));
}

#[test]
fn unattached_enis_are_on_their_way_or_leaked_or_somebody_elses() {
    let mut fixture = two_enis(secondary());
    fixture.unattached("n1", 900, &["10.0.0.50", "10.0.0.51"]);
    fixture.unattached("n1", 901, &["10.0.0.60", "10.0.0.61", "10.0.0.62"]);
    fixture.unattached("i-gone", 900, &["10.0.0.70", "10.0.0.71"]);
    fixture.unattached("i-gone", 901, &["10.0.0.80", "10.0.0.96/28"]);
    fixture.unattached("i-gone", 901, &["10.0.0.90"]).tags.cluster = Some("test".into());
    let all = ["10.0.0.50", "10.0.0.51", "10.0.0.60", "10.0.0.70", "10.0.0.96", "10.0.0.90"];
    use Owner::{EniPrimary, Foreign, Leaked, Warm};
    assert_eq!(owners(&fixture, all), [EniPrimary, Warm, Leaked, Foreign, Leaked, Foreign].map(Some));
    let ledger = fixture.ledger();
    assert_eq!(ledger.nodes["n1"].enis, Enis(3), "the one on its way counts");
    let leaks: Vec<_> = ledger.leaks.iter().map(|leak| (leak.eni.as_str(), leak.reason.label(), leak.ips)).collect();
    assert_eq!(leaks, [("eni-5", "instance_gone", Ips(17)), ("eni-3", "never_attached", Ips(3))]);
    fixture.inventory.instances.get_mut(&"n1".into()).unwrap().state = InstanceState::ShuttingDown;
    assert_eq!(fixture.owner("10.0.0.50"), Some(Foreign), "nobody attaches it any more");
}

#[test]
fn others_are_foreign_and_a_fargate_pod_is_a_pod() {
    let mut fixture = two_enis(secondary());
    fixture.eni("i-others", 0, "a", &["10.0.0.30", "10.0.0.31"]).tags = Default::default();
    fixture.eni("none", 0, "a", &["10.0.0.32"]).kind = EniKind::Service;
    fixture.eni("none", 0, "a", &["10.0.0.33"]).kind = EniKind::Service;
    fixture.register("fargate-1", NodeKind::Fargate);
    fixture.pod("fargate-1", Some("10.0.0.33"));
    fixture.eni("i-new", 0, "a", &["10.0.0.34"]);
    let all = ["10.0.0.30", "10.0.0.31", "10.0.0.32", "10.0.0.33", "10.0.0.34"];
    use Owner::{Foreign, NodePrimary, Pod};
    assert_eq!(owners(&fixture, all), [Foreign, Foreign, Foreign, Pod, NodePrimary].map(Some));
    let node = &fixture.ledger().nodes["fargate-1"];
    assert_eq!((node.assigned, node.budget), (Ips(1), Budget::NotManaged(NodeKind::Fargate)));
}

#[test]
fn a_type_that_nobody_knows_is_bounded_by_what_is_seen() {
    let mut fixture = Fixture::new(prefixes());
    fixture.instance("n1", "x9.huge", 5000);
    fixture.register("n1", NodeKind::Linux);
    fixture.eni("n1", 0, "a", &["10.0.0.10", "10.0.0.32/28", "10.0.0.48/28"]);
    let node = &fixture.ledger().nodes["n1"];
    assert!(matches!(node.budget, Budget::Ipv4(one) if one.mode == Mode::Prefix && one.ceiling == Ips(32)));
    let known = *headroom_capacity::instance::lookup("m5.large").unwrap();
    fixture.inventory.types.insert("x9.huge".into(), known);
    let node = &fixture.ledger().nodes["n1"];
    assert!(matches!(node.budget, Budget::Ipv4(one) if one.ceiling == Ips(3 * 9 * 16)), "EC2's word is taken");
}

#[test]
fn what_is_told_twice_or_does_not_fit_is_counted_and_the_first_has_it() {
    let mut fixture = two_enis(secondary());
    fixture.eni("i-others", 0, "a", &["10.0.0.11", "10.0.0.0", "10.0.7.7"]).tags = Default::default();
    fixture.eni("i-others", 0, "elsewhere", &["10.9.0.11"]).tags = Default::default();
    assert_eq!(fixture.owner("10.0.0.11"), Some(Owner::Warm));
    let subnet = &fixture.ledger().subnets[&"a".into()];
    assert_eq!((subnet.conflicts, subnet.used()), (Ips(3), Ips(4)));
}
