//! What Kubernetes says there is: cluster events applied to a plain value. Knows no clock: every call says what time it is.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use headroom_capacity::ids::{PodUid, SubnetId};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;
use headroom_cluster::{Kind, Node};

use crate::inventory::InstanceId;

/// The cluster at one moment, as far as addresses are concerned.
#[derive(Clone, Debug, Default)]
pub struct ClusterState {
    /// aws-node's settings.
    pub settings: Arc<CniSettings>,
    /// Nodes by name.
    pub nodes: HashMap<Arc<str>, NodeInfo>,
    /// Pods by UID, finished ones included for as long as Kubernetes keeps them.
    pub pods: HashMap<PodUid, PodInfo>,
    /// Addresses that pods have given up, with the time at which each is usable again; those whose time has passed may be
    /// there still.
    pub cooling: HashMap<Ipv4Addr, Time>,
    /// ENIConfig name -> subnet.
    pub eni_configs: BTreeMap<Arc<str>, Option<SubnetId>>,
    /// Kinds whose first list is not complete.
    pub missing: Vec<Kind>,
    /// Since when the watch of nodes or pods has been failing.
    pub failing_since: Option<Time>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// As the watch tells it.
    pub node: Node,
    /// The instance of its provider ID.
    pub instance: Option<InstanceId>,
    /// CNINode feature `SecurityGroupsForPods`.
    pub security_groups_for_pods: bool,
    /// The subnet that custom networking makes its new ENIs in; `None` without custom networking or where the ENIConfig is not
    /// there.
    pub eni_config_subnet: Option<SubnetId>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodInfo {
    /// `namespace/name`.
    pub name: Arc<str>,
    /// The node that it is bound to.
    pub node: Option<Arc<str>>,
    /// What kind of address it needs.
    pub demand: Demand,
    /// Its IPv4 address, while it holds one: not once it has finished, and not the node's.
    pub ip: Option<Ipv4Addr>,
    /// It has finished, or is gone from its node.
    pub over: bool,
    /// When kubelet last said that the CNI had no address for it.
    pub refused_at: Option<Time>,
    /// When it was first seen bound and without an address; `None` once it has one.
    pub waiting_since: Option<Time>,
}
