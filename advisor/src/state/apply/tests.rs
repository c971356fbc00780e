//! Events in, the cluster out.

mod relist;

use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::binding::Requests;
use headroom_capacity::budget::NodeKind;
use headroom_capacity::verdict::Demand;
use headroom_cluster::{CniNode, CronJob, Declared, EniConfig, ErrorClass, Pod, SandboxFailure};

use super::*;
use crate::state::PodInfo;

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn node(name: &str) -> Node {
    Node {
        instance_type: Some("c5.xlarge".into()),
        zone: Some("eu-west-1a".into()),
        provider_id: Some(format!("aws:///eu-west-1a/i-{name}").into()),
        ..Node::ready(name, NodeKind::Linux, 58)
    }
}

/// Bound to `n1`, without an address.
fn waiting(uid: &str) -> Pod {
    Pod {
        uid: uid.into(),
        namespace: "shop".into(),
        name: uid.into(),
        resource_version: 1,
        node: Some("n1".into()),
        nominated_node: None,
        priority: 0,
        demand: Demand::PodIp,
        requests: Default::default(),
        ip: None,
        terminal: false,
        deleting: false,
        schedule_failure: None,
        shortage: None,
        placement: Default::default(),
        ties: Default::default(),
        labels: Default::default(),
    }
}

fn running(uid: &str, last: u8) -> Pod {
    Pod { ip: Some(ip(last).into()), ..waiting(uid) }
}

fn refused(uid: &str, at: Time) -> Event {
    Event::SandboxFailed(SandboxFailure { pod: uid.into(), node: None, at, ip_cause: true, message: "".into() })
}

fn settings(settings: CniSettings) -> Event {
    Event::CniSettings { settings: Box::new(settings), problems: Vec::new() }
}

/// A state and a time that only goes forward.
struct World {
    state: State,
    now: Time,
}

impl World {
    fn new() -> World {
        World { state: State::new(), now: Time::from_secs(1000) }
    }

    fn apply(&mut self, event: Event) {
        self.state.apply(event, self.now);
    }

    fn node(&mut self, node: Node) {
        self.apply(Event::NodeApplied(Box::new(node)));
    }

    fn pod(&mut self, pod: Pod) {
        self.apply(Event::PodApplied(Box::new(pod)));
    }

    fn gone(&mut self, uid: &str) {
        self.apply(Event::PodDeleted(uid.into()));
    }

    fn wait(&mut self, secs: u64) {
        self.now = self.now + Duration::from_secs(secs);
    }

    fn view(&mut self) -> Arc<ClusterState> {
        self.state.view(self.now)
    }

    fn info(&mut self, uid: &str) -> PodInfo {
        self.view().pods[&PodUid::from(uid)].clone()
    }

    /// Addresses that cool down, with the seconds that are left.
    fn cooling(&mut self) -> Vec<(Ipv4Addr, u64)> {
        let now = self.now;
        let mut left: Vec<_> =
            self.view().cooling.iter().map(|(ip, until)| (*ip, until.since(now).as_secs())).collect();
        left.sort_unstable();
        left
    }
}

#[test]
fn a_pod_waits_from_when_it_is_bound_until_it_has_its_address() {
    let mut world = World::new();
    world.pod(Pod { node: None, ..waiting("a") });
    assert_eq!(world.info("a").waiting_since, None);
    let bound = world.now;
    world.pod(waiting("a"));
    world.wait(5);
    world.pod(Pod { resource_version: 2, ..waiting("a") });
    assert_eq!((world.info("a").waiting_since, world.info("a").ip), (Some(bound), None));
    world.pod(running("a", 7));
    let info = world.info("a");
    assert_eq!((info.waiting_since, info.ip, &*info.name), (None, Some(ip(7)), "shop/a"));
    assert_eq!(world.view().holders[&ip(7)], "a".into());
}

#[test]
fn a_pod_takes_what_its_last_version_requests() {
    let mut world = World::new();
    let asks = |cpu_millis| Requests { cpu_millis, ..Requests::default() };
    world.pod(Pod { requests: asks(100), ..waiting("a") });
    world.pod(Pod { requests: asks(250), resource_version: 2, ..running("a", 7) });
    assert_eq!(world.info("a").requests, asks(250));
}

#[test]
fn an_address_cools_down_from_when_its_pod_finishes() {
    let mut world = World::new();
    world.pod(running("job", 7));
    world.pod(Pod { deleting: true, ..running("job", 7) });
    assert_eq!((world.info("job").ip, world.cooling().len()), (Some(ip(7)), 0), "it keeps it until it is over");
    world.pod(Pod { terminal: true, ..running("job", 7) });
    assert!(world.info("job").over && world.info("job").ip.is_none() && world.view().holders.is_empty());
    world.wait(10);
    world.gone("job");
    assert_eq!(world.cooling(), [(ip(7), 20)], "when it is deleted does not matter any more");
    world.wait(20);
    assert_eq!(world.cooling(), []);
}

