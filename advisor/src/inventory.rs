//! What AWS says there is, as plain values: one [`Inventory`] per round of observation.
//!
//! Nothing here waits or decides; `aws` fills these, `ledger`, `in_flight` and `leaks` read them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use headroom_capacity::binding::TypeShape;
use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::subnet::{Cidr, ReservationKind};
use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;

/// An EC2 instance ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The instance of a node's `spec.providerID`, `aws:///us-west-2a/i-0123456789abcdef0`; `None` where the last part names none
    /// (HyperPod and Fargate nodes have other forms).
    #[must_use]
    pub fn of_provider_id(provider_id: &str) -> Option<InstanceId> {
        let rest = provider_id.strip_prefix("aws:///")?;
        let id = rest.rsplit('/').next()?;
        id.starts_with("i-").then(|| InstanceId::from(id))
    }
}

impl From<&str> for InstanceId {
    fn from(id: &str) -> InstanceId {
        InstanceId(id.into())
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tags of a resource by key.
pub type Tags = BTreeMap<String, String>;

/// A subnet (EC2 `DescribeSubnets`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnetId`.
    pub id: SubnetId,
    /// `vpcId`.
    pub vpc: Arc<str>,
    /// `availabilityZone`.
    pub az: Arc<str>,
    /// `cidrBlock`.
    pub cidr: Cidr,
    /// `availableIpAddressCount`: eventually consistent (amazon-vpc-cni-k8s#3075).
    pub available_ips: Ips,
    /// Its tags.
    pub tags: Tags,
}

/// A subnet CIDR reservation (EC2 `GetSubnetCidrReservations`), IPv4 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Its block.
    pub cidr: Cidr,
    /// `prefix` or `explicit`.
    pub kind: ReservationKind,
}

/// An ENI (EC2 `DescribeNetworkInterfaces`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eni {
    /// `networkInterfaceId`.
    pub id: EniId,
    /// `subnetId`.
    pub subnet: SubnetId,
    /// `status` is `available`: attached to nothing.
    pub available: bool,
    /// What it is to the CNI.
    pub kind: EniKind,
    /// Its primary private IPv4 address; `None` in an IPv6-only subnet.
    pub primary_ip: Option<Ipv4Addr>,
    /// Its other private IPv4 addresses.
    pub secondary_ips: Vec<Ipv4Addr>,
    /// Its delegated /28 prefixes.
    pub prefixes: Vec<Cidr>,
    /// What it is attached to.
    pub attachment: Option<Attachment>,
    /// `requesterManaged`: an AWS service made it.
    pub requester_managed: bool,
    /// `description`, cut to what decides: the instance of `aws-K8S-<instance>` (CNI `pkg/awsutils`, `eniDescriptionPrefix`).
    pub described_for: Option<InstanceId>,
    /// The tags that decide.
    pub tags: EniTags,
}

/// `interfaceType`, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EniKind {
    /// `interface`.
    Interface,
    /// `trunk`: carries branch ENIs and gives no address to a pod itself.
    Trunk,
    /// `branch`: one pod's.
    Branch,
    /// `efa-only`: has no address.
    EfaOnly,
    /// Anything that a service owns: `vpc_endpoint`, `nat_gateway`, `load_balancer`, `lambda`, ...
    Service,
}

/// How an ENI is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// `instanceId`; `None` for what a service attached to something of its own.
    pub instance: Option<InstanceId>,
    /// `deviceIndex`; 0 is an instance's primary ENI.
    pub device_index: u32,
    /// `networkCardIndex`.
    pub network_card: u32,
}

/// The tags of an ENI that decide about anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EniTags {
    /// `node.k8s.amazonaws.com/instance_id`: ipamd made it for this instance, or tagged its primary (CNI `pkg/awsutils`).
    pub instance: Option<InstanceId>,
    /// `node.k8s.amazonaws.com/createdAt`: only on those that ipamd made.
    pub created_at: Option<Time>,
    /// `cluster.k8s.amazonaws.com/name`.
    pub cluster: Option<Arc<str>>,
    /// `eks:eni:owner`: `amazon-vpc-cni` or `eks-vpc-resource-controller`.
    pub eks_owner: Option<Arc<str>>,
    /// `node.k8s.amazonaws.com/no_manage` is `true`: ipamd leaves it alone.
    pub no_manage: bool,
    /// `vpcresources.k8s.aws/trunk-eni-id`: a branch ENI of this trunk.
    pub trunk: Option<EniId>,
}

/// An instance (EC2 `DescribeInstances`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `instanceId`.
    pub id: InstanceId,
    /// `instanceType`.
    pub instance_type: Arc<str>,
    /// Its state.
    pub state: InstanceState,
    /// `launchTime`.
    pub launched_at: Time,
    /// `subnetId` of its primary ENI; `None` once it is terminated.
    pub subnet: Option<SubnetId>,
    /// `privateDnsName`: the node's name, unless resource names are used.
    pub private_dns: Arc<str>,
    /// Tag `aws:autoscaling:groupName`.
    pub group: Option<Arc<str>>,
    /// Tag `kubernetes.io/cluster/<name>` of this cluster is there.
    pub of_cluster: bool,
}

