//! What Kubernetes says there is: cluster events applied to a plain value. Knows no clock: every call says what time it is.
//!
//! [`State`] takes the events in and [`State::view`] shows the [`ClusterState`] that they make.

mod apply;
mod declared;
mod shared;

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use headroom_capacity::binding::Requests;
use headroom_capacity::ids::{PodUid, SubnetId};
use headroom_capacity::settings::{CniSettings, ControllerSettings};
use headroom_capacity::time::Time;
use headroom_capacity::verdict::{Demand, Reason};
use headroom_cluster::{Kind, Labels, Node, Placement, Ties};

use crate::inventory::InstanceId;
pub use apply::State;
pub use declared::Declarations;

/// The cluster at one moment, as far as addresses are concerned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterState {
    /// aws-node's settings.
    pub settings: Arc<CniSettings>,
    /// The VPC resource controller's.
    pub controller: ControllerSettings,
    /// Nodes by name.
    pub nodes: HashMap<Arc<str>, NodeInfo>,
    /// Pods by UID, finished ones included for as long as Kubernetes keeps them.
    pub pods: HashMap<PodUid, PodInfo>,
    /// The pod of each address in `pods`: of two that claim the same, the one that was seen last, and once that is gone none.
    pub holders: HashMap<Ipv4Addr, PodUid>,
    /// Addresses that pods have given up, with the time at which each is usable again; those whose time has passed may be
    /// there still. None is in `holders` too.
    pub cooling: HashMap<Ipv4Addr, Time>,
    /// ENIConfig name -> subnet.
    pub eni_configs: BTreeMap<Arc<str>, Option<SubnetId>>,
    /// EBS volumes that the CSI driver says a node can have for pods, by node; none where it has not said.
    pub ebs_volumes: BTreeMap<Arc<str>, u32>,
    /// What controllers are told, from which no books are made.
    pub declared: Arc<Declarations>,
    /// Kinds of [`Kind::PRESENT`] whose first list is not complete.
    pub missing: Vec<Kind>,
    /// Since when the watch of nodes or pods has been failing.
    pub failing_since: Option<Time>,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
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

/// What of a pod decides where kube-scheduler lets it, beside what it takes. The pods of one controller share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// Which nodes it may be on.
    pub placement: Arc<Placement>,
    /// And by the pods that are there.
    pub ties: Arc<Ties>,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// It is being deleted.
    pub leaving: bool,
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
    /// What else it takes of its node.
    pub requests: Requests,
    /// What else kube-scheduler goes by.
    pub scheduling: Scheduling,
    /// Its IPv4 address, while it holds one: not once it has finished, and not the node's.
    pub ip: Option<Ipv4Addr>,
    /// It has finished, or is gone from its node.
    pub over: bool,
    /// Why the extender kept it from every node, while it waits for one, and since when.
    pub shortage: Option<(Reason, Time)>,
    /// When kubelet last said that the CNI had no address for it. Only for those that need one of the node's pool: the CNI says the
    /// same of a branch ENI that is not ready.
    pub refused_at: Option<Time>,
    /// When it was first seen bound and without an address; `None` once it has one.
    pub waiting_since: Option<Time>,
}
