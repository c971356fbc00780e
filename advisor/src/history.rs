//! What was used and asked for, over weeks: what the forecasts are made from. A file that survives restarts, kills and upgrades.
//!
//! ```text
//! rounds ──record──> latest step of each series ──when it ends──> rows of 5 minutes and of hours ──series──> forecast
//!                    CloudWatch, Prometheus ──backfill (gaps only)──┘
//! ```
//!
//! A value is the largest of its step. The file ends at a size: rows of a series are bounded in number, as are the series. What is
//! pure (`key`, `tier`, `row`, `latest`, and of the sources all but the call) is apart from the file (`store`); time is an argument.
//!
//! A full series has 16,416 steps of five minutes and 9,984 hours. Where each differs from the one before by a few it takes 26.5
//! KB, where none does 0.4 KB (`tests::size`).

pub mod cloudwatch;
mod key;
mod latest;
pub mod prometheus;
mod row;
mod store;
#[cfg(test)]
mod tests;
mod tier;
pub mod window;

pub use key::{Kind, SeriesKey};
pub use store::{Backfilled, FORMAT, History, HistoryError, Recorded};
pub use tier::Tier;

/// What was seen of a series elsewhere: Unix times in seconds and values.
pub type Points = (SeriesKey, Vec<(u64, f64)>);

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most series. Values of further ones are refused and counted.
    pub max_series: u64,
    /// Days with rounds after which a series that had no value in them is forgotten. Days on which the advisor did not run do not
    /// count, nor does a clock that jumped by years make more than one.
    pub idle_days: u32,
}

impl Default for Limits {
    /// 10,000 series: 1,000 subnets with three each, 500 groups with three each, and as much again. 56 days: its five-minute steps
    /// would all be too old by then.
    fn default() -> Limits {
        Limits { max_series: 10_000, idle_days: 56 }
    }
}
