//! What a node to come holds for pods that wait, beside those of DaemonSets.

use headroom_capacity::units::Ips;
use headroom_cluster::{Kind, Placement, Surge, Workload};
use serde_json::{Value, json};

use super::*;
use crate::state::Declarations;

fn daemon_set(name: &str, host_network: bool, spec: Value) -> ((Kind, Arc<str>), Workload) {
    let workload = Workload {
        name: name.into(),
        host_network,
        wanted: 2,
        current: 2,
        surge: Surge::Pods(0),
        rolls: false,
        placement: Some(Placement::of_spec(spec).unwrap()),
    };
    ((Kind::DaemonSet, name.into()), workload)
}

/// Two full nodes, and so many pods that wait.
fn world(pods: usize) -> World {
    let mut world = World::new();
    world.full("i-1", 0);
    world.full("i-2", 1);
    world.waiting(pods, Reason::InstanceIpLimit);
    world
}

fn nodes(world: &World) -> u32 {
    world.plan().scale_out.iter().map(|step| step.to - step.from).sum()
}

#[test]
fn pods_of_daemon_sets_take_their_part_of_a_node() {
    let mut world = world(27);
    assert_eq!(nodes(&world), 1);
    let sets = [
        daemon_set("kube-system/proxy", true, json!({})),
        daemon_set("gpu/driver", false, json!({"nodeSelector": {"gpu": "true"}})),
    ];
    let mut declared = Declarations::complete();
    declared.workloads = sets.into();
    world.fixture.cluster.declared = declared.clone().into();
    assert_eq!(
        nodes(&world),
        1,
        "kubelet's 29 pods leave room for two on the host, and no node of the group has a GPU"
    );
    declared.workloads.extend([daemon_set("monitoring/exporter", false, json!({}))]);
    world.fixture.cluster.declared = declared.clone().into();
    assert_eq!(nodes(&world), 2);
    declared.workloads.extend((0..2).map(|nth| daemon_set(&format!("ops/host-{nth}"), true, json!({}))));
    world.fixture.cluster.declared = declared.clone().into();
    let plan = world.plan();
    assert_eq!((plan.scale_out[0].to - plan.scale_out[0].from, plan.scale_out[0].pods), (2, 27));
    declared.workloads.extend((0..27).map(|nth| daemon_set(&format!("ops/more-{nth}"), false, json!({}))));
    world.fixture.cluster.declared = declared.into();
    assert_eq!(why(&world.plan(), What::ScaleOut), [Refusal::NoSubnetRoom]);
}

/// With a warm ENI a node with 9 pods attaches two ENIs, and one more with the tenth.
#[test]
fn their_addresses_count_in_what_a_subnet_must_have() {
    let mut world = world(9);
    world.group().subnets = vec!["b".into()];
    let free = |world: &World| world.with(|facts| facts.ledger.subnets[&"b".into()].free_ips);
    let taken = free(&world) - Ips(20);
    let others: Vec<String> =
        (4..254).filter(|last| !(100..130).contains(last)).map(|last| format!("10.0.1.{last}")).collect();
    let others: Vec<&str> = others.iter().take(taken.get() as usize).map(String::as_str).collect();
    let foreign = world.fixture.eni("other", 0, "b", &others);
    (foreign.attachment, foreign.tags) = (None, Default::default());
    assert_eq!((free(&world), nodes(&world)), (Ips(20), 1));
    let set = daemon_set("monitoring/exporter", false, json!({}));
    let mut declared = Declarations::complete();
    declared.workloads = [set].into();
    world.fixture.cluster.declared = declared.into();
    let plan = world.plan();
    assert_eq!(why(&plan, What::ScaleOut), [Refusal::NoSubnetRoom], "{plan}");
}
