//! Where the pods of a node may go, by the pods that are on others.

use headroom_capacity::binding::Requests;
use headroom_capacity::verdict::Demand;
use headroom_cluster::drain::{Owner, Tenant};
use headroom_cluster::{Labels, Placement, Ties};
use serde_json::{Value, json};

use super::*;
use crate::plan::{Inspected, inspect};

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// Nodes i-1 and i-2 in zone a, i-3 in zone b; what has to move is on i-1.
fn world() -> World {
    let mut world = World::new();
    world.fixture.node("i-3", 7200);
    world.fixture.eni("i-3", 0, "b", &["10.0.1.10"]);
    for (node, zone) in [("i-1", "a"), ("i-2", "a"), ("i-3", "b")] {
        let node = &mut world.fixture.cluster.nodes.get_mut(node).unwrap().node;
        node.zone = Some(zone.into());
        node.labels = [(HOST, &*node.name), (ZONE, zone)].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    }
    world
}

fn labels(app: &str) -> Labels {
    [("app".to_owned(), app.to_owned())].into()
}

fn tenant(nth: usize, app: &str, spec: &Value) -> Tenant {
    Tenant {
        uid: format!("{app}-{nth}").as_str().into(),
        namespace: "default".to_owned(),
        name: format!("{app}-{nth}"),
        labels: labels(app),
        owner: Owner::Controller,
        mirror: false,
        finished: false,
        deleting: false,
        demand: Demand::PodIp,
        requests: Requests::default(),
        placement: Placement::of_spec(spec.clone()).unwrap(),
        ties: Ties::of_spec(spec.clone(), "default", &labels(app)).unwrap(),
        has_ip: true,
        local_storage: false,
        claims: Default::default(),
        pinned: None,
        safe_to_evict: None,
        grace: Duration::from_secs(30),
    }
}

impl World {
    fn stands(&mut self, node: &str, app: &str, spec: &Value) -> &mut crate::state::PodInfo {
        let nth = self.fixture.cluster.pods.len();
        let pod = self.fixture.pod(node, None);
        (pod.name, pod.waiting_since) = (format!("default/{app}-{nth}").into(), None);
        pod.scheduling.labels = labels(app).into();
        pod.scheduling.placement = Placement::of_spec(spec.clone()).unwrap().into();
        pod.scheduling.ties = Ties::of_spec(spec.clone(), "default", &labels(app)).unwrap().into();
        pod
    }

    /// Why pods like these, one for each of `apps`, cannot leave i-1.
    fn leave(&self, movers: &[(&str, &Value)]) -> Option<Refusal> {
        let tenants = movers.iter().enumerate().map(|(nth, (app, spec))| tenant(nth, app, spec)).collect();
        let inspected = Inspected { tenants, ..Inspected::default() };
        self.with(|facts| inspect(facts, "i-1", &inspected)).err().map(|because| because.refusal)
    }
}

fn required(kind: &str, key: &str, app: &str) -> Value {
    let term = json!({"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}});
    json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}})
}

fn spread(key: &str, max_skew: u32) -> Value {
    json!({"topologySpreadConstraints": [{"maxSkew": max_skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}}}]})
}

const NOWHERE: Option<Refusal> = Some(Refusal::NoPlaceElsewhere);

#[test]
fn pods_that_stay_apart_need_a_domain_each() {
    let (plain, by_host, by_zone) =
        (json!({}), required("podAntiAffinity", HOST, "web"), required("podAntiAffinity", ZONE, "web"));
    let mut world = world();
    assert_eq!(world.leave(&[("web", &by_host)]), None);
    assert_eq!(world.leave(&[("web", &by_host), ("web", &by_host)]), None);
    assert_eq!(world.leave(&[("web", &by_host), ("web", &by_host), ("web", &by_host)]), NOWHERE);
    world.stands("i-1", "web", &plain);
    assert_eq!(world.leave(&[("web", &by_zone)]), None, "those of the node itself go too");
    world.stands("i-2", "web", &plain);
    assert_eq!(world.leave(&[("web", &by_host)]), None, "to i-3");
    assert_eq!(world.leave(&[("web", &by_host), ("web", &by_host)]), NOWHERE);
    assert_eq!(world.leave(&[("web", &by_zone)]), None, "to zone b");
    world.stands("i-3", "web", &plain);
    assert_eq!((world.leave(&[("web", &by_host)]), world.leave(&[("web", &plain)])), (NOWHERE, None));
    assert_eq!(world.leave(&[("other", &by_host)]), NOWHERE, "it need not be one of them");
}

