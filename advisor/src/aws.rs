//! The AWS side: EC2 and Auto Scaling read into an [`Inventory`](crate::inventory::Inventory).
//!
//! ```text
//! config ──connect──> Connection ──┬─ query ── EC2 (Query, XML) ──decode──┐
//!                                  └─ SDK ──── Auto Scaling ──────groups──┴─> Api ──observe──> Inventory
//! ```
//!
//! Every call has deadlines, at most `aws.max_attempts` attempts within the SDK's retry quota, and leaves a [`CallRecord`]. What
//! changes anything is [`Api::delete_network_interface`] and what stands in `scale.rs`.

mod api;
mod budget;
mod connect;
mod credentials;
mod decode;
mod delete;
mod ec2;
mod eks;
mod endpoint;
mod error;
mod groups;
mod joining;
mod observe;
mod operation;
mod permission;
mod probe;
mod query;
mod rest;
mod scale;
mod way;
mod wire;
mod xml;

pub use api::Api;
pub use budget::{Sizes, calls_per_minute};
pub use connect::{ConnectError, Connection};
pub use decode::SecurityGroup;
pub use delete::Deletion;
pub use error::{AwsError, ErrorClass};
pub use observe::{JITTER, Observer, Part, Round, Tried};
pub use operation::{CallRecord, Operation, Quota};
pub use permission::Policy;
pub(crate) use probe::read_of;
pub use scale::{FailedLaunch, Launched};
pub use way::Way;
