//! The kinds of trouble with AWS, and which error code is which.

use std::fmt;
use std::time::Duration;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;

/// What kind of trouble a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The account's token bucket is empty.
    Throttled,
    /// The role may not, or AWS does not know the key.
    Denied,
    /// There are no credentials: none is found, or their provider (STS, the Pod Identity agent, instance metadata) does not answer.
    NoCredentials,
    /// The session token has expired. The next call gets new credentials.
    ExpiredCredentials,
    /// This machine's clock is too far from AWS's. The next call is signed by AWS's, unless that is turned off
    /// (`AWS_DISABLE_CLOCK_SKEW_CORRECTION`).
    ClockSkew,
    /// No answer within the deadline of an attempt or of the call.
    Timeout,
    /// No connection: DNS, TCP or TLS.
    Connect,
    /// AWS's own trouble, status 500 and above.
    Service,
    /// The request itself is at fault: the same would be refused for ever.
    Invalid,
    /// An answer that cannot be understood.
    Malformed,
    /// Anything else; the code tells.
    Other,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: [ErrorClass; 11] = [
        ErrorClass::Throttled,
        ErrorClass::Denied,
        ErrorClass::NoCredentials,
        ErrorClass::ExpiredCredentials,
        ErrorClass::ClockSkew,
        ErrorClass::Timeout,
        ErrorClass::Connect,
        ErrorClass::Service,
        ErrorClass::Invalid,
        ErrorClass::Malformed,
        ErrorClass::Other,
    ];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            ErrorClass::Throttled => "throttled",
            ErrorClass::Denied => "denied",
            ErrorClass::NoCredentials => "no_credentials",
            ErrorClass::ExpiredCredentials => "expired_credentials",
            ErrorClass::ClockSkew => "clock_skew",
            ErrorClass::Timeout => "timeout",
            ErrorClass::Connect => "connect",
            ErrorClass::Service => "service",
            ErrorClass::Invalid => "invalid",
            ErrorClass::Malformed => "malformed",
            ErrorClass::Other => "other",
        }
    }

    /// Whether the same call may succeed a moment later without anybody doing anything.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            ErrorClass::Throttled
            | ErrorClass::ExpiredCredentials
            | ErrorClass::NoCredentials
            | ErrorClass::ClockSkew
            | ErrorClass::Timeout
            | ErrorClass::Connect
            | ErrorClass::Service
            | ErrorClass::Malformed => true,
            ErrorClass::Denied | ErrorClass::Invalid | ErrorClass::Other => false,
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// From here on the clocks count as apart: AWS accepts signatures for 5 minutes, and the SDK corrects from 4 on
/// (aws-runtime `service_clock_skew`, `SKEW_DETECTION_THRESHOLD`).
const SKEW: Duration = Duration::from_secs(4 * 60);

/// What may be wrong with the clock or with the key (aws-runtime `service_clock_skew`, `CLOCK_SKEW_ERROR_CODES`).
const SIGNATURE: [&str; 3] = ["AuthFailure", "InvalidSignatureException", "SignatureDoesNotMatch"];

/// What a role or key that AWS knows or not gets to hear (EC2 API reference, "Error codes"; Auto Scaling API reference, "Common
/// errors").
const DENIED: [&str; 11] = [
    "AccessDenied",
    "AccessDeniedException",
    "Blocked",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "PendingVerification",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// Codes that say that the request itself is at fault, beside those that begin with `InvalidParameter` (CloudWatch API reference,
/// "PutMetricData", "Common errors").
const INVALID: [&str; 7] = [
    "InvalidFormat",
    "InvalidFormatFault",
    "MissingParameter",
    "MissingRequiredParameterException",
    "RequestEntityTooLarge",
    "SerializationException",
    "ValidationException",
];

impl ErrorClass {
    /// The class of an error answer, by its code, its HTTP status and how far apart the clocks are by its `Date`.
    ///
    /// EC2 says `RequestExpired` for a session token that has expired and for a signature that is too old alike (EC2 API
    /// reference, "Error codes"), and `AuthFailure` for a wrong key and a wrong clock; only the clocks tell.
    #[must_use]
    pub(super) fn of(code: &str, status: u16, skew: Duration) -> ErrorClass {
        let skewed = skew > SKEW;
        match code {
            _ if THROTTLING_ERRORS.contains(&code) => ErrorClass::Throttled,
            "RequestTimeTooSkewed" | "RequestInTheFuture" => ErrorClass::ClockSkew,
            "RequestExpired" if skewed => ErrorClass::ClockSkew,
            "RequestExpired" | "ExpiredToken" | "ExpiredTokenException" => ErrorClass::ExpiredCredentials,
            _ if SIGNATURE.contains(&code) && skewed => ErrorClass::ClockSkew,
            _ if SIGNATURE.contains(&code) || DENIED.contains(&code) => ErrorClass::Denied,
            _ if INVALID.contains(&code) || code.starts_with("InvalidParameter") || status == 413 => {
                ErrorClass::Invalid
            }
            _ if status == 429 => ErrorClass::Throttled,
            _ if status >= 500 => ErrorClass::Service,
            _ => ErrorClass::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_class_and_the_clock_tells_which() {
        let (right, wrong) = (Duration::from_secs(3), Duration::from_secs(900));
        for (code, status, skew, class) in [
            ("RequestLimitExceeded", 503, right, ErrorClass::Throttled),
            ("Throttling", 400, right, ErrorClass::Throttled),
            ("Unavailable", 503, right, ErrorClass::Service),
            ("InternalError", 500, right, ErrorClass::Service),
            ("UnauthorizedOperation", 403, right, ErrorClass::Denied),
            ("AuthFailure", 401, right, ErrorClass::Denied),
            ("AuthFailure", 401, wrong, ErrorClass::ClockSkew),
            ("RequestExpired", 400, right, ErrorClass::ExpiredCredentials),
            ("RequestExpired", 400, wrong, ErrorClass::ClockSkew),
            ("ExpiredToken", 403, wrong, ErrorClass::ExpiredCredentials),
            ("InvalidVpcID.NotFound", 400, right, ErrorClass::Other),
            ("InvalidParameterValueException", 400, right, ErrorClass::Invalid),
            ("", 413, right, ErrorClass::Invalid),
        ] {
            assert_eq!(ErrorClass::of(code, status, skew), class, "{code} at {skew:?}");
        }
    }
}
