//! How many pod IPs a node can ever hold, and in what unit it grows.

use crate::instance::InstanceLimits;
use crate::settings::CniSettings;
use crate::units::{Enis, Ips};
use crate::verdict::Reason;

/// Who gives pods on this node their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Linux with aws-node: everything below applies.
    Linux,
    /// Windows: the VPC resource controller, primary ENI only.
    Windows,
    /// `eks.amazonaws.com/compute-type=fargate`: one ENI a pod, no aws-node.
    Fargate,
    /// `eks.amazonaws.com/compute-type=auto`: EKS Auto Mode.
    Auto,
    /// `eks.amazonaws.com/compute-type=hybrid`: another CNI.
    Hybrid,
}

impl NodeKind {
    /// From a node's labels: `get("kubernetes.io/os")` and `get("eks.amazonaws.com/compute-type")` are asked.
    pub fn from_labels<'a>(_get: impl Fn(&str) -> Option<&'a str>) -> NodeKind {
        unimplemented!("capacity-budget")
    }
}

/// The unit in which an ENI takes addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One address a slot.
    SecondaryIp,
    /// One /28 a slot.
    Prefix,
}

/// What is known of a node before its pool is looked at.
#[derive(Clone, Debug)]
pub struct NodeFacts<'a> {
    /// Who gives it addresses.
    pub kind: NodeKind,
    /// Its instance type's limits; `None` where neither a table nor EC2 nor observation knows them.
    pub limits: Option<&'a InstanceLimits>,
    /// aws-node's settings.
    pub settings: &'a CniSettings,
    /// `status.capacity.pods`.
    pub max_pods: u32,
    /// ENIs attached that ipamd leaves alone: tagged `node.k8s.amazonaws.com/no_manage=true`, or untagged with
    /// `MANAGE_UNTAGGED_ENI=false`.
    pub unmanaged: Enis,
    /// ENIs in a subnet tagged `kubernetes.io/role/cni=0`: they hold a slot and give no IP.
    pub excluded: Enis,
    /// Whether a trunk ENI is attached.
    pub trunk_attached: bool,
}

/// The hard limits of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Pods take IPv4 addresses from ENIs that ipamd manages.
    Ipv4(Ipv4Budget),
    /// One /80 serves more pods than fit: only max-pods limits.
    Ipv6 {
        /// Pods, host-network ones included.
        max_pods: u32,
    },
    /// Windows: addresses of the primary ENI only, counted by the scheduler as
    /// `vpc.amazonaws.com/PrivateIPv4Address`.
    Windows {
        /// Addresses for pods.
        ceiling: Ips,
    },
    /// Not the VPC CNI's business (Fargate, Auto, hybrid): pass.
    NotManaged(NodeKind),
    /// The limits are not known; never a guess.
    Unknown(Reason),
}

/// Limits of a Linux node in IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Budget {
    /// The effective mode: prefix delegation falls back silently on xen (CNI `isConfigValid`).
    pub mode: Mode,
    /// Whether prefix delegation was asked for and is not supported here.
    pub prefix_fallback: bool,
    /// ENIs that may be attached at all (`getMaxENI`).
    pub max_enis: Enis,
    /// ENIs that can take pod addresses.
    pub pod_enis: Enis,
    /// Slots on one ENI for secondary IPs or prefixes: IPv4 per ENI − 1 (`GetENIIPv4Limit`).
    pub slots_per_eni: u32,
    /// Addresses for pods that can ever be attached.
    pub ceiling: Ips,
    /// Pods that kubelet admits, host-network ones included.
    pub max_pods: u32,
    /// Branch ENIs, a budget of its own; `None` where security groups for pods are off or the type is not known.
    pub branch: Option<Enis>,
}

/// The budget of a node.
#[must_use]
pub fn budget(_facts: &NodeFacts<'_>) -> Budget {
    unimplemented!("capacity-budget")
}
