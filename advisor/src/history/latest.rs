//! The step that a series was last written in. It is kept apart from the rows while it lasts: a round then writes some 20 bytes
//! for a series, and the rows once in five minutes.

use super::tier::Tier;

/// The end of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Latest {
    /// The day with rounds on which it was written last, by [`Days`].
    pub(super) day: u32,
    /// When the step began, and the largest value in it; `None` for a series that was only ever back-filled.
    pub(super) step: Option<(u64, f64)>,
}

/// In place of a step's time in the file where there is none: beyond any time that is taken.
const NEVER: u64 = u64::MAX;

impl Latest {
    pub(super) const fn from_stored((day, start, value): (u32, u64, f64)) -> Latest {
        Latest { day, step: if start == NEVER { None } else { Some((start, value)) } }
    }

    pub(super) const fn stored(self) -> (u32, u64, f64) {
        match self.step {
            Some((start, value)) => (self.day, start, value),
            None => (self.day, NEVER, 0.0),
        }
    }

    /// A value at `at_secs`. The second is the step that ended thereby, to be merged into the rows: also when the clock went back,
    /// so that nothing is lost in either direction.
    pub(super) fn observe(self, day: u32, at_secs: u64, value: f64) -> (Latest, Option<(u64, f64)>) {
        let start = Tier::FiveMinutes.step_of(at_secs);
        match self.step {
            Some((same, largest)) if same == start => (Latest { day, step: Some((start, largest.max(value))) }, None),
            ended => (Latest { day, step: Some((start, value)) }, ended),
        }
    }
}

/// Days with rounds, counted: how long a series has had no value is told in these and not by the clock, which may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// The day of the latest round, since the epoch.
    pub(super) today: u64,
    /// How many there were.
    pub(super) count: u32,
}

impl Days {
    /// A round at `at_secs`.
    pub(super) const fn round(self, at_secs: u64) -> Days {
        let today = at_secs / 86_400;
        Days { today, count: self.count.saturating_add((today != self.today) as u32) }
    }

    /// Whether a series that was last written on day `written` has had none for more than `idle_days`.
    pub(super) const fn is_idle(self, written: u32, idle_days: u32) -> bool {
        self.count.saturating_sub(written) > idle_days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Latest = Latest { day: 0, step: None };

    #[test]
    fn within_a_step_the_largest_counts_also_when_the_clock_goes_back() {
        let (latest, ended) = NEW.observe(1, 650, 5.0);
        assert_eq!((latest, ended), (Latest { day: 1, step: Some((600, 5.0)) }, None));
        let (latest, ended) = latest.observe(1, 899, 7.0);
        assert_eq!((latest.step, ended), (Some((600, 7.0)), None));
        let (latest, ended) = latest.observe(1, 600, 6.0);
        assert_eq!((latest.step, ended), (Some((600, 7.0)), None));
        assert_eq!(latest.observe(1, 900, 1.0).1, Some((600, 7.0)), "the next step");
        assert_eq!(latest.observe(1, 10, 1.0).1, Some((600, 7.0)), "set back");
        assert_eq!(latest.observe(1, 9_000_000, 1.0).1, Some((600, 7.0)), "set ahead");
    }

    #[test]
    fn it_comes_back_from_the_file() {
        for latest in [NEW, Latest { day: 9, step: Some((300, 2.5)) }] {
            assert_eq!(Latest::from_stored(latest.stored()), latest);
        }
    }

    #[test]
    fn a_jump_of_the_clock_is_one_day() {
        let days = Days::default().round(86_400 * 20_000).round(86_400 * 20_000 + 5).round(86_400 * 90_000);
        assert_eq!(days.count, 2);
        assert!(!days.is_idle(1, 1));
        assert!(days.is_idle(0, 1));
    }
}
