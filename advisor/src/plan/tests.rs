mod costs;
mod filters;
mod groups;
mod zero;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use headroom_capacity::settings::CniSettings;
use headroom_capacity::verdict::Reason;
use proptest::prelude::*;

use super::*;
use crate::config::Scaling;
use crate::headroom::{Headroom, headroom};
use crate::inventory::{Group, Member, ReadAt};
use crate::ledger::tests::fixture::{Fixture, NOW, policy};
use crate::ledger::{Known, Ledger};

const AGE: Duration = Duration::from_secs(180);

/// Two m5.large in group `workers`, which may be anywhere in subnets a and b of one zone.
struct World {
    fixture: Fixture,
    policy: Scaling,
    ahead: Ahead,
    reach: Reach,
    journal: Journal,
    findings: Findings,
    autoscaler: Option<bool>,
    unneeded: Unneeded,
    unmovable: HashSet<PodUid>,
    busy: Option<&'static str>,
}

impl World {
    fn new() -> World {
        let mut fixture = Fixture::new(CniSettings::default());
        for (nth, name) in ["i-1", "i-2"].into_iter().enumerate() {
            fixture.node(name, 7200);
            fixture.eni(name, 0, "a", &[&format!("10.0.0.{}", 10 + nth)]);
            let instance = fixture.inventory.instances.get_mut(&InstanceId::from(name)).unwrap();
            instance.group = Some("workers".into());
            let node = &mut fixture.cluster.nodes.get_mut(name).unwrap().node;
            node.allocatable.cpu_millis = Some(2000);
            node.allocatable.memory_bytes = Some(8 << 30);
        }
        let read = Some(NOW);
        fixture.inventory.read_at =
            ReadAt { subnets: read, enis: read, instances: read, groups: read, ..ReadAt::default() };
        let policy = Scaling { mode: Mode::Act, ..Scaling::default() };
        let mut world = World {
            fixture,
            policy,
            ahead: Ahead::new(),
            reach: Reach { scale_out: Ok(()), scale_in: Ok(()), credentials: None },
            journal: Journal::default(),
            findings: Findings::default(),
            autoscaler: Some(false),
            unneeded: Unneeded::default(),
            unmovable: HashSet::new(),
            busy: None,
        };
        let group = Group {
            name: "workers".into(),
            min: 1,
            max: 6,
            desired: 2,
            subnets: vec!["a".into(), "b".into()],
            members: ["i-1", "i-2"].into_iter().map(member).collect(),
            types: Vec::new(),
            suspended: Vec::new(),
            tags: BTreeMap::from([("headroom.dev/scale".to_owned(), "true".to_owned())]),
        };
        world.fixture.inventory.groups.insert("workers".into(), group);
        world
    }

    fn group(&mut self) -> &mut Group {
        self.fixture.inventory.groups.get_mut("workers").unwrap()
    }

    /// Pods that the extender keeps from every node.
    fn waiting(&mut self, pods: usize, reason: Reason) {
        for nth in 0..pods {
            let pod = self.fixture.pod("none", None);
            (pod.node, pod.waiting_since, pod.shortage) = (None, None, Some((reason, NOW)));
            pod.name = format!("default/web-{nth}").into();
        }
    }

    /// Fills every address that `node` can have.
    fn full(&mut self, node: &str, block: u8) {
        let pods = 27;
        let mut addresses: Vec<String> = (0..pods + 3).map(|nth| format!("10.0.{block}.{}", 100 + nth)).collect();
        self.fixture.inventory.enis.retain(|eni| {
            eni.attachment.as_ref().and_then(|at| at.instance.as_ref()).is_none_or(|id| id.as_str() != node)
        });
        for index in 0..3 {
            let ten: Vec<String> = addresses.drain(..10).collect();
            let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
            for address in &ten[1..] {
                self.fixture.pod(node, Some(address));
            }
            self.fixture.eni(node, index, if block == 0 { "a" } else { "b" }, &ten);
        }
    }

