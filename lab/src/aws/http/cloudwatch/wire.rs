//! CloudWatch's shapes, as both of its protocols spell them.

use ciborium::Value;
use headroom_capacity::time::Time;
use serde::Deserialize;

use crate::aws::{ApiError, Datum, Dimensions, MetricId, Samples, Statistics};

/// CBOR's tag of a time as seconds since the Unix epoch (RFC 8949, 3.4.2).
const EPOCH_TAG: u64 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutMetricData {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    metric_data: Vec<MetricDatum>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricDatum {
    #[serde(default)]
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<f64>,
    value: Option<f64>,
    statistic_values: Option<StatisticSet>,
    values: Option<Vec<f64>>,
    counts: Option<Vec<f64>>,
    unit: Option<String>,
    storage_resolution: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Dimension {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

impl PutMetricData {
    pub(super) fn data(self, now: Time) -> Result<(String, Vec<Datum>), ApiError> {
        let data = self.metric_data.into_iter().map(|datum| datum.check(now)).collect::<Result<_, _>>()?;
        Ok((self.namespace, data))
    }
}

impl MetricDatum {
    fn check(self, now: Time) -> Result<Datum, ApiError> {
        let at = self.timestamp.map_or(Ok(now), time)?;
        let samples = match (self.value, self.statistic_values, self.values) {
            (Some(value), None, None) => Samples::Values(vec![(value, 1.0)]),
            (None, Some(set), None) => Samples::Statistics(Statistics {
                count: set.sample_count,
                sum: set.sum,
                min: set.minimum,
                max: set.maximum,
            }),
            (None, None, Some(values)) => Samples::Values(counted(values, self.counts)?),
            (None, None, None) => {
                let message = "At least one of the parameters Value, StatisticValues and Values is required.";
                return Err(ApiError::new("MissingParameter", message));
            }
            _ => {
                let message = "The parameters Value, StatisticValues and Values are mutually exclusive.";
                return Err(ApiError::new("InvalidParameterCombination", message));
            }
        };
        Ok(Datum {
            name: self.metric_name,
            dimensions: dimensions(&self.dimensions)?,
            at,
            samples,
            unit: self.unit.unwrap_or_else(|| "None".into()),
            resolution_secs: self.storage_resolution.unwrap_or(60),
        })
    }
}

fn counted(values: Vec<f64>, counts: Option<Vec<f64>>) -> Result<Vec<(f64, f64)>, ApiError> {
    let counts = counts.unwrap_or_else(|| vec![1.0; values.len()]);
    if counts.len() != values.len() {
        let message = "The parameters Values and Counts must have the same number of members.";
        return Err(ApiError::invalid(message));
    }
    Ok(values.into_iter().zip(counts).collect())
}

pub(super) fn dimensions(list: &[Dimension]) -> Result<Dimensions, ApiError> {
    let mut dimensions = Dimensions::new();
    for dimension in list {
        let value = dimension.value.clone().unwrap_or_default();
        if dimensions.insert(dimension.name.clone(), value).is_some() {
            return Err(ApiError::invalid(format!("The dimension {} is given twice.", dimension.name)));
        }
    }
    Ok(dimensions)
}

/// Seconds since the Unix epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the range has been checked"
)]
pub(super) fn time(secs: f64) -> Result<Time, ApiError> {
    if !secs.is_finite() || secs < 0.0 {
        return Err(ApiError::invalid(format!("The timestamp {secs} is invalid.")));
    }
    Ok(Time::from_millis((secs * 1000.0).round() as u64))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of today have 41 bits")]
pub(super) fn timestamp(time: Time) -> Value {
    Value::Tag(EPOCH_TAG, Box::new(Value::Float(time.as_millis() as f64 / 1000.0)))
}

pub(super) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

/// A metric as ListMetrics shows it.
pub(super) fn metric(id: &MetricId) -> Value {
    let dimension = |(name, value): (&String, &String)| {
        map([("Name", Value::from(name.as_str())), ("Value", Value::from(value.as_str()))])
    };
    map([
        ("Namespace", Value::from(id.namespace.as_str())),
        ("MetricName", Value::from(id.name.as_str())),
        ("Dimensions", Value::Array(id.dimensions.iter().map(dimension).collect())),
    ])
}

/// The JSON form of an answer: the same, with times as plain numbers.
pub(super) fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => text.clone().into(),
        Value::Float(number) => (*number).into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Tag(_, inner) => json(inner),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Map(entries) => entries
            .iter()
            .filter_map(|(key, value)| Some((key.as_text()?.to_owned(), json(value))))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => serde_json::Value::Null,
    }
}