/// `instanceState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstanceState {
    /// `pending`.
    Pending,
    /// `running`.
    Running,
    /// `shutting-down`.
    ShuttingDown,
    /// `stopping` or `stopped`: it keeps its addresses.
    Stopped,
    /// `terminated`.
    Terminated,
}

/// An Auto Scaling group (`DescribeAutoScalingGroups`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `AutoScalingGroupName`.
    pub name: Arc<str>,
    /// `MinSize`.
    pub min: u32,
    /// `MaxSize`.
    pub max: u32,
    /// `DesiredCapacity`.
    pub desired: u32,
    /// `VPCZoneIdentifier`, taken apart.
    pub subnets: Vec<SubnetId>,
    /// `Instances`.
    pub members: Vec<Member>,
    /// Instance types that `MixedInstancesPolicy` names; none where a launch template alone tells the type.
    pub types: Vec<Arc<str>>,
    /// `SuspendedProcesses` by name.
    pub suspended: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

/// An instance of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `InstanceId`.
    pub instance: InstanceId,
    /// `InstanceType`.
    pub instance_type: Arc<str>,
    /// `LifecycleState`, as AWS spells it (`Pending`, `InService`, `Terminating:Wait`, ...).
    pub lifecycle: Arc<str>,
    /// `ProtectedFromScaleIn`.
    pub protected: bool,
}

/// A VPC endpoint (EC2 `DescribeVpcEndpoints`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `vpcEndpointId`.
    pub id: Arc<str>,
    /// `serviceName`, for example `com.amazonaws.us-west-2.autoscaling`.
    pub service: Arc<str>,
    /// `state` is `available`.
    pub available: bool,
    /// `privateDnsEnabled`.
    pub private_dns: bool,
    /// `vpcEndpointType` is `Interface`.
    pub interface: bool,
    /// `networkInterfaceIdSet`.
    pub enis: Vec<EniId>,
}

/// An instance type that the region offers (EC2 `DescribeInstanceTypes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it can attach.
    pub limits: InstanceLimits,
    /// Its CPU, memory and volumes; `None` where EC2 does not tell them, and for Macs.
    pub shape: Option<TypeShape>,
    /// `currentGeneration`.
    pub current: bool,
    /// `burstablePerformanceSupported`: its CPU is a loan.
    pub burstable: bool,
    /// `instanceStorageSupported`: it has disks of its own.
    pub local_disks: bool,
    /// It has GPUs or other accelerators (`gpuInfo`, `neuronInfo`, `inferenceAcceleratorInfo`, `fpgaInfo`,
    /// `mediaAcceleratorInfo`).
    pub accelerated: bool,
}

/// All that AWS says, each part as of its own time.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The cluster's VPC; `None` where no subnet was found.
    pub vpc: Option<Arc<str>>,
    /// Its IPv4 blocks.
    pub vpc_cidrs: Vec<Cidr>,
    /// Subnets in scope, by ID.
    pub subnets: BTreeMap<SubnetId, Subnet>,
    /// CIDR reservations by subnet; a subnet without an entry was not asked.
    pub reservations: BTreeMap<SubnetId, Vec<Reservation>>,
    /// Every ENI in those subnets, whoever owns it.
    pub enis: Vec<Eni>,
    /// The cluster's instances by ID, terminated ones left out.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// The cluster's groups by name.
    pub groups: BTreeMap<Arc<str>, Group>,
    /// VPC endpoints of the VPC.
    pub endpoints: Vec<Endpoint>,
    /// Limits of the instance types in use that the built-in table does not know.
    pub types: BTreeMap<Arc<str>, InstanceLimits>,
    /// Every instance type of the region by name.
    pub offers: Arc<BTreeMap<Arc<str>, Offer>>,
    /// When each part was read completely for the last time.
    pub read_at: ReadAt,
}

/// When each part of an [`Inventory`] was read; `None` for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadAt {
    /// Subnets and their reservations.
    pub subnets: Option<Time>,
    /// ENIs: when the first page was asked for.
    pub enis: Option<Time>,
    /// Instances.
    pub instances: Option<Time>,
    /// Groups.
    pub groups: Option<Time>,
    /// Endpoints.
    pub endpoints: Option<Time>,
    /// Instance types of the region.
    pub offers: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_id_names_its_instance_or_none() {
        let id = |text| InstanceId::of_provider_id(text).map(|id| id.to_string());
        assert_eq!(id("aws:///us-west-2a/i-0123456789abcdef0").as_deref(), Some("i-0123456789abcdef0"));
        assert_eq!(id("aws:///us-west-2a/sagemaker/cluster/hyperpod-abc-i-01"), None);
        assert_eq!(id("kind://docker/kind/node"), None);
    }
}
