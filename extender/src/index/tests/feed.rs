//! What the advisor tells, taken in. An m5.large has 3 ENIs with 9 pod IPs each.

use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::allot::Free;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::{InstanceLimits, lookup};
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::{Reason, Room};
use headroom_cluster::{Event, Kind};
use proptest::prelude::*;

use crate::config::{Config, Pool};
use crate::feed::{Change, Shown, Source};
use crate::fixtures::{World, node, running, waiting};
use crate::index::Index;

/// As it runs, with these nodes.
fn world(nodes: &[(&str, &str)]) -> World {
    let mut world = World::with(&[]);
    world.index = Index::new(Config::default().evidence, &Pool::default());
    world.index.forget_feed_after(Duration::from_secs(180));
    for kind in Kind::ALL {
        world.apply(Event::Synced { kind, absent: false });
    }
    for (name, instance_type) in nodes {
        world.node(node(name, instance_type));
    }
    world
}

/// One ENI in subnet `a`, of which `attached` slots are filled, on a node that may have more there.
fn shown(attached: u32, slots: u32) -> Shown {
    Shown {
        pod_enis: Enis(1),
        attached: Ips(attached),
        free_slots: vec![(SubnetId::from("a"), slots - attached)],
        new_eni_subnets: vec![SubnetId::from("a")],
        ..Shown::default()
    }
}

fn subnet(ips: u32) -> Vec<(SubnetId, Free)> {
    vec![(SubnetId::from("a"), Free { ips: Ips(ips), prefixes: Prefixes(ips / 16) })]
}

impl World {
    fn told(&mut self, nodes: &[(&str, Shown)], free: u32) {
        let nodes = nodes.iter().map(|(name, shown)| (Arc::from(*name), shown.clone())).collect();
        let change = Change { whole: true, observed_at: self.now, nodes, subnets: subnet(free), ..Change::default() };
        self.index.told(change, self.now);
    }

    /// IPs that further pods may have at once and within seconds.
    fn slots(&mut self, name: &str) -> (u32, u32) {
        let slots = self.view(name).pod_ip;
        assert_eq!(slots.unproven, 0, "the subnets are known");
        (slots.now, slots.soon)
    }
}

#[test]
fn what_ec2_shows_takes_the_place_of_the_estimate() {
    let mut world = world(&[("n1", "m5.large")]);
    assert_eq!(
        (world.view("n1").pod_ip.now, world.view("n1").source()),
        (0, Source::Kubernetes),
        "no step is through yet"
    );
    world.told(&[("n1", shown(9, 9))], 200);
    assert_eq!(
        (world.slots("n1"), world.view("n1").source()),
        ((9, 9), Source::Feed),
        "and one step, if pods take these"
    );
    world.pod(running("p", "n1"));
    assert_eq!(world.slots("n1"), (8, 9), "the next ENI");
    world.wait(20);
    assert_eq!(world.slots("n1"), (17, 9));
    world.told(&[("n1", shown(9, 9))], 200);
    assert_eq!(world.slots("n1"), (8, 9), "EC2 has not given it");
}

#[test]
fn an_empty_subnet_closes_a_node_before_a_pod_hangs() {
    let mut world = world(&[("n1", "m5.large")]);
    world.told(&[("n1", shown(2, 9))], 0);
    world.pod(running("p", "n1"));
    assert_eq!(world.slots("n1"), (1, 0));
    world.wait(60);
    world.pod(waiting("q", "n1"));
    assert_eq!((world.slots("n1"), world.view("n1").pod_ip.reason), ((0, 0), Reason::SubnetExhausted));
    assert_eq!(world.view("n1").state.total, Ips(2), "nothing is taken to grow out of nothing");
}

#[test]
fn a_feed_that_is_too_old_counts_for_nothing() {
    let mut world = world(&[("n1", "m5.large")]);
    world.told(&[("n1", shown(2, 9))], 0);
    assert_eq!(world.view("n1").source(), Source::Feed);
    world.wait(180);
    assert!(world.index.next_change().is_some_and(|at| at <= world.now), "the writer wakes up for it");
    let view = world.view("n1");
    assert_eq!((view.source(), view.state.room), (Source::Kubernetes, Room::Unknown));
    assert!(view.pod_ip.unproven > 0, "as without a feed");
    assert_eq!(world.snapshot().feed_observed_at, None);
    world.told(&[("n1", shown(2, 9))], 0);
    assert_eq!(world.view("n1").source(), Source::Feed, "and back");
}

