//! What a node, or a node of an instance type to come, offers beside addresses.

use crate::instance::{Hypervisor, InstanceLimits};
use crate::settings::CniSettings;

const MIB: u64 = 1 << 20;
/// kubelet's `evictionHard["memory.available"]` (kubelet's own default, and amazon-eks-ami `nodeadm/internal/kubelet/config.go`).
const EVICTION_MIB: u64 = 100;
/// What the hypervisor and the kernel keep of an instance's memory, in thousandths: Karpenter's `VM_MEMORY_OVERHEAD_PERCENT` of
/// 0.075, which is meant to err on the high side.
const VM_OVERHEAD_THOUSANDTHS: u64 = 75;

/// `status.allocatable` of a node, as far as kube-scheduler counts requests against it; `None` where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Allocatable {
    /// `cpu`, milli-CPU.
    pub cpu_millis: Option<u64>,
    /// `memory`, bytes.
    pub memory_bytes: Option<u64>,
    /// `attachable-volumes-aws-ebs`. Only old kubelets tell it, with the volume plugin that was in Kubernetes itself; the CSI
    /// driver tells the node's CSINode.
    pub volumes: Option<u32>,
}

/// The machine language of an instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// `x86_64` to EC2.
    Amd64,
    /// `arm64`.
    Arm64,
}

impl Architecture {
    /// The value of the node label `kubernetes.io/arch`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
        }
    }
}

/// How many EBS volumes an instance can have attached (EC2 DescribeInstanceTypes, `EbsInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EbsLimit {
    /// `MaximumEbsAttachments` with `AttachmentLimitType` `shared`: further ENIs take places of volumes.
    Shared(u32),
    /// With `dedicated`: volumes only.
    Dedicated(u32),
}

impl EbsLimit {
    /// As EC2 describes a type: `MaximumEbsAttachments` and `AttachmentLimitType`. `None` for another kind of limit.
    ///
    /// EC2 calls Xen's 39 or 40 shared, which is as many as its device names are: ENIs take none of them, and the driver counts 39 on
    /// every type (aws-ebs-csi-driver `pkg/cloud/limits/volume_limits.go`, `GetVolumeLimits`).
    #[must_use]
    pub fn described(most: u32, kind: &str, hypervisor: Hypervisor) -> Option<EbsLimit> {
        match kind {
            _ if hypervisor == Hypervisor::Xen => Some(EbsLimit::Dedicated(39)),
            "shared" => Some(EbsLimit::Shared(most)),
            "dedicated" => Some(EbsLimit::Dedicated(most)),
            _ => None,
        }
    }

    /// Volumes for pods on an instance with `enis` ENIs: without the root volume, and where places are shared without those of
    /// ENIs after the first, which EC2's figure leaves out already (aws-ebs-csi-driver `pkg/driver/node.go`, `getVolumesLimit`).
    #[must_use]
    pub const fn for_pods(self, enis: u32) -> u32 {
        match self {
            EbsLimit::Shared(most) => most.saturating_sub(enis.saturating_sub(1)).saturating_sub(1),
            EbsLimit::Dedicated(most) => most.saturating_sub(1),
        }
    }
}

/// The fields of one EC2 DescribeInstanceTypes entry that bear on anything but addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeShape {
    /// `VCpuInfo.DefaultVCpus`.
    pub vcpus: u32,
    /// `MemoryInfo.SizeInMiB`.
    pub memory_mib: u64,
    /// `ProcessorInfo.SupportedArchitectures`.
    pub architecture: Architecture,
    /// `EbsInfo`, where EC2 tells a maximum.
    pub ebs: Option<EbsLimit>,
}

impl TypeShape {
    /// What a node of this type offers once it runs EKS's image, with `enis` ENIs: an estimate, low rather than high. kubelet
    /// reserves of CPU 6 % of the first core, 1 % of the second, 0.5 % of the next two and 0.25 % of the rest, and of memory
    /// 255 MiB and 11 MiB for each pod that it admits (amazon-eks-ami `nodeadm/internal/kubelet/config.go`,
    /// `getCPUMillicoresToReserve`, `getMemoryMebibytesToReserve`).
    #[must_use]
    pub fn allocatable(&self, max_pods: u32, enis: u32) -> Allocatable {
        let total = u64::from(self.vcpus) * 1000;
        let reserved = [(0, 1000, 600), (1000, 2000, 100), (2000, 4000, 50), (4000, u64::MAX, 25)]
            .map(|(from, to, share)| total.min(to).saturating_sub(from) * share / 10_000);
        let visible = self.memory_mib - self.memory_mib.saturating_mul(VM_OVERHEAD_THOUSANDTHS).div_ceil(1000);
        let kept = 255 + 11 * u64::from(max_pods) + EVICTION_MIB;
        Allocatable {
            cpu_millis: Some(total - reserved.iter().sum::<u64>()),
            memory_bytes: Some(visible.saturating_sub(kept).saturating_mul(MIB)),
            volumes: self.ebs.map(|limit| limit.for_pods(enis)),
        }
    }
}

/// max-pods of a node to come where nobody says otherwise: [`InstanceLimits::default_max_pods`], and with prefix delegation
/// what EKS computes for a managed node group, by the rules of amazon-eks-ami `max-pods-calculator.sh`: at most 110, or 250
/// above 30 vCPUs. A number of vCPUs that is not known counts as a small one.
#[must_use]
pub fn max_pods(limits: &InstanceLimits, settings: &CniSettings, vcpus: Option<u32>) -> u32 {
    if !settings.prefix_delegation || !limits.supports_prefixes() {
        return limits.default_max_pods();
    }
    let enis = limits.enis.get().saturating_sub(u32::from(settings.custom_networking));
    let prefixes = enis.saturating_mul(limits.ipv4_per_eni.saturating_sub(1));
    let most = if vcpus.is_some_and(|vcpus| vcpus > 30) { 250 } else { 110 };
    prefixes.saturating_mul(crate::units::IPS_PER_PREFIX).saturating_add(2).min(most)
}
