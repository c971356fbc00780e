//! From what is asked to which groups are kept.

use proptest::prelude::*;

use super::*;

#[test]
fn a_group_whose_subnet_cannot_feed_it_is_left_out() {
    let rooms = rooms(&[("empty", 7), ("roomy", 100), ("exact", 16)]);
    let asked = [ask("empty", 1), ask("roomy", 2), ask("exact", 2)];
    let told = decide(&rooms, &BTreeMap::new(), &asked, &Rules { tolerance_percent: 100, ..rules() });
    assert_eq!((told.outcome, kept(&told, &asked)), (Outcome::Fits, vec!["roomy", "exact"]));
    assert_eq!(reasons(&told), ["subnet_exhausted", "best", "best"]);
    assert_eq!((told.judged[1].left, told.judged[2].left), (84, 0), "8 a node");
    assert_eq!(told.judged[0].tightest, Some("empty".into()));
    let spare = decide(&rooms, &BTreeMap::new(), &asked, &Rules { spare_ips: 1, ..rules() });
    assert_eq!(reasons(&spare), ["subnet_exhausted", "best", "too_few_ips"]);
}

#[test]
fn of_those_that_fit_the_one_that_lasts_longer_is_better_and_then_the_one_with_more_room() {
    let mut rooms = rooms(&[("a", 1000), ("b", 500), ("c", 400)]);
    let asked = [ask("a", 1), ask("b", 1), ask("c", 1)];
    let within = |rooms: &Rooms, tolerance_percent| {
        let told = decide(rooms, &BTreeMap::new(), &asked, &Rules { tolerance_percent, ..rules() });
        (told.kept.clone(), reasons(&told))
    };
    assert_eq!(within(&rooms, 0), (vec![0], vec!["best", "less_room", "less_room"]));
    assert_eq!(within(&rooms, 50), (vec![0], vec!["best", "less_room", "less_room"]), "492 is less than half of 992");
    assert_eq!(within(&rooms, 51).0, [0, 1]);
    rooms.subnets.get_mut(&"a".into()).unwrap().exhausted_in_secs = Some(2 * 3600);
    assert_eq!(within(&rooms, 51), (vec![1, 2], vec!["less_room", "best", "best"]));
    rooms.subnets.get_mut(&"b".into()).unwrap().exhausted_in_secs = Some(3 * 3600);
    assert_eq!(within(&rooms, 51).0, [2]);
}

#[test]
fn without_one_that_fits_the_one_that_feeds_most_pods_is_kept() {
    let rooms = rooms(&[("some", 20), ("more", 30)]);
    let asked = [ask("some", 10), ask("more", 10)];
    let told = answer(&rooms, &asked);
    assert_eq!((told.outcome, kept(&told, &asked)), (Outcome::Partial, vec!["more"]));
    assert_eq!((told.judged[0].fed, told.judged[1].fed), (2, 3));
    assert_eq!(reasons(&told), ["too_few_ips"; 2]);
}

#[test]
fn a_veto_only_where_it_is_understood() {
    let rooms = rooms(&[("empty", 3), ("emptier", 2)]);
    let asked = [ask("emptier", 1), ask("empty", 1)];
    for (can_veto, outcome, want) in [(true, Outcome::Veto, vec![]), (false, Outcome::LeastBad, vec!["empty"])] {
        let told = decide(&rooms, &BTreeMap::new(), &asked, &Rules { can_veto, ..rules() });
        assert_eq!((told.outcome, kept(&told, &asked)), (outcome, want));
        let nothing = decide(&rooms, &BTreeMap::new(), &[], &Rules { can_veto, ..rules() });
        assert_eq!((nothing.outcome, nothing.kept), (Outcome::NoOptions, vec![]));
    }
}

#[test]
fn what_is_not_known_comes_after_what_fits_and_before_what_does_not() {
    let mut rooms = rooms(&[("empty", 3), ("roomy", 100)]);
    rooms.groups.insert("nowhere".into(), GroupRoom::default());
    let mut nameless = ask("roomy", 2);
    nameless.template = None;
    let mut odd = ask("roomy", 2);
    odd.template = Some(template("x99.large"));
    for (unknown, reason) in [
        (ask("new", 1), "unknown_group"),
        (ask("nowhere", 1), "unknown_subnet"),
        (nameless.clone(), "unknown_node"),
        (odd, "unknown_node"),
    ] {
        let asked = [ask("empty", 1), unknown];
        let told = answer(&rooms, &asked);
        assert_eq!((told.outcome, told.kept.clone()), (Outcome::Unknown, vec![1]), "{reason}");
        assert_eq!(reasons(&told), ["subnet_exhausted", reason]);
    }
    let fits = [ask("new", 1), ask("roomy", 1)];
    assert_eq!(kept(&answer(&rooms, &fits), &fits), ["roomy"]);
    nameless.group = "empty".to_owned();
    assert_eq!(reasons(&answer(&rooms, &[nameless])), ["too_few_ips"], "one for each pod and node is the least");
}

#[test]
fn a_group_counts_once() {
    let rooms = rooms(&[("roomy", 100)]);
    let asked = [ask("roomy", 1), Asked { again: true, ..ask("roomy", 90) }];
    let told = answer(&rooms, &asked);
    assert_eq!((told.kept.clone(), reasons(&told)), (vec![0], vec!["best", "duplicate"]));
}

