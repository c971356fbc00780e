//! Elastic network interfaces.

mod address;
mod attach;

use std::net::Ipv4Addr;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::subnet::{Cidr, SubnetError};
use headroom_capacity::time::Time;

use super::config::MAX_ATTACHMENTS_PER_CALL;
use super::subnet::Demand;
use super::{ApiError, InstanceId, Tags, Vpc};

/// An ENI to be made.
#[derive(Clone, Debug)]
pub struct NewEni {
    /// Where.
    pub subnet: SubnetId,
    /// The primary address; left out, EC2 chooses.
    pub primary_ip: Option<Ipv4Addr>,
    /// Secondary addresses beside the primary one.
    pub secondary_ips: u32,
    /// /28 prefixes.
    pub prefixes: u32,
    /// Description, `aws-K8S-i-...` for ipamd's.
    pub description: String,
    /// `interface`, `trunk`, `branch`, `nat_gateway`, `network_load_balancer`, `vpc_endpoint`, `lambda`, ...
    pub interface_type: &'static str,
    /// Whether an AWS service owns it.
    pub requester_managed: bool,
    /// Security groups; none means the VPC's default one.
    pub groups: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

impl NewEni {
    /// A plain ENI with a primary address only.
    #[must_use]
    pub fn in_subnet(subnet: SubnetId) -> NewEni {
        NewEni {
            subnet,
            primary_ip: None,
            secondary_ips: 0,
            prefixes: 0,
            description: String::new(),
            interface_type: "interface",
            requester_managed: false,
            groups: Vec::new(),
            tags: Tags::new(),
        }
    }
}

/// `Status` of an ENI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EniStatus {
    /// Not attached.
    Available,
    /// Being attached.
    Attaching,
    /// Attached, or held by an AWS service.
    InUse,
    /// Being detached.
    Detaching,
}

impl EniStatus {
    /// As EC2 spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EniStatus::Available => "available",
            EniStatus::Attaching => "attaching",
            EniStatus::InUse => "in-use",
            EniStatus::Detaching => "detaching",
        }
    }
}

/// Status of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachmentStatus {
    /// On its way.
    Attaching,
    /// Done.
    Attached,
    /// On its way off.
    Detaching,
}

impl AttachmentStatus {
    /// As EC2 spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AttachmentStatus::Attaching => "attaching",
            AttachmentStatus::Attached => "attached",
            AttachmentStatus::Detaching => "detaching",
        }
    }
}

/// How an ENI hangs on an instance, always on the default network card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// `eni-attach-...`.
    pub id: String,
    /// The instance.
    pub instance: InstanceId,
    /// 0 for the primary ENI.
    pub device_index: u32,
    /// Whether it dies with the instance. An ENI where this is false is left behind and keeps its addresses.
    pub delete_on_termination: bool,
    /// Its state.
    pub status: AttachmentStatus,
    /// Since when.
    pub attached_at: Time,
}

/// An ENI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eni {
    /// Its id.
    pub id: EniId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Availability zone.
    pub az: String,
    /// Primary address.
    pub primary_ip: Ipv4Addr,
    /// Secondary addresses, oldest first.
    pub secondary_ips: Vec<Ipv4Addr>,
    /// /28 prefixes, oldest first.
    pub prefixes: Vec<Cidr>,
    /// Where it hangs.
    pub attachment: Option<Attachment>,
    /// Description.
    pub description: String,
    /// As in [`NewEni`].
    pub interface_type: &'static str,
    /// As in [`NewEni`].
    pub requester_managed: bool,
    /// Security groups.
    pub groups: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

impl Eni {
    /// Its state.
    #[must_use]
    pub fn status(&self) -> EniStatus {
        match self.attachment.as_ref().map(|attachment| attachment.status) {
            None if self.requester_managed => EniStatus::InUse,
            None => EniStatus::Available,
            Some(AttachmentStatus::Attaching) => EniStatus::Attaching,
            Some(AttachmentStatus::Attached) => EniStatus::InUse,
            Some(AttachmentStatus::Detaching) => EniStatus::Detaching,
        }
    }

    /// Every block that it holds: the /32 of the primary address first.
    #[must_use]
    pub fn blocks(&self) -> Vec<Cidr> {
        let primary = std::iter::once(Cidr::single(self.primary_ip));
        primary
            .chain(self.secondary_ips.iter().copied().map(Cidr::single))
            .chain(self.prefixes.iter().copied())
            .collect()
    }

    /// Slots of the instance type's limit that are in use: a prefix takes as many as an address, namely one
    /// (EC2 user guide, "Prefix delegation for Amazon EC2 network interfaces").
    #[must_use]
    pub fn slots(&self) -> usize {
        1 + self.secondary_ips.len() + self.prefixes.len()
    }
}

impl Vpc {
    /// CreateNetworkInterface: everything that is asked for, or nothing.
    ///
    /// # Errors
    /// `InvalidSubnetID.NotFound`, `InsufficientFreeAddressesInSubnet`, `InvalidParameterValue` (also where prefixes are
    /// short, as seen in amazon-vpc-cni-k8s#3105), `InvalidIPAddress.InUse`; `InvalidParameterCombination` for addresses and
    /// prefixes at once (EC2 API reference).
    pub fn create_eni(&mut self, new: NewEni, now: Time) -> Result<Eni, ApiError> {
        self.settle(now);
        self.make_eni(new, now)
    }

