//! A subnet's addresses, one owner each: CIDR arithmetic and the occupancy ledger.

mod cidr;
mod ledger;

pub use cidr::{Cidr, CidrError};
pub use ledger::{ReservationKind, SubnetError, SubnetLedger};
