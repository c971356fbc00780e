//! Who may call: anybody who signs. Signatures are not checked, their form is.

use axum::http::header::AUTHORIZATION;

use super::Call;
use crate::aws::ApiError;

/// Signature Version 4 has these parts (IAM user guide, "Authorization header").
const PARTS: [&str; 3] = ["Credential=", "SignedHeaders=", "Signature="];

pub(super) fn check(call: &Call<'_>) -> Result<(), ApiError> {
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
        return Ok(());
    }
    let message = "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters";
    Err(ApiError::new("IncompleteSignature", message))
}
