//! A subnet's addresses, one owner each: CIDR arithmetic and the occupancy ledger.

mod cidr;
mod ledger;

pub use cidr::{Cidr, CidrError};
pub use ledger::{ReservationKind, SubnetError, SubnetLedger};

use crate::units::Ips;

/// Addresses of a subnet that are AWS's own: the first four and the last (Amazon VPC user guide, "Subnet CIDR blocks").
const HELD_BY_AWS: u32 = 5;

/// Addresses that a subnet of this prefix length can give, without CIDR reservations. AWS allows 16 to 28 (likewise); for what is no
/// subnet there are none.
#[must_use]
pub const fn usable_ips(prefix_length: u8) -> Ips {
    match 1_u32.checked_shl(32_u32.saturating_sub(prefix_length as u32)) {
        Some(size) => Ips(size.saturating_sub(HELD_BY_AWS)),
        None => Ips::ZERO,
    }
}