#[test]
fn an_address_cools_down_from_when_its_pod_is_gone_or_has_another() {
    let mut world = World::new();
    world.apply(settings(CniSettings { ip_cooldown: Duration::from_secs(60), ..CniSettings::default() }));
    world.pod(running("a", 7));
    world.pod(running("b", 8));
    world.gone("a");
    world.pod(running("b", 9));
    assert_eq!(world.cooling(), [(ip(7), 60), (ip(8), 60)]);
    world.pod(running("c", 7));
    assert_eq!(world.cooling(), [(ip(8), 60)], "whose pod has it does not cool down");
}

#[test]
fn an_address_that_another_pod_has_by_now_does_not_cool_down() {
    let mut world = World::new();
    world.pod(running("old", 7));
    world.pod(running("new", 7));
    world.gone("old");
    assert_eq!((world.cooling(), world.view().holders[&ip(7)].clone()), (vec![], "new".into()));
}

#[test]
fn only_pods_of_the_nodes_pool_leave_an_address_that_cools_down() {
    let mut world = World::new();
    world.pod(Pod { demand: Demand::None, ..running("agent", 1) });
    world.pod(Pod { demand: Demand::BranchEni, ..running("branch", 2) });
    world.pod(Pod { demand: Demand::WindowsIp, ..running("windows", 3) });
    world.pod(Pod { ip: Some("2001:db8::1".parse().unwrap()), ..waiting("six") });
    assert_eq!((world.info("agent").ip, world.info("branch").ip), (None, Some(ip(2))));
    assert_eq!((world.info("six").ip, world.info("six").waiting_since), (None, None));
    for uid in ["agent", "branch", "windows", "six"] {
        world.gone(uid);
    }
    assert_eq!(world.cooling(), [(ip(3), 30)]);
}

#[test]
fn the_last_refusal_counts_whichever_comes_first() {
    let mut world = World::new();
    let at = |secs| Time::from_secs(secs);
    world.apply(refused("a", at(900)));
    world.pod(waiting("a"));
    assert_eq!(world.info("a").refused_at, Some(at(900)));
    world.apply(refused("a", at(950)));
    world.apply(refused("a", at(920)));
    assert_eq!(world.info("a").refused_at, Some(at(950)));
    world.apply(refused("a", at(2000)));
    assert_eq!(world.info("a").refused_at, Some(at(1000)), "kubelet's clock is ahead");
    world.pod(Pod { demand: Demand::BranchEni, ..waiting("b") });
    world.apply(refused("b", at(990)));
    let Event::SandboxFailed(failure) = refused("c", at(990)) else { panic!() };
    world.pod(waiting("c"));
    world.apply(Event::SandboxFailed(SandboxFailure { ip_cause: false, ..failure }));
    assert_eq!((world.info("b").refused_at, world.info("c").refused_at), (None, None));
}

#[test]
fn refusals_of_pods_that_never_come_are_forgotten() {
    let mut world = World::new();
    let at = world.now;
    world.apply(refused("gone", at));
    world.apply(refused("late", at));
    world.gone("gone");
    assert_eq!(world.state.early.len(), 1);
    world.wait(60);
    world.view();
    assert!(world.state.early.is_empty());
    for n in 0..70_000 {
        world.apply(refused(&format!("storm-{n}"), at));
    }
    assert!(world.state.early.len() < 70_000);
}

#[test]
fn a_node_has_its_instance_and_what_other_objects_say_of_it() {
    let mut world = World::new();
    let cni = |wanted| CniNode { name: "n1".into(), security_groups_for_pods: wanted, eni_config: None };
    world.apply(Event::CniNodeApplied(cni(true)));
    world.node(node("n1"));
    let instance = world.view().nodes["n1"].instance.clone();
    assert_eq!(instance, Some("i-n1".into()));
    assert!(world.view().nodes["n1"].security_groups_for_pods);
    world.apply(Event::CniNodeApplied(cni(false)));
    assert!(!world.view().nodes["n1"].security_groups_for_pods);
    world.apply(Event::NodeDeleted("n1".into()));
    assert!(world.view().nodes.is_empty());
}

#[test]
fn the_ebs_driver_says_how_many_volumes_until_it_is_gone() {
    let mut world = World::new();
    let csi = |ebs_volumes| Event::CsiNodeApplied { name: "n1".into(), ebs_volumes };
    let volumes = |world: &mut World| world.view().ebs_volumes.get("n1").copied();
    world.apply(csi(Some(25)));
    assert_eq!(volumes(&mut world), Some(25), "before its node is seen");
    world.apply(csi(None));
    assert_eq!(volumes(&mut world), None);
    world.apply(csi(Some(24)));
    world.apply(Event::CsiNodeDeleted("n1".into()));
    assert!(world.view().ebs_volumes.is_empty());
}

