use headroom_capacity::budget::{Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::instance;
use proptest::prelude::*;

use super::*;
use crate::inventory::{Group, InstanceId, Member};
use crate::ledger::tests::fixture::{Fixture, NOW, ip, policy};

/// A node on its way up: what is attached, ENI by ENI.
#[derive(Clone, Debug)]
struct Node {
    settings: CniSettings,
    budget: Ipv4Budget,
    pods: u32,
    /// Slots taken on each ENI that takes addresses for pods.
    enis: Vec<u32>,
}

impl Node {
    fn new(settings: CniSettings, instance_type: &str, pods: u32) -> Node {
        let limits = instance::lookup(instance_type).unwrap();
        let facts = NodeFacts {
            kind: NodeKind::Linux,
            limits: Some(limits),
            settings: &settings,
            max_pods: limits.default_max_pods(),
            unmanaged: Enis::ZERO,
            excluded: Enis::ZERO,
            trunk_attached: false,
            windows_prefix_delegation: false,
        };
        let Budget::Ipv4(budget) = budget(&facts) else { panic!("an IPv4 node") };
        let enis = if settings.custom_networking { Vec::new() } else { vec![0] };
        Node { settings, budget, pods, enis }
    }

    fn slots(&self) -> u32 {
        self.enis.iter().sum()
    }

    fn coming(&self, overdue: bool, waiting: u32) -> Vec<InFlight> {
        let per_eni = self.budget.slots_per_eni;
        let free: u32 = self.enis.iter().map(|taken| per_eni - taken).sum();
        let attached = self.slots() * self.budget.mode.ips_per_slot();
        of_pool(&Pool {
            settings: &self.settings,
            budget: &self.budget,
            attached: Ips(attached),
            available: Ips(attached.saturating_sub(self.pods - waiting)),
            pods: self.pods,
            waiting,
            pod_enis: Enis(u32::try_from(self.enis.len()).unwrap()),
            free_slots: &BTreeMap::from([("old".into(), free)]),
            new_eni: Some(&"new".into()),
            overdue,
        })
    }

    /// Addresses, 16 for each prefix.
    fn spoken_for(&self) -> u32 {
        self.coming(false, 0).iter().map(|one| (one.ips + one.prefixes.ips()).get()).sum()
    }

    /// One step of ipamd: addresses taken, or `None` where nothing can grow.
    fn grow(&mut self, slots: u32) -> Option<u32> {
        let per_eni = self.budget.slots_per_eni;
        let unit = self.budget.mode.ips_per_slot();
        if let Some(taken) = self.enis.iter_mut().find(|taken| **taken < per_eni) {
            let more = slots.min(per_eni - *taken);
            *taken += more;
            return Some(more * unit);
        }
        if self.enis.len() >= self.budget.pod_enis.get() as usize {
            return None;
        }
        let more = slots.min(per_eni);
        self.enis.push(more);
        Some(more * unit + 1)
    }
}

fn settings() -> impl Strategy<Value = CniSettings> {
    let target = || prop::option::of(1..40u32);
    (0..3u32, target(), target(), 0..3u32, any::<bool>(), any::<bool>()).prop_map(
        |(warm_eni_target, warm_ip_target, minimum_ip_target, warm_prefix_target, prefix_delegation, custom)| {
            CniSettings {
                warm_eni_target,
                warm_ip_target,
                minimum_ip_target,
                warm_prefix_target,
                prefix_delegation,
                custom_networking: custom,
                ..CniSettings::default()
            }
        },
    )
}

fn node() -> impl Strategy<Value = Node> {
    let types = prop::sample::select(vec!["t3.small", "m5.large", "c5.xlarge", "m5.4xlarge", "m4.large"]);
    (settings(), types, 0..60u32).prop_map(|(settings, name, pods)| Node::new(settings, name, pods))
}

proptest! {
    /// Each address that EC2 shows leaves what is spoken for, one for one until nothing is left, and what is spoken for together
    /// with what is held is what the steady state asks for.
    #[test]
    fn decays_by_what_is_observed(mut node in node(), steps in prop::collection::vec(1..10u32, 0..40)) {
        let asked = steady(&node.settings, &node.budget, node.pods);
        let primary = u32::from(!node.settings.custom_networking);
        let mut held = primary;
        for slots in steps {
            let before = node.spoken_for();
            prop_assert_eq!(before, node.spoken_for(), "the same observation, the same reservation");
            prop_assert!(before <= asked.subnet_ips.get());
            if before > 0 {
                prop_assert_eq!(held + before, asked.subnet_ips.get());
            }
            let Some(taken) = node.grow(slots) else { break };
            held += taken;
            prop_assert_eq!(node.spoken_for(), before.saturating_sub(taken));
        }
    }

    /// Past the deadline: never more than before it, nothing without pods that wait, and enough for those that do.
    #[test]
    fn an_overdue_node_grows_for_waiting_pods_only(mut node in node(), waiting in 0..20u32, grown in 0..60u32) {
        let waiting = waiting.min(node.pods);
        (0..grown).try_for_each(|_| node.grow(1).map(drop));
        let sum = |coming: Vec<InFlight>| coming.iter().map(|one| (one.ips + one.prefixes.ips()).get()).sum::<u32>();
        let (young, overdue) = (sum(node.coming(false, waiting)), sum(node.coming(true, waiting)));
        prop_assert!(overdue <= young);
        prop_assert!(waiting > 0 || overdue == 0);
        let attached = node.slots() * node.budget.mode.ips_per_slot();
        let short = waiting.saturating_sub(attached.saturating_sub(node.pods - waiting));
        prop_assert!(overdue >= short.min(young));
    }
}

fn spoken_for(fixture: &Fixture) -> BTreeMap<String, (u32, u32)> {
    let ledger = fixture.ledger();
    let parts = ledger.subnets.iter().map(|(id, one)| (id, (one.in_flight_ips.get(), one.in_flight_prefixes.get())));
    parts.filter(|(_, parts)| *parts != (0, 0)).map(|(id, parts)| (id.to_string(), parts)).collect()
}

fn group(desired: u32, members: &[(&str, &str)]) -> Group {
    let member = |(id, lifecycle): &(&str, &str)| Member {
        instance: InstanceId::from(*id),
        instance_type: "m5.large".into(),
        lifecycle: (*lifecycle).into(),
        protected: false,
    };
    Group {
        name: "workers".into(),
        min: 0,
        max: 10,
        desired,
        subnets: vec!["a".into(), "b".into()],
        members: members.iter().map(member).collect(),
        types: Vec::new(),
        suspended: Vec::new(),
        tags: BTreeMap::new(),
    }
}

#[test]
fn a_young_instance_takes_its_primary_address_and_its_first_pool() {
    let mut fixture = Fixture::new(CniSettings::shipped());
    fixture.instance("i-1", "m5.large", 10);
    assert_eq!(spoken_for(&fixture), [("a".into(), (10, 0))].into(), "one ENI of ten addresses");
    fixture.eni("i-1", 0, "a", &["10.0.0.10"]);
    assert_eq!(spoken_for(&fixture), [("a".into(), (9, 0))].into());
    fixture.inventory.enis[0].secondary_ips.extend([ip("10.0.0.11"), ip("10.0.0.12")]);
    assert_eq!(spoken_for(&fixture), [("a".into(), (7, 0))].into());
    fixture.register("i-1", NodeKind::Linux);
    fixture.pod("i-1", Some("10.0.0.11"));
    assert_eq!(spoken_for(&fixture), [("a".into(), (17, 0))].into(), "with a pod ipamd wants a warm ENI more");
    fixture.cluster.nodes.get_mut("i-1").unwrap().node.unschedulable = true;
    assert_eq!(spoken_for(&fixture), [].into(), "the pool of a cordoned node does not grow");
}

#[test]
fn prefixes_and_custom_networking_take_from_the_pods_subnet() {
    let settings = CniSettings { prefix_delegation: true, custom_networking: true, ..CniSettings::shipped() };
    let mut fixture = Fixture::new(settings);
    fixture.node("n1", 10);
    fixture.cluster.nodes.get_mut("n1").unwrap().eni_config_subnet = Some("b".into());
    assert_eq!(spoken_for(&fixture), [("a".into(), (1, 0)), ("b".into(), (17, 1))].into());
    fixture.inventory.instances.get_mut(&"n1".into()).unwrap().launched_at = headroom_capacity::time::Time::ZERO;
    assert_eq!(spoken_for(&fixture), [].into(), "overdue");
    fixture.pod("n1", None);
    assert_eq!(spoken_for(&fixture), [("b".into(), (17, 1))].into(), "a pod waits: what serves it is asked for");
}

/// The label names another ENIConfig than the zone or the default would.
#[test]
fn a_node_to_come_has_the_eni_config_that_its_groups_nodes_name() {
    let settings = CniSettings {
        custom_networking: true,
        eni_config_label: "team/eni-config".to_owned(),
        ..CniSettings::shipped()
    };
    let mut fixture = Fixture::new(settings);
    fixture.cluster.eni_configs = [("default".into(), Some("a".into())), ("pods".into(), Some("b".into()))].into();
    fixture.inventory.groups.insert("workers".into(), group(1, &[("i-1", "InService")]));
    fixture.instance("i-1", "m5.large", 10);
    fixture.inventory.instances.get_mut(&"i-1".into()).unwrap().group = Some("workers".into());
    let to_come = |fixture: &Fixture| {
        let policy = policy();
        let known = Known::new(&fixture.inventory, &fixture.cluster, &policy, NOW);
        let group = &fixture.inventory.groups["workers"];
        of_node_to_come(&known, group, &"a".into(), 1).into_iter().map(|one| one.subnet).collect::<Vec<_>>()
    };
    assert_eq!(to_come(&fixture), ["a".into()], "nothing is known of its label");
    fixture.register("i-1", NodeKind::Linux);
    let node = &mut fixture.cluster.nodes.get_mut("i-1").unwrap().node;
    node.labels.insert("team/eni-config".to_owned(), "pods".to_owned());
    assert_eq!(to_come(&fixture), ["a".into(), "b".into()]);
}

#[test]
fn instances_that_a_group_wants_are_spread_over_its_subnets() {
    let mut fixture = Fixture::new(CniSettings::shipped());
    fixture.inventory.groups.insert("workers".into(), group(3, &[]));
    assert_eq!(spoken_for(&fixture), [("a".into(), (2, 0)), ("b".into(), (1, 0))].into(), "no type is known");
    let members = [("i-1", "InService"), ("i-2", "Pending"), ("i-3", "Terminating:Wait")];
    fixture.inventory.groups.insert("workers".into(), group(3, &members));
    fixture.instance("i-1", "m5.large", 5000);
    fixture.eni("i-1", 0, "a", &["10.0.0.10"]);
    let one_more_and_one_unseen = [("a".into(), (10, 0)), ("b".into(), (10, 0))].into();
    assert_eq!(spoken_for(&fixture), one_more_and_one_unseen);
    fixture.inventory.groups.get_mut("workers").unwrap().suspended = vec!["Launch".into()];
    assert_eq!(spoken_for(&fixture), [("a".into(), (10, 0))].into(), "only the one that was launched comes");
    fixture.instance("i-2", "m5.large", 10);
    assert_eq!(spoken_for(&fixture), [("a".into(), (10, 0))].into(), "it is counted itself from now on");
}
