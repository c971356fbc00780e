//! Events in, slots out. A c5.xlarge attaches 4 x 14 pod IPs, a t3.nano 2 x 1.

mod feed;

use std::time::Duration;

use headroom_capacity::settings::CniSettings;
use headroom_capacity::verdict::{Demand, Reason};
use headroom_cluster::{Event, Kind, Node, Pod};

use super::KINDS;
use crate::claims::Outcome;
use crate::fixtures::{World, node, pod, running, waiting};

#[test]
fn an_empty_node_has_its_warm_pool_now_and_the_rest_by_its_limit() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    let slots = world.view("n1").pod_ip;
    assert_eq!((slots.now, slots.now + slots.soon + slots.unproven), (14, 56));
}

#[test]
fn bound_pods_hold_an_ip_before_and_after_they_have_it() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    world.pod(waiting("a", "n1"));
    assert_eq!(world.room("n1"), 55);
    world.pod(running("a", "n1"));
    assert_eq!(world.room("n1"), 55);
    world.pod(Pod { deleting: true, ..running("a", "n1") });
    assert_eq!(world.room("n1"), 55, "a deleting pod keeps its IP until it is gone");
}

#[test]
fn a_released_ip_cools_down_and_comes_back_without_an_event() {
    let mut world = World::with(&[("n1", "t3.nano")]);
    world.pod(running("a", "n1"));
    world.pod(running("b", "n1"));
    assert_eq!(world.room("n1"), 0);
    world.gone("a");
    assert_eq!((world.room("n1"), world.view("n1").pod_ip.reason), (0, Reason::CoolingDown));
    let back = world.index.next_change().unwrap();
    assert_eq!(back.since(world.now), Duration::from_secs(30));
    world.now = back;
    assert_eq!(world.room("n1"), 1);
}

#[test]
fn a_finished_pod_gives_its_ip_back_when_it_finishes_not_when_it_is_deleted() {
    let mut world = World::with(&[("n1", "t3.nano")]);
    world.pod(running("job", "n1"));
    world.pod(Pod { terminal: true, ..running("job", "n1") });
    world.wait(30);
    assert_eq!(world.room("n1"), 2);
    world.gone("job");
    assert_eq!(world.room("n1"), 2);
}

#[test]
fn host_network_pods_and_finished_ones_hold_nothing() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    world.pod(Pod { demand: Demand::None, ..running("aws-node", "n1") });
    world.pod(Pod { terminal: true, ..running("done", "n1") });
    assert_eq!(world.room("n1"), 56);
}

#[test]
fn a_pod_that_the_cni_refused_closes_its_node_until_it_has_an_ip() {
    let mut world = World::with(&[("n1", "c5.xlarge"), ("n2", "c5.xlarge")]);
    world.pod(waiting("a", "n1"));
    world.no_ip("a");
    assert_eq!((world.room("n1"), world.view("n1").pod_ip.reason), (0, Reason::AssignFailed));
    assert_eq!(world.room("n2"), 56, "other nodes stay open");
    world.pod(running("a", "n1"));
    assert_eq!(world.room("n1"), 55);
}

#[test]
fn evidence_ends_with_the_pod_or_with_its_age() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    world.pod(waiting("a", "n1"));
    world.no_ip("a");
    world.gone("a");
    assert_eq!(world.room("n1"), 56, "a pod that was refused leaves no IP to cool down");

    world.pod(waiting("b", "n1"));
    world.no_ip("b");
    world.wait(60);
    world.no_ip("b");
    world.wait(119);
    assert_eq!(world.room("n1"), 0, "each failure starts the time anew");
    world.wait(1);
    assert_eq!(world.room("n1"), 55);
}

#[test]
fn evidence_may_come_before_its_pod_and_old_evidence_counts_for_nothing() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    world.no_ip("early");
    world.pod(waiting("early", "n1"));
    assert_eq!(world.room("n1"), 0);
    world.gone("early");

    world.wait(1000);
    let old = world.now - Duration::from_secs(120);
    world.pod(waiting("late", "n1"));
    world.no_ip_at("late", old);
    world.no_ip("pod-of-another-node");
    assert_eq!(world.room("n1"), 55);
}

#[test]
fn a_pod_that_waits_for_its_branch_eni_says_nothing_about_pod_ips() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    let branch = Pod { demand: Demand::BranchEni, ..waiting("a", "n1") };
    world.pod(branch.clone());
    world.no_ip("a");
    assert_eq!(world.room("n1"), 56);
    world.pod(branch);
    assert_eq!(world.room("n1"), 56, "nor when its status changes while it waits");
}

