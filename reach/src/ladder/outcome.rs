//! How it ended.

use std::fmt;

use crate::cause::Cause;

/// How a step ended. Details are said of the target: "timed out after 3 s".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Passed {
        /// What was found.
        detail: String,
    },
    /// It serves, and something is to be seen to.
    Warning {
        /// What.
        cause: Cause,
        /// What was found.
        detail: String,
    },
    /// It does not serve.
    Failed {
        /// Why.
        cause: Cause,
        /// What was found.
        detail: String,
    },
    /// It was not tried.
    Skipped {
        /// Why not.
        why: Skip,
    },
}

/// Why something was not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// The endpoint is an address: there is nothing to look up.
    AddressGiven,
    /// The endpoint is plain HTTP.
    Plain,
    /// The answer has no `Date`.
    NoDate,
    /// No read is made of this API.
    NotMade,
    /// `resolv.conf` names nobody: the system resolver may know the name all the same.
    NoNameserver,
    /// This machine has no IPv6, and an IPv4 address serves.
    NoIpv6,
    /// No address was found.
    NoAddress,
    /// No connection came about.
    NoConnection,
    /// No answer came.
    NoAnswer,
}

impl Skip {
    /// Whether an earlier stage stands in the way, and not the nature of the endpoint.
    #[must_use]
    pub const fn is_for_a_failure(self) -> bool {
        matches!(self, Skip::NoAddress | Skip::NoConnection | Skip::NoAnswer)
    }

    /// The key in JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Skip::AddressGiven => "address_given",
            Skip::Plain => "plain_http",
            Skip::NoDate => "no_date",
            Skip::NotMade => "not_made",
            Skip::NoNameserver => "no_nameserver",
            Skip::NoIpv6 => "no_ipv6",
            Skip::NoAddress => "no_address",
            Skip::NoConnection => "no_connection",
            Skip::NoAnswer => "no_answer",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Skip::AddressGiven => "the endpoint is an address",
            Skip::Plain => "the endpoint is plain HTTP",
            Skip::NoDate => "the answer has no date",
            Skip::NotMade => "no read is made of this API",
            Skip::NoNameserver => "there is no nameserver",
            Skip::NoIpv6 => "this machine has no IPv6",
            Skip::NoAddress => "there is no address",
            Skip::NoConnection => "there is no connection",
            Skip::NoAnswer => "there is no answer",
        })
    }
}

impl Outcome {
    pub(crate) fn passed(detail: impl Into<String>) -> Outcome {
        Outcome::Passed { detail: detail.into() }
    }

    pub(crate) fn warning(cause: Cause, detail: impl Into<String>) -> Outcome {
        Outcome::Warning { cause, detail: detail.into() }
    }

    pub(crate) fn failed(cause: Cause, detail: impl Into<String>) -> Outcome {
        Outcome::Failed { cause, detail: detail.into() }
    }

    pub(crate) const fn skipped(why: Skip) -> Outcome {
        Outcome::Skipped { why }
    }

    /// What was found, or why it was not tried.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Outcome::Passed { detail } | Outcome::Warning { detail, .. } | Outcome::Failed { detail, .. } => {
                detail.clone()
            }
            Outcome::Skipped { why } => why.to_string(),
        }
    }

    /// The key in JSON.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Outcome::Passed { .. } => "passed",
            Outcome::Warning { .. } => "warning",
            Outcome::Failed { .. } => "failed",
            Outcome::Skipped { .. } => "skipped",
        }
    }

    /// What is wrong or to be seen to.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self {
            Outcome::Warning { cause, .. } | Outcome::Failed { cause, .. } => Some(*cause),
            Outcome::Passed { .. } | Outcome::Skipped { .. } => None,
        }
    }
}
