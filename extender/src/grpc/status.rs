//! The causes of `RequestError` as gRPC statuses: the one table.

use axum::http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::wire::RequestError;

/// Domain of the `google.rpc.ErrorInfo` in the details of every status.
const DOMAIN: &str = "headroom.dev";

/// The code tells a client whether to change the request (INVALID_ARGUMENT), to send less (RESOURCE_EXHAUSTED) or to try again
/// (UNAVAILABLE, DEADLINE_EXCEEDED).
const fn code(error: &RequestError) -> Code {
    match error {
        RequestError::Malformed(_)
        | RequestError::NodesInsteadOfNames
        | RequestError::NoNames
        | RequestError::NoUid => Code::InvalidArgument,
        RequestError::TooLarge | RequestError::Overloaded => Code::ResourceExhausted,
        RequestError::CutOff => Code::DeadlineExceeded,
        RequestError::NotReady | RequestError::Stale => Code::Unavailable,
    }
}

/// The status: the text is that of HTTP, the label in capitals is the reason of its `ErrorInfo`.
pub(super) fn of(error: &RequestError) -> Status {
    let info = ErrorDetails::with_error_info(error.label().to_uppercase(), DOMAIN, []);
    Status::with_error_details(code(error), error.to_string(), info)
}

/// What tonic refused before it called the method: its statuses carry no details. A message above the limit is OUT_OF_RANGE, one
/// that it cannot decode INTERNAL (tonic `codec/decode.rs`), a body that broke off CANCELLED or UNKNOWN (`Status::from_error`).
pub(super) fn refused_by_tonic(headers: &HeaderMap) -> Option<RequestError> {
    let status = Status::from_header_map(headers).filter(|status| status.details().is_empty())?;
    match status.code() {
        Code::OutOfRange => Some(RequestError::TooLarge),
        Code::Internal => Some(RequestError::Malformed(status.message().to_owned())),
        Code::Cancelled | Code::Unknown => Some(RequestError::CutOff),
        _ => None,
    }
}
