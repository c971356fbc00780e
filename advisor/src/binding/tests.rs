//! Small clusters, computed by hand.

use headroom_capacity::binding::{Allocatable, Architecture, EbsLimit, Requests, TypeShape};
use headroom_capacity::budget::{Budget, NodeKind};
use headroom_capacity::instance::lookup;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::verdict::Demand;

use super::*;
use crate::headroom::fixtures::{self, subnet};
use crate::ledger::NodeAccount;
use crate::state::PodInfo;

const MIB: u64 = 1 << 20;

/// m5.large nodes of group `workers`, two agents on each.
struct Cluster {
    state: ClusterState,
    ledger: Ledger,
    limits: BTreeMap<Arc<str>, InstanceLimits>,
    offers: BTreeMap<Arc<str>, Offer>,
}

impl Cluster {
    fn new(nodes: &[&str]) -> Cluster {
        let settings = CniSettings::default();
        let accounts: Vec<_> = nodes.iter().map(|name| (*name, fixtures::node(&settings, 0))).collect();
        let ledger = fixtures::ledger(subnet(1000, 0), &accounts);
        let state = fixtures::state(nodes, &settings);
        let mut cluster = Cluster { state, ledger, limits: BTreeMap::new(), offers: BTreeMap::new() };
        for name in nodes {
            cluster.node(name, "m5.large", 29, (1930, 7000));
            cluster.pods(name, 2, Demand::None, (60, 0, 0));
        }
        cluster
    }

    fn node(&mut self, name: &str, instance_type: &str, max_pods: u32, (cpu, mib): (u64, u64)) {
        let node = &mut self.state.nodes.get_mut(name).unwrap().node;
        node.instance_type = Some(instance_type.into());
        node.max_pods = max_pods;
        node.allocatable = Allocatable { cpu_millis: Some(cpu), memory_bytes: Some(mib * MIB), volumes: None };
    }

    fn account(&mut self, name: &str) -> &mut NodeAccount {
        self.ledger.nodes.get_mut(name).unwrap()
    }

    fn pods(&mut self, node: &str, count: usize, demand: Demand, (cpu_millis, mib, volumes): (u64, u64, u32)) {
        for _ in 0..count {
            let uid = format!("pod-{}", self.state.pods.len());
            let requests = Requests { cpu_millis, memory_bytes: mib * MIB, volumes };
            let pod = PodInfo {
                name: uid.as_str().into(),
                node: Some(node.into()),
                demand,
                requests,
                scheduling: Default::default(),
                ip: None,
                over: false,
                shortage: None,
                refused_at: None,
                waiting_since: None,
            };
            self.state.pods.insert(uid.as_str().into(), pod);
        }
    }

    fn describe(&mut self, name: &str, vcpus: u32, gib: u64, architecture: Architecture) {
        let shape = Some(TypeShape { vcpus, memory_mib: gib * 1024, architecture, ebs: Some(EbsLimit::Shared(27)) });
        let limits = *lookup(name).expect("a type of the table");
        self.offers.insert(
            name.into(),
            Offer { limits, shape, current: true, burstable: false, local_disks: false, accelerated: false },
        );
    }

    /// m5.large, which the nodes are, and others of both architectures.
    fn describe_a_few(&mut self) {
        self.describe("m5.large", 2, 8, Architecture::Amd64);
        self.describe("c5.xlarge", 4, 8, Architecture::Amd64);
        self.describe("r5.xlarge", 4, 32, Architecture::Amd64);
        self.describe("m6g.large", 2, 8, Architecture::Arm64);
    }

    fn binding(&self) -> Binding {
        binding(&self.ledger, &self.state, &Types { limits: &self.limits, offers: &self.offers })
    }
}

fn names(group: &GroupBinding) -> Vec<&str> {
    group.suggestions.iter().map(|suggestion| &*suggestion.instance_type).collect()
}

