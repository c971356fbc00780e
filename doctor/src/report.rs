//! What was found, for people and for machines.

use std::fmt;

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

impl Level {
    /// The word for it, in JSON and in text.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Level::Fault => "fault",
            Level::Warning => "warning",
            Level::Unknown => "unknown",
        }
    }
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

impl Finding {
    /// One about the report's subject with nothing but its sentence and the cause's own remedy.
    pub fn new(cause: Cause, level: Level, says: impl Into<String>) -> Self {
        let remedy = cause.remedy().to_owned();
        Finding { cause, level, about: String::new(), says: says.into(), evidence: Vec::new(), remedy }
    }

    /// The same about something else than the report's subject.
    #[must_use]
    pub fn about(self, about: impl Into<String>) -> Self {
        Finding { about: about.into(), ..self }
    }

    /// The same with something that shows it.
    #[must_use]
    pub fn seen(mut self, source: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence::new(source, text));
        self
    }

    /// The same with what to do in this case.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Finding { remedy: remedy.into(), ..self }
    }
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

    /// One about `subject` without findings.
    pub fn new(subject: impl Into<String>) -> Self {
        Report { subject: subject.into(), findings: Vec::new(), fine: Vec::new() }
    }

    /// What it comes to, in a line.
    #[must_use]
    pub fn verdict(&self) -> String {
        let of = |level| self.findings.iter().filter(move |finding| finding.level == level);
        match (of(Level::Fault).next(), of(Level::Unknown).count(), of(Level::Warning).count()) {
            (Some(fault), ..) => fault.says.clone(),
            (None, 0, 0) => "nothing is wrong".to_owned(),
            (None, 0, _) => "nothing is wrong yet".to_owned(),
            (None, ..) => "nothing wrong was found, and not everything could be looked at".to_owned(),
        }
    }
}

/// For people:
///
/// ```text
/// pod default/web-1: subnet-0a1 has 0 of 27 addresses free
///   fault subnet_empty
///     seen: event FailedCreatePodSandBox: failed to assign an IP address to container
///     do: ...
///   fine: the node is ready
/// ```
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.subject, self.verdict())?;
        let first = self.findings.iter().position(|finding| finding.level == Level::Fault);
        for (at, finding) in self.findings.iter().enumerate() {
            write!(f, "  {} {}", finding.level.label(), finding.cause.label())?;
            // The verdict has said it.
            match (finding.about.as_str(), Some(at) == first) {
                ("", true) => writeln!(f)?,
                ("", false) => writeln!(f, ": {}", finding.says)?,
                (about, true) => writeln!(f, " ({about})")?,
                (about, false) => writeln!(f, " ({about}): {}", finding.says)?,
            }
            for Evidence { source, text } in &finding.evidence {
                writeln!(f, "    seen: {source}: {text}")?;
            }
            writeln!(f, "    do: {}", finding.remedy)?;
        }
        for fine in &self.fine {
            writeln!(f, "  fine: {fine}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_the_cause_first_and_what_to_do() {
        let mut report = Report::new("pod default/web-1");
        assert_eq!((report.to_string().as_str(), report.exit_code()), ("pod default/web-1: nothing is wrong\n", 0));
        let unread = Finding::new(Cause::NotRead, Level::Unknown, "nodes could not be read").about("nodes");
        report.findings.push(unread.seen("Kubernetes", "nodes is forbidden"));
        assert_eq!(report.exit_code(), 3);
        let fault = Finding::new(Cause::SubnetEmpty, Level::Fault, "subnet-0a1 has 0 of 27 addresses free");
        report.findings.insert(0, fault.seen("EC2 subnet-0a1", "27 held").remedy("add a subnet"));
        report.fine.push("the node is ready".to_owned());
        assert_eq!(report.exit_code(), 1);
        let text = "pod default/web-1: subnet-0a1 has 0 of 27 addresses free
  fault subnet_empty
    seen: EC2 subnet-0a1: 27 held
    do: add a subnet
  unknown not_read (nodes): nodes could not be read
    seen: Kubernetes: nodes is forbidden
    do: give what reads the permission, and try again
  fine: the node is ready
";
        assert_eq!(report.to_string(), text);
    }
}
