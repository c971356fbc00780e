//! When each part is read. Pure: time and jitter are arguments.

use std::time::Duration;

use headroom_capacity::time::Time;

use crate::config;
use crate::inventory::ReadAt;

/// What is read together, completely or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Subnets.
    Subnets,
    /// ENIs.
    Enis,
    /// Instances.
    Instances,
    /// Auto Scaling groups.
    Groups,
    /// CIDR reservations, VPC blocks and VPC endpoints.
    Topology,
    /// Instance types that the region offers.
    Offers,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 6] = [Part::Subnets, Part::Enis, Part::Instances, Part::Groups, Part::Topology, Part::Offers];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Part::Subnets => "subnets",
            Part::Enis => "enis",
            Part::Instances => "instances",
            Part::Groups => "groups",
            Part::Topology => "topology",
            Part::Offers => "offers",
        }
    }

    /// From one reading to the next.
    #[must_use]
    pub const fn every(self, observe: &config::Observe) -> Duration {
        Duration::from_secs(match self {
            Part::Subnets => observe.subnets_secs,
            Part::Enis => observe.enis_secs,
            Part::Instances => observe.instances_secs,
            Part::Groups => observe.groups_secs,
            Part::Topology => observe.topology_secs,
            Part::Offers => observe.offers_secs,
        })
    }

    /// When it was read for the last time; `None` for never.
    #[must_use]
    pub const fn read_at(self, read_at: &ReadAt) -> Option<Time> {
        match self {
            Part::Subnets => read_at.subnets,
            Part::Enis => read_at.enis,
            Part::Instances => read_at.instances,
            Part::Groups => read_at.groups,
            Part::Topology => read_at.endpoints,
            Part::Offers => read_at.offers,
        }
    }

    /// Whether it is read by VPC.
    #[must_use]
    pub(super) const fn is_of_vpc(self) -> bool {
        matches!(self, Part::Subnets | Part::Enis | Part::Topology)
    }
}

/// By how much of its period a reading may come early: several advisors, and the parts of one, drift apart instead of calling at
/// the same moment for ever.
pub const JITTER: f64 = 0.1;

/// Time to the first repetition of a reading that failed; it doubles up to the period.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// How the last reading of a part went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tried {
    /// When it began; `None` before the first.
    pub at: Option<Time>,
    /// Failures in a row.
    pub failures: u32,
    /// What was drawn then for the next one, 0 to 1.
    pub jitter: f64,
}

impl Tried {
    /// When the part is due again, read every `every`.
    #[must_use]
    pub fn due_at(&self, every: Duration) -> Time {
        let Some(at) = self.at else { return Time::ZERO };
        let wait = match self.failures {
            0 => every,
            // 2^16 times 5 s is longer than any period.
            failures => every.min(FIRST_RETRY * 2_u32.pow((failures - 1).min(16))),
        };
        at + wait.mul_f64(1.0 - JITTER * self.jitter.clamp(0.0, 1.0))
    }

    /// A reading that began `at` has ended.
    pub fn ended(&mut self, at: Time, read: bool, jitter: f64) {
        let failures = if read { 0 } else { self.failures.saturating_add(1) };
        *self = Tried { at: Some(at), failures, jitter };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn failures_are_repeated_soon_and_then_at_the_usual_pace() {
        let (every, start) = (Duration::from_secs(60), Time::from_secs(1000));
        let mut tried = Tried::default();
        assert_eq!(tried.due_at(every), Time::ZERO);
        let mut waits = Vec::new();
        for read in [true, false, false, false, false, false, true] {
            tried.ended(start, read, 0.0);
            waits.push(tried.due_at(every).since(start).as_secs());
        }
        assert_eq!(waits, [60, 5, 10, 20, 40, 60, 60]);
    }

    proptest! {
        #[test]
        fn a_reading_is_due_within_its_period_and_never_at_once(
            every in 5_u64..86_400,
            at in 0_u64..1 << 40,
            jitter in -1.0..2.0,
            failures in 0_u32..100,
        ) {
            let (every, at) = (Duration::from_secs(every), Time::from_millis(at));
            let wait = Tried { at: Some(at), failures, jitter }.due_at(every).since(at);
            prop_assert!(wait <= every);
            let least = if failures == 0 { every } else { FIRST_RETRY };
            prop_assert!(wait.as_secs_f64() >= least.as_secs_f64() * (1.0 - JITTER) - 0.002);
        }
    }
}
