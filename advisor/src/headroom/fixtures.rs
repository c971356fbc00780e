//! A small cluster for tests: nodes that share the subnet `s`.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::budget::{Budget, Ipv4Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::instance;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_cluster::Node;

use crate::ledger::{Ledger, NodeAccount, SubnetAccount};
use crate::state::{ClusterState, NodeInfo};

pub(crate) fn subnet(free_ips: u32, free_prefixes: u32) -> SubnetAccount {
    SubnetAccount {
        cidr: Cidr::parse("10.0.0.0/16").unwrap(),
        az: "a".into(),
        reserved: Ips(5),
        cidr_reserved: Ips::ZERO,
        held: [Ips::ZERO; 8],
        free_ips: Ips(free_ips),
        free_prefixes: Prefixes(free_prefixes),
        in_flight_ips: Ips::ZERO,
        in_flight_prefixes: Prefixes::ZERO,
        reported_free: Ips(free_ips),
        conflicts: Ips::ZERO,
    }
}

fn m5_large(settings: &CniSettings) -> Ipv4Budget {
    let facts = NodeFacts {
        kind: NodeKind::Linux,
        limits: instance::lookup("m5.large"),
        settings,
        max_pods: 110,
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk_attached: false,
        windows_prefix_delegation: false,
    };
    match budget(&facts) {
        Budget::Ipv4(budget) => budget,
        other => panic!("{other:?}"),
    }
}

/// An m5.large in zone `a` and group `workers`: one ENI with 9 addresses of subnet `s`, `assigned` of them with pods.
pub(crate) fn node(settings: &CniSettings, assigned: u32) -> NodeAccount {
    NodeAccount {
        instance: None,
        group: Some("workers".into()),
        az: Some("a".into()),
        primary_subnet: Some("s".into()),
        budget: Budget::Ipv4(m5_large(settings)),
        enis: Enis(1),
        pod_enis: Enis(1),
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk: false,
        attached: Ips(9),
        prefixes: Prefixes::ZERO,
        assigned: Ips(assigned),
        cooling: Ips::ZERO,
        waiting: 0,
        branch: Enis::ZERO,
        free_slots: BTreeMap::from([("s".into(), 0)]),
        new_eni_subnets: vec!["s".into()],
        in_flight: Vec::new(),
    }
}

pub(crate) fn state(nodes: &[&str], settings: &CniSettings) -> ClusterState {
    let info = |name: &&str| {
        let node = Node::ready(name, NodeKind::Linux, 110);
        let info = NodeInfo { node, instance: None, security_groups_for_pods: false, eni_config_subnet: None };
        ((*name).into(), info)
    };
    ClusterState { settings: Arc::new(settings.clone()), nodes: nodes.iter().map(info).collect(), ..Default::default() }
}

pub(crate) fn ledger(subnet: SubnetAccount, nodes: &[(&str, NodeAccount)]) -> Ledger {
    Ledger {
        subnets: BTreeMap::from([("s".into(), subnet)]),
        nodes: nodes.iter().map(|(name, node)| ((*name).into(), node.clone())).collect(),
        ..Ledger::default()
    }
}
