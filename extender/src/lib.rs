//! Keeps pods off nodes that cannot give them an IP: kube-scheduler's HTTP extender.
//!
//! ```text
//! cluster events ──> index ──publish──> Snapshot ─┐
//! feed (of EC2) ──────┘  (one writer task)         ├─> filter ──> wire ──> kube-scheduler
//!                     claims of pods on their way ┘       └─rejected─> waiting ──> waker ──> API server
//! ```
//!
//! Decisions (`index`, `filter`, `claims`, `waiting`) are plain values and functions: time comes in as an argument and nothing waits. The
//! shells (`run`, `http`, `grpc`, `waker`, and what they share with the advisor, `headroom_shell`) hold all the waiting.
//! shells (`run`, `listen`, `http`, `grpc`, `tls`, `waker`, `feed::client`) hold all the waiting.

pub mod claims;
pub mod cli;
pub mod config;
pub mod core;
pub mod explain;
pub mod feed;
pub mod filter;
#[cfg(test)]
mod fixtures;
pub mod grpc;
pub mod http;
pub mod index;
pub mod metrics;
mod run;
pub mod snapshot;
pub mod waiting;
mod waker;
pub mod wire;
mod writer;

pub use run::{Handle, Options, RunError, run};
