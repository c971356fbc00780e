use std::net::Ipv4Addr;

use thiserror::Error;

use super::{Cidr, HELD_BY_AWS};
use crate::units::{IPS_PER_PREFIX, Ips, Prefixes};

/// Why EC2 would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubnetError {
    /// `InsufficientFreeAddressesInSubnet`.
    #[error("insufficient free addresses in subnet")]
    InsufficientFreeAddresses,
    /// `InsufficientCidrBlocks`.
    #[error("insufficient free /28 blocks in subnet")]
    InsufficientCidrBlocks,
    /// The address is not in the subnet, reserved or taken.
    #[error("address not available")]
    NotAvailable,
}

/// Type of a subnet CIDR reservation (EC2 `CreateSubnetCidrReservation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReservationKind {
    /// `prefix`: EC2 takes prefixes from here first and no single address that it chooses itself.
    Prefix,
    /// `explicit`: only addresses that the caller names.
    Explicit,
}

/// Where a /28 stands when EC2 looks for a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrefixRank {
    /// Inside a `prefix` reservation: first.
    Reserved,
    /// Outside of any reservation: when no reserved one is free.
    Open,
    /// Touches an `explicit` reservation, or is not a whole /28 of the subnet.
    Never,
}

/// One aligned /28, bit `i` for its `i`-th address.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Not taken and not AWS's.
    free: u16,
    /// May be given out as a single address of EC2's choice.
    automatic: u16,
    rank: PrefixRank,
}

impl Block {
    fn free_ips(self) -> u32 {
        (self.free & self.automatic).count_ones()
    }

    fn is_free_prefix(self) -> bool {
        self.free == u16::MAX && self.rank != PrefixRank::Never
    }
}

/// Occupancy of one subnet, per address. `O` tells who owns an address.
///
/// Counters are kept, so that asking is O(1) and taking costs one pass over the /28s (4,096 in a /16, the largest subnet that
/// a VPC allows). Memory is proportional to the subnet's size.
#[derive(Clone, Debug)]
pub struct SubnetLedger<O> {
    cidr: Cidr,
    owners: Vec<Option<O>>,
    blocks: Vec<Block>,
    reservations: Vec<(Cidr, ReservationKind)>,
    /// The first four addresses and the last.
    held_by_aws: u32,
    free_all: u32,
    free_ips: u32,
    free_prefixes: u32,
}

const BLOCK: usize = IPS_PER_PREFIX as usize;

impl<O: Clone + PartialEq> SubnetLedger<O> {
    /// An empty subnet: the first four and the last address are AWS's
    /// (Amazon VPC user guide, "Subnet CIDR blocks").
    #[must_use]
    pub fn new(cidr: Cidr) -> Self {
        let size = usize::try_from(cidr.size()).unwrap_or(usize::MAX);
        let aws = |at: usize| at < 4 || at + 1 == size;
        let blocks: Vec<Block> = (0..size.div_ceil(BLOCK))
            .map(|block| {
                let inside = (0..BLOCK).map(|bit| block * BLOCK + bit).enumerate().filter(|(_, at)| *at < size);
                let free = inside.filter(|(_, at)| !aws(*at)).fold(0, |mask, (bit, _)| mask | 1 << bit);
                let rank = if size < BLOCK { PrefixRank::Never } else { PrefixRank::Open };
                Block { free, automatic: u16::MAX, rank }
            })
            .collect();
        let held_by_aws = u32::try_from(size).map_or(HELD_BY_AWS, |size| size.min(HELD_BY_AWS));
        let mut ledger = SubnetLedger {
            cidr,
            owners: vec![None; size],
            blocks,
            reservations: Vec::new(),
            held_by_aws,
            free_all: 0,
            free_ips: 0,
            free_prefixes: 0,
        };
        ledger.recount();
        ledger
    }

    /// The block.
    #[must_use]
    pub fn cidr(&self) -> Cidr {
        self.cidr
    }

