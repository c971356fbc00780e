//! CloudWatch: figures of the ledger, batched within the API's limits, spooled, sent.
//!
//! ```text
//! figures, cni_helper ──Datum──> batch ──Batch──> spool ──oldest first──> PutMetricData
//! ```
//!
//! A point is written to the spool before it is sent and leaves it when CloudWatch has acknowledged it, so that a crash loses
//! none. What was sent and not yet acknowledged at that moment is sent again: PutMetricData is not idempotent, and a point that
//! arrives twice has SampleCount 2. Average, Minimum and Maximum are the same; alarms should use those.

pub mod batch;
pub mod catalog;
pub mod cni_helper;
pub mod cost;
pub mod figures;
pub mod ipamd;
mod publisher;
mod send;
mod spool;

pub use publisher::{Flushed, Publisher};
pub use spool::{Entry, Spool, SpoolError};

use headroom_capacity::time::Time;

use crate::config::CloudWatch;
use crate::metrics::labels;
use figures::Observed;
use ipamd::Sums;

/// All that is published in one round, by namespace. `ipamd` is what the ipamds tell of themselves, where they were asked.
#[must_use]
pub fn round(
    observed: &Observed<'_>,
    ipamd: Option<&Sums>,
    config: &CloudWatch,
    now: Time,
) -> Vec<(String, Vec<Datum>)> {
    let mut sets = vec![(config.namespace.clone(), figures::figures(observed, now))];
    if config.cni_metrics_helper_names && observed.aws_is_current(now) && observed.kubernetes_is_current(now) {
        let data = cni_helper::helper_figures(observed.ledger, ipamd, observed.cluster);
        sets.push((cni_helper::NAMESPACE.to_owned(), data));
    }
    sets
}

/// One metric's part in a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// `MetricName`.
    pub name: String,
    /// `Dimensions`, name and value.
    pub dimensions: Vec<(String, String)>,
    /// `Unit`.
    pub unit: Unit,
    /// What was seen.
    pub samples: Vec<Sample>,
}

impl Datum {
    /// A single value.
    #[must_use]
    pub fn new(name: &str, unit: Unit, dimensions: &[(&str, &str)], value: f64) -> Datum {
        let dimensions = dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Datum { name: name.to_owned(), dimensions, unit, samples: vec![Sample { value, count: 1.0 }] }
    }
}

/// A value and how often it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The value.
    pub value: f64,
    /// How often; 1 for a plain value.
    pub count: f64,
}

labels! {
    /// CloudWatch's units, as far as they are used.
    Unit {
        /// `Count`.
        Count = "Count",
        /// `Seconds`.
        Seconds = "Seconds",
        /// `None`.
        None = "None",
    }
}

labels! {
    /// Why a point never reaches CloudWatch.
    Loss {
        /// NaN or infinite.
        NotFinite = "not_finite",
        /// Beyond 2^360.
        TooLarge = "too_large",
        /// Without a value.
        Empty = "empty",
        /// Not a metric name that CloudWatch takes.
        Name = "name",
        /// Dimensions that CloudWatch does not take.
        Dimensions = "dimensions",
        /// From more than two weeks ago.
        TooOld = "too_old",
        /// From more than two hours ahead.
        TooFarAhead = "too_far_ahead",
        /// CloudWatch refused it.
        Refused = "refused",
        /// The oldest when the spool was full.
        SpoolFull = "spool_full",
    }
}