#[test]
fn under_prefix_delegation_whole_blocks_count() {
    let mut rooms = rooms(&[("whole", 100), ("broken", 100)]);
    rooms.settings = Arc::new(CniSettings { prefix_delegation: true, warm_prefix_target: 1, ..CniSettings::default() });
    rooms.subnets.get_mut(&"broken".into()).unwrap().free.prefixes = 1;
    let large = |mut asked: Asked| {
        asked.template.as_mut().unwrap().max_pods = Some(110);
        asked
    };
    let told = answer(&rooms, &[large(ask("whole", 2)), large(ask("broken", 1))]);
    assert_eq!(reasons(&told), ["best", "subnet_fragmented"], "a node with two pods and a warm prefix takes two");
    assert_eq!(told.judged[0].left, 32, "of six prefixes four are taken");
}

#[test]
fn custom_networking_takes_pods_addresses_where_the_eni_config_says() {
    let mut rooms = rooms(&[("nodes", 100), ("pods-a", 100), ("pods-b", 2)]);
    rooms.settings = Arc::new(CniSettings { custom_networking: true, ..CniSettings::default() });
    rooms.eni_configs = ["a", "b"].map(|name| (name.into(), Some(format!("pods-{name}").into()))).into();
    let with = |config: &str| {
        let mut asked = ask("nodes", 1);
        let labels = &mut asked.template.as_mut().unwrap().labels;
        labels.insert("k8s.amazonaws.com/eniConfig".to_owned(), config.to_owned());
        answer(&rooms, &[asked])
    };
    assert_eq!(reasons(&with("a")), ["best"]);
    assert_eq!(reasons(&with("b")), ["subnet_exhausted"]);
    assert_eq!(with("b").judged[0].tightest, Some("pods-b".into()));
    assert_eq!(reasons(&with("c")), ["unknown_subnet"]);
    let mut by_zone = rooms.clone();
    by_zone.settings = Arc::new(CniSettings {
        custom_networking: true,
        eni_config_label: "topology.kubernetes.io/zone".to_owned(),
        ..CniSettings::default()
    });
    by_zone.groups.get_mut("nodes").unwrap().landings = vec![landing("nodes", "a"), landing("nodes", "b")];
    let told = answer(&by_zone, &[ask("nodes", 2)]);
    assert_eq!((reasons(&told), told.judged[0].fed), (vec!["too_few_ips"], 1), "zone b has nothing for its pods");
}

#[test]
fn daemon_sets_pods_and_nodes_of_other_kinds() {
    let mut rooms = rooms(&[("s", 100)]);
    rooms.groups.get_mut("s").unwrap().daemons = 2;
    let told = answer(&rooms, &[ask("s", 1)]);
    assert_eq!((told.judged[0].pods_per_node, told.judged[0].left), (4, 88), "three ENIs: nine and three");
    let mut other = ask("s", 1);
    other.template.as_mut().unwrap().labels.insert("kubernetes.io/os".to_owned(), "windows".to_owned());
    assert_eq!(answer(&rooms, &[other]).judged[0].left, 96, "no more than its primary ENI can have");
    rooms.settings = Arc::new(CniSettings { ipv6: true, ..CniSettings::default() });
    assert_eq!(answer(&rooms, &[ask("s", 1)]).judged[0].left, 99, "its own");
}

#[test]
fn of_a_group_in_two_zones_the_one_with_fewer_instances_decides() {
    let mut rooms = rooms(&[("s-a", 100), ("s-b", 0)]);
    let group = rooms.groups.get_mut("s-a").unwrap();
    group.landings = vec![landing("s-a", "a"), landing("s-b", "b")];
    group.per_az = [("a".into(), 1), ("b".into(), 3)].into();
    let judged = |nodes| answer(&rooms, &[ask("s-a", nodes)]).judged.remove(0);
    assert_eq!((judged(2).reason, judged(3).reason), (Reason::Best, Reason::TooFewIps));
    assert_eq!(judged(3).fed, 3, "it is not certain which zone gets the third");
    assert_eq!(judged(6).fed, 4);
}

proptest! {
    /// What fits is there: more than it takes, with what earlier answers hold and what is to stay free.
    #[test]
    fn no_group_fits_that_does_not(
        free in proptest::collection::vec((0_u32..400, 0_u32..100, 0_u32..20), 1..4),
        nodes in 1_u32..20,
        pods in 0_u32..200,
        spare_ips in 0_u32..40,
        prefix_delegation: bool,
    ) {
        let names = ["x", "y", "z"];
        let mut rooms = rooms(&free.iter().zip(names).map(|((ips, ..), name)| (name, *ips)).collect::<Vec<_>>());
        rooms.settings = Arc::new(CniSettings { prefix_delegation, ..CniSettings::shipped() });
        let landings = free.iter().zip(names).map(|(_, name)| landing(name, name)).collect();
        rooms.groups.get_mut("x").unwrap().landings = landings;
        let held: BTreeMap<SubnetId, Units> = free.iter().zip(names)
            .map(|((_, held, prefixes), name)| (name.into(), Units { ips: *held, prefixes: *prefixes }))
            .collect();
        let mut asked = ask("x", nodes);
        asked.pods.with_ip = pods;
        let told = decide(&rooms, &held, &[asked], &Rules { spare_ips, ..rules() });
        let judged = &told.judged[0];
        prop_assert!(judged.fed <= nodes);
        prop_assert_eq!(judged.reason == Reason::Best, told.outcome == Outcome::Fits);
        if told.outcome == Outcome::Fits {
            prop_assert_eq!(judged.fed, nodes);
            let (_, wanted) = told.promised().next().unwrap();
            for (subnet, takes) in &wanted.takes {
                let spoken_for = takes.ips + held[subnet].ips + spare_ips;
                prop_assert!(spoken_for <= rooms.subnets[subnet].free.ips || takes.ips == 0);
            }
        }
    }
}
