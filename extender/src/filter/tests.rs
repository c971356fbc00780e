use std::collections::HashSet;

use headroom_capacity::time::Time;
use headroom_capacity::verdict::{Demand, Reason};
use headroom_cluster::Pod;

use super::{Decision, Room, SAMPLED_FROM, decide, scores};
use crate::claims::Claims;
use crate::config::{Config, OnUnknown, Policy};
use crate::fixtures::{World, candidate, pod, running, waiting};
use crate::snapshot::Snapshot;

fn config(edit: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    edit(&mut config);
    config
}

fn ask(snapshot: &Snapshot, claims: &Claims, names: &[&str], config: &Config) -> Decision {
    decide(snapshot, claims, &candidate("new"), names, config).decision
}

#[test]
fn host_network_pods_pass_whole_even_nodes_that_nobody_knows() {
    let mut pod = candidate("new");
    pod.claimant.demand = Demand::None;
    let answer = decide(&Snapshot::default(), &Claims::default(), &pod, &["x"], &Config::default());
    assert_eq!((answer.decision, answer.claim), (Decision::All, Vec::new()));
}

#[test]
fn full_nodes_are_left_out_and_reasons_given_only_if_nothing_passes() {
    let mut world = World::with(&[("full", "t3.nano"), ("free", "c5.xlarge")]);
    world.pod(running("a", "full"));
    world.pod(running("b", "full"));
    let snapshot = world.snapshot();
    let claims = Claims::default();
    let config = Config::default();
    assert_eq!(ask(&snapshot, &claims, &["full", "free"], &config), Decision::Some(vec![1]));
    assert_eq!(ask(&snapshot, &claims, &["full"], &config), Decision::None(vec![Reason::InstanceIpLimit]));
    assert_eq!(ask(&snapshot, &claims, &[], &config), Decision::Some(Vec::new()));
}

#[test]
fn a_node_is_offered_only_while_free_less_claims_is_at_least_one() {
    let mut world = World::with(&[("n1", "t3.nano")]);
    world.pod(waiting("a", "n1"));
    let snapshot = world.snapshot();
    let mut claims = Claims::default();
    let config = Config::default();
    let first = decide(&snapshot, &claims, &candidate("first"), &["n1"], &config);
    assert_eq!(first.decision, Decision::Some(vec![0]));
    claims.make(candidate("first").claimant, first.claim, Time::ZERO, &config.claims);
    assert_eq!(ask(&snapshot, &claims, &["n1"], &config), Decision::None(vec![Reason::Claimed]));
}

