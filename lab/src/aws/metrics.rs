//! CloudWatch's data: what was put, and statistics over it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use headroom_capacity::time::Time;

use super::ApiError;

/// Data that are kept, so that a lab that runs for days does not grow for ever.
const KEPT: usize = 500_000;
/// Limits of PutMetricData (CloudWatch API reference).
const MAX_DATA_PER_CALL: usize = 1000;
const MAX_VALUES: usize = 150;
const MAX_DIMENSIONS: usize = 30;
const MAX_NAME: usize = 255;
const MAX_DIMENSION_VALUE: usize = 1024;
const OLDEST: Duration = Duration::from_secs(14 * 86_400);
const NEWEST: Duration = Duration::from_secs(2 * 3600);
/// Exponent of the largest magnitude: values lie between -2^360 and 2^360.
const MAX_EXPONENT: i32 = 360;

/// Dimensions by name.
pub type Dimensions = BTreeMap<String, String>;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// Values, each with its count.
    Values(Vec<(f64, f64)>),
    /// A StatisticSet.
    Statistics(Statistics),
}

/// Statistics of a set of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// `SampleCount`.
    pub count: f64,
    /// `Sum`.
    pub sum: f64,
    /// `Minimum`.
    pub min: f64,
    /// `Maximum`.
    pub max: f64,
}

impl Statistics {
    fn merge(self, other: Statistics) -> Statistics {
        Statistics {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// The statistic of that name; `None` for one that is not kept, percentiles for example.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        match name {
            "SampleCount" => Some(self.count),
            "Sum" => Some(self.sum),
            "Average" => Some(self.sum / self.count),
            "Minimum" => Some(self.min),
            "Maximum" => Some(self.max),
            _ => None,
        }
    }
}

/// One MetricDatum.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// `MetricName`.
    pub name: String,
    /// `Dimensions`.
    pub dimensions: Dimensions,
    /// `Timestamp`.
    pub at: Time,
    /// `Value`, `Values` and `Counts`, or `StatisticValues`.
    pub samples: Samples,
    /// `Unit`.
    pub unit: String,
    /// `StorageResolution`: 1 or 60 s.
    pub resolution_secs: u32,
}

/// A metric's identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricId {
    /// `Namespace`.
    pub namespace: String,
    /// `MetricName`.
    pub name: String,
    /// `Dimensions`.
    pub dimensions: Dimensions,
}

/// Everything that was put, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    data: VecDeque<(String, Datum)>,
}

impl Metrics {
    /// Namespace and datum, in the order in which they were put.
    pub fn data(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.data.iter().map(|(namespace, datum)| (namespace.as_str(), datum))
    }

    /// PutMetricData: all of it, or nothing.
    ///
    /// # Errors
    /// `InvalidParameterValue`, `InvalidParameterCombination` or `MissingParameter`, with the rule that was broken.
    pub fn put(&mut self, namespace: &str, data: Vec<Datum>, now: Time) -> Result<(), ApiError> {
        check_name("Namespace", namespace)?;
        if namespace.starts_with("AWS/") {
            return Err(ApiError::invalid("The value AWS/ for parameter Namespace is invalid."));
        }
        if data.is_empty() || data.len() > MAX_DATA_PER_CALL {
            let message = "The collection MetricData must not have a size greater than";
            return Err(ApiError::invalid(format!(
                "{message} {MAX_DATA_PER_CALL} or less than 1, not {}.",
                data.len()
            )));
        }
        data.iter().try_for_each(|datum| check(datum, now))?;
        self.data.extend(data.into_iter().map(|datum| (namespace.to_owned(), datum)));
        let surplus = self.data.len().saturating_sub(KEPT);
        self.data.drain(..surplus);
        Ok(())
    }

