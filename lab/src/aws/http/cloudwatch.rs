//! CloudWatch: smithy's rpc-v2-cbor, which the AWS SDK for Rust speaks, and AWS JSON 1.0, which boto3 does.

mod read;
mod wire;

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use ciborium::Value;
use flate2::read::GzDecoder;
use headroom_capacity::time::Time;
use serde::de::DeserializeOwned;

use super::query::status;
use crate::aws::{ApiError, Vpc};

/// Name of the service in paths and targets.
const NAME: &str = "GraniteServiceVersion20100801";
/// Most that PutMetricData takes, after decompression (CloudWatch API reference).
const MAX_BODY_BYTES: usize = 1 << 20;

#[derive(Clone, Copy)]
enum Protocol {
    Cbor,
    Json,
}

/// A request of CloudWatch.
pub(super) struct Request<'a> {
    pub(super) operation: &'a str,
    protocol: Protocol,
    gzip: bool,
}

impl<'a> Request<'a> {
    /// Tells CloudWatch's requests from those of the Query APIs.
    pub(super) fn find(uri: &'a Uri, headers: &'a HeaderMap) -> Option<Request<'a>> {
        let gzip = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if let Some((NAME, operation)) = target.and_then(|target| target.split_once('.')) {
            return Some(Request { operation, protocol: Protocol::Json, gzip });
        }
        let rest = uri.path().strip_prefix("/service/")?;
        let (service, operation) = rest.split_once("/operation/")?;
        (service == NAME).then_some(Request { operation, protocol: Protocol::Cbor, gzip })
    }

    pub(super) fn run(&self, vpc: &mut Vpc, body: &Bytes, now: Time) -> Result<Value, ApiError> {
        let body = self.unpack(body)?;
        match self.operation {
            "PutMetricData" => {
                let input: wire::PutMetricData = self.decode(&body)?;
                let (namespace, data) = input.data(now)?;
                vpc.metrics.put(&namespace, data, now)?;
                Ok(Value::Map(Vec::new()))
            }
            "ListMetrics" => read::list_metrics(&vpc.metrics, &self.decode(&body)?),
            "GetMetricData" => read::get_metric_data(&vpc.metrics, &self.decode(&body)?),
            "GetMetricStatistics" => read::get_metric_statistics(&vpc.metrics, &self.decode(&body)?),
            other => {
                let message = format!("The operation {other} is not served here");
                Err(ApiError::new("UnknownOperationException", message).status(404))
            }
        }
    }

    fn unpack(&self, body: &Bytes) -> Result<Vec<u8>, ApiError> {
        let mut unpacked = Vec::new();
        let limit = u64::try_from(MAX_BODY_BYTES + 1).unwrap_or(u64::MAX);
        let read = if self.gzip {
            GzDecoder::new(body.as_ref()).take(limit).read_to_end(&mut unpacked)
        } else {
            body.as_ref().take(limit).read_to_end(&mut unpacked)
        };
        read.map_err(|error| ApiError::new("SerializationException", format!("the body is not gzip: {error}")))?;
        if unpacked.len() > MAX_BODY_BYTES {
            let message = format!("Request size exceeded {MAX_BODY_BYTES} bytes");
            return Err(ApiError::new("RequestEntityTooLarge", message).status(413));
        }
        Ok(unpacked)
    }

    fn decode<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ApiError> {
        let malformed = |error: String| ApiError::new("SerializationException", error);
        match self.protocol {
            Protocol::Cbor => ciborium::from_reader(body).map_err(|error| malformed(error.to_string())),
            Protocol::Json => serde_json::from_slice(body).map_err(|error| malformed(error.to_string())),
        }
    }

    pub(super) fn respond(&self, result: Result<Value, ApiError>) -> Response {
        let value = result.as_ref().map_or_else(error_body, Clone::clone);
        let (bytes, content_type) = match self.protocol {
            Protocol::Cbor => (cbor(&value), "application/cbor"),
            Protocol::Json => (wire::json(&value).to_string().into_bytes(), "application/x-amz-json-1.0"),
        };
        let mut response = Response::new(Body::from(bytes));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if matches!(self.protocol, Protocol::Cbor) {
            headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        }
        if let Err(error) = &result {
            let fault = if error.status < 500 { "Sender" } else { "Receiver" };
            // CloudWatch was a Query API before: clients that ask for it get the old code.
            if let Ok(old) = HeaderValue::from_str(&format!("{};{fault}", error.code)) {
                headers.insert("x-amzn-query-error", old);
            }
            *response.status_mut() = status(error);
        }
        response
    }
}

fn error_body(error: &ApiError) -> Value {
    wire::map([
        ("__type", Value::from(format!("com.amazonaws.cloudwatch#{}", shape(error.code)))),
        ("message", Value::from(error.message.clone())),
    ])
}

/// Name of the error's shape in CloudWatch's model, where it is not the code itself.
fn shape(code: &str) -> &str {
    match code {
        "InvalidParameterValue" => "InvalidParameterValueException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "MissingParameter" => "MissingRequiredParameterException",
        other => other,
    }
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing CBOR to memory cannot fail");
    bytes
}
