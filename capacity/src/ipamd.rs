//! ipamd as a state machine: `apply(event, now, choose) -> effects`.
//!
//! ipamd runs one loop that makes one EC2 call at a time; while a call is in flight the loop is blocked, but CNI ADD and DEL are
//! answered from the data store at once (CNI `pkg/ipamd/ipamd.go`).

use std::net::Ipv4Addr;

use crate::budget::Ipv4Budget;
use crate::ids::{EniId, PodUid, SubnetId};
use crate::settings::CniSettings;
use crate::subnet::Cidr;
use crate::time::Time;
use crate::units::{Ips, Prefixes};

/// Something that happens to ipamd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The loop's turn, every 5 s or so: at most one pool change.
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

/// What ipamd knows when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// aws-node's settings.
    pub settings: CniSettings,
    /// The node's limits.
    pub budget: Ipv4Budget,
    /// The subnet of the primary ENI.
    pub primary_subnet: SubnetId,
    /// `ENIConfig.spec.subnet`, under custom networking.
    pub eni_config_subnet: Option<SubnetId>,
    /// Subnets whose `kubernetes.io/role/cni` tag is `0`: with subnet discovery, ENIs there hold a slot and give no address
    /// (`excludedENIBasedOnSubnetTags`).
    pub excluded_subnets: Vec<SubnetId>,
}

/// ipamd's state.
#[derive(Clone, Debug)]
pub struct Ipamd {
    config: Config,
}

impl Ipamd {
    /// ipamd at start (`nodeInit`), with the ENIs that the instance already has; the first is the primary one.
    #[must_use]
    pub fn start(config: Config, _enis: Vec<NewEni>, _now: Time) -> Ipamd {
        Ipamd { config }
    }

    /// Applies one event. `choose(n)` picks one of `n` where ipamd walks a Go map (random ENI, random CIDR, random address).
    pub fn apply(&mut self, _event: Event, _now: Time, _choose: &mut dyn FnMut(usize) -> usize) -> Vec<Effect> {
        let _ = &self.config;
        unimplemented!("capacity-ipamd")
    }

    /// Addresses attached, assigned, cooling.
    #[must_use]
    pub fn stats(&self, _now: Time) -> PoolStats {
        unimplemented!("capacity-ipamd")
    }

    /// Pods that hold an address, by UID.
    #[must_use]
    pub fn pods(&self) -> Vec<(PodUid, Ipv4Addr)> {
        unimplemented!("capacity-ipamd")
    }

    /// The ENIs in the data store, by id.
    #[must_use]
    pub fn enis(&self) -> Vec<EniView> {
        unimplemented!("capacity-ipamd")
    }

    /// Whether an EC2 call is in flight: the loop is blocked, and a [`Event::Tick`] does nothing.
    #[must_use]
    pub fn busy(&self) -> bool {
        unimplemented!("capacity-ipamd")
    }

    /// Until when ipamd asks EC2 for nothing after it was refused addresses; `None` when it is not backing off.
    #[must_use]
    pub fn back_off_until(&self, _now: Time) -> Option<Time> {
        unimplemented!("capacity-ipamd")
    }
}

/// One ENI as the introspection endpoint shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EniView {
    /// The ENI.
    pub id: EniId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Device index, 0 for the primary ENI.
    pub device_index: u32,
    /// Whether it is the primary ENI.
    pub primary: bool,
    /// Whether it is the trunk.
    pub trunk: bool,
    /// Whether its subnet is excluded: it gives no address.
    pub excluded: bool,
    /// /32s and /28s on it, ascending.
    pub blocks: Vec<Cidr>,
    /// Addresses held by pods.
    pub assigned: Ips,
}

/// The pool in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Attached addresses for pods, whatever their state.
    pub total: Ips,
    /// Held by pods.
    pub assigned: Ips,
    /// Released, not yet usable.
    pub cooling: Ips,
    /// Prefixes attached.
    pub prefixes: Prefixes,
    /// ENIs attached that give pod addresses.
    pub enis: crate::units::Enis,
}

impl PoolStats {
    /// Total − assigned, what ipamd calls available: cooling addresses included.
    #[must_use]
    pub fn available(&self) -> Ips {
        self.total.saturating_sub(self.assigned)
    }

    /// What ADD can hand out at once.
    #[must_use]
    pub fn assignable(&self) -> Ips {
        self.available().saturating_sub(self.cooling)
    }
}