#[test]
fn a_nominated_pod_is_counted_where_it_is_nominated_until_it_is_bound() {
    let mut world = World::with(&[("n1", "c5.xlarge"), ("n2", "c5.xlarge")]);
    world.pod(Pod { nominated_node: Some("n1".into()), priority: 9, ..pod("a") });
    assert_eq!(world.view("n1").nominees.len(), 1);
    world.pod(Pod { nominated_node: Some("n2".into()), priority: 9, ..pod("a") });
    assert_eq!((world.view("n1").nominees.len(), world.view("n2").nominees.len()), (0, 1));
    world.pod(Pod { nominated_node: Some("n2".into()), ..waiting("a", "n2") });
    assert_eq!((world.view("n2").nominees.len(), world.room("n2")), (0, 55));
}

#[test]
fn pods_may_be_seen_before_their_node_and_stay_after_it() {
    let mut world = World::with(&[]);
    world.pod(running("a", "n1"));
    assert!(world.snapshot().nodes.is_empty());
    world.node(node("n1", "c5.xlarge"));
    assert_eq!(world.room("n1"), 55);
    world.apply(Event::NodeDeleted("n1".into()));
    assert!(world.snapshot().nodes.is_empty());
    world.node(node("n1", "c5.xlarge"));
    assert_eq!(world.room("n1"), 55);
}

#[test]
fn settings_reach_every_node() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    world.settings(CniSettings { max_eni: Some(2), ..CniSettings::default() });
    assert_eq!(world.room("n1"), 28);
    world.settings(CniSettings { prefix_delegation: true, ..CniSettings::default() });
    assert!(world.room("n1") > 56);
}

#[test]
fn a_type_that_nobody_knows_is_unknown_and_never_guessed() {
    let mut world = World::with(&[("n1", "z99.huge")]);
    assert_eq!(world.view("n1").pod_ip.unknown, Some(Reason::UnknownInstanceType));
    world.node(Node { instance_type: None, ..node("n2", "") });
    assert_eq!(world.view("n2").pod_ip.unknown, Some(Reason::UnknownInstanceType));
}

#[test]
fn branch_enis_cool_down_too() {
    let mut world = World::with(&[]);
    world.settings(CniSettings { pod_eni: true, ..CniSettings::default() });
    world.node(Node { pod_enis: Some(9), ..node("n1", "m5.large") });
    let before = world.view("n1").branch.now;
    assert!(before > 0);
    world.pod(Pod { demand: Demand::BranchEni, ..running("a", "n1") });
    assert_eq!(world.view("n1").branch.now, before - 1);
    world.gone("a");
    assert_eq!(world.view("n1").branch.now, before - 1);
    world.wait(90);
    assert_eq!(world.view("n1").branch.now, before);
}

#[test]
fn tells_what_became_of_pods_with_claims() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    world.pod(pod("a"));
    assert_eq!(world.index.take_outcomes(), []);
    world.pod(Pod { schedule_failure: Some(7), resource_version: 5, ..pod("a") });
    let failed = Outcome::Failed { uid: "a".into(), resource_version: 5, failure: 7 };
    assert_eq!(world.index.take_outcomes(), [failed]);
    let (n1, _) = world.snapshot().nodes.find("n1").map(|(id, view)| (id, view.clone())).unwrap();
    world.pod(Pod { nominated_node: Some("n1".into()), ..pod("a") });
    assert_eq!(world.index.take_outcomes(), [Outcome::Nominated("a".into(), n1)]);
    world.pod(Pod { nominated_node: Some("elsewhere".into()), ..pod("a") });
    assert_eq!(world.index.take_outcomes(), []);
    world.pod(waiting("a", "n1"));
    world.pod(running("a", "n1"));
    assert_eq!(world.index.take_outcomes(), [Outcome::Settled("a".into())]);
    world.gone("a");
    assert_eq!(world.index.take_outcomes(), [Outcome::Settled("a".into())]);
}

#[test]
fn is_ready_when_every_kind_is_listed_and_knows_since_when_a_watch_fails() {
    let mut world = World {
        index: crate::index::Index::new(crate::config::Evidence::default(), &crate::config::Pool::default()),
        ..World::with(&[])
    };
    assert_eq!(world.snapshot().missing, KINDS);
    for kind in KINDS {
        world.apply(Event::Synced { kind, absent: kind.is_optional() });
    }
    assert!(world.snapshot().is_ready());
    let failed = |kind| Event::WatchFailed { kind, class: headroom_cluster::ErrorClass::Stream, error: String::new() };
    world.apply(failed(Kind::EniConfig));
    assert_eq!(world.snapshot().failing_since, None);
    let since = world.now;
    world.apply(failed(Kind::Pod));
    world.wait(5);
    world.apply(failed(Kind::Pod));
    assert_eq!(world.snapshot().failing_since, Some(since));
    world.apply(Event::WatchRecovered(Kind::Pod));
    assert_eq!(world.snapshot().failing_since, None);
}

