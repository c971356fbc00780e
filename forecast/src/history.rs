//! A series made ready for the models: one scale, one resolution, no gaps, sums over any window at once.

use crate::Series;
use crate::shift::Regimes;
use crate::tops::Tops;

/// Finest resolution that is worked at, in seconds. A subnet's use is sampled at 5 minutes; what happens within them is no trend.
const FINEST_SECS: u64 = 300;
/// As much as weekly profiles use, with what rolling origins need before them, in seconds: ten weeks.
const LONGEST_SECS: u64 = 10 * 7 * 86_400;
/// Beyond this a value is no count of anything, and sums of squares would overflow.
const LARGEST: f64 = 1e100;
/// At least so many steps are used where they are long.
const FEWEST: usize = 1000;
/// A gap longer than this, in hours, is filled with the day before instead of the last value.
const SHORT_GAP_HOURS: usize = 2;

/// Values are stored relative to the last one and divided by the largest distance from it, so that no model depends on units.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Seconds in a step.
    pub(crate) step: u64,
    /// Steps in an hour, a day and a week; at least 1.
    pub(crate) hour: usize,
    pub(crate) day: usize,
    pub(crate) week: usize,
    /// What was observed; NaN in gaps.
    pub(crate) observed: Vec<f64>,
    /// The last value that was observed up to and including a step.
    pub(crate) last: Vec<f64>,
    /// `observed` with gaps filled from what came before them.
    pub(crate) filled: Vec<f64>,
    /// The largest that was observed in a step; NaN in gaps.
    pub(crate) largest: Vec<f64>,
    /// Of `largest` with gaps filled likewise.
    pub(crate) tops: Tops,
    /// `sums[i]` is the sum of `filled[..i]`.
    sums: Vec<f64>,
    pub(crate) regimes: Regimes,
    center: f64,
    scale: f64,
}

impl History {
    /// `None` when nothing was observed in what is used.
    pub(crate) fn new(series: &Series) -> Option<History> {
        let native = u64::from(series.step_secs.max(1));
        let merged = (FINEST_SECS / native).max(1);
        let step = native * merged;
        let (merged, longest) = (steps(merged), steps(LONGEST_SECS / step).max(FEWEST));
        // Thinned, not averaged: quantiles are those of single values.
        let mut observed = thinned(&series.values, merged, longest, |chunk| chunk.iter().rev().find_map(usable));
        let largest =
            thinned(&series.values, merged, longest, |chunk| chunk.iter().filter_map(usable).reduce(f64::max));
        let center = *observed.iter().rfind(|value| !value.is_nan())?;
        let widest =
            observed.iter().filter(|value| !value.is_nan()).fold(0.0, |widest: f64, v| widest.max((v - center).abs()));
        let scale = if widest > 0.0 { widest } else { 1.0 };
        for value in &mut observed {
            *value = (*value - center) / scale;
        }
        let per = |secs: u64| steps((secs + step / 2) / step).max(1);
        let (hour, day, week) = (per(3600), per(86_400), per(7 * 86_400));
        let (last, filled) = fill(&observed, hour, day);
        // What thinning leaves out may lie farther from the last value than all that is kept.
        let largest: Vec<f64> = largest.iter().map(|v| ((v - center) / scale).clamp(-LARGEST, LARGEST)).collect();
        let tops = Tops::new(fill(&largest, hour, day).1);
        let sums = prefix_sums(&filled);
        let regimes = Regimes::find(&sums, hour, day);
        Some(History { step, hour, day, week, observed, last, filled, largest, tops, sums, regimes, center, scale })
    }

    /// Steps.
    pub(crate) fn len(&self) -> usize {
        self.filled.len()
    }

    /// Mean of the filled values in `from..to`, a window that is not empty.
    pub(crate) fn mean(&self, from: usize, to: usize) -> f64 {
        (self.sums[to] - self.sums[from]) / (to - from) as f64
    }

    /// Back in the units of the series.
    pub(crate) fn restore(&self, value: f64) -> f64 {
        self.center + self.scale * value
    }

    /// What two counts as large as the last value differ by through chance alone, where what they count comes and goes
    /// independently: each has its own size as its variance (Poisson).
    pub(crate) fn chance(&self) -> f64 {
        (2.0 * self.center.abs()).sqrt() / self.scale
    }

    /// Units of the series in one of the history.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }
}

/// A count of steps. More than fits is more than any series has.
pub(crate) fn steps(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// One value for every `merged` steps, counted from the end, without what precedes the first that has any; `longest` at most.
fn thinned(
    values: &[Option<f64>],
    merged: usize,
    longest: usize,
    pick: impl Fn(&[Option<f64>]) -> Option<f64>,
) -> Vec<f64> {
    let mut kept: Vec<f64> =
        values.rchunks(merged).take(longest).map(|chunk| pick(chunk).unwrap_or(f64::NAN)).collect();
    kept.truncate(kept.iter().rposition(|value| !value.is_nan()).map_or(0, |first| first + 1));
    kept.reverse();
    kept
}

fn usable(value: &Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite()).map(|v| v.clamp(-LARGEST, LARGEST))
}

fn fill(observed: &[f64], hour: usize, day: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut last, mut filled) = (Vec::with_capacity(observed.len()), Vec::with_capacity(observed.len()));
    let (mut latest, mut missing) = (0.0, 0);
    for (i, &value) in observed.iter().enumerate() {
        if value.is_nan() {
            missing += 1;
            let before = if missing > SHORT_GAP_HOURS * hour && i >= day { filled[i - day] } else { latest };
            filled.push(before);
        } else {
            (latest, missing) = (value, 0);
            filled.push(value);
        }
        last.push(latest);
    }
    (last, filled)
}

fn prefix_sums(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut sums = Vec::with_capacity(values.len() + 1);
    sums.push(sum);
    sums.extend(values.iter().map(|value| {
        sum += value;
        sum
    }));
    sums
}
