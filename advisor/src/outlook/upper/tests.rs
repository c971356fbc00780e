//! From what is declared to what subnets lack.

use headroom_capacity::budget::Budget;
use headroom_capacity::settings::CniSettings;
use headroom_cluster::{Autoscaler, CronJob, Kind, Surge, Workload};

use super::*;
use crate::headroom::fixtures::{node, subnet};
use crate::ledger::NodeAccount;
use crate::state::{Declarations, PodInfo};

/// A node that draws on the subnets.
fn drawing(subnets: &[&str]) -> NodeAccount {
    let subnets: Vec<SubnetId> = subnets.iter().map(|id| SubnetId::from(*id)).collect();
    NodeAccount { free_slots: BTreeMap::new(), new_eni_subnets: subnets, ..node(&CniSettings::shipped(), 0) }
}

/// Subnets of 200 free addresses each, and nodes by name with what they draw on.
fn ledger(subnets: &[&str], nodes: &[(&str, &[&str])]) -> Ledger {
    Ledger {
        subnets: subnets.iter().map(|id| (SubnetId::from(*id), subnet(200, 12))).collect(),
        nodes: nodes.iter().map(|(name, of)| ((*name).into(), drawing(of))).collect(),
        ..Ledger::default()
    }
}

/// One node in each of three subnets.
fn three() -> Ledger {
    ledger(&["a", "b", "c"], &[("node-a", &["a"]), ("node-b", &["b"]), ("node-c", &["c"])])
}

fn deployment(name: &str, wanted: u32, current: u32) -> Workload {
    let surge = Surge::Percent(25);
    Workload { name: name.into(), host_network: false, wanted, current, surge, rolls: false, placement: None }
}

fn autoscaler(target_kind: &str, target: &str, most: u32) -> Autoscaler {
    let (name, target_kind, target) = (target.into(), target_kind.into(), target.into());
    Autoscaler { name, target_kind, target, most, from_zero: false, current: 2 }
}

#[derive(Default)]
struct World {
    cluster: ClusterState,
    declared: Option<Declarations>,
}

impl World {
    fn declared(&mut self) -> &mut Declarations {
        self.declared.get_or_insert_with(Declarations::complete)
    }

    fn workload(&mut self, kind: Kind, workload: Workload) {
        self.declared().workloads.insert((kind, workload.name.clone()), workload);
    }

    fn autoscaler(&mut self, autoscaler: Autoscaler) {
        self.declared().autoscalers.insert(autoscaler.name.clone(), autoscaler);
    }

    fn cron_job(&mut self, name: &str, pods: u32, overlaps: bool) {
        self.declared().cron_jobs.insert(name.into(), CronJob { name: name.into(), pods, overlaps });
    }

    fn pod(&mut self, name: &str, node: Option<&str>) {
        let info = PodInfo {
            name: name.into(),
            node: node.map(Into::into),
            demand: Demand::PodIp,
            requests: Default::default(),
            scheduling: Default::default(),
            ip: None,
            over: false,
            shortage: None,
            refused_at: None,
            waiting_since: None,
        };
        self.cluster.pods.insert(name.into(), info);
    }

    fn scenario(&mut self, ledger: &Ledger) -> ToCome {
        self.cluster.declared = self.declared().clone().into();
        to_come(&self.cluster, ledger)
    }

    /// Pods by subnet, in tenths.
    fn pods(&mut self, ledger: &Ledger) -> Vec<(String, f64)> {
        let to_come = self.scenario(ledger);
        let tenths = |pods: f64| (pods * 10.0).round() / 10.0;
        to_come.by_subnet.iter().map(|(id, share)| (id.to_string(), tenths(share.pods))).collect()
    }

    /// Causes, names and pods of the drivers of one subnet.
    fn drivers(&mut self, ledger: &Ledger, id: &str) -> Vec<String> {
        let to_come = self.scenario(ledger);
        to_come.by_subnet[&SubnetId::from(id)].drivers.iter().map(ToString::to_string).collect()
    }
}

fn shares(of: &[(&str, f64)]) -> Vec<(String, f64)> {
    of.iter().map(|(id, pods)| ((*id).to_owned(), *pods)).collect()
}

