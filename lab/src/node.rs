//! Nodes: what kubelet, ipamd and the DaemonSet controller do for one instance, and how it looks in Kubernetes.

pub mod agent;
pub mod branch;
pub mod correlator;
pub mod identity;
pub mod kubelet;
pub mod metrics;
pub mod object;
pub mod pod;
pub mod shape;
pub mod status;

use headroom_capacity::time::Time;

/// RFC 3339 in whole seconds, as Kubernetes writes times.
#[must_use]
pub fn timestamp(at: Time) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}
