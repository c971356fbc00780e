//! One instance under examination: what the checks share.

use super::facts::{ControlPlane, Facts, Machine};
use super::role::RoleArn;
use crate::cause::Cause;
use crate::report::{Evidence, Finding, Level, Report};

/// The facts and what was found so far.
pub(super) struct Case<'a> {
    pub(super) facts: &'a Facts,
    findings: Vec<Finding>,
    fine: Vec<String>,
}

impl<'a> Case<'a> {
    pub(super) fn new(facts: &'a Facts) -> Case<'a> {
        Case { facts, findings: Vec::new(), fine: Vec::new() }
    }

    pub(super) fn machine(&self) -> Option<&'a Machine> {
        self.facts.machine.get()?.as_ref()
    }

    pub(super) fn control_plane(&self) -> Option<&'a ControlPlane> {
        self.facts.control_plane.get()?.as_ref()
    }

    pub(super) fn role(&self) -> Option<RoleArn<'a>> {
        RoleArn::parse(self.facts.role.get()?.as_ref()?)
    }

    /// `aws <command>` in the region.
    pub(super) fn aws(&self, command: &str) -> String {
        match self.facts.region.as_str() {
            "" => format!("aws {command}"),
            region => format!("aws {command} --region {region}"),
        }
    }

    /// Adds a finding about the instance.
    pub(super) fn add(&mut self, cause: Cause, level: Level, says: String, evidence: Vec<Evidence>, remedy: String) {
        self.findings.push(Finding { cause, level, about: String::new(), says, evidence, remedy });
    }

    /// Adds what is wrong, with what shows it.
    pub(super) fn fault(&mut self, cause: Cause, says: String, evidence: (String, String), remedy: String) {
        self.add(cause, Level::Fault, says, vec![Evidence::new(evidence.0, evidence.1)], remedy);
    }

    /// The same where it keeps nobody from joining.
    pub(super) fn warning(&mut self, cause: Cause, says: String, evidence: (String, String), remedy: String) {
        self.add(cause, Level::Warning, says, vec![Evidence::new(evidence.0, evidence.1)], remedy);
    }

    /// Adds what could not be looked at, and why.
    pub(super) fn unknown(&mut self, cause: Cause, what: &str, why: &str, remedy: String) {
        let evidence = vec![Evidence::new("collecting", why)];
        self.add(cause, Level::Unknown, format!("{what} is not known"), evidence, remedy);
    }

    pub(super) fn fine(&mut self, line: String) {
        self.fine.push(line);
    }

    /// Whether anything weighs that much.
    pub(super) fn has(&self, level: Level) -> bool {
        self.findings.iter().any(|finding| finding.level == level)
    }

    /// The findings in the order of the checks, faults before warnings before what is unknown.
    pub(super) fn report(mut self) -> Report {
        self.findings.sort_by_key(|finding| finding.level);
        Report { subject: format!("instance {}", self.facts.instance), findings: self.findings, fine: self.fine }
    }
}
