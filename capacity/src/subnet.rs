//! A subnet's addresses, one owner each.

use std::fmt;
use std::net::Ipv4Addr;

use thiserror::Error;

use crate::units::{Ips, Prefixes};

/// An IPv4 CIDR block, host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    base: Ipv4Addr,
    len: u8,
}

impl Cidr {
    /// Parses `10.0.0.0/24`.
    ///
    /// # Errors
    /// When the text is not an address, a slash and a length up to 32, or host bits are set.
    pub fn parse(text: &str) -> Result<Cidr, CidrError> {
        let fail = |why| CidrError { text: text.to_owned(), why };
        let (base, len) = text.split_once('/').ok_or_else(|| fail("no '/'"))?;
        let base: Ipv4Addr = base.parse().map_err(|_| fail("the part before '/' is not an IPv4 address"))?;
        let len: u8 = len.parse().map_err(|_| fail("the length is not a number"))?;
        if len > 32 {
            return Err(fail("the length is above 32"));
        }
        let cidr = Cidr { base, len };
        if u32::from(base) & !cidr.mask() != 0 { Err(fail("host bits are set")) } else { Ok(cidr) }
    }

    /// Whether `ip` is one of its addresses.
    #[must_use]
    pub fn contains(self, ip: Ipv4Addr) -> bool {
        u32::from(ip) & self.mask() == u32::from(self.base)
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.len)).unwrap_or(0)
    }

    /// First address.
    #[must_use]
    pub const fn base(self) -> Ipv4Addr {
        self.base
    }

    /// Prefix length.
    #[must_use]
    pub const fn len(self) -> u8 {
        self.len
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.len)
    }
}

/// Why a CIDR was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{text}' is not an IPv4 CIDR such as 10.0.0.0/24: {why}")]
pub struct CidrError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

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

/// Occupancy of one subnet, per address. `O` tells who owns an address.
#[derive(Clone, Debug)]
pub struct SubnetLedger<O> {
    cidr: Cidr,
    owners: Vec<Option<O>>,
}

impl<O: Clone + PartialEq> SubnetLedger<O> {
    /// An empty subnet: the first four and the last address are AWS's.
    #[must_use]
    pub fn new(_cidr: Cidr) -> Self {
        unimplemented!("capacity-budget")
    }

    /// The block.
    #[must_use]
    pub fn cidr(&self) -> Cidr {
        self.cidr
    }

    /// Free single addresses, those in `prefix` CIDR reservations not counted.
    #[must_use]
    pub fn free_ips(&self) -> Ips {
        let _ = &self.owners;
        unimplemented!("capacity-budget")
    }

    /// Free aligned /28 blocks.
    #[must_use]
    pub fn free_prefixes(&self) -> Prefixes {
        unimplemented!("capacity-budget")
    }

    /// Takes one free address; `choose(n)` picks among the `n` free ones in ascending order.
    ///
    /// # Errors
    /// `InsufficientFreeAddresses` when none is free.
    pub fn take_ip(&mut self, _owner: O, _choose: &mut dyn FnMut(usize) -> usize) -> Result<Ipv4Addr, SubnetError> {
        unimplemented!("capacity-budget")
    }

    /// Takes one free aligned /28; `choose` as for `take_ip`.
    ///
    /// # Errors
    /// `InsufficientCidrBlocks` when none is free.
    pub fn take_prefix(&mut self, _owner: O, _choose: &mut dyn FnMut(usize) -> usize) -> Result<Cidr, SubnetError> {
        unimplemented!("capacity-budget")
    }

    /// Takes exactly `ip`.
    ///
    /// # Errors
    /// `NotAvailable` when it is outside, reserved or taken.
    pub fn occupy(&mut self, _ip: Ipv4Addr, _owner: O) -> Result<(), SubnetError> {
        unimplemented!("capacity-budget")
    }

    /// Frees every address of `block` (a /32 or a /28); returns how many were held.
    pub fn release(&mut self, _block: Cidr) -> Ips {
        unimplemented!("capacity-budget")
    }
}
