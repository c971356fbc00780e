//! Errors as AWS names them.

use thiserror::Error;

/// An error answer of an AWS API. It is the same for typed callers and over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's error code, `InsufficientFreeAddressesInSubnet` for example.
    pub code: &'static str,
    /// The text for people.
    pub message: String,
    /// HTTP status.
    pub status: u16,
}

impl ApiError {
    /// The caller's fault: status 400, which is what EC2 and Auto Scaling use for nearly everything.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), status: 400 }
    }

    /// The same with another status.
    #[must_use]
    pub(crate) fn status(mut self, status: u16) -> ApiError {
        self.status = status;
        self
    }

    /// EC2's and CloudWatch's `InvalidParameterValue`.
    pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new("InvalidParameterValue", message)
    }

    /// Auto Scaling's `ValidationError`.
    pub(crate) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationError", message)
    }
}
