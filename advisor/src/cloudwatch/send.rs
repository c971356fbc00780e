//! PutMetricData. The SDK speaks rpc-v2-cbor and compresses bodies of 10,240 bytes and more by itself.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

use super::batch::Batch;
use super::{Datum, Unit};
use crate::metrics::AwsOutcome;

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) outcome: AwsOutcome,
    pub(super) message: String,
}

/// Codes that say that the request itself is at fault, beside those that begin with `InvalidParameter` (CloudWatch API reference,
/// "PutMetricData", "Common errors"). The same request would be refused for ever.
const INVALID: [&str; 7] = [
    "InvalidFormat",
    "InvalidFormatFault",
    "MissingParameter",
    "MissingRequiredParameterException",
    "RequestEntityTooLarge",
    "SerializationException",
    "ValidationException",
];
/// Codes of calls that came too often.
const THROTTLED: [&str; 5] =
    ["LimitExceeded", "LimitExceededException", "RequestLimitExceeded", "Throttling", "ThrottlingException"];

/// Beginnings of codes about credentials that are missing, wrong, expired or not allowed to do this.
const DENIED: [&str; 10] = [
    "AccessDenied",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignature",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
];

/// Sends one batch. `deadline` bounds the call with the SDK's own attempts.
pub(super) async fn send(client: &Client, batch: &Batch, deadline: Duration) -> Result<(), Failure> {
    let at = DateTime::from(SystemTime::UNIX_EPOCH + Duration::from_millis(batch.at.as_millis()));
    let data = batch.data.iter().map(|datum| wire(datum, at)).collect();
    let call = client.put_metric_data().namespace(&batch.namespace).set_metric_data(Some(data)).send();
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure { outcome: outcome(&error), message: DisplayErrorContext(&error).to_string() }),
        Err(_) => {
            let message = format!("no answer within {deadline:?} (aws.call_timeout_ms)");
            Err(Failure { outcome: AwsOutcome::Timeout, message })
        }
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

fn outcome(error: &SdkError<PutMetricDataError>) -> AwsOutcome {
    match error {
        SdkError::TimeoutError(_) => AwsOutcome::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => AwsOutcome::Timeout,
        SdkError::DispatchFailure(_) => AwsOutcome::Unreachable,
        SdkError::ServiceError(service) => of_answer(service.raw().status().as_u16(), service.err().code()),
        SdkError::ResponseError(response) => of_answer(response.raw().status().as_u16(), None),
        _ => AwsOutcome::Other,
    }
}

fn of_answer(status: u16, code: Option<&str>) -> AwsOutcome {
    let code = code.unwrap_or_default();
    if THROTTLED.contains(&code) || status == 429 {
        AwsOutcome::Throttled
    } else if INVALID.contains(&code) || code.starts_with("InvalidParameter") || status == 413 {
        AwsOutcome::Invalid
    } else if status >= 500 {
        AwsOutcome::Unavailable
    } else if DENIED.iter().any(|known| code.starts_with(known)) {
        AwsOutcome::Denied
    } else {
        AwsOutcome::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_the_request_counts_as_invalid() {
        let of = |status, code| of_answer(status, Some(code));
        for code in ["InvalidParameterValueException", "InvalidParameterCombination", "MissingParameter"] {
            assert_eq!(of(400, code), AwsOutcome::Invalid, "{code}");
        }
        assert_eq!(of_answer(413, None), AwsOutcome::Invalid);
        assert_eq!(of(400, "Throttling"), AwsOutcome::Throttled);
        assert_eq!(of(403, "ExpiredTokenException"), AwsOutcome::Denied);
        assert_eq!(of(400, "InvalidClientTokenId"), AwsOutcome::Denied);
        assert_eq!(of(500, "InternalServiceFault"), AwsOutcome::Unavailable);
        assert_eq!(of(400, "SomethingNew"), AwsOutcome::Other);
    }
}
