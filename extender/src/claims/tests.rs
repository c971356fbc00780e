use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;

use super::{Claimant, Claims, Outcome};
use crate::config;
use crate::fixtures::World;
use crate::snapshot::NodeId;

const LIMITS: config::Claims = config::Claims { deadline_secs: 60, failure_grace_secs: 2 };
const T0: Time = Time::from_secs(1000);

fn claimant(uid: &str) -> Claimant {
    Claimant { uid: uid.into(), demand: Demand::PodIp, resource_version: 10, failure: Some(1) }
}

/// The numbers of n1, n2, n3 and one more.
fn ids() -> [NodeId; 4] {
    let snapshot = World::with(&["n1", "n2", "n3", "elsewhere"].map(|name| (name, "t3.nano"))).snapshot();
    ["n1", "n2", "n3", "elsewhere"].map(|name| snapshot.nodes.find(name).unwrap().0)
}

fn made(nodes: &[NodeId]) -> Claims {
    let mut claims = Claims::default();
    claims.make(claimant("a"), nodes.to_vec(), T0, &LIMITS);
    claims
}

fn on(claims: &Claims, nodes: &[NodeId]) -> Vec<u32> {
    nodes.iter().map(|node| claims.on(*node, Demand::PodIp)).collect()
}

#[test]
fn asking_again_replaces_the_claim() {
    let [n1, n2, n3, _] = ids();
    let mut claims = made(&[n1, n2]);
    assert_eq!(on(&claims, &[n1, n2, n3]), [1, 1, 0]);
    claims.make(claimant("a"), vec![n3], T0, &LIMITS);
    assert_eq!(on(&claims, &[n1, n2, n3]), [0, 0, 1]);
    claims.make(claimant("a"), Vec::new(), T0, &LIMITS);
    assert!(claims.is_empty());
}

#[test]
fn kinds_of_address_are_claimed_apart() {
    let [n1, ..] = ids();
    let mut claims = made(&[n1]);
    let branch = Claimant { demand: Demand::BranchEni, ..claimant("b") };
    claims.make(branch, vec![n1], T0, &LIMITS);
    assert_eq!((claims.on(n1, Demand::PodIp), claims.on(n1, Demand::BranchEni)), (1, 1));
}

#[test]
fn the_deadline_is_the_last_resort_and_counted() {
    let [n1, ..] = ids();
    let mut claims = made(&[n1]);
    claims.expire(T0 + Duration::from_millis(59_999));
    assert_eq!(claims.len(), 1);
    claims.expire(T0 + Duration::from_secs(60));
    assert_eq!((claims.len(), claims.expired_total, on(&claims, &[n1])[0]), (0, 1, 0));
}

#[test]
fn a_nomination_keeps_only_the_node_it_names() {
    let [n1, n2, _, elsewhere] = ids();
    let mut claims = made(&[n1, n2]);
    claims.settle(&Outcome::Nominated("a".into(), n2), T0, &LIMITS);
    assert_eq!(on(&claims, &[n1, n2]), [0, 1]);
    assert!(claims.holds(&PodUid::from("a"), n2));
    claims.settle(&Outcome::Nominated("a".into(), elsewhere), T0, &LIMITS);
    assert_eq!(on(&claims, &[n1, n2]), [0, 1], "a nomination from before the answer");
}

#[test]
fn only_a_new_failure_ends_a_claim() {
    let [n1, ..] = ids();
    let later = T0 + Duration::from_secs(5);
    let failed = |resource_version, failure| Outcome::Failed { uid: "a".into(), resource_version, failure };
    let left = |outcome: &Outcome, at| {
        let mut claims = made(&[n1]);
        claims.settle(outcome, at, &LIMITS);
        claims
    };
    assert_eq!(left(&failed(10, 2), later).len(), 1, "kube-scheduler had seen this version when it asked");
    assert_eq!(left(&failed(11, 1), later).len(), 1, "the pod changed, its condition did not");
    assert_eq!(left(&failed(11, 2), later).len(), 0);

    let mut soon = left(&failed(11, 2), T0 + Duration::from_millis(1));
    assert_eq!(soon.len(), 1, "perhaps the report of the attempt before");
    soon.expire(T0 + Duration::from_secs(2));
    assert_eq!(soon.len(), 0);
}

#[test]
fn a_pod_that_is_bound_or_gone_claims_nothing() {
    let [n1, n2, ..] = ids();
    let mut claims = made(&[n1, n2]);
    claims.settle(&Outcome::Settled("other".into()), T0, &LIMITS);
    assert_eq!(claims.len(), 1);
    claims.settle(&Outcome::Settled("a".into()), T0, &LIMITS);
    assert_eq!(on(&claims, &[n1, n2]), [0, 0]);
}
