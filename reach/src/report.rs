//! A ladder for people and programs.

use serde::Serialize;

use crate::cause::Cause;
use crate::diagnose::{Diagnosis, diagnose};
use crate::ladder::{Ladder, Step, Verdict};
use crate::stage::Stage;

/// All of a ladder as text and numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The API: `autoscaling`.
    pub endpoint: &'static str,
    /// Where it is.
    pub url: String,
    /// Whether no stage fails.
    pub passed: bool,
    /// Why it fails and what to do.
    pub diagnosis: Option<Finding>,
    /// What is to be seen to all the same.
    pub warnings: Vec<Finding>,
    /// Every stage, from the bottom up.
    pub stages: Vec<StageReport>,
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Label of the stage.
    pub stage: &'static str,
    /// Label of the cause.
    pub cause: &'static str,
    /// What was found.
    pub found: String,
    /// What to change.
    pub remedy: String,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageReport {
    /// Its label.
    pub stage: &'static str,
    /// `passed`, `warning`, `failed` or `skipped`.
    pub outcome: &'static str,
    /// What was tried.
    pub steps: Vec<StepReport>,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// What was asked.
    pub target: String,
    /// `passed`, `warning`, `failed` or `skipped`.
    pub outcome: &'static str,
    /// Label of the cause.
    pub cause: Option<&'static str>,
    /// What was found.
    pub detail: String,
    /// How long it took.
    pub took_ms: f64,
}

impl From<&Ladder> for Report {
    fn from(ladder: &Ladder) -> Report {
        Report {
            endpoint: ladder.endpoint.service.label(),
            url: ladder.endpoint.to_string(),
            passed: ladder.passed(),
            diagnosis: diagnose(ladder).map(Finding::from),
            warnings: ladder.warnings().into_iter().map(Finding::from).collect(),
            stages: Stage::ALL.map(|stage| of_stage(ladder, stage)).into(),
        }
    }
}

impl From<Diagnosis> for Finding {
    fn from(diagnosis: Diagnosis) -> Finding {
        let Diagnosis { stage, cause, found, remedy } = diagnosis;
        Finding { stage: stage.label(), cause: cause.label(), found, remedy }
    }
}

fn of_stage(ladder: &Ladder, stage: Stage) -> StageReport {
    let outcome = match ladder.verdict(stage) {
        Verdict::Passed => "passed",
        Verdict::Warned(_) => "warning",
        Verdict::Failed(_) => "failed",
        Verdict::Skipped(_) => "skipped",
    };
    StageReport { stage: stage.label(), outcome, steps: ladder.at(stage).map(of_step).collect() }
}

fn of_step(step: &Step) -> StepReport {
    StepReport {
        target: step.target.to_string(),
        outcome: step.outcome.label(),
        cause: step.outcome.cause().map(Cause::label),
        detail: step.outcome.detail(),
        took_ms: (step.took.as_secs_f64() * 1e4).round() / 10.0,
    }
}
