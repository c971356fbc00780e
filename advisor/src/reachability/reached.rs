//! What the probes found last, and over time.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::time::Time;
use headroom_reach::{Diagnosis, Ladder, Passes, Service, diagnose};

/// The latest ladder of each endpoint, and the passes in a row. For whoever acts:
/// `reached.passes.open(&[Service::AutoScaling, Service::Ec2], now, k, window)`.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Full passes of each endpoint; its times are those of the advisor's clock.
    pub passes: Passes,
    /// The latest ladders.
    pub ladders: BTreeMap<Service, Arc<Ladder>>,
}

/// An endpoint that is otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It can be reached; it was not before, or was never tried.
    Reached(Service),
    /// It cannot be reached, or for another reason than before.
    Lost(Service, Diagnosis),
}

impl Reached {
    /// With what was found at `now`, and what is otherwise than before.
    #[must_use]
    pub fn with(&self, now: Time, ladders: Vec<Ladder>) -> (Reached, Vec<Change>) {
        let (mut next, mut changes) = (self.clone(), Vec::new());
        for ladder in ladders {
            let service = ladder.endpoint.service;
            next.passes.record_ladder(std::time::Duration::from_millis(now.as_millis()), &ladder);
            let said = diagnose(&ladder);
            let before = self.ladders.get(&service).map(|before| diagnose(before));
            let key = |said: &Option<Diagnosis>| said.as_ref().map(|said| (said.stage, said.cause));
            if before.as_ref().map(key) != Some(key(&said)) {
                changes.push(said.map_or(Change::Reached(service), |said| Change::Lost(service, said)));
            }
            next.ladders.insert(service, Arc::new(ladder));
        }
        (next, changes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headroom_reach::{Cause, Endpoint, Outcome, Stage, Step, Target};

    use super::*;

    fn ladder(outcome: Outcome) -> Ladder {
        let endpoint = Endpoint::parse(Service::Ec2, "https://ec2.us-west-2.amazonaws.com").unwrap();
        let step = Step { stage: Stage::Tcp, target: Target::Api, outcome, took: Duration::ZERO };
        Ladder { endpoint, steps: vec![step] }
    }

    #[test]
    fn only_a_change_is_worth_a_word_and_passes_are_counted() {
        let passed = || ladder(Outcome::Passed { detail: String::new() });
        let failed = |detail: &str| ladder(Outcome::Failed { cause: Cause::TcpTimeout, detail: detail.to_owned() });
        let (mut reached, mut told) = (Reached::default(), Vec::new());
        let ladders = [passed(), passed(), failed("a"), failed("b"), passed(), passed(), passed()];
        for (secs, ladder) in (0..).step_by(30).zip(ladders) {
            let (next, changes) = reached.with(Time::from_secs(1000 + secs), vec![ladder]);
            told.extend(changes.into_iter().map(|change| (secs, matches!(change, Change::Reached(_)))));
            reached = next;
        }
        assert_eq!(told, [(0, true), (60, false), (120, true)]);
        let open =
            |needed| reached.passes.open(&[Service::Ec2], Duration::from_secs(1181), needed, Duration::from_secs(90));
        assert!(open(3).is_ok() && open(4).is_err());
    }
}
