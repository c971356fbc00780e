//! How long one call takes: the extender under load, beside its peers, in numbers. [`observe`] and [`expander`] measure the advisor likewise.
//!
//! ```text
//! serial driver (Go, kube-scheduler's client) ──> headroom-extender ──> API server (fixture, churn)
//!   or open-loop driver                      ├──> floor: splices bytes, decides nothing
//!                                            └──> plain Go extender: passes everything
//! ```
//!
//! All are processes on loopback. The targets take turns in one run, so that whatever else the machine does hits all of them,
//! and what is reported is how they compare.

pub mod apiserver;
pub mod calls;
pub mod churn;
pub mod driver;
pub mod expander;
pub mod fixture;
pub mod floor;
pub mod idle;
pub mod latency;
pub mod machine;
pub mod memory;
pub mod observe;
pub mod open_loop;
pub mod output;
pub mod plot;
pub mod report;
pub mod schedule;
pub mod serial;
pub mod target;
pub mod vpc;