#[test]
fn without_pods_a_workload_lands_where_the_nodes_are() {
    let mut world = World::default();
    world.workload(Kind::Deployment, deployment("shop/web", 2, 2));
    world.autoscaler(autoscaler("Deployment", "shop/web", 32));
    let uneven = ledger(&["a", "b"], &[("n1", &["a"]), ("n2", &["a"]), ("n3", &["a"]), ("n4", &["b"])]);
    assert_eq!(world.pods(&uneven), shares(&[("a", 22.5), ("b", 7.5)]));
    assert_eq!(world.pods(&ledger(&["a", "b"], &[])), [], "and nowhere without nodes");
}

#[test]
fn a_node_with_several_subnets_fills_them_by_what_is_free() {
    let mut world = World::default();
    world.workload(Kind::StatefulSet, deployment("shop/db", 20, 0));
    let mut ledger = ledger(&["a1", "a2"], &[("n1", &["a1", "a2"])]);
    ledger.subnets.get_mut(&SubnetId::from("a1")).unwrap().free_ips = Ips(50);
    assert_eq!(world.pods(&ledger), shares(&[("a1", 4.0), ("a2", 16.0)]));
}

#[test]
fn pods_spread_evenly_are_expected_to_stay_so() {
    let mut world = World::default();
    world.workload(Kind::Deployment, deployment("shop/web", 3, 3));
    world.autoscaler(autoscaler("Deployment", "shop/web", 33));
    for (suffix, node) in [("b", "node-a"), ("c", "node-b"), ("d", "node-c")] {
        world.pod(&format!("shop/web-5d4f8c7b9-x2k4{suffix}"), Some(node));
    }
    assert_eq!(world.pods(&three()), shares(&[("a", 10.0), ("b", 10.0), ("c", 10.0)]));
}

#[test]
fn a_few_pods_on_one_side_keep_no_subnet_from_expecting_the_next() {
    let mut world = World::default();
    world.workload(Kind::Deployment, deployment("shop/web", 1, 1));
    world.autoscaler(autoscaler("Deployment", "shop/web", 31));
    world.pod("shop/web-5d4f8c7b9-x2k4z", Some("node-a"));
    // The larger of its pods' share and the nodes'.
    assert_eq!(world.pods(&three()), shares(&[("a", 30.0), ("b", 10.0), ("c", 10.0)]));
    // Two thirds to the power of eight is 4 %.
    for suffix in ["b", "c", "d", "f", "g", "h", "j"] {
        world.pod(&format!("shop/web-5d4f8c7b9-x2k4{suffix}"), Some("node-a"));
    }
    world.workload(Kind::Deployment, deployment("shop/web", 8, 8));
    assert_eq!(world.pods(&three()), shares(&[("a", 23.0)]));
}

#[test]
fn pods_on_the_nodes_network_ask_for_nothing() {
    let mut world = World::default();
    world.workload(Kind::Deployment, Workload { host_network: true, rolls: true, ..deployment("ops/proxy", 4, 2) });
    world.autoscaler(autoscaler("Deployment", "ops/proxy", 100));
    world.cron_job("ops/suspended", 0, true);
    assert_eq!(world.pods(&three()), []);
}

#[test]
fn an_autoscaler_of_nobody_does_nothing_and_one_of_an_own_kind_counts() {
    let mut world = World::default();
    world.autoscaler(autoscaler("Deployment", "shop/gone", 100));
    assert_eq!(world.pods(&three()), []);
    world.autoscaler(autoscaler("Rollout", "shop/canary", 14));
    world.pod("shop/canary-5d4f8c7b9-x2k4z", Some("node-b"));
    assert_eq!(world.pods(&three()), shares(&[("a", 4.0), ("b", 12.0), ("c", 4.0)]));
    assert_eq!(world.drivers(&three(), "b"), ["Rollout shop/canary (12 pods, autoscaler)"]);
}

#[test]
fn what_is_scaled_to_nothing_stays_so_unless_its_autoscaler_starts_it() {
    let one = ledger(&["a"], &[("n1", &["a"])]);
    let of = |from_zero| {
        let mut world = World::default();
        world.workload(Kind::Deployment, deployment("shop/queue", 0, 0));
        world.autoscaler(Autoscaler { from_zero, ..autoscaler("Deployment", "shop/queue", 30) });
        world.pods(&one)
    };
    assert_eq!((of(false), of(true)), (shares(&[]), shares(&[("a", 30.0)])));
}

