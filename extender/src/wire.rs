//! kube-scheduler's extender format (k8s.io/kube-scheduler `extender/v1/types.go`): Go structs without JSON tags, so the keys are
//! the field names, and Go matches them whatever their case.

mod args;

use std::collections::BTreeMap;
use std::io::Write as _;

use headroom_capacity::verdict::Reason;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use thiserror::Error;

use crate::filter::on_any_node;

pub use args::{Args, Name, Pod};

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
    let args: Args<'_> = serde_json::from_slice(body).map_err(malformed)?;
    if args.names.is_none() {
        return Err(if args.has_nodes { RequestError::NodesInsteadOfNames } else { RequestError::NoNames });
    }
    if args.pod.uid.is_empty() {
        return Err(RequestError::NoUid);
    }
    Ok(args)
}

/// The parser quotes the value that it did not expect, however long: its ends hold what was wrong and where.
fn malformed(error: serde_json::Error) -> RequestError {
    const END_CHARS: usize = 120;
    let text = error.to_string();
    let chars = text.chars().count();
    if chars <= 2 * END_CHARS {
        return RequestError::Malformed(text);
    }
    let head: String = text.chars().take(END_CHARS).collect();
    let tail: String = text.chars().skip(chars - END_CHARS).collect();
    RequestError::Malformed(format!("{head} ... {tail}"))
}

/// `ExtenderFilterResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FilterResult<'a, R> {
    nodes: Option<()>,
    node_names: Option<Vec<&'a str>>,
    failed_nodes: BTreeMap<&'a str, &'a str>,
    failed_and_unresolvable_nodes: R,
    error: &'a str,
}

/// Node name -> reason, in the order of the request.
#[derive(Debug)]
struct Rejected<'a>(&'a [(&'a str, Reason)]);

impl Serialize for Rejected<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, reason) in self.0 {
            map.serialize_entry(name, reason.as_str())?;
        }
        map.end()
    }
}

/// The reply when nodes pass. Both maps stay empty: kube-scheduler reads them only where no node is left, and decoding them costs it
/// more than all of the rest.
#[must_use]
pub fn passed<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    filter_result(Some(names.collect()), &[], "")
}

/// The reply when none passes: unresolvable, because preemption cannot free an address that kube-scheduler does not count, and its
/// dry run over every such node would only cost time.
#[must_use]
pub fn rejected(reasons: &[(&str, Reason)]) -> Vec<u8> {
    filter_result(Some(Vec::new()), reasons, "")
}

/// The reply when none of many passes: one node carries the reason for all, so that the text stays the same whichever nodes
/// kube-scheduler names; those in neither list count as unresolvable (k/k `pkg/scheduler/framework/types.go`, `NodeToStatus`).
#[must_use]
pub fn rejected_all(name: Option<&str>, reason: Reason) -> Vec<u8> {
    let text = on_any_node(reason);
    encode(&FilterResult {
        nodes: None,
        node_names: Some(Vec::new()),
        failed_nodes: BTreeMap::new(),
        failed_and_unresolvable_nodes: name.map(|name| (name, text.as_str())).into_iter().collect::<BTreeMap<_, _>>(),
        error: "",
    })
}

/// The reply to a request that could not be answered.
#[must_use]
pub fn failed(error: &RequestError) -> Vec<u8> {
    filter_result(None, &[], &error.to_string())
}

fn filter_result(node_names: Option<Vec<&str>>, rejected: &[(&str, Reason)], error: &str) -> Vec<u8> {
    encode(&FilterResult {
        nodes: None,
        node_names,
        failed_nodes: BTreeMap::new(),
        failed_and_unresolvable_nodes: Rejected(rejected),
        error,
    })
}

/// `HostPriority`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HostPriority<'a> {
    host: &'a str,
    score: u8,
}

/// The reply to prioritize: `HostPriorityList`, which has no place for an error.
#[must_use]
pub fn priorities<'a>(scores: impl Iterator<Item = (&'a str, u8)>) -> Vec<u8> {
    encode(&scores.map(|(host, score)| HostPriority { host, score }).collect::<Vec<_>>())
}

/// No trailing newline: kube-scheduler's connection is reused only if the body ends with the JSON.
fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    if serde_json::to_writer(&mut out, value).is_err() || out.flush().is_err() {
        // Strings, numbers and maps with string keys into memory: there is nothing that could fail.
        out.clear();
    }
    out
}

#[cfg(test)]
mod tests;
