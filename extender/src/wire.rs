//! kube-scheduler's extender format (k8s.io/kube-scheduler `extender/v1/types.go`): Go structs without JSON tags, so the keys are
//! the field names, and Go matches them whatever their case.

mod args;
mod names;
mod pod;
mod reply;
mod scan;

use headroom_capacity::verdict::Reason;
use thiserror::Error;

pub use args::Args;
pub use names::Names;
pub use pod::Pod;
pub use reply::{failed, no_priorities, passed, passed_all, priorities, rejected, rejected_all};

/// Why a request gets no answer. The text goes to kube-scheduler in `Error`, which it logs and puts into the pod's event, so it
/// is constant per cause and says what to change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Not JSON of the right shape; a body that was cut off is one.
    #[error("headroom: malformed request: {0}")]
    Malformed(String),
    /// Whole Node objects instead of names.
    #[error(
        "headroom: got Nodes instead of NodeNames: set nodeCacheCapable: true in this extender's entry of KubeSchedulerConfiguration"
    )]
    NodesInsteadOfNames,
    /// Neither.
    #[error("headroom: the request names no nodes: NodeNames is null")]
    NoNames,
    /// No UID, no claim.
    #[error("headroom: the request's pod has no metadata.uid")]
    NoUid,
    /// Larger than allowed.
    #[error(
        "headroom: request body too large: set nodeCacheCapable: true in this extender's entry of KubeSchedulerConfiguration, or raise http.max_body_bytes"
    )]
    TooLarge,
    /// The body did not arrive.
    #[error("headroom: request body was cut off")]
    CutOff,
    /// Too many at once.
    #[error("headroom: too many requests at once: raise http.max_in_flight")]
    Overloaded,
    /// The first lists are not complete.
    #[error("headroom: not ready: the first list of the cluster's nodes and pods is not complete")]
    NotReady,
    /// Stale, and `failure.on_stale_state` is `reject`.
    #[error("headroom: {}: the watch of nodes or pods is failing", Reason::StaleState.as_str())]
    Stale,
}

impl RequestError {
    /// The metric label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            RequestError::Malformed(_) => "malformed",
            RequestError::NodesInsteadOfNames => "not_node_cache_capable",
            RequestError::NoNames => "no_names",
            RequestError::NoUid => "no_uid",
            RequestError::TooLarge => "too_large",
            RequestError::CutOff => "cut_off",
            RequestError::Overloaded => "overloaded",
            RequestError::NotReady => "not_ready",
            RequestError::Stale => "stale",
        }
    }

    /// Every label.
    pub const LABELS: [&'static str; 9] = [
        "malformed",
        "not_node_cache_capable",
        "no_names",
        "no_uid",
        "too_large",
        "cut_off",
        "overloaded",
        "not_ready",
        "stale",
    ];
}

/// Decodes a request.
///
/// # Errors
/// When it is not JSON, has no node names or no pod UID.
pub fn decode(body: &[u8]) -> Result<Args<'_>, RequestError> {
    let args = match scan::scan(body) {
        Some(args) => args,
        None => args::parse(body)?,
    };
    if args.pod.uid.is_empty() { Err(RequestError::NoUid) } else { Ok(args) }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