#[test]
fn a_run_that_is_under_way_is_counted_once_unless_the_next_may_come_beside_it() {
    let one = ledger(&["a"], &[("n1", &["a"])]);
    let of = |overlaps| {
        let mut world = World::default();
        world.cron_job("ops/report", 5, overlaps);
        world.pod("ops/report-29384720-x2k4z", Some("n1"));
        world.pod("ops/report-29384720-x2k4b", Some("n1"));
        world.pods(&one)
    };
    assert_eq!((of(false), of(true)), (shares(&[("a", 3.0)]), shares(&[("a", 5.0)])));
}

#[test]
fn pending_pods_come_whoever_made_them() {
    let one = ledger(&["a"], &[("n1", &["a"])]);
    let mut world = World::default();
    world.workload(Kind::Deployment, deployment("shop/web", 3, 3));
    world.pod("shop/web-5d4f8c7b9-x2k4z", Some("n1"));
    world.pod("shop/web-5d4f8c7b9-x2k4b", None);
    world.pod("shop/web-5d4f8c7b9-x2k4c", None);
    world.pod("ci/job-x2k4z", None);
    world.pod("ops/host", None);
    world.cluster.pods.get_mut(&"ops/host".into()).unwrap().demand = Demand::None;
    world.pod("ops/done", None);
    world.cluster.pods.get_mut(&"ops/done".into()).unwrap().over = true;
    assert_eq!(world.drivers(&one, "a"), ["Deployment shop/web (2 pods, pending)", "Pod ci/job (1 pods, pending)"]);
}

#[test]
fn the_few_with_the_most_pods_are_named() {
    let one = ledger(&["a"], &[("n1", &["a"])]);
    let mut world = World::default();
    for n in 1..=8_u32 {
        world.workload(Kind::Deployment, deployment(&format!("shop/web-{n}"), n, 0));
    }
    let drivers = world.drivers(&one, "a");
    assert_eq!((drivers.len(), &*drivers[0]), (5, "Deployment shop/web-8 (8 pods, replicas)"));
    assert_eq!(world.scenario(&one).by_subnet[&SubnetId::from("a")].unnamed, 3);
}

#[test]
fn a_kind_that_is_refused_makes_the_scenario_unknown() {
    let mut world = World { declared: Some(Declarations::default()), ..World::default() };
    world.workload(Kind::Deployment, deployment("shop/web", 3, 0));
    let to_come = world.scenario(&three());
    let now = Now { used: Ips(1), in_flight: Ips(0), most: 10.0, waiting: 0, fleet: None };
    let why = to_come.upper(&"a".into(), &now).unwrap_err();
    assert!(why.contains("cronjob: its list is not complete"), "{why}");
}

#[test]
fn pods_take_addresses_as_ipamd_gives_them() {
    let settings = CniSettings::shipped();
    let Budget::Ipv4(budget) = node(&settings, 0).budget else { panic!("an IPv4 node") };
    let at_rest = headroom_capacity::steady::steady(&settings, &budget, 8).subnet_ips.get();
    let fleet = Fleet { settings: &settings, budget, nodes: 10, pods: 80, held: 10 * at_rest, pods_per_node: 8.0 };
    let one = ledger(&["a"], &[("n1", &["a"])]);
    let mut world = World::default();
    world.workload(Kind::Deployment, deployment("shop/web", 80, 80));
    world.autoscaler(autoscaler("Deployment", "shop/web", 160));
    let to_come = world.scenario(&one);
    let used = Ips(10 * at_rest);
    let now = Now { used, in_flight: Ips(7), most: f64::from(15 * at_rest), waiting: 0, fleet: Some(&fleet) };
    let upper = to_come.upper(&"a".into(), &now).unwrap();
    assert_eq!((upper.pods, upper.ips, upper.short), (80, Ips(20 * at_rest), Ips(5 * at_rest)));
    assert_eq!(
        upper.to_string(),
        format!(
            "if all that is declared comes at once: Deployment shop/web (80 pods, autoscaler), {} addresses are missing",
            5 * at_rest
        )
    );
    // What is on its way comes in any case.
    let idle = ToCome::default().upper(&"a".into(), &now).unwrap();
    assert_eq!((idle.pods, idle.ips, idle.short), (0, used + Ips(7), Ips::ZERO));
}
