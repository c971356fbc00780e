//! A node, its aws-node and its pool.

use std::collections::BTreeMap;

use headroom_capacity::budget::NodeKind;
use headroom_capacity::instance::{BranchLimits, Hypervisor, InstanceLimits, LimitSource};
use headroom_capacity::units::Enis;
use serde::{Deserialize, Serialize};

use super::Section;

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The EC2 instance of its provider ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Label `node.kubernetes.io/instance-type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Label `topology.kubernetes.io/zone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Who gives its pods addresses.
    #[serde(default)]
    pub kind: Kind,
    /// Condition `Ready`.
    pub ready: bool,
    /// The condition's message where it is not, as far as it speaks of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<String>,
    /// `spec.unschedulable`.
    #[serde(default)]
    pub cordoned: bool,
    /// `status.capacity.pods`: kubelet's max-pods.
    pub max_pods: u32,
    /// `status.capacity.cpu` in whole vCPUs, 0 where it is not known.
    #[serde(default)]
    pub vcpus: u32,
    /// Pods on it that have not ended, on the host's network included.
    pub pods: u32,
    /// Those on the host's network.
    #[serde(default)]
    pub host_pods: u32,
    /// Of the others, those that have an address.
    #[serde(default)]
    pub with_ip: u32,
    /// Pods whose containers kubelet stopped less than a cool-down and a retry ago, by its `Killing` events; `None` where events could
    /// not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<u32>,
    /// `status.allocatable["vpc.amazonaws.com/pod-eni"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_enis: Option<u32>,
    /// Its aws-node pod; of a node on which none has to run, [`Agent::default`].
    #[serde(default)]
    pub agent: Section<Agent>,
    /// ipamd's own figures.
    #[serde(default)]
    pub ipamd: Section<Ipamd>,
    /// What EC2 shows attached.
    #[serde(default)]
    pub pool: Section<Pool>,
}

impl Node {
    /// The limits of its type: as they were collected, or from the table.
    #[must_use]
    pub fn limits(&self) -> Option<InstanceLimits> {
        let collected = self.pool.get().and_then(|pool| pool.limits);
        let known = self.instance_type.as_deref().and_then(headroom_capacity::instance::lookup).copied();
        collected.map(Limits::into).or(known)
    }
}

/// Who gives the node's pods addresses ([`NodeKind`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Linux with aws-node.
    #[default]
    Linux,
    /// Windows: the VPC resource controller.
    Windows,
    /// Fargate: an ENI a pod.
    Fargate,
    /// EKS Auto Mode.
    Auto,
    /// EKS Hybrid Nodes: another CNI.
    Hybrid,
}

impl From<NodeKind> for Kind {
    fn from(kind: NodeKind) -> Kind {
        match kind {
            NodeKind::Linux => Kind::Linux,
            NodeKind::Windows => Kind::Windows,
            NodeKind::Fargate => Kind::Fargate,
            NodeKind::Auto => Kind::Auto,
            NodeKind::Hybrid => Kind::Hybrid,
        }
    }
}

impl From<Kind> for NodeKind {
    fn from(kind: Kind) -> NodeKind {
        match kind {
            Kind::Linux => NodeKind::Linux,
            Kind::Windows => NodeKind::Windows,
            Kind::Fargate => NodeKind::Fargate,
            Kind::Auto => NodeKind::Auto,
            Kind::Hybrid => NodeKind::Hybrid,
        }
    }
}

/// A node's aws-node pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Its name; empty where there is none.
    pub pod: String,
    /// Container `aws-node` is ready.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// The reason for which it waits or has ended: `CrashLoopBackOff`, `ImagePullBackOff`, `OOMKilled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Figures of ipamd's `/metrics` (CNI `utils/prometheusmetrics`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ipamd {
    /// `awscni_total_ip_addresses`.
    pub total: u32,
    /// `awscni_assigned_ip_addresses`. What is between it and the total includes addresses that cool down.
    pub assigned: u32,
    /// `awscni_no_available_ip_addresses`: ADDs for which it had none, since it started.
    pub refused: u64,
    /// `awscni_aws_api_error_count` by EC2's code, since it started.
    pub errors: BTreeMap<String, u64>,
}