#[test]
fn a_subnet_that_was_not_told_of_stays_unknown() {
    let mut world = world(&[("n1", "m5.large"), ("n2", "m5.large")]);
    let elsewhere = Shown { new_eni_subnets: vec![SubnetId::from("b")], ..shown(9, 9) };
    world.told(&[("n1", elsewhere)], 200);
    assert_eq!(world.view("n1").source(), Source::Kubernetes);
    assert_eq!(world.view("n2").source(), Source::Kubernetes, "nor a node that was not");
    world.told(&[("n2", shown(9, 9))], 200);
    world.node(node("n2", "m5.large"));
    assert_eq!(world.view("n2").source(), Source::Feed);
}

#[test]
fn enis_and_types_that_only_ec2_shows_decide_and_stay() {
    let mut world = world(&[("n1", "m5.large"), ("n2", "m99x.large")]);
    assert_eq!(world.view("n2").pod_ip.unknown, Some(Reason::UnknownInstanceType));
    let limits: InstanceLimits = *lookup("m5.large").unwrap();
    let change = Change {
        whole: true,
        observed_at: world.now,
        nodes: vec![("n1".into(), Shown { unmanaged: Enis(1), excluded: Enis(1), ..shown(9, 9) })],
        subnets: subnet(200),
        types: vec![("m99x.large".into(), limits)],
        ..Change::default()
    };
    world.index.told(change, world.now);
    world.pod(running("p", "n1"));
    assert_eq!(world.slots("n1"), (8, 0), "both other ENIs are not ipamd's");
    assert_eq!(world.view("n2").pod_ip.unknown, None);
    world.wait(1000);
    world.pod(running("q", "n1"));
    assert_eq!(world.room("n1"), 7);
    assert_eq!(world.view("n2").pod_ip.unknown, None);
}

#[test]
fn a_node_that_comes_after_it_was_told_of_is_taken_in() {
    let mut world = world(&[]);
    world.told(&[("n1", shown(9, 9))], 200);
    assert!(world.snapshot().nodes.is_empty());
    world.node(node("n1", "m5.large"));
    assert_eq!(world.slots("n1"), (9, 9));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A pod is bound to this node, if it says that it has room.
    Bind(usize),
    /// The pod that waits for the longest on this node is seen with its IP.
    Assign(usize),
    Wait(u64),
    /// The subnet is divided anew by the same reading.
    Again,
}

fn any_step(nodes: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..nodes).prop_map(Step::Bind),
        2 => (0..nodes).prop_map(Step::Assign),
        2 => (1..30u64).prop_map(Step::Wait),
        1 => Just(Step::Again),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Pods are bound to nodes that have room, in any order, while pools are taken to grow: between two readings they never need more
    /// of the subnet than it had.
    #[test]
    fn nodes_of_one_subnet_never_count_on_more_than_it_has(
        attached in prop::collection::vec(0..10u32, 1..6),
        free in 0..60u32,
        steps in prop::collection::vec(any_step(6), 0..120),
    ) {
        let names: Vec<String> = (0..attached.len()).map(|n| format!("n{n}")).collect();
        let types: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "m5.large")).collect();
        let mut world = world(&types);
        let told: Vec<(&str, Shown)> = names.iter().zip(&attached).map(|(n, attached)| (n.as_str(), shown(*attached, 9))).collect();
        let read_at = world.now;
        world.told(&told, free);
        let mut pods = vec![(0, 0); names.len()];
        for step in steps {
            match step {
                Step::Bind(at) if at < names.len() => {
                    let (now, soon) = world.slots(&names[at]);
                    if now + soon > 0 {
                        world.pod(waiting(&format!("{at}-{}", pods[at].1), &names[at]));
                        pods[at].1 += 1;
                    }
                }
                Step::Assign(at) if at < names.len() && pods[at].0 < pods[at].1 => {
                    world.pod(running(&format!("{at}-{}", pods[at].0), &names[at]));
                    pods[at].0 += 1;
                }
                Step::Bind(_) | Step::Assign(_) => {}
                Step::Wait(secs) => world.wait(secs.min(170_u64.saturating_sub(world.now.since(read_at).as_secs()))),
                Step::Again => {
                    let now = std::mem::replace(&mut world.now, read_at);
                    world.told(&told, free);
                    world.now = now;
                }
            }
            let needed: u32 = names.iter().zip(&attached).zip(&pods).map(|((name, attached), (_, bound))| {
                let view = world.view(name);
                let more = view.state.total.max(Ips(*bound)).get().saturating_sub(*attached);
                more + more.saturating_sub(9 - attached).div_ceil(9)
            }).sum();
            prop_assert!(needed <= free, "{needed} of {free}");
        }
    }
}
