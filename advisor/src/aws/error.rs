//! What went wrong with a call, in a form that metrics, logs and callers can tell apart.

mod class;

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

pub use class::ErrorClass;

use super::credentials::Unavailable;
use super::operation::Operation;
use super::xml::Malformed;

/// A call that failed, after all its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// What was called.
    pub operation: Operation,
    /// What kind of trouble it is.
    pub class: ErrorClass,
    /// AWS's code; `None` where AWS did not answer.
    pub code: Option<String>,
    /// AWS's text for people, or what stood in the way.
    pub message: String,
    /// AWS's request ID; `None` where AWS did not answer.
    pub request_id: Option<String>,
}

impl AwsError {
    /// Whether the same call may succeed a moment later without anybody doing anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.class.is_retryable()
    }

    /// Of an SDK, ours for EC2 or another. `now` is this machine's time, to which the answer's `Date` is compared.
    #[must_use]
    pub fn of<E>(operation: Operation, error: &SdkError<E, HttpResponse>, now: SystemTime) -> AwsError
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let (class, code, message) = match error {
            SdkError::ServiceError(refusal) => {
                let (meta, response) = (refusal.err().meta(), refusal.raw());
                let code = meta.code().unwrap_or_default();
                let class = ErrorClass::of(code, response.status().as_u16(), skew(response, now));
                let message = meta.message().map_or_else(|| format!("status {}", response.status()), str::to_owned);
                (class, Some(code.to_owned()).filter(|code| !code.is_empty()), message)
            }
            SdkError::ResponseError(_) => (ErrorClass::Malformed, None, chain(error)),
            SdkError::TimeoutError(_) => (ErrorClass::Timeout, None, chain(error)),
            _ if is_caused_by::<Unavailable>(error) => (ErrorClass::NoCredentials, None, chain(error)),
            SdkError::DispatchFailure(_) => (ErrorClass::Connect, None, chain(error)),
            _ => (ErrorClass::Other, None, chain(error)),
        };
        AwsError { operation, class, code, message, request_id: error.request_id().map(str::to_owned) }
    }

    /// An answer that cannot be understood.
    pub(super) fn malformed(operation: Operation, why: &Malformed) -> AwsError {
        let message = format!("the answer {why}");
        AwsError { operation, class: ErrorClass::Malformed, code: None, message, request_id: None }
    }

    /// A listing that does not come to its end.
    pub(super) fn endless(operation: Operation, pages: usize) -> AwsError {
        let message = format!("page {pages} names a page that was read already");
        AwsError { operation, class: ErrorClass::Malformed, code: None, message, request_id: None }
    }
}

impl Error for AwsError {}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed ({}", self.operation, self.class)?;
        if let Some(code) = &self.code {
            write!(f, ", {code}")?;
        }
        write!(f, "): {}", self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " [request {id}]"),
            None => Ok(()),
        }
    }
}

/// How far apart the clocks are; zero where the answer does not say.
fn skew(response: &HttpResponse, now: SystemTime) -> Duration {
    let date = response.headers().get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
    let Some(theirs) = date.and_then(|date| SystemTime::try_from(date).ok()) else { return Duration::ZERO };
    now.duration_since(theirs).or_else(|_| theirs.duration_since(now)).unwrap_or_default()
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn is_caused_by<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|error| error.is::<T>())
}

/// The error with its causes, each said once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for part in sources(error).map(ToString::to_string) {
        if !text.ends_with(&part) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&part);
        }
    }
    text
}