/// The field case: small pods, and the instance's addresses end before its CPU and memory do.
#[test]
fn addresses_bind_where_pods_are_small() {
    let mut cluster = Cluster::new(&["n1", "n2", "n3"]);
    cluster.pods("n1", 20, Demand::PodIp, (20, 64, 0));
    cluster.pods("n2", 10, Demand::PodIp, (20, 64, 0));
    cluster.pods("n3", 1, Demand::PodIp, (1600, 64, 0));
    let Binding { nodes, groups } = cluster.binding();
    let mix = groups["workers"].mix;
    // 30 x 20m and 1600m in 31 pods.
    assert_eq!((mix.pods(), mix.sum()[Resource::Cpu], mix.largest()[Resource::Cpu]), (31, 2200, 1600));
    // n1 has 7 addresses left; 1410m of CPU are enough for 19.8 pods of 2200/31.
    let n1 = &nodes["n1"];
    assert_eq!((n1.resource, n1.pods()), (Some(Resource::Ip), Some(7)));
    assert_eq!((n1.room[Resource::Cpu], n1.room[Resource::Pods]), (Limit::Of(19), Limit::Of(7)));
    assert_eq!((n1.used[Resource::Cpu], n1.used[Resource::Pods], n1.used[Resource::Ip]), (520, 22, 20));
    assert_eq!((nodes["n2"].resource, nodes["n2"].pods()), (Some(Resource::Ip), Some(17)));
    assert_eq!((nodes["n3"].resource, nodes["n3"].pods()), (Some(Resource::Cpu), Some(2)));
    let workers = &groups["workers"];
    assert_eq!((workers.nodes, workers.resource), (3, Some(Resource::Ip)));
    assert_eq!((workers.by_resource[Resource::Ip], workers.by_resource[Resource::Cpu]), (2, 1));
    assert_eq!((workers.base[Resource::Cpu], workers.base[Resource::Pods]), (120, 2));
    // A fresh m5.large: (1930 - 120) / (2200 / 31) = 25.5.
    let [m5_large] = &workers.suggestions[..] else { panic!("{workers:?}") };
    assert!(m5_large.current && !m5_large.estimated);
    assert_eq!((m5_large.fit.resource, m5_large.fit.pods), (Some(Resource::Cpu), Some(25)));
}

#[test]
fn a_type_that_addresses_do_not_end_comes_first() {
    let mut cluster = Cluster::new(&["n1"]);
    cluster.pods("n1", 25, Demand::PodIp, (25, 128, 0));
    cluster.describe_a_few();
    let workers = &cluster.binding().groups["workers"];
    // c5.xlarge: 8192 - 615 - 255 - 58 x 11 - 100 = 6584 MiB, 51 pods of 128 before its 56 addresses; the others end at theirs.
    assert_eq!(names(workers), ["c5.xlarge", "m5.large"], "r5.xlarge leaves more over");
    let [c5, m5] = &workers.suggestions[..] else { panic!("{workers:?}") };
    assert_eq!((c5.fit.resource, c5.fit.pods, c5.max_pods), (Some(Resource::Memory), Some(51), 58));
    assert!(c5.estimated && !c5.current && c5.fit.is_complete());
    assert_eq!((c5.vcpus, c5.memory_mib), (Some(4), Some(8192)));
    assert!(m5.current && !m5.estimated, "a node tells");
    assert_eq!(m5.vcpus, Some(2));
}

#[test]
fn the_machine_language_is_the_nodes() {
    let mut cluster = Cluster::new(&["n1"]);
    cluster.pods("n1", 25, Demand::PodIp, (25, 128, 0));
    cluster.describe_a_few();
    cluster.describe("c7g.large", 2, 4, Architecture::Arm64);
    cluster.node("n1", "c6g.large", 29, (1930, 3000));
    assert_eq!(names(&cluster.binding().groups["workers"]), ["c6g.large"], "nobody has told");
    let labels = &mut cluster.state.nodes.get_mut("n1").unwrap().node.labels;
    labels.insert("kubernetes.io/arch".to_owned(), "arm64".to_owned());
    cluster.describe("c6g.large", 2, 4, Architecture::Arm64);
    assert_eq!(names(&cluster.binding().groups["workers"]), ["c7g.large", "c6g.large"]);
}

#[test]
fn of_many_types_a_handful_is_suggested_and_one_stands_for_its_likes() {
    let mut cluster = Cluster::new(&["n1"]);
    cluster.pods("n1", 10, Demand::PodIp, (100, 512, 0));
    cluster.describe("m5.large", 2, 8, Architecture::Amd64);
    // 13 pods on m5.large, 18 on the ones with 11 GiB: that is where both CPU and memory end.
    for name in ["m6i.large", "m7i.large", "m5n.large", "m6a.large"] {
        cluster.describe(name, 2, 11, Architecture::Amd64);
    }
    let others = [
        ("m5a.large", 8),
        ("m6in.large", 9),
        ("m7a.large", 10),
        ("m5zn.large", 12),
        ("m5dn.large", 13),
        ("c7i.large", 4),
    ];
    for (name, gib) in others.into_iter().chain([("r7i.large", 64)]) {
        cluster.describe(name, 2, gib, Architecture::Amd64);
    }
    let workers = &cluster.binding().groups["workers"];
    assert_eq!(
        names(workers),
        ["m7i.large", "m7a.large", "m5zn.large", "m6in.large", "m5dn.large", "m5.large"],
        "the newest of those alike, five at most, and neither what takes half the pods nor what leaves more over"
    );
    let alike = &workers.suggestions[0].alike;
    assert_eq!(alike.iter().map(|name| &**name).collect::<Vec<_>>(), ["m6a.large", "m6i.large", "m5n.large"]);
    assert_eq!((workers.suggestions[0].fit.pods, workers.running), (Some(18), 10));
    let report = report::Report::new(&crate::headroom::Headroom::default(), &cluster.binding());
    let types = &report.groups["workers"].types;
    assert!(types.iter().all(|kind| kind.nodes == kind.pods.map(|pods| 10_u64.div_ceil(pods))));
    let idle = |kind: &report::Type| kind.idle_vcpus.unwrap() / kind.stranded_cpu.unwrap();
    assert!(types.iter().all(|kind| idle(kind) > 1.9 && idle(kind) <= f64::from(kind.vcpus.unwrap())));
    assert_eq!(cluster.binding(), cluster.binding());
}