    /// Every metric.
    #[must_use]
    pub fn list(&self) -> BTreeSet<MetricId> {
        let id = |(namespace, datum): &(String, Datum)| MetricId {
            namespace: namespace.clone(),
            name: datum.name.clone(),
            dimensions: datum.dimensions.clone(),
        };
        self.data.iter().map(id).collect()
    }

    /// Statistics of `metric` in the periods that start in `from..until`, by start.
    #[must_use]
    pub fn statistics(
        &self,
        metric: &MetricId,
        from: Time,
        until: Time,
        period: Duration,
    ) -> BTreeMap<Time, Statistics> {
        let step = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut periods: BTreeMap<Time, Statistics> = BTreeMap::new();
        for (namespace, datum) in &self.data {
            let start = Time::from_millis(datum.at.as_millis() / step * step);
            let same = *namespace == metric.namespace
                && datum.name == metric.name
                && datum.dimensions == metric.dimensions
                && (from..until).contains(&start);
            if let Some(new) = summary(&datum.samples).filter(|_| same) {
                periods.entry(start).and_modify(|old| *old = old.merge(new)).or_insert(new);
            }
        }
        periods
    }
}

fn summary(samples: &Samples) -> Option<Statistics> {
    match samples {
        Samples::Statistics(statistics) => Some(*statistics),
        Samples::Values(values) => values
            .iter()
            .map(|(value, count)| Statistics { count: *count, sum: value * count, min: *value, max: *value })
            .reduce(Statistics::merge),
    }
}

fn check(datum: &Datum, now: Time) -> Result<(), ApiError> {
    check_name("MetricName", &datum.name)?;
    if datum.dimensions.len() > MAX_DIMENSIONS {
        return Err(ApiError::invalid(format!(
            "The collection Dimensions must not have a size greater than {MAX_DIMENSIONS}."
        )));
    }
    for (name, value) in &datum.dimensions {
        check_name("Dimensions.Name", name)?;
        if value.is_empty() || value.len() > MAX_DIMENSION_VALUE {
            return Err(ApiError::invalid(format!("The value of dimension {name} must have 1 to 1024 characters.")));
        }
    }
    if !(now - OLDEST..=now + NEWEST).contains(&datum.at) {
        let message = "The parameter Timestamp must be at most two weeks in the past and two hours in the future.";
        return Err(ApiError::invalid(message));
    }
    if ![1, 60].contains(&datum.resolution_secs) {
        return Err(ApiError::invalid("The parameter StorageResolution must be 1 or 60."));
    }
    check_samples(&datum.samples)
}

fn check_samples(samples: &Samples) -> Result<(), ApiError> {
    let numbers: Vec<f64> = match samples {
        Samples::Values(values) if values.is_empty() || values.len() > MAX_VALUES => {
            let message = "The collection Values must not have a size greater than";
            return Err(ApiError::invalid(format!("{message} {MAX_VALUES} or less than 1, not {}.", values.len())));
        }
        Samples::Values(values) => values.iter().flat_map(|(value, count)| [*value, *count]).collect(),
        Samples::Statistics(set) if set.count <= 0.0 || set.min > set.max => {
            return Err(ApiError::invalid("StatisticValues needs a positive SampleCount and Minimum up to Maximum."));
        }
        Samples::Statistics(set) => vec![set.count, set.sum, set.min, set.max],
    };
    let bound = 2f64.powi(MAX_EXPONENT);
    match numbers.into_iter().find(|number| !number.is_finite() || number.abs() > bound) {
        Some(number) => {
            Err(ApiError::invalid(format!("The value {number} is not supported: finite and at most 2^360.")))
        }
        None => Ok(()),
    }
}

fn check_name(parameter: &str, name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::new("MissingParameter", format!("The parameter {parameter} is required.")));
    }
    if name.len() > MAX_NAME || name.starts_with(':') || name.contains(|c: char| c.is_control()) {
        return Err(ApiError::invalid(format!("The value {name} for parameter {parameter} is invalid.")));
    }
    Ok(())
}