#[test]
fn plenty_gives_the_widest_answer_and_scarcity_narrows_it_to_the_best_nodes() {
    let names: Vec<String> = (0..8).map(|at| format!("n{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::with(&names.iter().map(|name| (*name, "c5.xlarge")).collect::<Vec<_>>());
    let few = config(|config| config.answer.max_nodes = 5);
    // 8 x 56 IPs for 16 pods in flight.
    let Decision::Some(passing) = ask(&world.snapshot(), &Claims::default(), &names, &few) else { panic!() };
    assert_eq!(passing.len(), 5);

    for (at, name) in names.iter().enumerate() {
        for number in 0..(if at == 6 { 50 } else { 52 }) {
            world.pod(running(&format!("{name}-{number}"), name));
        }
    }
    // 7 x 4 + 6 = 34: two nodes each, the emptiest among them.
    let Decision::Some(passing) = ask(&world.snapshot(), &Claims::default(), &names, &few) else { panic!() };
    assert_eq!(passing, [0, 6]);
}

#[test]
fn where_ips_are_plenty_the_first_nodes_are_enough() {
    let names: Vec<String> = (0..3 * super::LOOK_UP).map(|at| format!("n{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let snapshot = World::with(&names.iter().map(|name| (*name, "c5.18xlarge")).collect::<Vec<_>>()).snapshot();
    let few = config(|config| config.answer.max_nodes = 5);
    let answer = decide(&snapshot, &Claims::default(), &candidate("new"), &names, &few);
    // Ten would do; names are looked up in batches.
    assert_eq!(answer.decision, Decision::Some(vec![0, 1, 2, 3, 4]));
    assert_eq!(answer.counts.now as usize, super::LOOK_UP);
}

#[test]
fn large_nodes_do_not_draw_all_pods() {
    let mut world = World::with(&[("small", "c5.xlarge"), ("large", "c5.18xlarge"), ("nearly-full", "c5.18xlarge")]);
    for number in 0..100 {
        world.pod(running(&number.to_string(), "nearly-full"));
    }
    let one = config(|config| config.answer.max_nodes = 1);
    let snapshot = world.snapshot();
    let first = |names: &[&str]| ask(&snapshot, &Claims::default(), names, &one);
    assert_eq!(first(&["nearly-full", "small", "large"]), Decision::Some(vec![1]));
    assert_eq!(first(&["nearly-full", "large", "small"]), Decision::Some(vec![1]));
}

#[test]
fn a_pod_with_preferences_gets_more_to_choose_from() {
    let names: Vec<String> = (0..8).map(|at| format!("n{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let snapshot = World::with(&names.iter().map(|name| (*name, "c5.xlarge")).collect::<Vec<_>>()).snapshot();
    let few = config(|config| (config.answer.max_nodes, config.answer.max_nodes_preferring) = (3, 6));
    let offered = |prefers| {
        let pod = super::Candidate { prefers, ..candidate("new") };
        decide(&snapshot, &Claims::default(), &pod, &names, &few).claim.len()
    };
    assert_eq!((offered(false), offered(true)), (3, 6));
}

#[test]
fn policy_now_offers_only_what_is_attached() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    let now = config(|config| config.policy = Policy::Now);
    let snapshot = world.snapshot();
    let attached = snapshot.nodes.get("n1").unwrap().pod_ip.now;
    let mut claims = Claims::default();
    for number in 0..attached {
        let pod = candidate(&format!("p{number}"));
        let answer = decide(&snapshot, &claims, &pod, &["n1"], &now);
        assert_eq!(answer.decision, Decision::Some(vec![0]), "pod {number} of {attached}");
        claims.make(pod.claimant, answer.claim, Time::ZERO, &now.claims);
    }
    assert_eq!(ask(&snapshot, &claims, &["n1"], &now), Decision::None(vec![Reason::Claimed]));
    assert_eq!(ask(&snapshot, &claims, &["n1"], &Config::default()), Decision::Some(vec![0]));
}

#[test]
fn the_unknown_goes_by_policy() {
    let snapshot = World::with(&[("odd", "z99.huge")]).snapshot();
    let claims = Claims::default();
    let reject = config(|config| {
        config.failure.on_unknown_node = OnUnknown::Reject;
        config.failure.on_unknown_capacity = OnUnknown::Reject;
    });
    assert_eq!(ask(&snapshot, &claims, &["odd", "new"], &Config::default()), Decision::Some(vec![0, 1]));
    let reasons = vec![Reason::UnknownInstanceType, Reason::UnknownNode];
    assert_eq!(ask(&snapshot, &claims, &["odd", "new"], &reject), Decision::None(reasons));
}

#[test]
fn growth_into_subnets_that_nobody_looked_at_goes_by_policy_too() {
    let mut world = World::with(&[("n1", "c5.xlarge")]);
    let reject = config(|config| config.failure.on_unknown_capacity = OnUnknown::Reject);
    for number in 0..20 {
        world.pod(waiting(&number.to_string(), "n1"));
    }
    let snapshot = world.snapshot();
    assert_eq!(ask(&snapshot, &Claims::default(), &["n1"], &Config::default()), Decision::Some(vec![0]));
    let unknown = Decision::None(vec![Reason::UnknownSubnet]);
    assert_eq!(ask(&snapshot, &Claims::default(), &["n1"], &reject), unknown);
}

#[test]
fn a_nominated_pod_of_equal_or_higher_priority_takes_its_slot() {
    let mut world = World::with(&[("n1", "t3.nano")]);
    world.pod(running("a", "n1"));
    world.pod(Pod { nominated_node: Some("n1".into()), priority: 5, ..pod("vip") });
    let snapshot = world.snapshot();
    let decide_for = |uid: &str, priority, claims: &Claims| {
        let pod = super::Candidate { priority, ..candidate(uid) };
        decide(&snapshot, claims, &pod, &["n1"], &Config::default()).decision
    };
    let mut claims = Claims::default();
    assert_eq!(decide_for("new", 5, &claims), Decision::None(vec![Reason::Claimed]));
    assert_eq!(decide_for("new", 6, &claims), Decision::Some(vec![0]));
    assert_eq!(decide_for("vip", 5, &claims), Decision::Some(vec![0]), "its own slot");
    let n1 = snapshot.nodes.find("n1").unwrap().0;
    claims.make(candidate("vip").claimant, vec![n1], Time::ZERO, &Config::default().claims);
    assert_eq!(decide_for("new", 6, &claims), Decision::None(vec![Reason::Claimed]), "its bind is under way");
}

#[test]
fn scores_put_ips_at_hand_before_growth_and_more_before_fewer() {
    let rooms = [
        Room::Now { free: 40 },
        Room::Now { free: 1 },
        Room::Soon { free: 40 },
        Room::Soon { free: 1 },
        Room::Closed(Reason::Claimed),
        Room::Open(None),
    ];
    assert_eq!(scores(&rooms), [10, 6, 5, 1, 0, 10]);
    assert!(scores(&[]).is_empty());
    assert_eq!(scores(&rooms).into_iter().collect::<HashSet<_>>().len(), 5);
}

/// `full` nodes without a free IP and `free` with two.
fn many(full: usize, free: usize) -> (World, Vec<String>) {
    let names: Vec<String> = (0..full + free).map(|at| format!("n{at}")).collect();
    let mut world = World::with(&names.iter().map(|name| (name.as_str(), "t3.nano")).collect::<Vec<_>>());
    for (name, number) in names[..full].iter().flat_map(|name| [(name, 0), (name, 1)]) {
        world.pod(running(&format!("{name}-{number}"), name));
    }
    (world, names)
}

#[test]
fn where_many_nodes_are_full_the_reason_is_told_once() {
    let (mut world, names) = many(120, 0);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let answer = |world: &mut World, names: &[&str]| {
        decide(&world.snapshot(), &Claims::default(), &candidate("new"), names, &Config::default())
    };
    let told = answer(&mut world, &names[..SAMPLED_FROM]);
    assert_eq!(told.decision, Decision::NoneOfMany(Reason::InstanceIpLimit));
    assert_eq!(told.counts.never().collect::<Vec<_>>(), [(Reason::InstanceIpLimit, 100)]);
    assert_eq!(answer(&mut world, &names[..3]).decision, Decision::None(vec![Reason::InstanceIpLimit; 3]));

    world.gone("n7-0");
    assert_eq!(answer(&mut world, &names).decision, Decision::NoneOfMany(Reason::Several), "one is cooling down");
}

#[test]
fn a_sample_without_room_says_whether_others_have_some() {
    let (mut world, names) = many(150, 1);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let snapshot = world.snapshot();
    let ask = |names, claims: &Claims| decide(&snapshot, claims, &candidate("new"), names, &Config::default());
    let sample = ask(&names[..SAMPLED_FROM], &Claims::default());
    assert!(sample.decision.rejects() && sample.room_elsewhere);
    assert!(!ask(&names[..99], &Claims::default()).room_elsewhere, "kube-scheduler has named every node that fits");
    assert_eq!(ask(&names[50..], &Claims::default()).decision, Decision::Some(vec![100]));

    let mut claims = Claims::default();
    for uid in ["a", "b"] {
        let found = ask(&names[150..], &claims);
        claims.make(candidate(uid).claimant, found.claim, Time::ZERO, &Config::default().claims);
    }
    let claimed = ask(&names[50..], &claims);
    assert!(claimed.decision.rejects() && !claimed.room_elsewhere, "it is named, and claimed");
}
