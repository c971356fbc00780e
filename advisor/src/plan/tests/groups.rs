//! Which group a waiting pod could use.

use headroom_cluster::{Placement, Taint};
use serde_json::{Value, json};

use super::*;

/// Beside `workers` the group `ml`, of one node in subnet c of another zone, which has the label `team: ml`. All three nodes are full.
fn world() -> World {
    let mut world = World::new();
    world.full("i-1", 0);
    world.full("i-2", 1);
    world.fixture.subnet("c", "10.0.2.0/24", &[]);
    world.fixture.inventory.subnets.get_mut(&"c".into()).unwrap().az = "us-west-2b".into();
    world.fixture.node("i-3", 7200);
    for (nth, base) in [100, 110, 120].into_iter().enumerate() {
        let ten: Vec<String> = (0..10).map(|last| format!("10.0.2.{}", base + last)).collect();
        let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
        ten[1..].iter().for_each(|address| drop(world.fixture.pod("i-3", Some(address)).name.clone()));
        world.fixture.eni("i-3", u32::try_from(nth).unwrap(), "c", &ten);
    }
    let instance = world.fixture.inventory.instances.get_mut(&InstanceId::from("i-3")).unwrap();
    (instance.group, instance.subnet) = (Some("ml".into()), Some("c".into()));
    let group = Group {
        name: "ml".into(),
        desired: 1,
        subnets: vec!["c".into()],
        members: vec![member("i-3")],
        ..world.group().clone()
    };
    world.fixture.inventory.groups.insert("ml".into(), group);
    label(&mut world, "i-1", "team", "web");
    label(&mut world, "i-2", "team", "web");
    label(&mut world, "i-3", "team", "ml");
    world
}

fn label(world: &mut World, node: &str, key: &str, value: &str) {
    let node = &mut world.fixture.cluster.nodes.get_mut(node).unwrap().node;
    node.labels.insert(key.to_owned(), value.to_owned());
}

fn taint(world: &mut World, node: &str, key: &str) {
    let node = &mut world.fixture.cluster.nodes.get_mut(node).unwrap().node;
    node.taints.push(Taint { key: key.to_owned(), value: String::new(), effect: "NoSchedule".to_owned() });
}

impl World {
    /// Pods of one controller that wait for an address.
    fn waits(&mut self, name: &str, pods: usize, spec: Value) {
        let placement = Arc::new(Placement::of_spec(spec).unwrap());
        for nth in 0..pods {
            let pod = self.fixture.pod("none", None);
            (pod.node, pod.waiting_since) = (None, None);
            pod.shortage = Some((Reason::InstanceIpLimit, NOW));
            pod.name = format!("default/{name}-{nth}").into();
            pod.scheduling.placement = Arc::clone(&placement);
        }
    }
}

fn team(name: &str) -> Value {
    json!({"nodeSelector": {"team": name}})
}

fn zone(names: &[&str]) -> Value {
    let term = json!({"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": names}]});
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}})
}

fn steps(plan: &ScalingPlan) -> Vec<(&str, u32, u32, Option<&str>)> {
    let step = |one: &super::ScaleOut| one.to - one.from;
    plan.scale_out
        .iter()
        .map(|one| (&*one.group, step(one), one.pods, one.subnet.as_ref().map(|id| id.as_str())))
        .collect()
}

#[test]
fn pods_get_nodes_in_the_groups_that_they_may_be_in() {
    let mut world = world();
    world.waits("free", 5, json!({}));
    assert_eq!(steps(&world.plan()), [("workers", 1, 5, None)], "the group with most room");
    world.waits("train", 30, team("ml"));
    assert_eq!(steps(&world.plan()), [("workers", 1, 5, None), ("ml", 2, 30, None)]);
    // Pods without a choice come first where both could be served.
    world.group().max = 2;
    let plan = world.plan();
    assert_eq!(steps(&plan), [("ml", 2, 35, None)], "{plan}");
    assert_eq!(why(&plan, What::ScaleOut), [Refusal::MaxSize]);
}

