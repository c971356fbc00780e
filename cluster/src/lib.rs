//! Kubernetes as Headroom sees it: watches in, trimmed domain events out; and the one write, which asks for a pod to be retried.
//!
//! ```text
//! Node, Pod, CNINode, ENIConfig,      ┌─ node  ─┐
//! DaemonSet kube-system/aws-node, ───>│  pod    │──> Event ──> whoever keeps the state
//! Events FailedCreatePodSandBox       └─ cni    ┘
//! ```
//!
//! This is the only crate that knows kube-rs. An object is cut down to the fields that decide about pod IPs as soon as it is
//! decoded; managedFields, container lists and image lists never reach a channel. Deletions that happened while a watch was down
//! are found by comparing lists and reported like any other, so that a consumer only ever applies events.

mod cni;
mod connect;
mod event;
mod node;
mod object;
mod pod;
mod protobuf;
mod retry;
mod sandbox;
mod watch;

pub use connect::{Client, ConnectError, connect};
pub use event::{CniNode, EniConfig, ErrorClass, Event, Kind, Node, Pod, SandboxFailure};
pub use pod::{demand, failure_fingerprint};
pub use retry::{RETRY_ANNOTATION, RetryError, request_retry};
pub use watch::{Watch, watch, watch_kinds};
