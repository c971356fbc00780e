//! Cluster Autoscaler's expander: which node groups have the addresses for what it wants to add.
//!
//! ```text
//! BestOptionsRequest ──read──> Asked ─┐
//! books ──rooms──> Rooms ─────────────┼──decide──> Answer ──> group IDs, log, metrics
//!            Held (earlier answers) ──┘              └──promise──> Held
//! ```
//! All of it is pure; [`crate::run`] has the listener, the clock and the lock around [`Held`].
//!
//! What Cluster Autoscaler knows of addresses is one number, a node's `pods`. It asks EC2 neither for subnets nor for ENIs, so that
//! it adds nodes where there is nothing left for them. Here each group is judged by what its nodes will take, in the subnets that
//! will give it, once they run the pods that they are added for.

mod decide;
mod held;
mod need;
mod read;
mod rooms;
#[cfg(test)]
mod tests;
mod wire;

pub use crate::in_flight::Units;
pub use decide::{Answer, Judged, Outcome, Reason, Rules, Wanted, decide};
pub use held::Held;
pub use read::{Asked, Pods, Template, read};
pub(crate) use rooms::rooms;
pub use rooms::{GroupRoom, Landing, Rooms, SubnetRoom};

/// Cluster Autoscaler sends 5,000 pods of 10 KB for each of several groups in one message, and sets no limit of its own to it.
pub const MOST_BYTES: usize = 256 << 20;
