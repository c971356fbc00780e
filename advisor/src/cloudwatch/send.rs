//! PutMetricData. The SDK speaks rpc-v2-cbor and compresses bodies of 10,240 bytes and more by itself.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Config;
use aws_sdk_cloudwatch::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

use super::batch::Batch;
use super::{Datum, Unit};
use crate::aws::{AwsError, Operation};

/// Sends one batch. `deadline` bounds the call with the SDK's own attempts.
pub(super) async fn send(client: &Client, batch: &Batch, deadline: Duration) -> Result<(), AwsError> {
    let at = DateTime::from(SystemTime::UNIX_EPOCH + Duration::from_millis(batch.at.as_millis()));
    let data = batch.data.iter().map(|datum| wire(datum, at)).collect();
    let deadline = TimeoutConfig::builder().operation_timeout(deadline).build();
    let call = client.put_metric_data().namespace(&batch.namespace).set_metric_data(Some(data)).customize();
    let sent = call.config_override(Config::builder().timeout_config(deadline)).send().await;
    match sent {
        Ok(_) => Ok(()),
        Err(error) => Err(AwsError::of(Operation::PutMetricData, &error, SystemTime::now())),
    }
}

fn wire(datum: &Datum, at: DateTime) -> MetricDatum {
    let dimension = |(name, value): &(String, String)| Dimension::builder().name(name).value(value).build();
    let unit = match datum.unit {
        Unit::Count => StandardUnit::Count,
        Unit::Seconds => StandardUnit::Seconds,
        Unit::None => StandardUnit::None,
    };
    let builder = MetricDatum::builder()
        .metric_name(&datum.name)
        .set_dimensions(Some(datum.dimensions.iter().map(dimension).collect()))
        .timestamp(at)
        .unit(unit);
    match datum.samples.as_slice() {
        [only] if only.count == 1.0 => builder.value(only.value).build(),
        samples => builder
            .set_values(Some(samples.iter().map(|sample| sample.value).collect()))
            .set_counts(Some(samples.iter().map(|sample| sample.count).collect()))
            .build(),
    }
}
