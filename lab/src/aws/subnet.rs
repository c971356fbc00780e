//! Subnets: an exact ledger, and the older number that the API shows.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::subnet::{Cidr, ReservationKind, SubnetError, SubnetLedger};
use headroom_capacity::time::Time;
use headroom_capacity::units::{Ips, Prefixes};

use super::rng::Rng;
use super::{ApiError, Tags, Vpc};

/// A subnet to be made.
#[derive(Clone, Debug)]
pub struct NewSubnet {
    /// Its block.
    pub cidr: Cidr,
    /// Availability zone, `us-west-2a`.
    pub az: String,
    /// Tags.
    pub tags: Tags,
}

/// A subnet as DescribeSubnets shows it, and as it really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetView {
    /// Its id.
    pub id: SubnetId,
    /// Its block.
    pub cidr: Cidr,
    /// Availability zone.
    pub az: String,
    /// Tags.
    pub tags: Tags,
    /// `AvailableIpAddressCount`, as old as [`Config::available_count_lag`](super::Config::available_count_lag) says.
    pub available_ips: Ips,
    /// Free addresses now; no API shows them.
    pub free_ips: Ips,
    /// Free aligned /28 now; no API shows them.
    pub free_prefixes: Prefixes,
}

/// A subnet CIDR reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// `scr-...`.
    pub id: String,
    /// The block.
    pub cidr: Cidr,
    /// What for.
    pub kind: ReservationKind,
}

#[derive(Clone, Debug)]
pub(super) struct Subnet {
    pub(super) id: SubnetId,
    pub(super) az: String,
    pub(super) tags: Tags,
    reservations: Vec<Reservation>,
    ledger: SubnetLedger<EniId>,
    /// Free addresses from each time on; the first entry is the one that the API shows.
    history: VecDeque<(Time, Ips)>,
}

/// Addresses of an ENI: the unit in which subnets give and take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demand {
    pub(super) ips: u32,
    pub(super) prefixes: u32,
}

impl Subnet {
    pub(super) fn new(id: SubnetId, new: NewSubnet, now: Time) -> Subnet {
        let ledger = SubnetLedger::new(new.cidr);
        let mut subnet =
            Subnet { id, az: new.az, tags: new.tags, reservations: Vec::new(), ledger, history: VecDeque::new() };
        subnet.history.push_back((now, subnet.available_ips()));
        subnet
    }

    pub(super) fn cidr(&self) -> Cidr {
        self.ledger.cidr()
    }

    pub(super) fn free_ips(&self) -> Ips {
        self.ledger.free_ips()
    }

    #[cfg(test)]
    pub(super) fn owner_of(&self, ip: Ipv4Addr) -> Option<&EniId> {
        self.ledger.owner_of(ip)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.ledger.iter().count()
    }

    /// Gives `eni` everything that it asks for, or nothing at all: EC2 never answers a request by half.
    pub(super) fn take(&mut self, eni: &EniId, demand: Demand, rng: &mut Rng) -> Result<Vec<Cidr>, SubnetError> {
        let mut taken = Vec::new();
        let result = self.take_into(&mut taken, eni, demand, rng);
        if result.is_err() {
            self.release(&taken);
        }
        result.map(|()| taken)
    }

    fn take_into(
        &mut self,
        taken: &mut Vec<Cidr>,
        eni: &EniId,
        demand: Demand,
        rng: &mut Rng,
    ) -> Result<(), SubnetError> {
        for _ in 0..demand.ips {
            taken.push(Cidr::single(self.ledger.take_ip(eni.clone(), &mut |n| rng.below(n))?));
        }
        for _ in 0..demand.prefixes {
            taken.push(self.ledger.take_prefix(eni.clone(), &mut |n| rng.below(n))?);
        }
        Ok(())
    }

    pub(super) fn take_exactly(&mut self, ip: Ipv4Addr, eni: &EniId) -> Result<(), SubnetError> {
        self.ledger.occupy(ip, eni.clone())
    }

    pub(super) fn release(&mut self, blocks: &[Cidr]) {
        for block in blocks {
            self.ledger.release(*block);
        }
    }

    /// What `AvailableIpAddressCount` comes to: free addresses, those in `explicit` reservations among them and those in `prefix`
    /// reservations not. AWS documents nothing about reservations here; moto counts so.
    fn available_ips(&self) -> Ips {
        let explicit = self.ledger.reservations().filter(|(_, kind)| *kind == ReservationKind::Explicit);
        let unused = explicit.flat_map(|(block, _)| block.addresses()).filter(|ip| self.is_unused(*ip));
        self.ledger.free_ips() + Ips(unused.map(|_| 1).sum())
    }

    fn is_unused(&self, ip: Ipv4Addr) -> bool {
        let cidr = self.ledger.cidr();
        let of_aws = ip.to_bits() - cidr.base().to_bits() < 4 || ip == cidr.last();
        !of_aws && self.ledger.owner_of(ip).is_none()
    }

