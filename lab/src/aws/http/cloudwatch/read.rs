//! Reading metrics back.

use std::time::Duration;

use ciborium::Value;
use serde::Deserialize;

use super::wire::{Dimension, dimensions, map, metric, time, timestamp};
use crate::aws::{ApiError, Dimensions, MetricId, Metrics};

/// Metrics on a page of ListMetrics, queries in one GetMetricData, and data points in one answer of GetMetricData and of
/// GetMetricStatistics (CloudWatch API reference).
const METRICS_PER_PAGE: usize = 500;
const MAX_QUERIES: usize = 500;
const MAX_POINTS: u64 = 100_800;
const MAX_STATISTICS_POINTS: u64 = 1440;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    next_token: Option<String>,
}

pub(super) fn list_metrics(metrics: &Metrics, input: &ListMetrics) -> Result<Value, ApiError> {
    let wanted = |id: &MetricId| {
        input.namespace.as_ref().is_none_or(|namespace| *namespace == id.namespace)
            && input.metric_name.as_ref().is_none_or(|name| *name == id.name)
            && input.dimensions.iter().all(|dimension| dimension.fits(&id.dimensions))
    };
    let skipped = match &input.next_token {
        Some(token) => token.parse().map_err(|_| ApiError::new("InvalidNextToken", "The token is invalid"))?,
        None => 0,
    };
    let all: Vec<MetricId> = metrics.list().into_iter().filter(wanted).collect();
    let page: Vec<Value> = all.iter().skip(skipped).take(METRICS_PER_PAGE).map(metric).collect();
    let end = skipped + page.len();
    let mut answer = vec![(Value::from("Metrics"), Value::Array(page))];
    if end < all.len() {
        answer.push((Value::from("NextToken"), Value::from(end.to_string())));
    }
    Ok(Value::Map(answer))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricData {
    metric_data_queries: Vec<Query>,
    start_time: f64,
    end_time: f64,
    scan_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: String,
    label: Option<String>,
    expression: Option<String>,
    metric_stat: Option<MetricStat>,
    return_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Metric,
    period: u64,
    stat: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

pub(super) fn get_metric_data(metrics: &Metrics, input: &GetMetricData) -> Result<Value, ApiError> {
    let (from, until) = (time(input.start_time)?, time(input.end_time)?);
    if input.metric_data_queries.len() > MAX_QUERIES {
        let message = format!("The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}.");
        return Err(ApiError::new("ValidationError", message));
    }
    let ascending = input.scan_by.as_deref() == Some("TimestampAscending");
    let mut results = Vec::new();
    for query in input.metric_data_queries.iter().filter(|query| query.return_data != Some(false)) {
        let Some(stat) = query.metric_stat.as_ref().filter(|_| query.expression.is_none()) else {
            let message = format!("Query {}: the lab computes no expressions, a MetricStat is required", query.id);
            return Err(ApiError::new("ValidationError", message));
        };
        let period = checked_period(stat.period, until.since(from), MAX_POINTS)?;
        let mut points = Vec::new();
        for (at, statistics) in metrics.statistics(&stat.metric.id()?, from, until, period) {
            let value = statistics.get(&stat.stat).ok_or_else(|| unknown_statistic(&stat.stat))?;
            points.push((timestamp(at), Value::Float(value)));
        }
        if !ascending {
            points.reverse();
        }
        let (times, values) = points.into_iter().unzip();
        let label = query.label.as_ref().unwrap_or(&stat.metric.metric_name);
        results.push(map([
            ("Id", Value::from(query.id.as_str())),
            ("Label", Value::from(label.as_str())),
            ("Timestamps", Value::Array(times)),
            ("Values", Value::Array(values)),
            ("StatusCode", Value::from("Complete")),
        ]));
    }
    Ok(map([("MetricDataResults", Value::Array(results)), ("Messages", Value::Array(Vec::new()))]))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricStatistics {
    #[serde(flatten)]
    metric: Metric,
    start_time: f64,
    end_time: f64,
    period: u64,
    #[serde(default)]
    statistics: Vec<String>,
}

pub(super) fn get_metric_statistics(metrics: &Metrics, input: &GetMetricStatistics) -> Result<Value, ApiError> {
    let (from, until) = (time(input.start_time)?, time(input.end_time)?);
    let period = checked_period(input.period, until.since(from), MAX_STATISTICS_POINTS)?;
    if input.statistics.is_empty() {
        let message = "At least one of the parameters Statistics and ExtendedStatistics is required.";
        return Err(ApiError::new("MissingParameter", message));
    }
    let mut points = Vec::new();
    for (at, statistics) in metrics.statistics(&input.metric.id()?, from, until, period) {
        let mut point = vec![(Value::from("Timestamp"), timestamp(at)), (Value::from("Unit"), Value::from("None"))];
        for name in &input.statistics {
            let value = statistics.get(name).ok_or_else(|| unknown_statistic(name))?;
            point.push((Value::from(name.as_str()), Value::Float(value)));
        }
        points.push(Value::Map(point));
    }
    Ok(map([("Label", Value::from(input.metric.metric_name.as_str())), ("Datapoints", Value::Array(points))]))
}

impl Metric {
    fn id(&self) -> Result<MetricId, ApiError> {
        Ok(MetricId {
            namespace: self.namespace.clone(),
            name: self.metric_name.clone(),
            dimensions: dimensions(&self.dimensions)?,
        })
    }
}

impl Dimension {
    /// Whether a metric has this dimension, with this value where one is given.
    fn fits(&self, all: &Dimensions) -> bool {
        all.get(&self.name).is_some_and(|value| self.value.as_ref().is_none_or(|wanted| wanted == value))
    }
}

fn checked_period(secs: u64, span: Duration, most: u64) -> Result<Duration, ApiError> {
    let regular = matches!(secs, 1 | 5 | 10 | 20 | 30) || (secs > 0 && secs.is_multiple_of(60));
    if !regular {
        let message = format!("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, not {secs}.");
        return Err(ApiError::invalid(message));
    }
    if span.as_secs() / secs > most {
        let message = format!(
            "You have requested up to {} datapoints, which exceeds the limit of {most}.",
            span.as_secs() / secs
        );
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    Ok(Duration::from_secs(secs))
}

fn unknown_statistic(name: &str) -> ApiError {
    let message =
        format!("The statistic {name} is none of SampleCount, Sum, Average, Minimum and Maximum, which the lab keeps.");
    ApiError::invalid(message)
}
