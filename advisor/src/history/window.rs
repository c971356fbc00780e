//! What is asked of those who observed before: the last 8 weeks in steps of five minutes, the time before in hours.

use super::tier::Tier;

const DAY_SECS: u64 = 86_400;
/// Within what [`Tier::FiveMinutes`] keeps, and within the 63 days for which CloudWatch has five minutes.
const FINE_SECS: u64 = 56 * DAY_SECS;
/// Within what [`Tier::Hour`] keeps, and within the 455 days for which CloudWatch has hours.
const COARSE_SECS: u64 = 400 * DAY_SECS;

/// A span of whole steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When its first step begins, Unix time.
    pub from_secs: u64,
    /// When its last step ends.
    pub to_secs: u64,
    /// How fine.
    pub tier: Tier,
}

/// All that may be of use at `now_secs`, the newest first: should it end early, what counts most is there.
#[must_use]
pub fn windows(now_secs: u64) -> [Window; 2] {
    let end = Tier::FiveMinutes.step_of(now_secs);
    // At a whole hour, so that no hour is told in both.
    let middle = Tier::Hour.step_of(end.saturating_sub(FINE_SECS));
    let start = Tier::Hour.step_of(end.saturating_sub(COARSE_SECS));
    [
        Window { from_secs: middle, to_secs: end, tier: Tier::FiveMinutes },
        Window { from_secs: start, to_secs: middle, tier: Tier::Hour },
    ]
}

impl Window {
    /// In parts of at most `steps` steps, the newest first. Each begins at a whole hour where `steps` makes whole hours.
    pub(super) fn parts(self, steps: u32) -> Vec<Window> {
        let length = u64::from(steps) * u64::from(self.tier.step_secs());
        let count = (self.to_secs - self.from_secs).div_ceil(length);
        let starts = (0..count).rev().map(|part| self.from_secs + part * length);
        starts.map(|from_secs| Window { from_secs, to_secs: self.to_secs.min(from_secs + length), ..self }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_meet_at_an_hour_and_end_with_the_last_whole_step() {
        let now = 1_800_000_123;
        let [fine, coarse] = windows(now);
        assert_eq!((fine.to_secs, fine.tier), (1_800_000_000, Tier::FiveMinutes));
        assert_eq!((fine.from_secs, fine.from_secs % 3600), (coarse.to_secs, 0));
        assert!(now - fine.from_secs < 63 * DAY_SECS && now - fine.from_secs >= 56 * DAY_SECS);
        assert!(now - coarse.from_secs < 455 * DAY_SECS && now - coarse.from_secs >= 400 * DAY_SECS);
        assert!(windows(0).into_iter().all(|window| window.parts(12).is_empty()));
    }

    #[test]
    fn parts_make_the_whole() {
        for window in windows(1_800_000_123) {
            let parts = window.parts(2016);
            assert_eq!(parts.first().map(|part| part.to_secs), Some(window.to_secs));
            assert_eq!(parts.last().map(|part| part.from_secs), Some(window.from_secs));
            assert!(parts.windows(2).all(|pair| pair[0].from_secs == pair[1].to_secs));
            assert!(parts.iter().all(|part| part.to_secs - part.from_secs <= 2016 * u64::from(part.tier.step_secs())));
        }
    }
}
