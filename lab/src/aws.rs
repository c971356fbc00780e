//! The AWS side: EC2, Auto Scaling, STS and CloudWatch as far as pod IPs are concerned, with AWS's rules.
//!
//! [`Vpc`] is a state machine: every method takes the time, and whatever takes time in AWS (an instance that boots, an ENI
//! that detaches, a group that scales) happens in [`Vpc::advance`]. [`router`] serves it over the wire protocols of the SDKs.
//!
//! ```text
//! SDKs ── http (Query/XML, rpc-v2-cbor) ──┐
//!                                         ├─> Vpc ──> subnet ledgers, ENIs, instances, groups, metrics
//! nodes and world ── typed methods ───────┘
//! ```

mod config;
mod eni;
mod error;
mod faults;
mod group;
mod http;
mod ids;
mod instance;
mod metrics;
mod network;
mod rng;
mod subnet;
#[cfg(test)]
mod tests;
mod timer;
mod vpc;

pub use config::{Config, MAX_ATTACHMENTS_PER_CALL, Size, latency};
pub use eni::{Attachment, AttachmentStatus, Eni, EniStatus, NewEni};
pub use error::ApiError;
pub use faults::{Admission, Fault, FaultKind, Rate, Service, Throttle};
pub use group::{
    Activity, ActivityStatus, Group, Hook, HookResult, LaunchFailure, Launched, LifecycleState, Member, NewGroup,
    PROCESSES, Transition, Where,
};
pub use http::router;
pub use ids::InstanceId;
pub use instance::{Instance, InstanceState, Launch};
pub use metrics::{Datum, Dimensions, MetricId, Metrics, Samples, Statistics};
pub use network::{Endpoint, SecurityGroup};
pub use subnet::{NewSubnet, Reservation, SubnetView};
pub use vpc::{Vpc, VpcEvent};

/// Tags of a resource, sorted by key as AWS shows them.
pub type Tags = std::collections::BTreeMap<String, String>;

/// An ISO 8601 date with milliseconds, as AWS prints it.
fn stamp(time: headroom_capacity::time::Time) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let date = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    date.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