#[test]
fn custom_networking_names_the_eni_config() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    assert_eq!(world.index.eni_config("n1"), None);
    world.settings(CniSettings {
        custom_networking: true,
        eni_config_label: "topology.kubernetes.io/zone".to_owned(),
        ..CniSettings::default()
    });
    assert_eq!(world.index.eni_config("n1"), Some(("default", None)));
    let mut labelled = node("n1", "c5.xlarge");
    labelled.labels.insert("topology.kubernetes.io/zone".to_owned(), "eu-west-1a".to_owned());
    world.node(labelled);
    let subnet = Some("subnet-1".into());
    world.apply(Event::EniConfigApplied(headroom_cluster::EniConfig { name: "eu-west-1a".into(), subnet }));
    assert_eq!(world.index.eni_config("n1"), Some(("eu-west-1a", Some("subnet-1"))));
}

/// As [`World::with`], with ipamd at its usual pace.
fn at_pace(nodes: &[(&str, &str)]) -> World {
    let index = crate::index::Index::new(crate::config::Evidence::default(), &crate::config::Pool::default());
    let mut world = World { index, ..World::with(&[]) };
    world.apply(Event::Synced { kind: Kind::Node, absent: false });
    for (name, instance_type) in nodes {
        world.node(node(name, instance_type));
    }
    world
}

fn now_and_growth(world: &mut World) -> (u32, u32) {
    let slots = world.view("n1").pod_ip;
    (slots.now, slots.soon + slots.unproven)
}

#[test]
fn a_pool_grows_by_an_eni_a_step_and_growth_is_promised_one_step_ahead() {
    let mut world = at_pace(&[("n1", "c5.xlarge")]);
    assert_eq!(now_and_growth(&mut world), (0, 14));
    world.now = world.index.next_change().unwrap();
    assert_eq!(now_and_growth(&mut world), (14, 14));
    for pod in 0..14 {
        world.pod(waiting(&format!("pod-{pod}"), "n1"));
    }
    assert_eq!(now_and_growth(&mut world), (0, 14), "of what comes next, these take nothing");
    for pod in 14..28 {
        world.pod(waiting(&format!("pod-{pod}"), "n1"));
    }
    assert_eq!((now_and_growth(&mut world), world.view("n1").pod_ip.reason), ((0, 0), Reason::PoolGrowing));
    for pod in 0..28 {
        world.pod(running(&format!("pod-{pod}"), "n1"));
    }
    assert_eq!(now_and_growth(&mut world), (0, 14), "they prove what they hold");
    world.wait(20);
    assert_eq!(now_and_growth(&mut world), (14, 14));
}

#[test]
fn a_node_that_is_not_ready_or_cordoned_does_not_grow() {
    let mut world = at_pace(&[]);
    world.node(Node { ready: false, ..node("n1", "c5.xlarge") });
    world.wait(60);
    assert_eq!(now_and_growth(&mut world), (0, 0));
    world.node(node("n1", "c5.xlarge"));
    assert_eq!(now_and_growth(&mut world), (0, 14), "from now on");
    world.wait(19);
    assert_eq!(now_and_growth(&mut world).0, 0);
    world.node(Node { unschedulable: true, ..node("n1", "c5.xlarge") });
    world.wait(60);
    assert_eq!(now_and_growth(&mut world), (0, 0));
}

#[test]
fn a_failed_add_takes_back_what_was_assumed() {
    let mut world = at_pace(&[("n1", "c5.xlarge")]);
    world.pod(running("a", "n1"));
    world.snapshot();
    world.wait(20);
    assert_eq!(now_and_growth(&mut world).0, 14);
    world.pod(waiting("b", "n1"));
    world.no_ip("b");
    world.snapshot();
    world.gone("b");
    assert_eq!(now_and_growth(&mut world), (0, 14));
}

#[test]
fn a_status_update_of_a_running_pod_is_no_release() {
    let mut world = at_pace(&[("n1", "t3.small")]);
    for pod in ["a", "b", "c"] {
        world.pod(running(pod, "n1"));
    }
    world.snapshot();
    world.wait(20);
    assert_eq!(now_and_growth(&mut world), (3, 3));
    world.pod(Pod { resource_version: 7, ..running("a", "n1") });
    assert_eq!(now_and_growth(&mut world), (3, 3));
}
