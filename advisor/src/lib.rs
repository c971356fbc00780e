//! Observes AWS and the cluster and tells everyone what it sees: `headroom-advisor`.
//!
//! ```text
//! EC2, Auto Scaling ──aws──> Inventory ─┐              ┌─> feed ──> extenders
//!                                       ├─> ledger ────┼─> metrics ──> Prometheus
//! cluster events ──state──> ClusterState┘  in_flight   └─> cloudwatch ──> spool ──> CloudWatch
//!                                          leaks    ├─> history ──> outlook ──> when subnets run out
//!                                                   └─> expander <──> Cluster Autoscaler
//!                                          leaks    └─> history ──> outlook ──> when subnets run out
//! endpoints ──reachability──> ladders ──> metrics, whoever scales in
//! ```
//!
//! Decisions (`state`, `ledger`, `in_flight`, `leaks`, `outlook`, `expander`, the figures of `metrics` and `cloudwatch`) are plain values and functions: time
//! comes in as an argument and nothing waits. The shells (`aws`, `feed`, `run`) hold all the waiting.

pub mod autoscaler;
pub mod aws;
pub mod binding;
pub mod cli;
pub mod cloudwatch;
pub mod config;
pub mod doctor;
pub mod drain;
pub mod expander;
pub mod feed;
pub mod headroom;
pub mod history;
pub mod in_flight;
pub mod inventory;
pub mod leaks;
pub mod ledger;
pub mod metrics;
pub mod outlook;
pub mod plan;
pub mod reachability;
mod run;
pub mod state;
mod storage;
pub mod what_if;

pub use run::{Clock, Handle, Options, RunError, run};