    /// Sets a CIDR reservation aside. Addresses in it that are taken stay taken until they are released.
    ///
    /// # Errors
    /// `NotAvailable` when `block` is not inside the subnet or overlaps another reservation.
    pub fn reserve(&mut self, block: Cidr, kind: ReservationKind) -> Result<(), SubnetError> {
        if !self.cidr.contains_cidr(block) || self.reservations.iter().any(|(other, _)| other.overlaps(block)) {
            return Err(SubnetError::NotAvailable);
        }
        self.reservations.push((block, kind));
        for at in self.range(block) {
            let whole = block.size() >= BLOCK as u64;
            let slot = &mut self.blocks[at / BLOCK];
            slot.automatic &= !(1 << (at % BLOCK));
            slot.rank = match (kind, whole) {
                (ReservationKind::Prefix, true) => PrefixRank::Reserved,
                (ReservationKind::Prefix, false) => slot.rank,
                (ReservationKind::Explicit, _) => PrefixRank::Never,
            };
        }
        self.recount();
        Ok(())
    }

    /// The CIDR reservations, in the order in which they were made.
    pub fn reservations(&self) -> impl Iterator<Item = (Cidr, ReservationKind)> {
        self.reservations.iter().copied()
    }

    /// Addresses that are not AWS's, free or not.
    #[must_use]
    pub fn usable(&self) -> Ips {
        Ips(u32::try_from(self.owners.len()).unwrap_or(u32::MAX) - self.held_by_aws)
    }

    /// Addresses that nobody holds, inside reservations or not.
    #[must_use]
    pub fn unused(&self) -> Ips {
        Ips(self.free_all)
    }

    /// Free single addresses that EC2 may choose: those in CIDR reservations are not counted.
    #[must_use]
    pub fn free_ips(&self) -> Ips {
        Ips(self.free_ips)
    }

    /// Free aligned /28 blocks that EC2 may choose: those in `prefix` reservations and those outside of any.
    #[must_use]
    pub fn free_prefixes(&self) -> Prefixes {
        Prefixes(self.free_prefixes)
    }

    /// Takes one free address; `choose(n)` picks among the `n` free ones in ascending order.
    ///
    /// # Errors
    /// `InsufficientFreeAddresses` when none is free.
    pub fn take_ip(&mut self, owner: O, choose: &mut dyn FnMut(usize) -> usize) -> Result<Ipv4Addr, SubnetError> {
        if self.free_ips == 0 {
            return Err(SubnetError::InsufficientFreeAddresses);
        }
        let mut rank = pick(self.free_ips, choose);
        for (index, block) in self.blocks.iter().enumerate() {
            let here = block.free_ips();
            if rank < here {
                let at = index * BLOCK + nth_bit(block.free & block.automatic, rank);
                self.hold(at, owner);
                return Ok(self.address(at));
            }
            rank -= here;
        }
        unreachable!("the counter of free addresses is the sum over the blocks")
    }

    /// Takes one free aligned /28, from a `prefix` reservation while one has room; `choose` as for `take_ip`, among the
    /// blocks of the same standing.
    ///
    /// # Errors
    /// `InsufficientCidrBlocks` when none is free.
    pub fn take_prefix(&mut self, owner: O, choose: &mut dyn FnMut(usize) -> usize) -> Result<Cidr, SubnetError> {
        if self.free_prefixes == 0 {
            return Err(SubnetError::InsufficientCidrBlocks);
        }
        for rank in [PrefixRank::Reserved, PrefixRank::Open] {
            let free = |(_, block): &(usize, &Block)| block.rank == rank && block.is_free_prefix();
            let count = self.blocks.iter().enumerate().filter(free).count();
            if count == 0 {
                continue;
            }
            let nth = choose(count).min(count - 1);
            let (index, _) = self.blocks.iter().enumerate().filter(free).nth(nth).expect("nth is below the count");
            for at in index * BLOCK..(index + 1) * BLOCK {
                self.hold(at, owner.clone());
            }
            return Ok(Cidr::prefix_of(self.address(index * BLOCK)));
        }
        unreachable!("the counter of free prefixes is the sum over both ranks")
    }