#[test]
fn pods_that_are_there_keep_others_away() {
    let (plain, alone) = (json!({}), required("podAntiAffinity", ZONE, "web"));
    let mut world = world();
    world.stands("i-2", "db", &alone);
    assert_eq!(world.leave(&[("web", &plain)]), None);
    world.stands("i-3", "db", &alone);
    assert_eq!((world.leave(&[("web", &plain)]), world.leave(&[("db", &plain)])), (NOWHERE, None));
    for pod in world.fixture.cluster.pods.values_mut() {
        pod.name = pod.name.replace("default/", "shop/").into();
        pod.scheduling.ties = Ties::of_spec(alone.clone(), "shop", &labels("db")).unwrap().into();
    }
    assert_eq!(world.leave(&[("web", &plain)]), None, "theirs is another namespace");
}

#[test]
fn pods_that_want_to_be_together_follow_those_that_are_there() {
    let (plain, near) = (json!({}), required("podAffinity", ZONE, "db"));
    let mut world = world();
    assert_eq!(world.leave(&[("web", &near)]), NOWHERE, "nobody is there");
    assert_eq!(world.leave(&[("db", &near)]), None, "the first of its kind may be anywhere");
    world.stands("i-1", "db", &plain);
    assert_eq!(world.leave(&[("web", &near)]), NOWHERE, "who goes too is no company");
    world.stands("i-3", "db", &plain);
    assert_eq!(world.leave(&[("web", &near)]), None);
    let elsewhere = json!({"nodeSelector": {ZONE: "a"}, "affinity": near["affinity"]});
    assert_eq!(world.leave(&[("web", &elsewhere)]), NOWHERE);
    world.fixture.cluster.nodes.get_mut("i-3").unwrap().node.labels.remove(ZONE);
    assert_eq!(world.leave(&[("web", &near)]), NOWHERE, "a node without the label is of no domain");
}

#[test]
fn a_spread_holds_while_the_node_is_still_there() {
    let plain = json!({});
    let mut world = world();
    assert_eq!(world.leave(&[("web", &spread(ZONE, 1)), ("web", &spread(ZONE, 1))]), None, "one in each zone");
    let four = spread(ZONE, 1);
    assert_eq!(world.leave(&[("web", &four), ("web", &four), ("web", &four), ("web", &four)]), None);
    world.stands("i-3", "web", &plain);
    world.stands("i-3", "web", &plain);
    let bound = json!({"nodeSelector": {HOST: "i-3"}, "topologySpreadConstraints": four["topologySpreadConstraints"]});
    assert_eq!(world.leave(&[("web", &bound)]), None, "its node affinity leaves one domain");
    let everywhere = json!({"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule",
        "nodeAffinityPolicy": "Ignore", "labelSelector": {"matchLabels": {"app": "web"}}});
    let bound = json!({"nodeSelector": {HOST: "i-3"}, "topologySpreadConstraints": [everywhere]});
    assert_eq!(world.leave(&[("web", &bound)]), NOWHERE, "0 in a, 3 in b");
    // By hosts there are 0 on i-1, which is empty and there, 0 on i-2 and 2 on i-3.
    assert_eq!(world.leave(&[("web", &spread(HOST, 1))]), None);
    assert_eq!(world.leave(&[("web", &spread(HOST, 1)), ("web", &spread(HOST, 1))]), NOWHERE);
    world.stands("i-2", "web", &plain).scheduling.leaving = true;
    assert_eq!(world.leave(&[("web", &spread(HOST, 1))]), None, "one that is being deleted does not count");
    let mut few = spread(ZONE, 1);
    few["topologySpreadConstraints"][0]["minDomains"] = 3.into();
    assert_eq!(world.leave(&[("web", &few)]), None);
    assert_eq!(world.leave(&[("web", &few), ("web", &few)]), NOWHERE, "with too few domains the least is none");
}