    /// [`Vpc::create_eni`] for those who are called while the VPC settles.
    pub(super) fn make_eni(&mut self, new: NewEni, now: Time) -> Result<Eni, ApiError> {
        if new.secondary_ips.max(new.prefixes) > MAX_ATTACHMENTS_PER_CALL {
            return Err(private_ip_limit());
        }
        if new.secondary_ips > 0 && new.prefixes > 0 {
            let message = "A count of private IPv4 addresses and a count of IPv4 prefixes exclude each other";
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
        let id = EniId::from(self.rng.id("eni"));
        let subnet = self.subnets.get_mut(&new.subnet).ok_or_else(|| super::subnet::unknown(&new.subnet))?;
        let automatic_primary = u32::from(new.primary_ip.is_none());
        if let Some(ip) = new.primary_ip {
            subnet.take_exactly(ip, &id).map_err(|_| address_in_use(ip, subnet.cidr()))?;
        }
        let demand = Demand { ips: automatic_primary + new.secondary_ips, prefixes: new.prefixes };
        let blocks = match subnet.take(&id, demand, &mut self.rng) {
            Ok(blocks) => blocks,
            Err(error) => {
                subnet.release(&new.primary_ip.map(Cidr::single).into_iter().collect::<Vec<_>>());
                return Err(create_refused(error, new.prefixes));
            }
        };
        let az = subnet.az.clone();
        let (prefixes, singles): (Vec<Cidr>, Vec<Cidr>) = blocks.into_iter().partition(|block| block.is_prefix());
        let mut ips = new.primary_ip.into_iter().chain(singles.into_iter().map(Cidr::base));
        let primary_ip = ips.next().expect("a primary address was given or taken");
        let groups = if new.groups.is_empty() { vec![self.default_group().id.clone()] } else { new.groups };
        let eni = Eni {
            id: id.clone(),
            subnet: new.subnet,
            az,
            primary_ip,
            secondary_ips: ips.collect(),
            prefixes,
            attachment: None,
            description: new.description,
            interface_type: new.interface_type,
            requester_managed: new.requester_managed,
            groups,
            tags: new.tags,
        };
        self.note_subnet(&eni.subnet, now);
        self.enis.insert(id, eni.clone());
        Ok(eni)
    }

    /// DeleteNetworkInterface: its addresses are free at once.
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`; `InvalidParameterValue` while it is attached or belongs to a service.
    pub fn delete_eni(&mut self, id: &EniId, now: Time) -> Result<(), ApiError> {
        self.settle(now);
        if self.eni(id)?.status() != EniStatus::Available {
            return Err(ApiError::invalid(format!("Network interface '{id}' is currently in use.")));
        }
        self.remove_eni(id, now);
        Ok(())
    }

    /// Takes an ENI away whatever its state, as EC2 does when an instance ends and services do with their own.
    pub fn remove_eni(&mut self, id: &EniId, now: Time) {
        let Some(eni) = self.enis.remove(id) else { return };
        if let Some(subnet) = self.subnets.get_mut(&eni.subnet) {
            subnet.release(&eni.blocks());
        }
        self.note_subnet(&eni.subnet, now);
    }

    /// Every ENI, in order of id.
    pub fn enis(&self) -> impl Iterator<Item = &Eni> {
        self.enis.values()
    }

    /// One ENI.
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`.
    pub fn eni(&self, id: &EniId) -> Result<&Eni, ApiError> {
        self.enis.get(id).ok_or_else(|| unknown(id))
    }

    pub(super) fn eni_mut(&mut self, id: &EniId) -> Result<&mut Eni, ApiError> {
        self.enis.get_mut(id).ok_or_else(|| unknown(id))
    }

    /// ModifyNetworkInterfaceAttribute of the description and the security groups, of those that are given.
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`.
    pub fn describe_eni_as(
        &mut self,
        id: &EniId,
        description: Option<String>,
        groups: Option<Vec<String>>,
    ) -> Result<(), ApiError> {
        let eni = self.eni_mut(id)?;
        eni.description = description.unwrap_or(std::mem::take(&mut eni.description));
        eni.groups = groups.unwrap_or(std::mem::take(&mut eni.groups));
        Ok(())
    }
}

fn unknown(id: &EniId) -> ApiError {
    let message = format!("The networkInterface ID '{id}' does not exist");
    ApiError::new("InvalidNetworkInterfaceID.NotFound", message)
}

fn no_prefixes() -> ApiError {
    ApiError::new("InvalidParameterCombination", "Prefix delegation is not supported by the instance type")
}

fn private_ip_limit() -> ApiError {
    ApiError::new("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
}

fn address_in_use(ip: Ipv4Addr, subnet: Cidr) -> ApiError {
    if subnet.contains(ip) {
        ApiError::new("InvalidIPAddress.InUse", format!("Address {ip} is in use."))
    } else {
        ApiError::invalid("Address does not fall within the subnet's address range")
    }
}

fn create_refused(error: SubnetError, prefixes: u32) -> ApiError {
    if prefixes > 0 {
        return ApiError::invalid("There aren't sufficient free Ipv4 addresses or prefixes");
    }
    refused(error)
}

fn refused(error: SubnetError) -> ApiError {
    let (code, what) = match error {
        SubnetError::InsufficientCidrBlocks => ("InsufficientCidrBlocks", "cidr blocks"),
        _ => ("InsufficientFreeAddressesInSubnet", "addresses"),
    };
    ApiError::new(code, format!("The specified subnet does not have enough free {what} to satisfy the request."))
}