/// What a node has attached, by the books that the advisor keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Its type's limits, where anybody knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Its Auto Scaling group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The subnet of its primary ENI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_subnet: Option<String>,
    /// ENIs attached, the trunk and those that ipamd leaves alone included.
    pub enis: u32,
    /// Of these, those that take addresses for pods.
    pub pod_enis: u32,
    /// Those that ipamd leaves alone.
    #[serde(default)]
    pub unmanaged: u32,
    /// Those in subnets tagged `kubernetes.io/role/cni=0`.
    #[serde(default)]
    pub excluded: u32,
    /// A trunk ENI is attached.
    #[serde(default)]
    pub trunk: bool,
    /// Addresses attached for pods, 16 for each prefix.
    pub attached: u32,
    /// Prefixes that pods can get addresses from.
    #[serde(default)]
    pub prefixes: u32,
    /// Of the attached, those that pods have.
    pub assigned: u32,
    /// Those that were seen to cool down.
    #[serde(default)]
    pub cooling: u32,
    /// Pods that are bound here, need an address of the pool and have none.
    #[serde(default)]
    pub waiting: u32,
    /// Branch ENIs.
    #[serde(default)]
    pub branch: u32,
    /// Free slots on attached ENIs that take pod addresses, by subnet.
    #[serde(default)]
    pub free_slots: BTreeMap<String, u32>,
    /// Subnets in which ipamd would make a new ENI, in the order in which it tries them.
    #[serde(default)]
    pub new_eni_subnets: Vec<String>,
}

/// Limits of an instance type ([`InstanceLimits`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// ENIs on the default network card.
    pub enis: u32,
    /// IPv4 addresses of an ENI, its primary one included.
    pub ipv4_per_eni: u32,
    /// Whether it takes prefixes.
    pub prefixes: bool,
    /// Network cards.
    pub network_cards: u32,
    /// Branch ENIs; `None` where the resource controller does not know the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u32>,
    /// Who says so.
    pub source: Source,
}

/// Who knows a type's limits ([`LimitSource`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The CNI's table.
    CniTable,
    /// The resource controller's table.
    VrcTable,
    /// EC2's `DescribeInstanceTypes`.
    DescribeInstanceTypes,
    /// Seen attached: at least so much.
    Observed,
}

impl From<Limits> for InstanceLimits {
    fn from(limits: Limits) -> InstanceLimits {
        InstanceLimits {
            enis: Enis(limits.enis),
            ipv4_per_eni: limits.ipv4_per_eni,
            // Only whether it takes prefixes is asked of it.
            hypervisor: if limits.prefixes { Hypervisor::Nitro } else { Hypervisor::Xen },
            bare_metal: false,
            network_cards: limits.network_cards,
            branch: limits.branch.map(|max| BranchLimits { max: Enis(max), trunking: max > 0 }),
            source: match limits.source {
                Source::CniTable => LimitSource::CniTable,
                Source::VrcTable => LimitSource::VrcTable,
                Source::DescribeInstanceTypes => LimitSource::DescribeInstanceTypes,
                Source::Observed => LimitSource::Observed,
            },
        }
    }
}

impl From<&InstanceLimits> for Limits {
    fn from(limits: &InstanceLimits) -> Limits {
        Limits {
            enis: limits.enis.get(),
            ipv4_per_eni: limits.ipv4_per_eni,
            prefixes: limits.supports_prefixes(),
            network_cards: limits.network_cards,
            branch: limits.branch.map(|branch| if branch.trunking { branch.max.get() } else { 0 }),
            source: match limits.source {
                LimitSource::CniTable => Source::CniTable,
                LimitSource::VrcTable => Source::VrcTable,
                LimitSource::DescribeInstanceTypes => Source::DescribeInstanceTypes,
                LimitSource::Observed => Source::Observed,
            },
        }
    }
}
