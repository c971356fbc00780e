//! What is to come: when each subnet runs out, and what to do about it.
//!
//! ```text
//! books ──sample──> history ──series──> forecast (pure crate) ──┐
//!   └───────────────── room, reserve, footprint ────────────────┼─> SubnetOutlook ──advice
//! HPAs, CronJobs, rollouts, pending pods ──upper────────────────┘
//! ```
//! Pure: the time and every series come in as arguments.

mod advice;
mod demand;
mod footprint;
pub mod report;
mod sample;
mod subnet;
#[cfg(test)]
mod tests;
mod upper;

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;

use crate::binding::Binding;

pub use advice::{Advice, Remedy};
pub use demand::{Demand, demand};
pub use footprint::Fleet;
pub use sample::sample;
pub use subnet::{Observed, SubnetOutlook, foresee};
pub use upper::{Cause, Driver, ToCome, Upper, to_come};

/// How far forecasts look: a subnet is added by people, who have weekends.
pub const HORIZON_SECS: u64 = 7 * 86_400;

/// Every subnet's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// When it was made.
    pub at: Time,
    /// By ID.
    pub subnets: BTreeMap<SubnetId, SubnetOutlook>,
    /// What zones will ask for, by name.
    pub azs: BTreeMap<Arc<str>, Demand>,
    /// The same of Auto Scaling groups.
    pub groups: BTreeMap<Arc<str>, Demand>,
    /// What ends nodes and groups first, addresses or something else.
    pub binding: Binding,
}