    /// Takes exactly `ip`, inside a reservation or not.
    ///
    /// # Errors
    /// `NotAvailable` when it is outside, AWS's or taken.
    pub fn occupy(&mut self, ip: Ipv4Addr, owner: O) -> Result<(), SubnetError> {
        self.occupy_block(Cidr::single(ip), owner)
    }

    /// Takes exactly the addresses of `block`, all or none.
    ///
    /// # Errors
    /// `NotAvailable` when one of them is outside, AWS's or taken.
    pub fn occupy_block(&mut self, block: Cidr, owner: O) -> Result<(), SubnetError> {
        if !self.cidr.contains_cidr(block) || !self.range(block).all(|at| self.is_free(at)) {
            return Err(SubnetError::NotAvailable);
        }
        for at in self.range(block) {
            self.hold(at, owner.clone());
        }
        Ok(())
    }

    /// Frees every address of `block` (a /32, a /28, any size) that is in the subnet; returns how many were held.
    pub fn release(&mut self, block: Cidr) -> Ips {
        let mut freed = Ips::ZERO;
        for at in self.range(block) {
            if self.owners[at].take().is_some() {
                self.update(at, |block, bit| block.free |= bit);
                freed += Ips(1);
            }
        }
        freed
    }

    /// Who holds `ip`; `None` when it is free, AWS's or outside.
    #[must_use]
    pub fn owner_of(&self, ip: Ipv4Addr) -> Option<&O> {
        self.range(Cidr::single(ip)).next().and_then(|at| self.owners[at].as_ref())
    }

    /// Every held address with its owner, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, &O)> {
        self.owners.iter().enumerate().filter_map(|(at, owner)| Some((self.address(at), owner.as_ref()?)))
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        let offset = u32::try_from(at).expect("an IPv4 subnet has at most 2^32 addresses");
        Ipv4Addr::from_bits(self.cidr.base().to_bits() + offset)
    }

    /// Positions of the addresses of `block` that are in the subnet; none when they are disjoint.
    fn range(&self, block: Cidr) -> std::ops::Range<usize> {
        if !self.cidr.overlaps(block) {
            return 0..0;
        }
        let inner = if self.cidr.contains_cidr(block) { block } else { self.cidr };
        let start = (inner.base().to_bits() - self.cidr.base().to_bits()) as usize;
        start..start + usize::try_from(inner.size()).unwrap_or(usize::MAX)
    }

    fn is_free(&self, at: usize) -> bool {
        self.blocks[at / BLOCK].free & 1 << (at % BLOCK) != 0
    }

    fn hold(&mut self, at: usize, owner: O) {
        self.owners[at] = Some(owner);
        self.update(at, |block, bit| block.free &= !bit);
    }

    /// Changes one block and keeps the counters right.
    fn update(&mut self, at: usize, change: impl FnOnce(&mut Block, u16)) {
        let block = &mut self.blocks[at / BLOCK];
        let before = *block;
        change(block, 1 << (at % BLOCK));
        let after = *block;
        self.free_all = self.free_all + after.free.count_ones() - before.free.count_ones();
        self.free_ips = self.free_ips + after.free_ips() - before.free_ips();
        self.free_prefixes =
            self.free_prefixes + u32::from(after.is_free_prefix()) - u32::from(before.is_free_prefix());
    }

    fn recount(&mut self) {
        self.free_all = self.blocks.iter().map(|block| block.free.count_ones()).sum();
        self.free_ips = self.blocks.iter().map(|block| block.free_ips()).sum();
        self.free_prefixes = self.blocks.iter().map(|block| u32::from(block.is_free_prefix())).sum();
    }
}

fn pick(count: u32, choose: &mut dyn FnMut(usize) -> usize) -> u32 {
    u32::try_from(choose(count as usize)).unwrap_or(u32::MAX).min(count - 1)
}

/// Position of the `n`-th set bit of `mask`, from zero.
fn nth_bit(mut mask: u16, n: u32) -> usize {
    for _ in 0..n {
        mask &= mask - 1;
    }
    mask.trailing_zeros() as usize
}
