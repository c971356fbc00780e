use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use thiserror::Error;

/// Prefix length of a delegated prefix (AWS EC2 user guide, "Prefix delegation for network interfaces").
const PREFIX_LEN: u8 = 28;

/// An IPv4 CIDR block, host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    base: Ipv4Addr,
    len: u8,
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

const fn host_mask(len: u8) -> u32 {
    match u32::MAX.checked_shr(len as u32) {
        Some(mask) => mask,
        None => 0,
    }
}

impl Cidr {
    /// The block of `1 << (32 - len)` addresses from `base`.
    ///
    /// # Errors
    /// When `len` is above 32 or host bits are set.
    pub fn new(base: Ipv4Addr, len: u8) -> Result<Cidr, CidrError> {
        let error = |why| CidrError { text: format!("{base}/{len}"), why };
        if len > 32 {
            return Err(error("the length is above 32"));
        }
        if base.to_bits() & host_mask(len) != 0 {
            return Err(error("host bits are set"));
        }
        Ok(Cidr { base, len })
    }

    /// Parses `10.0.0.0/24`.
    ///
    /// # Errors
    /// When the text is not an address, a slash and a length up to 32, or host bits are set.
    pub fn parse(text: &str) -> Result<Cidr, CidrError> {
        let error = |why| CidrError { text: text.to_owned(), why };
        let (base, len) = text.split_once('/').ok_or_else(|| error("there is no '/'"))?;
        let base = base.parse().map_err(|_| error("the part before '/' is not an IPv4 address"))?;
        if len.is_empty() || !len.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error("the part after '/' is not a number"));
        }
        let len = len.parse().map_err(|_| error("the length is above 32"))?;
        Cidr::new(base, len)
    }

    /// The /32 of one address.
    #[must_use]
    pub const fn single(ip: Ipv4Addr) -> Cidr {
        Cidr { base: ip, len: 32 }
    }

    /// The aligned /28 that holds `ip`: the only /28 that EC2 could delegate with this address in it.
    #[must_use]
    pub const fn prefix_of(ip: Ipv4Addr) -> Cidr {
        Cidr { base: Ipv4Addr::from_bits(ip.to_bits() & !host_mask(PREFIX_LEN)), len: PREFIX_LEN }
    }

    /// Whether this is a /28, the size of a delegated prefix.
    #[must_use]
    pub const fn is_prefix(self) -> bool {
        self.len == PREFIX_LEN
    }

    /// First address.
    #[must_use]
    pub const fn base(self) -> Ipv4Addr {
        self.base
    }

    /// Last address.
    #[must_use]
    pub const fn last(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits() | host_mask(self.len))
    }

    /// Prefix length.
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    #[must_use]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// Number of addresses, 1 to 2^32.
    #[must_use]
    pub const fn size(self) -> u64 {
        1 << (32 - self.len)
    }

    /// Whether `ip` is in the block.
    #[must_use]
    pub const fn contains(self, ip: Ipv4Addr) -> bool {
        ip.to_bits() & !host_mask(self.len) == self.base.to_bits()
    }

    /// Whether every address of `other` is in the block.
    #[must_use]
    pub const fn contains_cidr(self, other: Cidr) -> bool {
        self.len <= other.len && self.contains(other.base)
    }

    /// Whether an address is in both blocks. CIDR blocks nest or are disjoint.
    #[must_use]
    pub const fn overlaps(self, other: Cidr) -> bool {
        self.contains_cidr(other) || other.contains_cidr(self)
    }

    /// Every address, ascending.
    pub fn addresses(self) -> impl DoubleEndedIterator<Item = Ipv4Addr> {
        (self.base.to_bits()..=self.last().to_bits()).map(Ipv4Addr::from_bits)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.len)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        Cidr::parse(text)
    }
}
