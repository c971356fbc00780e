//! The read that a client of AWS makes with its own credentials. Whoever has the credentials implements it.

use futures::future::BoxFuture;

use crate::cause::Cause;
use crate::endpoint::Endpoint;
use crate::ladder::{Outcome, Skip};

/// Makes a cheap signed read of an API, on the very connection, credentials and retries that the real calls have.
pub trait Signed: Send + Sync {
    /// Reads, and says how that went. It is dropped at its deadline.
    fn read<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, SignedRead>;
}

/// How a signed read went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedRead {
    /// It was answered.
    Answered {
        /// What was called, for people.
        call: String,
    },
    /// It may not be made.
    Denied {
        /// By what.
        by: DeniedBy,
        /// AWS's words.
        message: String,
    },
    /// There are too many calls.
    Throttled {
        /// AWS's words.
        message: String,
    },
    /// The clocks are too far apart.
    Skewed {
        /// AWS's words.
        message: String,
    },
    /// The session has expired.
    Expired {
        /// AWS's words.
        message: String,
    },
    /// There is nothing to sign with.
    NoCredentials {
        /// Why.
        message: String,
    },
    /// AWS does not answer.
    NoAnswer {
        /// What stands in the way.
        message: String,
    },
    /// Anything else.
    Other {
        /// AWS's code, where it answered.
        code: Option<String>,
        /// Its words.
        message: String,
    },
    /// No read is made of this API.
    NotMade,
}

/// Which policy denies a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeniedBy {
    /// That of the interface endpoint.
    Endpoint,
    /// One of the role's: its own, its boundary, its session's, or a service control policy.
    Role,
    /// AWS does not say.
    Unsaid,
}

impl DeniedBy {
    /// As AWS's words have it (IAM user guide, "Troubleshoot access denied error messages"): "because no VPC endpoint policy allows the
    /// action", "with an explicit deny in a VPC endpoint policy", and the same with the other kinds of policy.
    #[must_use]
    pub fn read(message: &str) -> DeniedBy {
        const ROLE: [&str; 6] = [
            "identity-based polic",
            "resource-based polic",
            "permissions boundary",
            "session polic",
            "service control polic",
            "resource control polic",
        ];
        if message.contains("VPC endpoint polic") {
            DeniedBy::Endpoint
        } else if ROLE.iter().any(|policy| message.contains(policy)) {
            DeniedBy::Role
        } else {
            DeniedBy::Unsaid
        }
    }
}

/// The outcomes of the signed read and of the endpoint's policy.
pub(crate) fn outcomes(read: SignedRead) -> (Outcome, Outcome) {
    let unknown = Outcome::skipped(Skip::NoAnswer);
    let failed = |cause, detail: String| (Outcome::failed(cause, detail), unknown.clone());
    match read {
        SignedRead::Answered { call } => {
            (Outcome::passed(format!("{call} is answered")), Outcome::passed("lets the call through"))
        }
        SignedRead::Denied { by: DeniedBy::Endpoint, message } => {
            (Outcome::passed("AWS knows the key"), Outcome::failed(Cause::EndpointPolicy, said(&message)))
        }
        SignedRead::Denied { by: DeniedBy::Role | DeniedBy::Unsaid, message } => failed(Cause::Denied, said(&message)),
        SignedRead::Throttled { message } => failed(Cause::Throttled, said(&message)),
        SignedRead::Skewed { message } => failed(Cause::ClockSkew, said(&message)),
        SignedRead::Expired { message } => failed(Cause::CredentialsExpired, said(&message)),
        SignedRead::NoCredentials { message } => failed(Cause::NoCredentials, message),
        SignedRead::NoAnswer { message } => failed(Cause::SignedNoAnswer, message),
        SignedRead::Other { code: Some(code), message } => failed(Cause::SignedFailed, format!("{code}: {message}")),
        SignedRead::Other { code: None, message } => failed(Cause::SignedFailed, message),
        SignedRead::NotMade => (Outcome::skipped(Skip::NotMade), Outcome::skipped(Skip::NotMade)),
    }
}

fn said(message: &str) -> String {
    format!("AWS says: {}", message.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_words_tell_which_policy_denies() {
        let who = "User: arn:aws:sts::111122223333:assumed-role/headroom/1 is not authorized to perform: \
                   autoscaling:DescribeAutoScalingGroups";
        for (why, by) in [
            (
                "because no VPC endpoint policy allows the autoscaling:DescribeAutoScalingGroups action",
                DeniedBy::Endpoint,
            ),
            ("with an explicit deny in a VPC endpoint policy", DeniedBy::Endpoint),
            (
                "because no identity-based policy allows the autoscaling:DescribeAutoScalingGroups action",
                DeniedBy::Role,
            ),
            ("with an explicit deny in a service control policy", DeniedBy::Role),
            ("because no permissions boundary allows the ec2:DescribeSubnets action", DeniedBy::Role),
            ("", DeniedBy::Unsaid),
        ] {
            assert_eq!(DeniedBy::read(&format!("{who} {why}")), by, "{why}");
        }
    }
}