#[test]
fn taints_keep_pods_from_a_group_unless_they_pass() {
    let mut world = world();
    world.group().max = 2;
    world.waits("free", 5, json!({}));
    assert_eq!(steps(&world.plan()), [("ml", 1, 5, None)]);
    taint(&mut world, "i-3", "node.kubernetes.io/memory-pressure");
    assert_eq!(steps(&world.plan()), [("ml", 1, 5, None)], "the next node will have memory");
    taint(&mut world, "i-3", "gpu");
    let plan = world.plan();
    assert_eq!((steps(&plan), plan.shortage.need, plan.shortage.nowhere), (vec![], 5, 0), "{plan}");
    world.waits("train", 3, json!({"tolerations": [{"key": "gpu", "operator": "Exists"}]}));
    assert_eq!(steps(&world.plan()), [("ml", 1, 3, None)]);
}

#[test]
fn pods_that_no_group_can_help_are_told_and_keep_no_node() {
    let mut world = world();
    world.waits("lost", 3, team("ops"));
    let plan = world.plan();
    assert_eq!(
        plan.to_string(),
        "plan 7 (act), from books 0 s old\n\
         3 pods wait for addresses, 0 are stuck; room for 0, 0 with nodes that come; 3 need nodes, which no group has for 3\n\
         no scale_out default/lost-0: no group that is scaled (tag scaling.group_tag) has nodes that the pod may be on: 3 \
         pods with the same node selector, affinity and tolerations (no_group_for_pod)\n"
    );
    // They do not keep what is spare.
    world.fixture.cluster.pods.retain(|_, pod| pod.node.as_deref() != Some("i-1"));
    let world = world.long_spare();
    assert_eq!(world.plan().scale_in.map(|one| one.node.to_string()).as_deref(), Some("i-1"));
}

#[test]
fn a_node_that_a_waiting_pod_may_be_on_is_not_spare() {
    for (pod, stays) in [(json!({}), true), (json!({"nodeSelector": {"team": "nobody"}}), false)] {
        let mut world = World::new().long_spare();
        world.waits("web", 1, pod.clone());
        let plan = world.plan();
        // The nodes have room for it, so none is added.
        assert!(plan.scale_out.is_empty(), "{plan}");
        assert_eq!(plan.scale_in.is_none(), stays, "{plan}");
        assert_eq!(why(&plan, What::ScaleIn).contains(&Refusal::NodesWanted), stays, "{pod}: {plan}");
    }
}

#[test]
fn a_pod_that_is_bound_to_a_zone_gets_a_node_there() {
    let mut world = world();
    let workers = world.group();
    workers.subnets.push("c".into());
    let workers = workers.clone();
    world.fixture.inventory.groups = [("workers".into(), workers)].into();
    world.waits("there", 20, zone(&["us-west-2b"]));
    assert_eq!(steps(&world.plan()), [("workers", 1, 20, Some("c"))]);
    // One node serves both kinds; two in that zone would leave three zones' worth out of balance.
    world.waits("anywhere", 7, json!({}));
    assert_eq!(steps(&world.plan()), [("workers", 1, 27, Some("c"))]);
    world.waits("more", 60, json!({}));
    assert_eq!(steps(&world.plan())[0].3, Some("c"), "most pods are served where all may be");
    // Where there is nothing left, those that may be elsewhere do not wait for it.
    let taken: Vec<String> = (130..250).chain(4..90).map(|last| format!("10.0.2.{last}")).collect();
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    let foreign = world.fixture.eni("other", 0, "c", &taken);
    (foreign.attachment, foreign.tags) = (None, Default::default());
    world.group().suspended.push("AZRebalance".to_owned());
    let plan = world.plan();
    assert_eq!(steps(&plan)[0].3, Some("a"), "{plan}");
    world.fixture.inventory.enis.pop();
    world.fixture.cluster.pods.retain(|_, pod| !pod.name.starts_with("default/there"));
    assert_eq!(steps(&world.plan())[0].3, None);
}

