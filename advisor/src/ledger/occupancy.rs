//! One subnet's addresses, a byte for each and a bit map of the free ones.

use std::net::Ipv4Addr;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::SubnetLedger;
use headroom_capacity::units::{Ips, Prefixes};

use super::{Owner, SubnetAccount};
use crate::inventory::{Reservation, Subnet};

pub(super) struct Occupancy<'a> {
    subnet: &'a Subnet,
    addresses: SubnetLedger<Owner>,
    held: [Ips; Owner::ALL.len()],
    conflicts: Ips,
}

impl<'a> Occupancy<'a> {
    pub(super) fn new(subnet: &'a Subnet, reservations: &[Reservation]) -> Occupancy<'a> {
        let mut addresses = SubnetLedger::new(subnet.cidr);
        for reservation in reservations {
            // One that is not of this subnet or overlaps another was read while it was being changed.
            addresses.reserve(reservation.cidr, reservation.kind).ok();
        }
        Occupancy { subnet, addresses, held: Default::default(), conflicts: Ips::ZERO }
    }

    pub(super) fn id(&self) -> &'a SubnetId {
        &self.subnet.id
    }

    /// Whether the address was free; otherwise it keeps the owner that it has.
    pub(super) fn hold(&mut self, ip: Ipv4Addr, owner: Owner) -> bool {
        let free = self.addresses.occupy(ip, owner).is_ok();
        if free {
            self.held[owner as usize] += Ips(1);
        } else {
            self.conflicts += Ips(1);
        }
        free
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = (Ipv4Addr, Owner)> {
        self.addresses.iter().map(|(ip, owner)| (ip, *owner))
    }

    /// Nothing is on its way yet.
    pub(super) fn account(&self) -> SubnetAccount {
        let size = u32::try_from(self.subnet.cidr.size()).unwrap_or(u32::MAX);
        SubnetAccount {
            cidr: self.subnet.cidr,
            az: self.subnet.az.clone(),
            reserved: Ips(size).saturating_sub(self.addresses.usable()),
            cidr_reserved: self.addresses.unused().saturating_sub(self.addresses.free_ips()),
            held: self.held,
            free_ips: self.addresses.free_ips(),
            free_prefixes: self.addresses.free_prefixes(),
            in_flight_ips: Ips::ZERO,
            in_flight_prefixes: Prefixes::ZERO,
            reported_free: self.subnet.available_ips,
            conflicts: self.conflicts,
        }
    }
}
