//! How fine and how long: where a time's value is, and which rows of a series stay.

use crate::metrics::labels;

const DAY_SECS: u32 = 86_400;

/// Times from here on, in the year 36812, are refused: no clock says that, and row numbers fit in 32 bits.
pub(super) const MAX_SECS: u64 = 1 << 40;

labels! {
    /// How fine: the length of a step. There is none of a minute: rounds come every 30 to 60 s, the largest of five minutes is
    /// what a subnet has to hold, and what the forecasts are trained on.
    Tier {
        /// Five minutes, for 8 weeks: what a weekly season needs, eight times over.
        FiveMinutes = "5m",
        /// An hour, for 400 days: a year and the month of the year before to compare it with.
        Hour = "1h",
    }
}

/// Where the value of a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which row of the series: the number of its time span since the epoch.
    pub(super) row: u32,
    /// Which step in it.
    pub(super) slot: usize,
}

impl Tier {
    /// Length of a step in seconds.
    #[must_use]
    pub const fn step_secs(self) -> u32 {
        match self {
            Tier::FiveMinutes => 300,
            Tier::Hour => 3600,
        }
    }

    /// What one row spans: 288 steps, or 384. It is rewritten with each step that ends, and holds some hundred bytes: a page of
    /// the file has several, and the overhead of each is a small part.
    const fn row_secs(self) -> u32 {
        match self {
            Tier::FiveMinutes => DAY_SECS,
            Tier::Hour => 16 * DAY_SECS,
        }
    }

    /// Rows of a series that stay: 8 weeks or 400 days, and the row that is being filled.
    pub(super) const fn max_rows(self) -> usize {
        match self {
            Tier::FiveMinutes => 56 + 1,
            Tier::Hour => 400 / 16 + 1,
        }
    }

    pub(super) const fn steps_per_row(self) -> usize {
        (self.row_secs() / self.step_secs()) as usize
    }

    /// How far back it goes, in seconds.
    #[must_use]
    pub const fn span_secs(self) -> u64 {
        self.max_rows() as u64 * self.row_secs() as u64
    }

    /// When the step began that `at_secs` is in.
    #[must_use]
    pub const fn step_of(self, at_secs: u64) -> u64 {
        at_secs - at_secs % self.step_secs() as u64
    }

    /// Of a time before [`MAX_SECS`].
    pub(super) fn place(self, at_secs: u64) -> Place {
        let row_secs = u64::from(self.row_secs());
        let row = u32::try_from(at_secs / row_secs).expect("times end at MAX_SECS");
        let slot = at_secs % row_secs / u64::from(self.step_secs());
        Place { row, slot: usize::try_from(slot).expect("a row has a few hundred steps") }
    }

    /// When the first step of a row begins.
    pub(super) fn row_start(self, row: u32) -> u64 {
        u64::from(row) * u64::from(self.row_secs())
    }
}

/// Which of a series' `rows` go, where `now` is the row of the present: of those up to now all but the newest `max`, of those
/// ahead of it all but the nearest `max`.
///
/// It is by count and not by the clock, so that a clock that stands wrong for an hour ends nothing: rows ahead of it are kept
/// until it has come round, and a day in a false future costs the oldest day.
pub(super) fn surplus(rows: &[u32], now: u32, max: usize) -> Vec<u32> {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    let (past, ahead) = sorted.split_at(sorted.partition_point(|row| *row <= now));
    let old = &past[..past.len().saturating_sub(max)];
    let far = &ahead[ahead.len().min(max)..];
    [old, far].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_place() {
        for tier in Tier::ALL.iter().copied() {
            assert_eq!(tier.row_secs() % tier.step_secs(), 0);
            for at in [0, 299, 300, 3599, 3600, 86_399, 86_400, 1_800_000_123, MAX_SECS - 1] {
                let Place { row, slot } = tier.place(at);
                let step = tier.row_start(row) + slot as u64 * u64::from(tier.step_secs());
                assert!(slot < tier.steps_per_row());
                assert_eq!(step, tier.step_of(at), "{tier:?} {at}");
            }
        }
    }

    #[test]
    fn it_goes_back_as_far_as_it_says() {
        assert!(Tier::FiveMinutes.span_secs() >= 8 * 7 * 86_400);
        assert!(Tier::Hour.span_secs() >= 400 * 86_400);
    }

    #[test]
    fn the_oldest_go_and_what_is_ahead_stays() {
        let none: [u32; 0] = [];
        assert_eq!(surplus(&[7, 8, 9], 9, 3), none);
        assert_eq!(surplus(&[10, 7, 9, 8], 10, 3), [7], "in any order");
        assert_eq!(surplus(&[7, 8, 9, 2], 2, 3), none, "the clock was set back");
        assert_eq!(surplus(&[7, 8, 9, 2, 3, 4], 4, 3), none);
        assert_eq!(surplus(&[7, 8, 9, 2, 3, 4, 10], 10, 3), [2, 3, 4, 7], "it is right again");
        assert_eq!(surplus(&[7, 8, 9, 900], 900, 3), [7], "it was set ahead: the oldest day for the false one");
        assert_eq!(surplus(&[8, 9, 10, 900], 10, 3), none);
        assert_eq!(surplus(&[900, 901, 902, 903, 10], 10, 3), [903]);
    }
}
