//! What is wrong with this pod, this node, this instance or in this log, and what to do about it.
//!
//! Everything here is a function of values: a [`Bundle`] that somebody collected, or lines of a log, go in; a [`Report`] comes
//! out. Whoever collects (`headroom-advisor doctor`) does the reading.

pub mod bundle;
pub mod cause;
#[cfg(test)]
mod fixtures;
pub mod join;
pub mod log;
pub mod node;
pub mod pod;
mod reason;
pub mod report;
mod room;
mod view;

pub use bundle::Bundle;
pub use cause::Cause;
pub use report::{Evidence, Finding, Level, Report};
