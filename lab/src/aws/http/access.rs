//! Who may call: anybody who signs. Signatures are not checked, their form is.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;

use super::Call;
use crate::aws::{ApiError, Service};

/// Signature Version 4 has these parts (IAM user guide, "Authorization header").
const PARTS: [&str; 3] = ["Credential=", "SignedHeaders=", "Signature="];

/// How far the time of a signature may be from AWS's (IAM user guide, "Elements of an AWS API request signature").
const TOLERANCE: Duration = Duration::from_secs(300);

/// `clock_ahead` is how far AWS's clock is ahead of this machine's.
pub(super) fn check(call: &Call<'_>, clock_ahead: Duration) -> Result<(), ApiError> {
    // The token is the credential there.
    if call.operation == "AssumeRoleWithWebIdentity" {
        return Ok(());
    }
    let header = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(header) = header else {
        let message = "Request is missing Authentication Token";
        return Err(ApiError::new("MissingAuthenticationToken", message).status(403));
    };
    let scope = header.split_once("Credential=").map_or("", |(_, rest)| rest.split(',').next().unwrap_or_default());
    let scoped = scope.split('/').count() == 5 && scope.trim_end().ends_with("/aws4_request");
    if header.starts_with("AWS4-HMAC-SHA256 ") && PARTS.iter().all(|part| header.contains(part)) && scoped {
        return if clock_ahead > TOLERANCE { check_date(call, clock_ahead) } else { Ok(()) };
    }
    let message = "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters";
    Err(ApiError::new("IncompleteSignature", message))
}

/// EC2 says of a wrong time what it says of a wrong key.
fn check_date(call: &Call<'_>, clock_ahead: Duration) -> Result<(), ApiError> {
    let date = call.headers.get("x-amz-date").and_then(|date| date.to_str().ok());
    let signed = date.and_then(|date| date.parse::<jiff::Timestamp>().ok());
    let apart =
        signed.map(|signed| (jiff::Timestamp::now().duration_since(signed) + ahead(clock_ahead)).unsigned_abs());
    if apart.is_some_and(|apart| apart <= TOLERANCE) {
        return Ok(());
    }
    Err(match call.service {
        Service::Ec2 => {
            let message = "AWS was not able to validate the provided access credentials";
            ApiError::new("AuthFailure", message).status(401)
        }
        _ => {
            let date = date.unwrap_or_default();
            let message = format!("Signature expired: {date} is now earlier than the service's time - 5 min.");
            ApiError::new("SignatureDoesNotMatch", message).status(403)
        }
    })
}

fn ahead(by: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX)
}
