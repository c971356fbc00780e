//! What a ladder says, in one sentence.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::cause::Cause;
use crate::ladder::{Ladder, Outcome, Step, Target, Verdict};
use crate::network::{Kind, Nameserver};
use crate::remedy::{Setting, remedy};
use crate::signed::DeniedBy;
use crate::stage::Stage;

/// What is wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Where it shows.
    pub stage: Stage,
    /// What it is.
    pub cause: Cause,
    /// What was found: "10.100.0.10 timed out after 3 s; the VPC resolver answers".
    pub found: String,
    /// What to change.
    pub remedy: String,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.stage, self.found, self.remedy)
    }
}

/// The first cause that explains why a ladder does not pass; `None` where it does.
#[must_use]
pub fn diagnose(ladder: &Ladder) -> Option<Diagnosis> {
    let failed = |stage: Stage| match ladder.verdict(stage) {
        Verdict::Failed(step) => Some(step),
        _ => None,
    };
    let first = Stage::ALL.into_iter().find_map(failed)?;
    // By a wrong clock a good certificate is not valid, and an answer's date says so.
    let by_the_clock = matches!(first.outcome.cause(), Some(Cause::CertExpired | Cause::CertNotYetValid));
    let step = failed(Stage::Clock).filter(|_| by_the_clock).unwrap_or(first);
    explain(ladder, step)
}

impl Ladder {
    /// What is to be seen to though it serves, by stage.
    #[must_use]
    pub fn warnings(&self) -> Vec<Diagnosis> {
        let warned = Stage::ALL.into_iter().filter_map(|stage| match self.verdict(stage) {
            Verdict::Warned(step) => explain(self, step),
            _ => None,
        });
        warned.collect()
    }
}

/// `None` for a step that says nothing is wrong.
fn explain(ladder: &Ladder, step: &Step) -> Option<Diagnosis> {
    let (Outcome::Warning { cause, detail } | Outcome::Failed { cause, detail }) = &step.outcome else { return None };
    let (found, setting) = match step.target {
        Target::Nameserver { nameserver, searched, .. } => at_nameserver(ladder, nameserver, searched, detail),
        Target::Address { address, class } => {
            (format!("{address} ({class}) {detail}"), Setting { class: Some(class), ..Setting::default() })
        }
        Target::ResolverConfig => (detail.clone(), Setting::default()),
        Target::SystemResolver => (format!("getaddrinfo: {detail}"), Setting::default()),
        Target::Addresses => (format!("the addresses of {} {detail}", ladder.endpoint.host), Setting::default()),
        Target::Api => (detail.clone(), at_api(ladder, detail)),
    };
    let remedy = remedy(*cause, &setting, ladder.endpoint.port);
    Some(Diagnosis { stage: step.stage, cause: *cause, found, remedy })
}

/// Who else answers tells whether the name or the nameserver is at fault.
fn at_nameserver(ladder: &Ladder, nameserver: Nameserver, searched: bool, detail: &str) -> (String, Setting) {
    let others = || {
        ladder.at(Stage::Nameserver).filter_map(move |step| match step.target {
            Target::Nameserver { nameserver: other, searched: false, .. } if other != nameserver => {
                Some((other, matches!(step.outcome, Outcome::Passed { .. })))
            }
            _ => None,
        })
    };
    let answers = |(other, passed): (Nameserver, bool)| passed.then_some(other);
    // The VPC's own speaks with authority.
    let other = others().filter_map(answers).min_by_key(|other| other.kind);
    let searched = if searched { " (by the search list)" } else { "" };
    let also = match other {
        Some(Nameserver { kind: Kind::Vpc, .. }) => "; the VPC resolver answers".to_owned(),
        Some(other) => format!("; {other} answers"),
        None if others().next().is_some() => "; no other nameserver gives an address either".to_owned(),
        None => String::new(),
    };
    let setting =
        Setting { nameserver: Some(nameserver.kind), other: other.map(|other| other.kind), ..Setting::default() };
    (format!("{nameserver}{searched} {detail}{also}"), setting)
}

fn at_api(ladder: &Ladder, detail: &str) -> Setting {
    let class = ladder.steps.iter().find_map(|step| match step.target {
        Target::Address { class, .. } => Some(class),
        _ => None,
    });
    Setting { class, unsaid: DeniedBy::read(detail) == DeniedBy::Unsaid, ..Setting::default() }
}