#[test]
fn custom_networking_names_each_nodes_subnet() {
    let mut world = World::new();
    let subnet = |world: &mut World, name: &str| world.view().nodes[name].eni_config_subnet.clone();
    let config = |name: &str, subnet: &str| EniConfig { name: name.into(), subnet: Some(subnet.into()) };
    let mut zonal = node("n1");
    zonal.labels.insert("topology.kubernetes.io/zone".to_owned(), "zone-a".to_owned());
    world.node(zonal.clone());
    world.apply(Event::EniConfigApplied(config("default", "subnet-d")));
    assert_eq!(subnet(&mut world, "n1"), None, "not without custom networking");
    world.apply(settings(CniSettings {
        custom_networking: true,
        eni_config_label: "topology.kubernetes.io/zone".to_owned(),
        ..CniSettings::default()
    }));
    world.node(node("n2"));
    assert_eq!((subnet(&mut world, "n1"), subnet(&mut world, "n2")), (None, Some("subnet-d".into())));
    world.apply(Event::EniConfigApplied(config("zone-a", "subnet-a")));
    assert_eq!(subnet(&mut world, "n1"), Some("subnet-a".into()));
    zonal.annotations.insert("k8s.amazonaws.com/eniConfig".to_owned(), "default".to_owned());
    world.node(zonal);
    assert_eq!(subnet(&mut world, "n1"), Some("subnet-d".into()), "the annotation goes before the label");
    world.apply(Event::EniConfigDeleted("default".into()));
    assert_eq!(subnet(&mut world, "n1"), None);
}

#[test]
fn knows_what_is_not_listed_and_since_when_a_watch_fails() {
    let mut world = World::new();
    assert_eq!(world.view().missing, Kind::PRESENT);
    for kind in Kind::PRESENT {
        world.apply(Event::Synced { kind, absent: false });
    }
    assert_eq!(world.view().missing, []);
    let failed = |kind| Event::WatchFailed { kind, class: ErrorClass::Stream, error: String::new() };
    world.apply(failed(Kind::EniConfig));
    assert_eq!(world.view().failing_since, None);
    let since = world.now;
    world.apply(failed(Kind::Pod));
    world.wait(5);
    world.apply(failed(Kind::Node));
    assert_eq!(world.view().failing_since, Some(since));
    world.apply(Event::WatchRecovered(Kind::Pod));
    assert_eq!(world.view().failing_since, Some(world.now));
    world.apply(Event::WatchRecovered(Kind::Node));
    assert_eq!(world.view().failing_since, None);
}

#[test]
fn what_is_declared_may_be_refused_and_nothing_waits_for_it() {
    let mut world = World::new();
    for kind in Kind::PRESENT {
        world.apply(Event::Synced { kind, absent: false });
    }
    let refused = |kind| Event::WatchFailed { kind, class: ErrorClass::List, error: "forbidden".to_owned() };
    let unknown = |world: &mut World, kind| {
        world.view().declared.unknown().find(|(other, _)| *other == kind).map(|(_, why)| why.to_owned())
    };
    assert_eq!(unknown(&mut world, Kind::CronJob).as_deref(), Some("its list is not complete"));
    world.apply(refused(Kind::CronJob));
    world.apply(Event::Synced { kind: Kind::HorizontalPodAutoscaler, absent: true });
    assert_eq!((world.view().missing.len(), world.view().failing_since), (0, None));
    assert_eq!(unknown(&mut world, Kind::CronJob).as_deref(), Some("forbidden"));
    assert_eq!(unknown(&mut world, Kind::HorizontalPodAutoscaler).as_deref(), Some("the API server does not serve it"));
    // The permission was given.
    world.apply(Event::Synced { kind: Kind::CronJob, absent: false });
    world.apply(Event::WatchRecovered(Kind::CronJob));
    assert_eq!(unknown(&mut world, Kind::CronJob), None);
    // What was listed is good for a while.
    world.apply(refused(Kind::CronJob));
    assert_eq!(unknown(&mut world, Kind::CronJob), None);
    world.wait(600);
    world.apply(refused(Kind::CronJob));
    assert_eq!(unknown(&mut world, Kind::CronJob).as_deref(), Some("forbidden"));
    world.apply(Event::WatchRecovered(Kind::CronJob));
    assert_eq!(unknown(&mut world, Kind::CronJob), None);
}

#[test]
fn what_is_declared_goes_with_its_object() {
    let mut world = World::new();
    let job = CronJob { name: "ops/report".into(), pods: 3, overlaps: false };
    let before = world.view();
    world.apply(Event::DeclaredApplied(Declared::CronJob(job.clone())));
    assert_eq!((before.declared.cron_jobs.len(), world.view().declared.cron_jobs["ops/report"].pods), (0, 3));
    world.apply(Event::DeclaredDeleted { kind: Kind::Deployment, name: "ops/report".into() });
    assert_eq!(world.view().declared.cron_jobs.len(), 1);
    world.apply(Event::DeclaredDeleted { kind: Kind::CronJob, name: "ops/report".into() });
    assert_eq!(world.view().declared.cron_jobs.len(), 0);
    world.apply(Event::DeclaredApplied(Declared::CronJob(job)));
    world.apply(Event::Synced { kind: Kind::CronJob, absent: true });
    assert_eq!(world.view().declared.cron_jobs.len(), 0, "what is not served is not there");
}

#[test]
fn a_view_stays_as_it_was() {
    let mut world = World::new();
    world.pod(running("a", 7));
    let before = world.view();
    world.gone("a");
    assert_eq!((before.pods.len(), world.view().pods.len()), (1, 0));
}
