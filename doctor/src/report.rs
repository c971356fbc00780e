//! What was found, for people and for machines.

use serde::Serialize;

use crate::cause::Cause;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It explains what is wrong.
    Fault,
    /// It is not the cause, and will be one.
    Warning,
    /// It could not be looked at; what it would have told is missing.
    Unknown,
}

/// Where something was seen, and what literally.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// `log line 12`, `event FailedCreatePodSandBox`, `EC2 subnet-0a1`, `node ip-10-0-1-5`.
    pub source: String,
    /// The figure or the text.
    pub text: String,
}

impl Evidence {
    /// `text` as it was seen at `source`.
    pub fn new(source: impl Into<String>, text: impl Into<String>) -> Self {
        Evidence { source: source.into(), text: text.into() }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is, out of a closed set.
    pub cause: Cause,
    /// How much it weighs.
    pub level: Level,
    /// The one it is about: a subnet, a node, a pod; empty where that is the report's subject.
    pub about: String,
    /// One sentence with the figures of this case, without a full stop.
    pub says: String,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// What to do, with the names of this case; [`Cause::remedy`] where there is nothing to add.
    pub remedy: String,
}

/// What the doctor has to say about one pod, node, instance or log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `pod default/web-1`, `node ip-10-0-1-5`, `instance i-0a1`, `log ipamd.log`.
    pub subject: String,
    /// The likeliest cause first.
    pub findings: Vec<Finding>,
    /// What was looked at and is in order, a line each.
    pub fine: Vec<String>,
}

impl Report {
    /// The process's exit code: 0 nothing is wrong, 1 a fault was found, 3 none was, but something could not be looked at.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let any = |level| self.findings.iter().any(|finding| finding.level == level);
        if any(Level::Fault) {
            1
        } else if any(Level::Unknown) {
            3
        } else {
            0
        }
    }
}