#[test]
fn volumes_count_once_ec2_has_told_how_many() {
    let mut cluster = Cluster::new(&["n1"]);
    cluster.pods("n1", 5, Demand::PodIp, (10, 10, 2));
    assert_eq!(cluster.binding().nodes["n1"].room[Resource::Volumes], Limit::Unknown);
    assert!(!cluster.binding().groups["workers"].suggestions[0].fit.is_complete());
    cluster.describe("m5.large", 2, 8, Architecture::Amd64);
    // One ENI is attached, so 26 without the root volume, 10 taken, two for each pod.
    let node = &cluster.binding().nodes["n1"];
    assert_eq!((node.resource, node.pods()), (Some(Resource::Volumes), Some(8)));
    // A full node has three.
    let fit = &cluster.binding().groups["workers"].suggestions[0].fit;
    assert_eq!((fit.shape[Resource::Volumes], fit.pods), (Limit::Of(24), Some(12)));
    // The driver on the node knows better than either.
    cluster.state.ebs_volumes.insert("n1".into(), 21);
    let workers = cluster.binding();
    assert_eq!((workers.nodes["n1"].shape[Resource::Volumes], workers.nodes["n1"].pods()), (Limit::Of(21), Some(5)));
    assert_eq!(workers.groups["workers"].suggestions[0].fit.shape[Resource::Volumes], Limit::Of(21));
}

#[test]
fn only_nodes_that_take_pods_count_and_their_pods_all_the_same() {
    let mut cluster = Cluster::new(&["open", "cordoned", "fargate", "fresh"]);
    cluster.pods("cordoned", 3, Demand::PodIp, (300, 64, 0));
    cluster.pods("fargate", 1, Demand::PodIp, (9000, 64, 0));
    cluster.state.nodes.get_mut("cordoned").unwrap().node.unschedulable = true;
    cluster.state.nodes.get_mut("fargate").unwrap().node.kind = NodeKind::Fargate;
    let fresh = &mut cluster.state.nodes.get_mut("fresh").unwrap().node;
    (fresh.max_pods, fresh.allocatable) = (0, Allocatable::default());
    cluster.account("fresh").budget = Budget::Unknown(headroom_capacity::verdict::Reason::UnknownInstanceType);
    let Binding { nodes, groups } = cluster.binding();
    assert_eq!(nodes.keys().map(|name| &**name).collect::<Vec<_>>(), ["fresh", "open"]);
    assert_eq!((nodes["open"].resource, nodes["open"].pods()), (Some(Resource::Cpu), Some(6)));
    assert_eq!((nodes["fresh"].resource, groups["workers"].nodes), (None, 2));
    assert_eq!(groups["workers"].mix.pods(), 3);
}

#[test]
fn a_group_without_pods_and_a_node_without_group_take_the_clusters_mix() {
    let mut cluster = Cluster::new(&["busy", "idle", "lone", "pool"]);
    cluster.pods("busy", 2, Demand::PodIp, (500, 64, 0));
    cluster.account("idle").group = Some("spare".into());
    cluster.account("lone").group = None;
    cluster.account("pool").group = None;
    let labels = &mut cluster.state.nodes.get_mut("pool").unwrap().node.labels;
    labels.insert("karpenter.sh/nodepool".to_owned(), "spot".to_owned());
    let Binding { nodes, groups } = cluster.binding();
    assert_eq!(groups.keys().map(|name| &**name).collect::<Vec<_>>(), ["spare", "spot", "workers"]);
    assert_eq!((nodes["lone"].group.as_deref(), nodes["lone"].pods()), (None, Some(3)));
    assert_eq!(
        (groups["spare"].mix, nodes["idle"].pods(), nodes["busy"].pods()),
        (groups["workers"].mix, Some(3), Some(1))
    );
    let empty = Cluster::new(&["n1"]).binding();
    assert_eq!((empty.nodes["n1"].resource, empty.groups["workers"].suggestions.len()), (None, 0));
}

#[test]
fn a_pool_that_ipamd_leaves_alone_has_what_is_attached() {
    let mut cluster = Cluster::new(&["n1"]);
    cluster.pods("n1", 3, Demand::PodIp, (10, 10, 0));
    cluster.state.settings =
        Arc::new(CniSettings { provisioning_disabled: true, pod_eni: true, ..CniSettings::default() });
    cluster.state.nodes.get_mut("n1").unwrap().node.pod_enis = Some(9);
    let node = &cluster.binding().nodes["n1"];
    assert_eq!((node.shape[Resource::Ip], node.pods()), (Limit::Of(9), Some(6)));
    assert_eq!(node.shape[Resource::BranchEni], Limit::Of(9));
}
