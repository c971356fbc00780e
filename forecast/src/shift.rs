//! Level shifts: since when a series has been at the level that it is at.
//!
//! A shift makes every hour differ from the same hour of the day before by about as much, for a day. Whether a difference is
//! large is measured by the series' own: a random walk has no shifts, a daily cycle with a step in it has one.

use crate::stats::median;

/// Differences beyond so many robust deviations are none of the usual ones. Hourly means of heavy-tailed series reach 4.
const UNUSUAL: f64 = 5.0;
/// Hours in a row that prove a shift: less is a burst.
const PROOF: usize = 3;
/// Hours that tell what is usual.
const USUAL: usize = 7 * 24;
/// How often what is usual is measured again, in hours.
const REMEASURED: usize = 6;
/// From the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;

/// For each hour of a history the step at which the level began that holds at its end.
#[derive(Clone, Debug)]
pub(crate) struct Regimes {
    hour: usize,
    starts: Vec<usize>,
}

impl Regimes {
    /// Over the prefix sums of a history, without looking ahead.
    pub(crate) fn find(sums: &[f64], hour: usize, day: usize) -> Regimes {
        let hours = (sums.len() - 1) / hour;
        let mean = |h: usize| (sums[(h + 1) * hour] - sums[h * hour]) / hour as f64;
        let per_day = (day / hour).max(1);
        let differences: Vec<f64> =
            (0..hours).map(|h| if h < per_day { 0.0 } else { mean(h) - mean(h - per_day) }).collect();
        let mut starts = Vec::with_capacity(hours);
        let (mut start, mut state, mut spread) = (0, 0, f64::INFINITY);
        for h in 0..hours {
            if h.is_multiple_of(REMEASURED) {
                spread = usual_spread(&differences, h, per_day);
            }
            let side = |d: f64| {
                if d.abs() <= UNUSUAL * spread {
                    0
                } else if d > 0.0 {
                    1
                } else {
                    -1
                }
            };
            let now = side(differences[h]);
            let proven = h + 1 >= PROOF && differences[h + 1 - PROOF..=h].iter().all(|&d| side(d) == now);
            if proven && now != state {
                // The first of the hours may be of both levels.
                let since = (h + 2 - PROOF) * hour;
                // A day after a shift the differences end by themselves.
                if now != 0 || since < start + day.saturating_sub(PROOF * hour) {
                    start = since;
                }
                state = now;
            }
            starts.push(start);
        }
        Regimes { hour, starts }
    }

    /// The step at which the level began that holds just before `origin`; 0 when it has always been the same.
    pub(crate) fn start(&self, origin: usize) -> usize {
        (origin / self.hour).checked_sub(1).and_then(|h| self.starts.get(h)).copied().unwrap_or(0)
    }
}

/// Infinite while too little is known to call anything unusual.
fn usual_spread(differences: &[f64], hour: usize, per_day: usize) -> f64 {
    let from = per_day.max(hour.saturating_sub(USUAL));
    if hour < from + per_day {
        return f64::INFINITY;
    }
    let mut absolute: Vec<f64> = differences[from..hour].iter().map(|d| d.abs()).collect();
    let spread = MAD_TO_SIGMA * median(&mut absolute);
    // A series that repeats itself exactly has no spread; any change of a hundredth of its range is one then.
    spread.max(0.01 / UNUSUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At an hour a step.
    fn starts(values: &[f64]) -> Vec<usize> {
        let mut sums = vec![0.0];
        for value in values {
            sums.push(sums[sums.len() - 1] + value);
        }
        let found = Regimes::find(&sums, 1, 24);
        (0..=values.len()).map(|origin| found.start(origin)).collect()
    }

    #[test]
    fn a_shift_is_known_once_it_is_proven() {
        let values: Vec<f64> = (0..240).map(|i| f64::from(i % 24) / 50.0 + if i >= 150 { 0.5 } else { 0.0 }).collect();
        let starts = starts(&values);
        assert_eq!((starts[152], starts[153]), (0, 151));
        assert_eq!(starts[240], 151, "that differences end after a day is no other shift");
    }

    #[test]
    fn a_way_back_within_a_day_is_another_shift() {
        let values: Vec<f64> = (0..200).map(|i| if (150..160).contains(&i) { 1.0 } else { 0.0 }).collect();
        assert_eq!(starts(&values)[165], 161);
    }

    #[test]
    fn growth_has_no_shift() {
        let values: Vec<f64> = (0..500).map(|i| f64::from(i) / 500.0).collect();
        assert_eq!(starts(&values)[500], 0);
    }
}
