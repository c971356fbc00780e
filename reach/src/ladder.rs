//! What was found at each stage.

mod outcome;
mod target;

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::stage::Stage;
pub use outcome::{Outcome, Skip};
pub use target::{Target, Transport};

/// All that was found of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Of which.
    pub endpoint: Endpoint,
    /// In the order of stages.
    pub steps: Vec<Step>,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// At which stage.
    pub stage: Stage,
    /// What was asked.
    pub target: Target,
    /// How it ended.
    pub outcome: Outcome,
    /// How long that took.
    pub took: Duration,
}

/// How a stage ended, all its steps together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It serves.
    Passed,
    /// It serves, and this step is to be seen to.
    Warned(&'a Step),
    /// It does not, and this step says why.
    Failed(&'a Step),
    /// It was not tried.
    Skipped(Skip),
}

impl Ladder {
    /// Whether an SDK can be expected to make its calls: no stage fails.
    #[must_use]
    pub fn passed(&self) -> bool {
        Stage::ALL.iter().all(|stage| !self.stops_at(*stage))
    }

    /// Whether a stage fails or was not reached.
    #[must_use]
    pub fn stops_at(&self, stage: Stage) -> bool {
        match self.verdict(stage) {
            Verdict::Failed(_) => true,
            Verdict::Skipped(why) => why.is_for_a_failure(),
            Verdict::Passed | Verdict::Warned(_) => false,
        }
    }

    /// How a stage ended.
    ///
    /// What the SDK does not depend on cannot fail it: nameservers that `resolv.conf` does not name are asked for comparison only; the
    /// file and the nameservers count as they serve the system resolver; and of several addresses a client takes one that can be
    /// connected to. Beyond TCP it cannot choose any more, so that each address must serve.
    #[must_use]
    pub fn verdict(&self, stage: Stage) -> Verdict<'_> {
        let steps = || self.at(stage).filter(|step| step.target.counts());
        let failed = steps().find(|step| matches!(step.outcome, Outcome::Failed { .. }));
        let warned = steps().find(|step| matches!(step.outcome, Outcome::Warning { .. }));
        let serves = steps().any(|step| matches!(step.outcome, Outcome::Passed { .. } | Outcome::Warning { .. }));
        let spared = match stage {
            Stage::ResolverConfig | Stage::Nameserver => !self.stops_at(Stage::SystemResolver),
            Stage::Tcp => serves,
            _ => false,
        };
        let skips = steps().filter_map(|step| match step.outcome {
            Outcome::Skipped { why } => Some(why),
            _ => None,
        });
        // An address that was got through to speaks for those that were not.
        let skipped = skips.min_by_key(|why| why.is_for_a_failure());
        match (failed, warned) {
            (Some(step), _) if spared => Verdict::Warned(step),
            (Some(step), _) => Verdict::Failed(step),
            (None, Some(step)) => Verdict::Warned(step),
            (None, None) if serves => Verdict::Passed,
            (None, None) => skipped.map_or(Verdict::Passed, Verdict::Skipped),
        }
    }

    /// The steps of a stage.
    pub fn at(&self, stage: Stage) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.stage == stage)
    }
}
