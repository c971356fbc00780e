//! Per-instance-type ENI limits: the generated table, and limits learnt otherwise.

mod table;

pub use table::{CNI_VERSION, VRC_VERSION};

use crate::units::Enis;

/// The hypervisor as the CNI's table spells it. Prefix delegation needs nitro or bare metal
/// (CNI `pkg/vpc`, `IsPrefixDelegationSupported`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hypervisor {
    /// `nitro`.
    Nitro,
    /// `xen`.
    Xen,
    /// `unknown`: bare metal, and a few types older than xen HVM.
    Unknown,
}

/// Where a set of limits comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitSource {
    /// The CNI's table, `pkg/vpc/vpc_ip_resource_limit.go`.
    CniTable,
    /// Only the VPC resource controller's table, `pkg/aws/vpc/limits.go`.
    VrcTable,
    /// EC2 DescribeInstanceTypes.
    DescribeInstanceTypes,
    /// Seen on a running node: a lower bound.
    Observed,
}

/// Branch-ENI support, known only to the VPC resource controller's table; in no public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BranchLimits {
    /// Branch ENIs that one node may hold.
    pub max: Enis,
    /// Whether the type can have a trunk ENI.
    pub trunking: bool,
}

/// What one instance type can attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstanceLimits {
    /// ENIs on the default network card. Never the sum over all cards: ipamd attaches pod ENIs to the default card only.
    pub enis: Enis,
    /// IPv4 addresses per ENI, the primary address included.
    pub ipv4_per_eni: u32,
    /// The hypervisor.
    pub hypervisor: Hypervisor,
    /// Whether it is bare metal.
    pub bare_metal: bool,
    /// Network cards, 1 on most types.
    pub network_cards: u32,
    /// Branch ENIs; `None` where the resource controller does not know the type, and ipamd then assumes that it can trunk.
    pub branch: Option<BranchLimits>,
    /// Where these limits come from.
    pub source: LimitSource,
}

impl InstanceLimits {
    /// Whether /28 prefixes can be delegated to this type (CNI `pkg/vpc`, `IsPrefixDelegationSupported`).
    #[must_use]
    pub fn supports_prefixes(&self) -> bool {
        self.bare_metal || self.hypervisor == Hypervisor::Nitro
    }

    /// max-pods as EKS sets it where nobody says otherwise: a pod for each secondary address, and two on the host's network
    /// (header of CNI `misc/eni-max-pods.txt`).
    #[must_use]
    pub fn default_max_pods(&self) -> u32 {
        self.enis.get().saturating_mul(self.ipv4_per_eni.saturating_sub(1)).saturating_add(2)
    }
}

/// The table's row for `instance_type`, for example `"c5.xlarge"`; `None` for a type that neither table knows.
#[must_use]
pub fn lookup(instance_type: &str) -> Option<&'static InstanceLimits> {
    let table = &table::TABLE;
    table.binary_search_by_key(&instance_type, |row| row.0).ok().map(|at| &table[at].1)
}

/// Every row, sorted by type name.
pub fn all() -> impl ExactSizeIterator<Item = (&'static str, &'static InstanceLimits)> {
    table::TABLE.iter().map(|(name, limits)| (*name, limits))
}
