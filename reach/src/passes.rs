//! Who must be sure of an endpoint before it acts asks for several full passes in a row, all of them fresh.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use crate::cause::Cause;
use crate::diagnose::diagnose;
use crate::endpoint::Service;
use crate::ladder::Ladder;
use crate::stage::Stage;

/// Passes that are remembered of an endpoint: the most that may be asked for.
const KEPT: usize = 64;

/// The full passes of each endpoint since it failed last. Times are since the Unix epoch, on one clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passes(BTreeMap<Service, Run>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Run {
    /// When it passed, in order.
    at: VecDeque<Duration>,
    /// Why it failed last, unless it has passed since.
    failed: Option<(Stage, Cause)>,
}

/// Why an action must not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpen {
    /// Of which endpoint.
    pub endpoint: Service,
    /// Where and why it failed last; `None` where it did not, and passes are too few or too old.
    pub failed: Option<(Stage, Cause)>,
    /// Passes in a row within the window.
    pub passes: u32,
    /// Passes that it takes.
    pub needed: u32,
}

impl Passes {
    /// Notes what a ladder said.
    pub fn record_ladder(&mut self, now: Duration, ladder: &Ladder) {
        let failed = diagnose(ladder).map(|diagnosis| (diagnosis.stage, diagnosis.cause));
        self.record(now, ladder.endpoint.service, failed.map_or(Ok(()), Err));
    }

    /// Notes a full pass, or where and why there was none.
    pub fn record(&mut self, now: Duration, endpoint: Service, result: Result<(), (Stage, Cause)>) {
        let run = self.0.entry(endpoint).or_default();
        // A clock that was set back makes the order of what came before worthless.
        if result.is_err() || run.at.back().is_some_and(|last| *last > now) {
            run.at.clear();
        }
        run.failed = result.err();
        if run.failed.is_none() {
            if run.at.len() == KEPT {
                run.at.pop_front();
            }
            run.at.push_back(now);
        }
    }

    /// Whether each of `endpoints` has passed at least `needed` times in a row, the latest times being no older than `window`. `needed`
    /// counts as 1 where it is 0, and as 64 where it is more.
    ///
    /// # Errors
    /// The first endpoint that has not, with what is missing.
    pub fn open(&self, endpoints: &[Service], now: Duration, needed: u32, window: Duration) -> Result<(), NotOpen> {
        let needed = needed.clamp(1, u32::try_from(KEPT).unwrap_or(u32::MAX));
        for endpoint in endpoints {
            let run = self.0.get(endpoint);
            // What is dated later than now was noted by a clock that has been set back.
            let fresh = |at: &&Duration| now.checked_sub(**at).is_some_and(|age| age <= window);
            let passes = run.map_or(0, |run| run.at.iter().filter(fresh).count());
            let passes = u32::try_from(passes).unwrap_or(u32::MAX);
            if passes < needed {
                let failed = run.and_then(|run| run.failed);
                return Err(NotOpen { endpoint: *endpoint, failed, passes, needed });
            }
        }
        Ok(())
    }
}

impl fmt::Display for NotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotOpen { endpoint, failed, passes, needed } = self;
        write!(f, "{endpoint} has passed {passes} of {needed} probes in a row")?;
        match failed {
            Some((stage, cause)) => write!(f, "; the last failed at {stage} ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NotOpen {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(180);
    const BOTH: [Service; 2] = [Service::AutoScaling, Service::Ec2];

    fn at(secs: u64) -> Duration {
        Duration::from_secs(1_800_000_000 + secs)
    }

    #[test]
    fn three_passes_in_a_row_open_and_one_failure_shuts() {
        let mut passes = Passes::default();
        let failed = Err((Stage::Tcp, Cause::TcpTimeout));
        assert_eq!(passes.open(&BOTH, at(0), 3, WINDOW).unwrap_err().endpoint, Service::AutoScaling);
        for secs in [0, 30, 60] {
            passes.record(at(secs), Service::AutoScaling, Ok(()));
            passes.record(at(secs), Service::Ec2, if secs == 0 { failed } else { Ok(()) });
        }
        assert_eq!(passes.open(&BOTH[..1], at(61), 3, WINDOW), Ok(()));
        let not = passes.open(&BOTH, at(61), 3, WINDOW).unwrap_err();
        assert_eq!(not.to_string(), "ec2 has passed 2 of 3 probes in a row");
        passes.record(at(90), Service::Ec2, Ok(()));
        assert_eq!(passes.open(&BOTH, at(91), 3, WINDOW), Ok(()));
        passes.record(at(95), Service::Ec2, failed);
        let not = passes.open(&BOTH, at(95), 3, WINDOW).unwrap_err();
        assert_eq!(not.to_string(), "ec2 has passed 0 of 3 probes in a row; the last failed at TCP (tcp_timeout)");
    }

    #[test]
    fn passes_that_nobody_follows_up_go_stale() {
        let mut passes = Passes::default();
        for secs in [0, 30, 60] {
            passes.record(at(secs), Service::Ec2, Ok(()));
        }
        assert!(passes.open(&[Service::Ec2], at(180), 3, WINDOW).is_ok());
        assert_eq!(passes.open(&[Service::Ec2], at(181), 3, WINDOW).unwrap_err().passes, 2);
    }

    proptest! {
        /// Against what the words say: the last `needed` records are all passes and within the window.
        #[test]
        fn it_is_open_exactly_when_the_last_ones_all_passed_and_are_fresh(
            records in proptest::collection::vec((0_u64..90, proptest::bool::weighted(0.8), 0_usize..2), 0..60),
            later in 0_u64..200,
            needed in 1_u32..6,
        ) {
            let (mut passes, mut seen, mut now) = (Passes::default(), [Vec::new(), Vec::new()], 0);
            for (pause, ok, which) in records {
                now += pause;
                passes.record(at(now), BOTH[which], if ok { Ok(()) } else { Err((Stage::Http, Cause::HttpTimeout)) });
                seen[which].push((now, ok));
            }
            now += later;
            let open = |records: &[(u64, bool)]| {
                let last: Vec<_> = records.iter().rev().take(needed as usize).collect();
                last.len() == needed as usize && last.iter().all(|(at, ok)| *ok && now - at <= WINDOW.as_secs())
            };
            let want = seen.iter().all(|records| open(records));
            prop_assert_eq!(passes.open(&BOTH, at(now), needed, WINDOW).is_ok(), want);
        }

        /// Whatever the clock does, it opens only on as many passes as it takes since the last failure.
        #[test]
        fn a_clock_that_jumps_never_opens_it(times in proptest::collection::vec((0_u64..1000, any::<bool>()), 0..40), now in 0_u64..1000) {
            let (mut passes, mut run) = (Passes::default(), 0);
            for (secs, ok) in times {
                passes.record(at(secs), Service::Sts, if ok { Ok(()) } else { Err((Stage::Tcp, Cause::TcpRefused)) });
                run = if ok { run + 1 } else { 0 };
            }
            if passes.open(&[Service::Sts], at(now), 3, WINDOW).is_ok() {
                prop_assert!(run >= 3);
            }
        }
    }
}
