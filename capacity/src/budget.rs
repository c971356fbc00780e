//! How many pod IPs a node can ever hold, and in what unit it grows.

mod kind;
mod limits;

pub use kind::NodeKind;
pub use limits::DescribedType;

use crate::instance::{InstanceLimits, LimitSource};
use crate::settings::CniSettings;
use crate::units::{Enis, IPS_PER_PREFIX, Ips, Prefixes};
use crate::verdict::Reason;

/// The unit in which an ENI takes addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One address a slot.
    SecondaryIp,
    /// One /28 a slot.
    Prefix,
}

impl Mode {
    /// Addresses in one slot: 1, or 16 in prefix mode.
    #[must_use]
    pub const fn ips_per_slot(self) -> u32 {
        match self {
            Mode::SecondaryIp => 1,
            Mode::Prefix => IPS_PER_PREFIX,
        }
    }
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
    /// `MANAGE_UNTAGGED_ENI=false`, or EFA-only. The trunk is not among them.
    pub unmanaged: Enis,
    /// ENIs in a subnet tagged `kubernetes.io/role/cni=0`: they hold a slot and give no IP. Under custom networking without the
    /// primary one, which gives none anyway.
    pub excluded: Enis,
    /// Whether a trunk ENI is attached.
    pub trunk_attached: bool,
    /// `enable-windows-prefix-delegation` of ConfigMap `kube-system/amazon-vpc-cni`.
    pub windows_prefix_delegation: bool,
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
        /// As [`Ipv4Budget::branch`].
        branch: Option<Enis>,
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
    /// Whether ENIs of this type can take prefixes, asked for or not.
    pub prefixes_supported: bool,
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
    /// Where the type's limits come from. [`LimitSource::Observed`] makes every count here a lower bound.
    pub source: LimitSource,
}

/// The budget of a node.
///
/// IPv4 on Linux (CNI `hasRoomForEni`, `getMaxENI`, `GetIPv4Limit`, `GetAllocatableENIs`):
///
/// ```text
/// max_enis = min(the type's ENIs on the default card, MAX_ENI)
/// pod_enis = max_enis − unmanaged − excluded
///            − 1 under custom networking: the primary ENI takes no new address
///            − 1 for the trunk: attached, or to come (ENABLE_POD_ENI and not known to be unable to trunk)
///            never less than the primary ENI where it gives addresses
/// ceiling  = pod_enis × (IPv4 per ENI − 1) × (16 in prefix mode)
/// ```
#[must_use]
pub fn budget(facts: &NodeFacts<'_>) -> Budget {
    match facts.kind {
        NodeKind::Fargate | NodeKind::Auto | NodeKind::Hybrid => Budget::NotManaged(facts.kind),
        NodeKind::Linux if facts.settings.ipv6 => {
            let branch = facts.limits.and_then(|limits| branch_limit(limits, facts.settings));
            Budget::Ipv6 { max_pods: facts.max_pods, branch }
        }
        NodeKind::Linux => facts
            .limits
            .map_or(Budget::Unknown(Reason::UnknownInstanceType), |limits| Budget::Ipv4(ipv4(facts, limits))),
        NodeKind::Windows => facts.limits.map_or(Budget::Unknown(Reason::UnknownInstanceType), |limits| {
            Budget::Windows { ceiling: windows(facts, limits) }
        }),
    }
}

fn ipv4(facts: &NodeFacts<'_>, limits: &InstanceLimits) -> Ipv4Budget {
    let settings = facts.settings;
    let supported = limits.supports_prefixes();
    let mode = if settings.prefix_delegation && supported { Mode::Prefix } else { Mode::SecondaryIp };
    let max_enis = Enis(settings.max_eni.map_or(limits.enis.get(), |most| most.min(limits.enis.get())));
    let custom = Enis(u32::from(settings.custom_networking));
    let trunk = Enis(u32::from(facts.trunk_attached || trunk_to_come(limits, settings)));
    // The primary ENI is there before any other, and ipamd always manages it (CNI `setUnmanagedENIs`).
    let primary = max_enis.saturating_sub(facts.excluded).min(Enis(1)).saturating_sub(custom);
    let pod_enis = max_enis.saturating_sub(facts.unmanaged + facts.excluded + custom + trunk).max(primary);
    let slots_per_eni = limits.ipv4_per_eni.saturating_sub(1);
    Ipv4Budget {
        mode,
        prefix_fallback: settings.prefix_delegation && !supported,
        prefixes_supported: supported,
        max_enis,
        pod_enis,
        slots_per_eni,
        ceiling: Ips(pod_enis.get().saturating_mul(slots_per_eni).saturating_mul(mode.ips_per_slot())),
        max_pods: facts.max_pods,
        branch: branch_limit(limits, settings),
        source: limits.source,
    }
}

/// ipamd keeps a slot free for the trunk unless the resource controller's table says that the type cannot have one: a type
/// that is not in it counts as able (CNI `awsutils.IsTrunkingCompatible`).
fn trunk_to_come(limits: &InstanceLimits, settings: &CniSettings) -> bool {
    settings.pod_eni && limits.branch.is_none_or(|branch| branch.trunking)
}

fn branch_limit(limits: &InstanceLimits, settings: &CniSettings) -> Option<Enis> {
    let branch = limits.branch.filter(|_| settings.pod_eni)?;
    Some(if branch.trunking { branch.max } else { Enis::ZERO })
}

/// Secondary addresses of the primary ENI only (VPC resource controller `pkg/provider/ip` and `pkg/provider/prefix`,
/// `getCapacity`).
fn windows(facts: &NodeFacts<'_>, limits: &InstanceLimits) -> Ips {
    let slots = limits.ipv4_per_eni.saturating_sub(1);
    let prefixes = facts.windows_prefix_delegation && limits.supports_prefixes();
    if prefixes { Prefixes(slots).ips() } else { Ips(slots) }
}
