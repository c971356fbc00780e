//! Little history: what to expect before a day has been seen twice.
//!
//! Rolling origins within a few hours all have the same luck. What was fitted to them is believed as far as independent targets bear
//! it out; for the rest the last value stays, with a spread for what so short a history cannot show:
//!
//! - A day that goes on. A cycle of 24 hours changes by at most `sin(πh/24)` of its swing within `h` hours. So a change over `h` is
//!   to what was seen over `t` as `sin(πh/24)` to `sin(πt/24)`, whatever the swing. It is all there after half a day; beyond that, and
//!   beyond what was seen, the spread grows like that of a random walk.
//! - A scale that is an estimate of few values: quantiles are Student's, not normal ones.
//! - What moves in blocks. Nodes take addresses by the ENI and the prefix, so that some hours show no change where there is one. Two
//!   counts differ by chance alone (Poisson), and less than that is not taken for calm.

use crate::history::History;
use crate::model::Model;
use crate::quantiles::{LEVELS, Point};

/// Pieces of the history whose means tell how the level moves.
const PIECES: usize = 4;
/// Standard deviation of four values in parts of their range (d2 of Shewhart's charts is 2.06).
const SIGMA: f64 = 0.5;
/// Quantiles of Student's distribution at [`LEVELS`] with two degrees of freedom: four means less a level and a slope.
const STUDENT: [f64; LEVELS.len()] = [-2.920, -1.886, 0.0, 1.886, 2.920];
/// What was fitted to so many independent targets is believed in half.
const HALF_BELIEVED: f64 = 4.0;
/// After so many days what is said of days has been tested on one.
const TESTED_DAYS: f64 = 2.0;

/// The only candidate of a cold start.
pub(crate) const MODEL: Model = Model::LastValue;

/// What is believed without rolling origins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cold {
    last: f64,
    /// Steps.
    seen: f64,
    day: f64,
    /// Seconds in a step.
    step: f64,
    /// How far the level moved, and how far values lay around it.
    moved: f64,
    noise: f64,
    /// Change a step over the whole history.
    slope: f64,
}

impl Cold {
    pub(crate) fn new(history: &History) -> Cold {
        let len = history.len();
        let last = history.last[len - 1];
        let piece = len.div_ceil(PIECES);
        let (mut least, mut most, mut squares) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        for (i, values) in history.filled.chunks(piece).enumerate() {
            let mean = history.mean(i * piece, i * piece + values.len());
            (least, most) = (mean.min(least), mean.max(most));
            squares += values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
        }
        Cold {
            last,
            seen: len as f64,
            day: history.day as f64,
            step: history.step as f64,
            moved: (most - least).max(history.chance()),
            noise: (squares / len as f64).sqrt(),
            slope: if len > 1 { (last - history.filled[0]) / (len - 1) as f64 } else { 0.0 },
        }
    }

    /// The part of a forecast that this is, where the rest was fitted to rolling origins.
    fn share(&self, horizon_secs: u64) -> f64 {
        let independent = (self.seen * self.step / horizon_secs as f64 - 1.0).max(0.0);
        let untested = (TESTED_DAYS - self.seen / self.day).clamp(0.0, 1.0);
        untested * HALF_BELIEVED / (independent + HALF_BELIEVED)
    }

    /// Quantiles of the history's scale.
    fn values(&self, horizon_secs: u64) -> [f64; LEVELS.len()] {
        let ahead = horizon_secs as f64 / self.step;
        let half_day = 0.5 * self.day;
        let swing = |steps: f64| (std::f64::consts::FRAC_PI_2 * (steps / half_day).min(1.0)).sin();
        let farther = (ahead / self.seen.max(half_day)).max(1.0).sqrt();
        let moves = SIGMA * self.moved * swing(ahead) / swing(self.seen) * farther;
        let spread = moves.hypot(self.noise);
        // A trend is not believed for longer than it was seen, and only on its side.
        let drift = self.slope * ahead.min(self.seen);
        STUDENT.map(|t| {
            let bound = if (t > 0.0) == (drift > 0.0) { drift * t.abs() / STUDENT[LEVELS.len() - 1] } else { 0.0 };
            self.last + bound + t * spread
        })
    }

    /// What is left of `values` that were fitted, and for the rest what is known without them.
    pub(crate) fn doubt(&self, horizon_secs: u64, values: [f64; LEVELS.len()]) -> [f64; LEVELS.len()] {
        let share = self.share(horizon_secs);
        let cold = self.values(horizon_secs);
        std::array::from_fn(|level| values[level] + share * (cold[level] - values[level]))
    }

    /// Where nothing could be fitted.
    pub(crate) fn points(&self, horizons: &[u64]) -> Vec<Point> {
        horizons.iter().map(|&horizon_secs| Point { horizon_secs, values: self.values(horizon_secs) }).collect()
    }
}
