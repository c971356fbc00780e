//! Nodes, pods and subnets as a file can hold them.

use std::collections::BTreeMap;

use headroom_capacity::instance;
use headroom_capacity::settings::CniSettings;
use headroom_shell::config::{ConfigError, ConfigFile, within};
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::state::ClusterState;

/// A cluster as far as its addresses go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fleet {
    /// Environment of `aws-node`, by variable.
    pub cni: BTreeMap<String, String>,
    /// Subnets.
    pub subnets: Vec<Subnet>,
    /// Nodes, as many in one entry as are alike.
    pub nodes: Vec<Nodes>,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Its ID, or any name.
    pub id: String,
    /// Addresses that can be held: of a /24 without reservations 251.
    pub usable_ips: u32,
    /// Addresses that others than these nodes hold. Default 0.
    #[serde(default)]
    pub other_ips: u32,
}

/// Nodes that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// Their instance type.
    pub instance_type: String,
    /// The subnet of their primary ENIs.
    pub subnet: String,
    /// The subnet of their pods under custom networking. Default null: that of the nodes.
    #[serde(default)]
    pub pod_subnet: Option<String>,
    /// Pods that kubelet admits, host-network ones included.
    pub max_pods: u32,
    /// Pods with an address of their own on each.
    pub pods_each: u32,
    /// How many nodes.
    pub count: u32,
}

impl ConfigFile for Fleet {
    const BINARY: &'static str = "headroom-advisor";

    fn check(&self) -> Result<(), ConfigError> {
        if self.subnets.is_empty() {
            return Err(ConfigError::Value { key: "subnets", problem: "at least one is needed".to_owned() });
        }
        let subnets = self.subnets.iter();
        within(subnets.map(|subnet| ("subnets.usable_ips", u64::from(subnet.usable_ips), 1, 65_531)))?;
        within(self.nodes.iter().flat_map(|nodes| {
            [
                ("nodes.count", u64::from(nodes.count), 0, 100_000),
                ("nodes.max_pods", u64::from(nodes.max_pods), 1, 1000),
                ("nodes.pods_each", u64::from(nodes.pods_each), 0, 1000),
            ]
        }))
    }
}

/// The cluster as it is; pods on nodes of a kind are spread evenly. What nodes hold whose type is not in the table counts as others',
/// and so does what nodes have in further subnets by subnet discovery: a node is taken to draw on one.
#[must_use]
pub fn fleet(ledger: &Ledger, state: &ClusterState) -> Fleet {
    let mut kinds: BTreeMap<Nodes, u32> = BTreeMap::new();
    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    for (name, node) in &ledger.nodes {
        let (Some(info), Some(own)) = (state.nodes.get(name), &node.primary_subnet) else { continue };
        let (Some(instance_type), Some(budget)) = (&info.node.instance_type, node.ipv4()) else { continue };
        if instance::lookup(instance_type).is_none() {
            continue;
        }
        let custom = info.eni_config_subnet.as_ref().filter(|_| state.settings.custom_networking);
        let held = node.attached.get() + node.enis.get();
        let apart = u32::from(custom.is_some());
        *counted.entry(own.to_string()).or_default() += apart;
        *counted.entry(custom.unwrap_or(own).to_string()).or_default() += held.saturating_sub(apart);
        let nodes = Nodes {
            instance_type: instance_type.to_string(),
            subnet: own.to_string(),
            pod_subnet: custom.map(ToString::to_string),
            max_pods: budget.max_pods,
            pods_each: node.pods(),
            count: 0,
        };
        *kinds.entry(nodes).or_default() += 1;
    }
    let subnets = ledger.subnets.iter().map(|(id, account)| Subnet {
        id: id.to_string(),
        usable_ips: account.usable().get(),
        other_ips: account.used().get().saturating_sub(counted.get(id.as_str()).copied().unwrap_or_default()),
    });
    let subnets = subnets.collect();
    let nodes = kinds.into_iter().map(|(nodes, count)| Nodes { count, ..nodes }).collect();
    Fleet { cni: environment(&state.settings), subnets, nodes }
}

/// The variables of aws-node that bear on the count.
pub const VARIABLES: [&str; 9] = [
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
    "ENABLE_IPv6",
    "ENABLE_POD_ENI",
    "ENABLE_PREFIX_DELEGATION",
    "MAX_ENI",
    "MINIMUM_IP_TARGET",
    "WARM_ENI_TARGET",
    "WARM_IP_TARGET",
    "WARM_PREFIX_TARGET",
];

/// Those variables as `aws-node` would have to have them.
fn environment(settings: &CniSettings) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("WARM_ENI_TARGET".to_owned(), settings.warm_eni_target.to_string()),
        ("WARM_PREFIX_TARGET".to_owned(), settings.warm_prefix_target.to_string()),
        ("ENABLE_PREFIX_DELEGATION".to_owned(), settings.prefix_delegation.to_string()),
        ("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG".to_owned(), settings.custom_networking.to_string()),
        ("ENABLE_POD_ENI".to_owned(), settings.pod_eni.to_string()),
    ]);
    let optional = [
        ("WARM_IP_TARGET", settings.warm_ip_target),
        ("MINIMUM_IP_TARGET", settings.minimum_ip_target),
        ("MAX_ENI", settings.max_eni),
    ];
    variables.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_string()))));
    if settings.ipv6 {
        variables.insert("ENABLE_IPv6".to_owned(), "true".to_owned());
    }
    variables
}
