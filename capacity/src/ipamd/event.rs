//! What happens to ipamd, what it does, and its conversation with EC2.

use std::fmt;
use std::net::Ipv4Addr;

use crate::ids::{EniId, PodUid, SubnetId};
use crate::subnet::Cidr;
use crate::units::{Ips, Prefixes};

/// Something that happens to ipamd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The loop's turn, every 5 s or so: one step up or down, then at most one ENI given back (`updateIPPoolIfRequired`).
    Tick,
    /// CNI ADD for a pod.
    Add(PodUid),
    /// CNI DEL for a pod.
    Del(PodUid),
    /// EC2's answer to the call in flight.
    Reply(Reply),
    /// `spec.unschedulable` changed.
    Cordoned(bool),
    /// The reconcile found an ENI that ipamd did not attach itself, the trunk for example (`nodeIPPoolReconcile`).
    Discovered(NewEni),
}

/// What ipamd does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// ADD succeeded.
    Assigned {
        /// The pod.
        pod: PodUid,
        /// Its address.
        ip: Ipv4Addr,
    },
    /// ADD failed: no assignable address in the data store.
    NoAddress(PodUid),
    /// DEL succeeded: the address cools down from now on.
    Released {
        /// The pod.
        pod: PodUid,
        /// Its address.
        ip: Ipv4Addr,
    },
    /// Call EC2 and feed the answer back as [`Event::Reply`]. Never more than one in flight.
    Call(Call),
    /// A line of ipamd's log, with its literal text where one is known.
    Log(String),
}

/// One EC2 call, or one chain of calls that ipamd waits for as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// DescribeSubnets for subnet discovery.
    DescribeSubnets,
    /// AssignPrivateIpAddresses with a count of addresses.
    AssignIps {
        /// The ENI.
        eni: EniId,
        /// How many.
        count: Ips,
    },
    /// AssignPrivateIpAddresses with a count of prefixes.
    AssignPrefixes {
        /// The ENI.
        eni: EniId,
        /// How many.
        count: Prefixes,
    },
    /// UnassignPrivateIpAddresses of /32s or /28s.
    Unassign {
        /// The ENI.
        eni: EniId,
        /// What to give back.
        blocks: Vec<Cidr>,
    },
    /// CreateNetworkInterface, AttachNetworkInterface, ModifyNetworkInterfaceAttribute.
    CreateEni {
        /// Where.
        subnet: SubnetId,
        /// Secondary IPs beside the primary one.
        ips: Ips,
        /// Prefixes.
        prefixes: Prefixes,
    },
    /// DetachNetworkInterface, then DeleteNetworkInterface.
    FreeEni {
        /// The ENI.
        eni: EniId,
    },
}

/// EC2's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To `DescribeSubnets`: the subnets of the VPC in the node's zone.
    Subnets(Vec<SubnetInfo>),
    /// To `AssignIps`, `AssignPrefixes`: the blocks now on the ENI that were not before.
    Assigned(Vec<Cidr>),
    /// To `Unassign` and `FreeEni`.
    Done,
    /// To `CreateEni`: the ENI is attached.
    Created(NewEni),
    /// EC2 refused, with its error code.
    Failed(Ec2Error),
}

/// EC2 error codes that ipamd tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ec2Error {
    /// `InsufficientFreeAddressesInSubnet`: arms the 120 s back-off.
    InsufficientFreeAddressesInSubnet,
    /// `InsufficientCidrBlocks`: arms the 120 s back-off.
    InsufficientCidrBlocks,
    /// Any other code, `RequestLimitExceeded` for example.
    Other(String),
}

impl Ec2Error {
    /// EC2's error code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Ec2Error::InsufficientFreeAddressesInSubnet => "InsufficientFreeAddressesInSubnet",
            Ec2Error::InsufficientCidrBlocks => "InsufficientCidrBlocks",
            Ec2Error::Other(code) => code,
        }
    }

    /// Whether the subnet is out of addresses or /28s (CNI `containsInsufficientCIDRsOrSubnetIPs`). CreateNetworkInterface has
    /// been seen to say so with `InvalidParameterValue`, which ipamd does not take for it (amazon-vpc-cni-k8s#3105).
    #[must_use]
    pub fn is_insufficient(&self) -> bool {
        matches!(self, Ec2Error::InsufficientFreeAddressesInSubnet | Ec2Error::InsufficientCidrBlocks)
    }

    /// Whether the ENI already has as many addresses as it can (CNI `containsPrivateIPAddressLimitExceededError`).
    #[must_use]
    pub fn is_eni_full(&self) -> bool {
        self.code() == "PrivateIpAddressLimitExceeded"
    }
}

impl fmt::Display for Ec2Error {
    /// As the AWS SDK ends its message: ipamd's log carries it, and others search the log for the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "api error {}", self.code())
    }
}

/// A subnet as DescribeSubnets shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetInfo {
    /// The subnet.
    pub id: SubnetId,
    /// `AvailableIpAddressCount`.
    pub available_ips: Ips,
    /// Tags, key and value.
    pub tags: Vec<(String, String)>,
}

/// An ENI that has just been attached, or was attached at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEni {
    /// The ENI.
    pub id: EniId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Device index on the default card, 0 for the primary ENI.
    pub device_index: u32,
    /// /32s and /28s on it, the ENI's primary address not among them.
    pub blocks: Vec<Cidr>,
    /// Whether it is the trunk.
    pub trunk: bool,
}
