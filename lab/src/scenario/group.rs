//! Node groups in a scenario.

use std::collections::BTreeMap;

use headroom_capacity::instance::{self, Hypervisor, InstanceLimits, LimitSource};
use headroom_capacity::units::Enis;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Quantity;
use crate::aws::Size;

/// One node group. Either `count`, or `min`, `max` and `desired`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGroup {
    /// Its name.
    pub name: String,
    /// EC2 instance type.
    pub instance_type: String,
    /// A group of fixed size.
    #[serde(default)]
    pub count: Option<u32>,
    /// Smallest size.
    #[serde(default)]
    pub min: Option<u32>,
    /// Largest size.
    #[serde(default)]
    pub max: Option<u32>,
    /// Size at the start.
    #[serde(default)]
    pub desired: Option<u32>,
    /// Subnets of the nodes, taken in turn.
    pub subnets: Vec<String>,
    /// kubelet's max-pods; left out, what a node computes for itself: ENIs × (IPv4 per ENI − 1) + 2.
    #[serde(default)]
    pub max_pods: Option<u32>,
    /// Node labels beside EKS's own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Node taints.
    #[serde(default)]
    pub taints: Vec<TaintSpec>,
    /// vCPUs, for a type whose name does not say.
    #[serde(default)]
    pub cpu: Option<Quantity>,
    /// Memory, for a type whose name does not say.
    #[serde(default)]
    pub memory: Option<Quantity>,
    /// EBS volumes that the CSI driver on its nodes says they can have; left out, there is no driver.
    #[serde(default)]
    pub ebs_volumes: Option<u32>,
    /// What EC2 allows a type that is too new for every table.
    #[serde(default)]
    pub limits: Option<LimitsSpec>,
}

/// A node taint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaintSpec {
    /// Key.
    pub key: String,
    /// Value.
    #[serde(default)]
    pub value: String,
    /// Effect.
    pub effect: TaintEffect,
}

/// A taint's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods only.
    NoSchedule,
    /// New pods, unless nothing else fits.
    PreferNoSchedule,
    /// Running pods too.
    NoExecute,
}

impl TaintEffect {
    /// As Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TaintEffect::NoSchedule => "NoSchedule",
            TaintEffect::PreferNoSchedule => "PreferNoSchedule",
            TaintEffect::NoExecute => "NoExecute",
        }
    }
}

/// ENI limits of an instance type.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsSpec {
    /// ENIs on the default network card.
    pub enis: u32,
    /// IPv4 addresses per ENI, the primary one included.
    pub ipv4_per_eni: u32,
}

impl NodeGroup {
    /// `(min, desired, max)`.
    #[must_use]
    pub fn sizes(&self) -> (u32, u32, u32) {
        let fixed = self.count.unwrap_or_default();
        let desired = self.desired.unwrap_or(fixed);
        (self.min.unwrap_or(desired), desired, self.max.unwrap_or(desired))
    }

    /// What EC2 allows its type: the file's word first, then the tables'. `None` never leaves a checked scenario.
    #[must_use]
    pub fn instance_limits(&self) -> Option<InstanceLimits> {
        self.limits.map(LimitsSpec::limits).or_else(|| instance::lookup(&self.instance_type).copied())
    }

    /// How large the file says its type is; `None` where its name says.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        let (cpu, memory) = (self.cpu.as_ref()?, self.memory.as_ref()?);
        Some(Size { vcpus: u32::try_from(cpu.units()).ok()?, memory_mib: memory.units() >> 20 })
    }

    /// kubelet's max-pods; the default is that of EKS's AMIs (CNI `misc/eni-max-pods.txt`).
    #[must_use]
    pub fn effective_max_pods(&self) -> u32 {
        let standard = |limits: InstanceLimits| limits.enis.get() * limits.ipv4_per_eni.saturating_sub(1) + 2;
        self.max_pods.or_else(|| self.instance_limits().map(standard)).unwrap_or(MAX_PODS_UNKNOWN_TYPE)
    }
}

/// kubelet's own default, used by EKS's AMIs for a type that they do not know.
const MAX_PODS_UNKNOWN_TYPE: u32 = 110;

impl LimitsSpec {
    fn limits(self) -> InstanceLimits {
        InstanceLimits {
            enis: Enis(self.enis),
            ipv4_per_eni: self.ipv4_per_eni,
            hypervisor: Hypervisor::Nitro,
            bare_metal: false,
            network_cards: 1,
            branch: None,
            source: LimitSource::DescribeInstanceTypes,
        }
    }
}
