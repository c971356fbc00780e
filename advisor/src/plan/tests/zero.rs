//! Groups without an instance.

use headroom_cluster::Placement;
use serde_json::{Value, json};

use super::*;

/// `workers` has none; nor has the cluster.
fn world(spec: Value) -> World {
    let mut world = World::new();
    let (inventory, cluster) = (&mut world.fixture.inventory, &mut world.fixture.cluster);
    (inventory.instances, inventory.enis) = Default::default();
    cluster.nodes.clear();
    let workers = world.group();
    (workers.members, workers.min, workers.desired) = (Vec::new(), 0, 0);
    world.waiting(30, Reason::InstanceIpLimit);
    let placement = Arc::new(Placement::of_spec(spec).unwrap());
    world.fixture.cluster.pods.values_mut().for_each(|pod| pod.scheduling.placement = Arc::clone(&placement));
    world
}

fn tag(world: &mut World, key: &str, value: &str) {
    world.group().tags.insert(format!("k8s.io/cluster-autoscaler/node-template/{key}"), value.to_owned());
}

fn added(world: &World) -> u32 {
    world.plan().scale_out.iter().map(|step| step.to - step.from).sum()
}

#[test]
fn a_group_whose_type_is_known_gets_its_first_nodes() {
    let mut world = world(json!({}));
    assert_eq!(why(&world.plan(), What::ScaleOut), [Refusal::UnknownType]);
    tag(&mut world, "label/node.kubernetes.io/instance-type", "m5.large");
    assert_eq!(added(&world), 2, "27 pods a node");
    world.group().types = vec!["m5.xlarge".into()];
    assert_eq!(added(&world), 1, "what the policy names goes before");
    world.group().types = vec!["m5.xlarge".into(), "t3.small".into()];
    assert_eq!(added(&world), 4, "nobody knows which it will be");
    world.group().types = vec!["x9.new".into()];
    assert_eq!(why(&world.plan(), What::ScaleOut), [Refusal::UnknownType]);
}

#[test]
fn its_tags_say_who_may_be_there() {
    let spec = json!({"nodeSelector": {"team": "ml", "node.kubernetes.io/instance-type": "m5.large", "kubernetes.io/os": "linux"}});
    let mut world = world(spec);
    world.group().types = vec!["m5.large".into()];
    assert_eq!(why(&world.plan(), What::ScaleOut), [Refusal::NoGroupForPod]);
    tag(&mut world, "label/team", "ml");
    assert_eq!(added(&world), 2);
    tag(&mut world, "taint/gpu", "true:NoSchedule");
    assert_eq!(added(&world), 0);
    tag(&mut world, "taint/gpu", "true:PreferNoSchedule");
    assert_eq!(added(&world), 2);
    world.group().types.push("m5.xlarge".into());
    assert_eq!(added(&world), 0, "it may be of another type");
}

#[test]
fn a_managed_node_group_is_not_taken_to_have_no_taints() {
    let mut world = world(json!({}));
    world.group().types = vec!["m5.large".into()];
    world.group().tags.insert("eks:nodegroup-name".to_owned(), "workers".to_owned());
    assert_eq!(why(&world.plan(), What::ScaleOut), [Refusal::UnknownTemplate]);
    tag(&mut world, "label/team", "ml");
    assert_eq!(added(&world), 2, "somebody has said what its nodes are like");
}

#[test]
fn labels_that_every_node_gets_need_no_tag() {
    for (label, value, nodes) in [
        ("topology.kubernetes.io/region", "us-west-2", 2),
        ("topology.kubernetes.io/region", "us-east-1", 0),
        ("failure-domain.beta.kubernetes.io/region", "us-west-2", 2),
        ("beta.kubernetes.io/os", "linux", 2),
        ("beta.kubernetes.io/os", "windows", 0),
        ("beta.kubernetes.io/instance-type", "m5.large", 2),
    ] {
        let mut world = world(json!({"nodeSelector": {label: value}}));
        world.group().types = vec!["m5.large".into()];
        assert_eq!(added(&world), nodes, "{label}={value}");
    }
}