    fn with<T>(&self, look: impl FnOnce(&Facts<'_>) -> T) -> T {
        let ledger: Ledger = self.fixture.ledger();
        let books = policy();
        let known = Known::new(&self.fixture.inventory, &self.fixture.cluster, &books, NOW);
        let headroom: Headroom = headroom(&ledger, &self.fixture.cluster, NOW);
        look(&Facts {
            now: NOW,
            policy: &self.policy,
            ledger: &ledger,
            inventory: &self.fixture.inventory,
            cluster: &self.fixture.cluster,
            known: &known,
            headroom: &headroom,
            max_age: AGE,
            ahead: &self.ahead,
            reach: &self.reach,
            autoscaler: self.autoscaler,
            journal: &self.journal,
            findings: &self.findings,
            unmovable: &self.unmovable,
            busy: self.busy,
        })
    }

    fn plan(&self) -> ScalingPlan {
        self.with(|facts| plan(facts, 7, &self.unneeded)).0
    }

    /// As after many plans: both nodes have been spare for a day, and were looked at.
    fn long_spare(mut self) -> World {
        let since = NOW - Duration::from_secs(86_400);
        self.unneeded = Unneeded::since(&["i-1", "i-2"], since);
        for node in ["i-1", "i-2"] {
            self.findings.add(&node.into(), Ok(()), NOW);
        }
        self
    }
}

fn member(id: &str) -> Member {
    Member { instance: id.into(), instance_type: "m5.large".into(), lifecycle: "InService".into(), protected: false }
}

fn why(plan: &ScalingPlan, what: What) -> Vec<Refusal> {
    plan.refused.iter().filter(|refused| refused.what == what).map(|refused| refused.why.refusal).collect()
}

#[test]
fn pods_that_no_node_has_an_address_for_get_nodes() {
    let mut world = World::new();
    world.full("i-1", 0);
    world.full("i-2", 1);
    world.waiting(30, Reason::InstanceIpLimit);
    let plan = world.plan();
    assert_eq!(
        plan.to_string(),
        "plan 7 (act), from books 0 s old\n\
         30 pods wait for addresses, 0 are stuck; room for 0, 0 with nodes that come; 30 need nodes\n\
         scale out workers by 2: 2 -> 4, for 30 pods that lack an address\n"
    );
    assert_eq!((plan.scale_out[0].from, plan.scale_out[0].to, &plan.scale_out[0].subnet), (2, 4, &None));
}

#[test]
fn room_that_is_there_or_on_its_way_is_used_first() {
    let mut world = World::new();
    world.waiting(30, Reason::InstanceIpLimit);
    let plan = world.plan();
    assert!(plan.shortage.room >= 30 && plan.shortage.need == 0 && plan.scale_out.is_empty(), "{plan}");
    // None of them has found it for a minute.
    let short = Some((Reason::InstanceIpLimit, NOW - Duration::from_secs(60)));
    world.fixture.cluster.pods.values_mut().take(3).for_each(|pod| pod.shortage = short);
    let plan = world.plan();
    assert_eq!((plan.shortage.need, plan.scale_out.len()), (3, 1), "{plan}");
    world.full("i-1", 0);
    world.full("i-2", 1);
    world.group().desired = 4;
    let plan = world.plan();
    assert!(plan.shortage.coming >= 30 && plan.scale_out.is_empty(), "{plan}");
    world.journal.add(Deed::LaunchFailed, "workers", 2, NOW);
    let plan = world.plan();
    assert_eq!((plan.shortage.coming, plan.shortage.need), (0, 30), "its launches fail");
    assert_eq!(why(&plan, What::ScaleOut), [Refusal::BackOff]);
}

#[test]
fn a_reason_that_passes_by_itself_asks_for_no_node() {
    let mut world = World::new();
    world.full("i-1", 0);
    world.full("i-2", 1);
    for reason in [Reason::CoolingDown, Reason::Claimed, Reason::PoolGrowing, Reason::IpamdBackOff] {
        world.waiting(5, reason);
    }
    assert!(world.plan().is_empty());
}

#[test]
fn nodes_go_where_the_subnet_can_feed_them_and_nowhere_else() {
    let mut world = World::new();
    world.full("i-1", 0);
    world.full("i-2", 1);
    world.waiting(20, Reason::InstanceIpLimit);
    // Somebody else takes all but nine of subnet a.
    let others: Vec<String> = (1..=253)
        .filter(|last| !(100..130).contains(last) && *last > 12)
        .map(|last| format!("10.0.0.{last}"))
        .collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let foreign = world.fixture.eni("other", 0, "a", &others);
    (foreign.attachment, foreign.tags) = (None, Default::default());
    let plan = world.plan();
    let [step] = &plan.scale_out[..] else { panic!("{plan}") };
    assert_eq!((step.to - step.from, step.subnet.as_ref().map(|id| id.as_str())), (1, Some("b")));
    world.group().subnets = vec!["a".into()];
    let plan = world.plan();
    assert_eq!((why(&plan, What::ScaleOut), plan.scale_out.len()), (vec![Refusal::NoSubnetRoom], 0), "{plan}");
}

#[test]
fn expected_pods_get_nodes_ahead_of_time() {
    let mut world = World::new().long_spare();
    // Two nodes have addresses for 54.
    world.ahead.insert("workers".into(), 74);
    let plan = world.plan();
    let [step] = &plan.scale_out[..] else { panic!("{plan}") };
    assert_eq!((step.cause, step.pods, step.to), (Cause::Forecast, 20, 3));
    assert_eq!(why(&plan, What::ScaleIn), [Refusal::NodesWanted]);
    // One has for 27: a node that is spare now would have to come back.
    world.ahead.insert("workers".into(), 28);
    let plan = world.plan();
    assert!(plan.is_empty() && why(&plan, What::ScaleIn) == [Refusal::Expected; 2], "{plan}");
    world.ahead.insert("workers".into(), 27);
    assert!(world.plan().scale_in.is_some());
}

#[test]
fn every_word_against_a_scale_out_is_kept() {
    let against = |change: &dyn Fn(&mut World)| {
        let mut world = World::new();
        world.full("i-1", 0);
        world.full("i-2", 1);
        world.waiting(5, Reason::InstanceIpLimit);
        change(&mut world);
        let plan = world.plan();
        assert!(plan.scale_out.is_empty(), "{plan}");
        why(&plan, What::ScaleOut)
    };
    let unreachable = || Err(Because::from(Refusal::EndpointNotReachable));
    let tag = || ("k8s.io/cluster-autoscaler/enabled".to_owned(), "true".to_owned());
    for (refusal, change) in [
        (Refusal::MaxSize, &(|world: &mut World| world.group().max = 2) as &dyn Fn(&mut World)),
        (Refusal::LaunchSuspended, &|world| world.group().suspended.push("Launch".to_owned())),
        (Refusal::EndpointNotReachable, &|world| world.reach.scale_out = unreachable()),
        (Refusal::StaleBooks, &|world| world.fixture.inventory.read_at.groups = Some(NOW - AGE * 2)),
        (Refusal::StaleBooks, &|world| world.fixture.cluster.failing_since = Some(NOW)),
        (Refusal::CoolDown, &|world| world.journal.add(Deed::ScaleOut, "workers", 1, NOW)),
        (Refusal::HourlyBudget, &|world| world.journal.add(Deed::ScaleOut, "other", 30, NOW)),
        (Refusal::ClusterAutoscaler, &|world| {
            world.autoscaler = None;
            world.group().tags.extend([tag()]);
        }),
        (Refusal::UnknownType, &|world| {
            world.group().members.iter_mut().for_each(|one| one.instance_type = "x9.new".into())
        }),
    ] {
        assert_eq!(against(change), [refusal]);
    }
    let mut world = World::new();
    world.full("i-1", 0);
    world.full("i-2", 1);
    world.waiting(5, Reason::InstanceIpLimit);
    world.group().tags.extend([tag()]);
    assert_eq!(world.plan().scale_out.len(), 1, "EKS tags groups although no Cluster Autoscaler runs");
    world.group().tags.remove("headroom.dev/scale");
    assert!(world.plan().is_empty(), "not ours");
}

#[test]
fn a_spare_node_goes_once_all_is_said() {
    let mut world = World::new().long_spare();
    world.fixture.pod("i-2", Some("10.0.0.11"));
    let plan = world.plan();
    assert_eq!(
        plan.to_string(),
        "plan 7 (act), from books 0 s old\n\
         0 pods wait for addresses, 0 are stuck; room for 54, 0 with nodes that come; 0 need nodes\n\
         scale in i-1 from 2 (workers): 0 pods move, 1 addresses come back; used 0 %, spare for 86400 s\n"
    );
}

#[test]
fn every_word_against_a_scale_in_is_kept() {
    let against = |change: &dyn Fn(&mut World)| {
        let mut world = World::new().long_spare();
        change(&mut world);
        let plan = world.plan();
        assert!(plan.scale_in.is_none(), "{plan}");
        let said: BTreeSet<Refusal> = why(&plan, What::ScaleIn).into_iter().collect();
        said.into_iter().collect::<Vec<_>>()
    };
    fn nodes(world: &mut World, change: impl Fn(&mut headroom_cluster::Node)) {
        world.fixture.cluster.nodes.values_mut().for_each(|info| change(&mut info.node));
    }
    let every: crate::config::Window = serde_json::from_str(r#"{"from": "00:00", "to": "00:00"}"#).unwrap();
    for (refusal, change) in [
        (Refusal::MinSize, &(|world: &mut World| world.group().min = 2) as &dyn Fn(&mut World)),
        (Refusal::TerminateSuspended, &|world| world.group().suspended.push("Terminate".to_owned())),
        (Refusal::EndpointNotReachable, &|world| world.reach.scale_in = Err(Refusal::EndpointNotReachable.into())),
        (Refusal::CredentialsExpiring, &|world| world.reach.credentials = Some(Duration::from_secs(719))),
        (Refusal::StaleBooks, &|world| world.fixture.inventory.read_at.enis = None),
        (Refusal::Busy, &|world| world.busy = Some("scale-in of i-9")),
        (Refusal::Blackout, &|world| world.policy.blackout.push(every.clone())),
        (Refusal::CoolDown, &|world| world.journal.add(Deed::ScaleOut, "other", 1, NOW - Duration::from_secs(599))),
        (Refusal::CoolDown, &|world| world.journal.add(Deed::ScaleInOver, "other", 1, NOW)),
        (Refusal::ShareSpent, &|world| world.journal.add(Deed::ScaleIn, "other", 1, NOW - Duration::from_secs(1800))),
        (Refusal::HourlyBudget, &|world| {
            world.journal.add(Deed::ScaleIn, "other", 10, NOW - Duration::from_secs(1800))
        }),
        (Refusal::Disabled, &|world| {
            nodes(world, |node| {
                node.annotations
                    .insert("cluster-autoscaler.kubernetes.io/scale-down-disabled".to_owned(), "true".to_owned());
            });
        }),
        (Refusal::Protected, &|world| world.group().members.iter_mut().for_each(|one| one.protected = true)),
        (Refusal::NotInService, &|world| {
            world.group().members.iter_mut().for_each(|one| one.lifecycle = "Pending".into())
        }),
        (Refusal::TooYoung, &|world| world.policy.scale_in.min_age_secs = 7201),
        (Refusal::NotUnneededLongEnough, &|world| world.unneeded = Unneeded::default()),
        (Refusal::NotInspected, &|world| world.findings = Findings::default()),
        (Refusal::OwnPod, &|world| {
            for node in ["i-1", "i-2"] {
                world.findings.add(&node.into(), Err(Refusal::OwnPod.into()), NOW);
            }
        }),
    ] {
        assert_eq!(against(change), [refusal]);
    }
    let mut world = World::new().long_spare();
    world.fixture.cluster.nodes.get_mut("i-1").unwrap().node.unschedulable = true;
    let plan = world.plan();
    assert_eq!(why(&plan, What::ScaleIn)[0], Refusal::Cordoned, "{plan}");
}

#[test]
fn a_node_stays_whose_pods_find_no_addresses() {
    let mut world = World::new().long_spare();
    world.policy.scale_in.utilisation_percent = 100;
    world.full("i-1", 0);
    world.full("i-2", 1);
    let plan = world.plan();
    assert_eq!(why(&plan, What::ScaleIn), [Refusal::NoIpsElsewhere, Refusal::NoIpsElsewhere], "{plan}");
}

#[test]
fn zones_stay_in_balance_unless_nobody_would_set_them_right() {
    let mut world = World::new().long_spare();
    let mut subnet = world.fixture.inventory.subnets[&"b".into()].clone();
    subnet.az = "us-west-2b".into();
    world.fixture.inventory.subnets.insert("b".into(), subnet);
    // Both nodes are in zone a: without one of them it is 1 and 0.
    assert!(world.plan().scale_in.is_some());
    for id in ["i-3", "i-4"] {
        world.fixture.node(id, 7200);
        world.group().members.push(member(id));
    }
    for id in ["i-2", "i-3", "i-4"] {
        let instance = world.fixture.inventory.instances.get_mut(&InstanceId::from(id)).unwrap();
        (instance.group, instance.subnet) = (Some("workers".into()), Some("b".into()));
    }
    world.group().desired = 4;
    let gone = |plan: &ScalingPlan| plan.scale_in.as_ref().map(|one| one.node.to_string());
    let plan = world.plan();
    // 0 and 3 without the first, 1 and 2 without the second.
    assert_eq!(
        (why(&plan, What::ScaleIn), gone(&plan)),
        (vec![Refusal::AzRebalance], Some("i-2".to_owned())),
        "{plan}"
    );
    world.group().suspended.push("AZRebalance".to_owned());
    assert_eq!(gone(&world.plan()).as_deref(), Some("i-1"));
}

#[test]
fn stuck_pods_are_evicted_where_another_node_has_an_address() {
    let mut world = World::new();
    world.policy.stuck_pods = crate::config::StuckPods { evict: true, max_per_minute: 2, ..Default::default() };
    for nth in 0..4 {
        let pod = world.fixture.pod("i-1", None);
        pod.name = format!("default/stuck-{nth}").into();
        let since = NOW - Duration::from_secs(100 + 10 * nth);
        (pod.refused_at, pod.waiting_since) = (Some(NOW), Some(since));
    }
    let plan = world.plan();
    let evicted: Vec<&str> = plan.evictions.iter().map(|pod| &*pod.name).collect();
    assert_eq!(evicted, ["default/stuck-3", "default/stuck-2"], "those that waited past the grace, longest first");
    world.unmovable.insert(plan.evictions[0].uid.clone());
    assert_eq!(&*world.plan().evictions[0].name, "default/stuck-2", "a DaemonSet's would come back to its node");
    world.full("i-2", 1);
    assert_eq!(why(&world.plan(), What::Evict), [Refusal::NothingGained]);
}

proptest! {
    /// Whatever there is, a plan stays within the group's bounds and its own, and never both adds and removes.
    #[test]
    fn a_plan_keeps_to_its_bounds(
        (waiting, desired, max, step) in (0_usize..60, 2_u32..8, 2_u32..10, 1_u32..6),
        (full, ahead, hour) in (any::<bool>(), 0_u32..60, 1_u32..6),
    ) {
        let mut world = World::new().long_spare();
        if full {
            world.full("i-1", 0);
            world.full("i-2", 1);
        }
        world.waiting(waiting, Reason::SubnetExhausted);
        world.ahead.insert("workers".into(), ahead);
        world.policy.scale_out.max_step = step;
        world.policy.scale_out.max_per_hour = hour;
        (world.group().desired, world.group().max) = (desired, max.max(desired));
        let max = max.max(desired);
        let plan = world.plan();
        let added: u32 = plan.scale_out.iter().map(|step| step.to - step.from).sum();
        prop_assert!(added <= step.min(hour));
        for step in &plan.scale_out {
            prop_assert!(step.from == desired && step.to > step.from && step.to <= max, "{}", plan);
        }
        prop_assert!(plan.scale_out.is_empty() || plan.scale_in.is_none());
        if plan.shortage.need == 0 && ahead == 0 {
            prop_assert!(plan.scale_out.is_empty());
        }
    }
}
