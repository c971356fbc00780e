//! One ENI and its blocks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::budget::Mode;
use crate::ids::{EniId, PodUid, SubnetId};
use crate::subnet::Cidr;
use crate::time::Time;
use crate::units::Ips;

/// What is said about an ENI when it is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EniSpec {
    /// The ENI.
    pub id: EniId,
    /// Device index, 0 for the primary ENI.
    pub device_index: u32,
    /// Whether it is the instance's primary ENI.
    pub primary: bool,
    /// Whether it is the trunk of branch ENIs.
    pub trunk: bool,
    /// Whether it is an EFA.
    pub efa: bool,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Whether it gives no addresses to pods (its subnet is tagged `kubernetes.io/role/cni=0`).
    pub excluded: bool,
}

/// An ENI in the store.
#[derive(Clone, Debug)]
pub struct Eni {
    pub(super) spec: EniSpec,
    created: Time,
    blocks: BTreeMap<Cidr, Block>,
}

impl Eni {
    pub(super) fn new(spec: EniSpec, created: Time) -> Eni {
        Eni { spec, created, blocks: BTreeMap::new() }
    }

    /// What was said when it was added.
    #[must_use]
    pub fn spec(&self) -> &EniSpec {
        &self.spec
    }

    /// When it was added to the store.
    #[must_use]
    pub fn created(&self) -> Time {
        self.created
    }

    /// Its blocks, in ascending order; the ENI's primary address is not among them.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = &Block> {
        self.blocks.values()
    }

    /// One block.
    #[must_use]
    pub fn block(&self, cidr: Cidr) -> Option<&Block> {
        self.blocks.get(&cidr)
    }

    /// Slots in use: /32s and prefixes together, whatever the mode (`GetAllocatableENIs`).
    #[must_use]
    pub fn slots_used(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap_or(u32::MAX)
    }

    /// Addresses held by pods.
    #[must_use]
    pub fn assigned(&self) -> Ips {
        self.blocks().map(Block::assigned).sum()
    }

    /// Whether a pod holds one of its addresses.
    #[must_use]
    pub fn has_pods(&self) -> bool {
        self.blocks().any(|block| block.assigned() > Ips::ZERO)
    }

    /// Addresses released and not yet usable again.
    #[must_use]
    pub fn cooling(&self, now: Time, cooldown: Duration) -> Ips {
        self.blocks().map(|block| block.cooling(now, cooldown)).sum()
    }

    /// False where it is there already.
    pub(super) fn add(&mut self, cidr: Cidr) -> bool {
        if self.blocks.contains_key(&cidr) {
            return false;
        }
        self.blocks.insert(cidr, Block::new(cidr));
        true
    }

    pub(super) fn remove(&mut self, cidr: Cidr) {
        self.blocks.remove(&cidr);
    }

    pub(super) fn block_mut(&mut self, cidr: Cidr) -> Option<&mut Block> {
        self.blocks.get_mut(&cidr)
    }
}

/// What the store remembers of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A pod holds it.
    Held(PodUid),
    /// A pod gave it back then. It stays so after the cool-down, until an ADD looks at the block (`getUnusedIP`).
    Released(Time),
}

/// A /32 or a prefix on an ENI. Addresses that were never used have no record.
#[derive(Clone, Debug)]
pub struct Block {
    cidr: Cidr,
    records: BTreeMap<Ipv4Addr, Address>,
}

impl Block {
    pub(super) fn new(cidr: Cidr) -> Block {
        Block { cidr, records: BTreeMap::new() }
    }

    /// Its addresses.
    #[must_use]
    pub fn cidr(&self) -> Cidr {
        self.cidr
    }

    /// Whether it is a delegated prefix and not a single secondary address.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.cidr.len() < 32
    }

    /// Whether pods can get its addresses in `mode`; leftovers of the other mode serve nobody.
    #[must_use]
    pub fn serves(&self, mode: Mode) -> bool {
        self.is_prefix() == (mode == Mode::Prefix)
    }

    /// The number of its addresses, saturating for a /0.
    #[must_use]
    pub fn size(&self) -> Ips {
        Ips(u32::try_from(self.cidr.size()).unwrap_or(u32::MAX))
    }

    /// Addresses with a record, in ascending order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (Ipv4Addr, &Address)> {
        self.records.iter().map(|(ip, address)| (*ip, address))
    }

    /// Addresses held by pods.
    #[must_use]
    pub fn assigned(&self) -> Ips {
        self.count(|address| matches!(address, Address::Held(_)))
    }

    /// Addresses released and not yet usable again.
    #[must_use]
    pub fn cooling(&self, now: Time, cooldown: Duration) -> Ips {
        self.count(|address| is_cooling(address, now, cooldown))
    }

    /// The addresses one of which the next ADD gets from this block (`getUnusedIP`): any that has cooled down; only if
    /// there is none, the lowest one without a record.
    pub(super) fn candidates(&self, now: Time, cooldown: Duration) -> Vec<Ipv4Addr> {
        let cooled = self.records().filter(|(_, address)| has_cooled(address, now, cooldown));
        let mut found: Vec<Ipv4Addr> = cooled.map(|(ip, _)| ip).collect();
        if found.is_empty() {
            found.extend(self.addresses().find(|ip| !self.records.contains_key(ip)));
        }
        found
    }

    /// Gives `ip` to `pod` and forgets every address that has cooled down, as `getUnusedIP` does.
    pub(super) fn hold(&mut self, ip: Ipv4Addr, pod: PodUid, now: Time, cooldown: Duration) {
        self.records.retain(|_, address| !has_cooled(address, now, cooldown));
        self.records.insert(ip, Address::Held(pod));
    }

    pub(super) fn release(&mut self, ip: Ipv4Addr, now: Time) {
        self.records.insert(ip, Address::Released(now));
    }

    fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let first = u32::from(self.cidr.base());
        (0..self.size().get()).map(move |offset| Ipv4Addr::from(first + offset))
    }

    fn count(&self, test: impl Fn(&Address) -> bool) -> Ips {
        self.records.values().filter(|address| test(address)).map(|_| Ips(1)).sum()
    }
}

/// `inCoolingPeriod`: the last instant of the period belongs to it.
fn is_cooling(address: &Address, now: Time, cooldown: Duration) -> bool {
    matches!(address, Address::Released(at) if now.since(*at) <= cooldown)
}

fn has_cooled(address: &Address, now: Time, cooldown: Duration) -> bool {
    matches!(address, Address::Released(at) if now.since(*at) > cooldown)
}