#[test]
fn ports_of_the_host_and_devices_are_taken_once() {
    let port = |ip: &str| json!({"containers": [{"ports": [{"containerPort": 80, "hostPort": 80, "hostIP": ip}]}]});
    let gpu = |count: &str| json!({"containers": [{"resources": {"requests": {"nvidia.com/gpu": count}}}]});
    let mut world = world();
    world.stands("i-2", "ingress", &port("10.0.0.9"));
    assert_eq!(world.leave(&[("web", &port(""))]), None, "i-3");
    assert_eq!(world.leave(&[("web", &port("")), ("web", &port(""))]), NOWHERE);
    assert_eq!(world.leave(&[("web", &port("")), ("web", &port("10.0.0.8"))]), None, "another address of i-2");
    assert_eq!(world.leave(&[("web", &gpu("1"))]), NOWHERE);
    world.fixture.cluster.nodes.get_mut("i-3").unwrap().node.extended.insert("nvidia.com/gpu".to_owned(), 4);
    world.stands("i-3", "train", &gpu("2"));
    assert_eq!(world.leave(&[("web", &gpu("1")), ("web", &gpu("1"))]), None);
    assert_eq!(world.leave(&[("web", &gpu("1")), ("web", &gpu("2"))]), NOWHERE);
}

#[test]
fn a_volume_that_stays_on_the_node_keeps_it_whatever_the_owner_allows() {
    let world = world();
    for safe_to_evict in [None, Some(true)] {
        let bound = |pinned: Option<&str>| Tenant {
            safe_to_evict,
            pinned: pinned.map(str::to_owned),
            ..tenant(0, "db", &json!({}))
        };
        let leave = |pod: Tenant| {
            let inspected = Inspected { tenants: vec![pod], ..Inspected::default() };
            world.with(|facts| inspect(facts, "i-1", &inspected))
        };
        assert_eq!(leave(bound(None)), Ok(()));
        let why = leave(bound(Some("claim data: volume pv-1 is on a disk of its node"))).unwrap_err();
        assert_eq!(why.refusal, Refusal::PodLocalStorage);
        assert!(why.detail.starts_with("default/db-0: claim data"), "{}", why.detail);
    }
}

#[test]
fn what_is_not_simulated_keeps_the_node() {
    let by_labels =
        json!({"topologyKey": ZONE, "namespaceSelector": {"matchLabels": {"team": "a"}}, "labelSelector": {}});
    let near = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [by_labels]}}});
    for spec in [near, json!({"resourceClaims": [{"name": "gpu"}]})] {
        assert_eq!(world().leave(&[("web", &spec)]), Some(Refusal::PodDependsOnOthers));
    }
}

proptest! {
    /// Pods that keep apart by host find places exactly where there are as many hosts without one of them.
    #[test]
    fn who_keeps_apart_by_host_needs_as_many_free_hosts(movers in 1_usize..5, (two, three) in (any::<bool>(), any::<bool>())) {
        let (plain, apart) = (json!({}), required("podAntiAffinity", HOST, "web"));
        let mut world = world();
        for (node, _) in [("i-2", two), ("i-3", three)].into_iter().filter(|(_, taken)| *taken) {
            world.stands(node, "web", &plain);
        }
        let free = usize::from(!two) + usize::from(!three);
        let refused = world.leave(&vec![("web", &apart); movers]);
        prop_assert_eq!(refused.is_none(), movers <= free);
        // And as ports do.
        let port = json!({"containers": [{"ports": [{"containerPort": 80, "hostPort": 80}]}]});
        let mut world = self::world();
        for (node, _) in [("i-2", two), ("i-3", three)].into_iter().filter(|(_, taken)| *taken) {
            world.stands(node, "web", &port);
        }
        prop_assert_eq!(world.leave(&vec![("web", &port); movers]).is_none(), movers <= free);
    }
}