#[test]
fn room_and_nodes_to_come_are_for_those_who_may_use_them() {
    let mut world = world();
    world.waits("train", 3, team("ml"));
    // A node with room, of the group that the pods cannot be in.
    world.fixture.cluster.pods.retain(|_, pod| pod.node.as_deref() != Some("i-1"));
    world.fixture.inventory.enis.retain(|eni| {
        eni.attachment.as_ref().and_then(|at| at.instance.as_ref()).is_none_or(|id| id.as_str() != "i-1")
    });
    world.fixture.eni("i-1", 0, "a", &["10.0.0.10"]);
    let plan = world.plan();
    assert_eq!((steps(&plan), plan.shortage.room >= 20), (vec![("ml", 1, 3, None)], true), "{plan}");
    world.group().desired = 4;
    let plan = world.plan();
    assert_eq!((steps(&plan), plan.shortage.coming), (vec![("ml", 1, 3, None)], 54), "{plan}");
    world.fixture.inventory.groups.get_mut("ml").unwrap().desired = 2;
    assert_eq!(steps(&world.plan()), [], "theirs is on its way");
}

#[test]
fn a_mixed_group_serves_a_pod_only_where_each_of_its_looks_would() {
    let mut world = world();
    label(&mut world, "i-1", "size", "l");
    label(&mut world, "i-2", "size", "xl");
    let sizes = |operator: &str, values: &[&str]| {
        let term = json!({"matchExpressions": [{"key": "size", "operator": operator, "values": values}]});
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}})
    };
    for (operator, values, served) in [
        ("In", &["l", "xl"][..], true),
        ("In", &["l"], false),
        ("NotIn", &["l"], false),
        ("NotIn", &["m"], true),
        ("Exists", &[], true),
    ] {
        let mut world = World { fixture: world.fixture.clone(), ..self::world() };
        world.fixture.inventory.groups.remove("ml");
        world.waits("a", 1, sizes(operator, values));
        assert_eq!(!world.plan().scale_out.is_empty(), served, "{operator} {values:?}");
    }
}

proptest! {
    /// No step is for pods that may not be in its group, and none of those that a group could serve is called lost.
    #[test]
    fn a_step_is_for_pods_that_may_be_in_its_group(
        (free, web, ml, ops) in (0_usize..40, 0_usize..40, 0_usize..40, 0_usize..40),
        (max_workers, max_ml, step) in (2_u32..6, 1_u32..6, 1_u32..8),
        there in 0_usize..40,
    ) {
        let mut world = world();
        world.policy.scale_out.max_step = step;
        world.group().max = max_workers;
        world.fixture.inventory.groups.get_mut("ml").unwrap().max = max_ml;
        for (name, pods, spec) in
            [("free", free, json!({})), ("web", web, team("web")), ("ml", ml, team("ml")), ("ops", ops, team("ops")),
             ("there", there, zone(&["us-west-2b"]))]
        {
            world.waits(name, pods, spec);
        }
        let plan = world.plan();
        let pods = |group: &str| plan.scale_out.iter().filter(|one| &*one.group == group).map(|one| one.pods as usize).sum::<usize>();
        prop_assert!(pods("workers") <= free + web && pods("ml") <= free + ml + there, "{}", plan);
        prop_assert!(pods("workers") + pods("ml") <= free + web + ml + there);
        prop_assert_eq!(plan.shortage.nowhere as usize, ops);
        prop_assert_eq!(plan.shortage.need as usize, free + web + ml + ops + there);
        if ops > 0 {
            prop_assert!(why(&plan, What::ScaleOut).contains(&Refusal::NoGroupForPod));
        }
        if max_ml > 1 && ml + there > 0 && plan.scale_out.iter().map(|one| one.to - one.from).sum::<u32>() < step {
            prop_assert!(pods("ml") > 0, "{}", plan);
        }
    }
}