    /// Notes the free addresses after a change at `now`, and forgets what is too old to be shown again.
    pub(super) fn note(&mut self, now: Time, lag: Duration) {
        self.history.push_back((now, self.available_ips()));
        while self.history.get(1).is_some_and(|(since, _)| *since + lag <= now) {
            self.history.pop_front();
        }
    }

    pub(super) fn view(&self, now: Time, lag: Duration) -> SubnetView {
        let old_enough = |entry: &&(Time, Ips)| entry.0 + lag <= now;
        let shown = self.history.iter().rev().find(old_enough).or(self.history.front());
        SubnetView {
            id: self.id.clone(),
            cidr: self.ledger.cidr(),
            az: self.az.clone(),
            tags: self.tags.clone(),
            available_ips: shown.map_or(Ips::ZERO, |(_, free)| *free),
            free_ips: self.ledger.free_ips(),
            free_prefixes: self.ledger.free_prefixes(),
        }
    }
}

impl Vpc {
    /// Makes a subnet.
    ///
    /// # Errors
    /// `InvalidSubnet.Range` outside the VPC's blocks, `InvalidSubnet.Conflict` over another subnet.
    pub fn create_subnet(&mut self, new: NewSubnet, now: Time) -> Result<SubnetId, ApiError> {
        let cidr = new.cidr;
        if !(16..=28).contains(&cidr.len()) || !self.config.cidrs.iter().any(|block| block.contains_cidr(cidr)) {
            return Err(ApiError::new("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")));
        }
        if self.subnets.values().any(|other| other.cidr().overlaps(cidr)) {
            let message = format!("The CIDR '{cidr}' conflicts with another subnet");
            return Err(ApiError::new("InvalidSubnet.Conflict", message));
        }
        let id = SubnetId::from(self.rng.id("subnet"));
        self.subnets.insert(id.clone(), Subnet::new(id.clone(), new, now));
        Ok(id)
    }

    /// Every subnet, in order of id.
    pub fn subnets(&self, now: Time) -> impl Iterator<Item = SubnetView> + '_ {
        self.subnets.values().map(move |subnet| subnet.view(now, self.config.available_count_lag))
    }

    /// Every address of a subnet that is taken, with the ENI that holds it, ascending: no API shows it. Nothing for an unknown
    /// subnet.
    pub fn addresses(&self, subnet: &SubnetId) -> impl Iterator<Item = (Ipv4Addr, &EniId)> {
        self.subnets.get(subnet).into_iter().flat_map(|subnet| subnet.ledger.iter())
    }

    /// The subnets of one zone: DescribeSubnets with the filters that ipamd's subnet discovery sends
    /// (CNI `pkg/awsutils`, `GetVpcSubnets`).
    #[must_use]
    pub fn describe_subnets_in(&self, az: &str, now: Time) -> Vec<SubnetView> {
        self.subnets(now).filter(|subnet| subnet.az == az).collect()
    }

    /// Sets a block of a subnet aside.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the block is not inside the subnet or overlaps another reservation.
    pub fn create_reservation(
        &mut self,
        subnet: &SubnetId,
        cidr: Cidr,
        kind: ReservationKind,
        now: Time,
    ) -> Result<Reservation, ApiError> {
        let id = self.rng.id("scr");
        let subnet_state = self.subnet_mut(subnet)?;
        let block = subnet_state.cidr();
        let refused = |_| {
            ApiError::invalid(if block.contains_cidr(cidr) {
                format!("Reservation CIDR {cidr} has overlap with existing reserved CIDR block")
            } else {
                format!("Reservation CIDR should be within subnet CIDR block ({block})")
            })
        };
        subnet_state.ledger.reserve(cidr, kind).map_err(refused)?;
        let reservation = Reservation { id, cidr, kind };
        subnet_state.reservations.push(reservation.clone());
        self.note_subnet(subnet, now);
        Ok(reservation)
    }

    /// A subnet's CIDR reservations.
    ///
    /// # Errors
    /// `InvalidSubnetID.NotFound`.
    pub fn reservations(&self, subnet: &SubnetId) -> Result<&[Reservation], ApiError> {
        self.subnet(subnet).map(|subnet| subnet.reservations.as_slice())
    }

    pub(super) fn subnet_mut(&mut self, id: &SubnetId) -> Result<&mut Subnet, ApiError> {
        self.subnets.get_mut(id).ok_or_else(|| unknown(id))
    }

    pub(super) fn subnet(&self, id: &SubnetId) -> Result<&Subnet, ApiError> {
        self.subnets.get(id).ok_or_else(|| unknown(id))
    }

    pub(super) fn note_subnet(&mut self, id: &SubnetId, now: Time) {
        let lag = self.config.available_count_lag;
        if let Some(subnet) = self.subnets.get_mut(id) {
            subnet.note(now, lag);
        }
    }
}

pub(super) fn unknown(id: &SubnetId) -> ApiError {
    ApiError::new("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
}
