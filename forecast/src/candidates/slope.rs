//! Straight lines and trends that single values do not turn.

use crate::history::History;
use crate::stats::median;

/// A line with `level` at the origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    level: f64,
    slope: f64,
    /// A trend is not believed for longer than it was seen.
    believed: f64,
}

impl Line {
    /// Theil and Sen: the median slope of all pairs among `parts` means of equal pieces of the last `window` steps.
    pub(crate) fn theil_sen(history: &History, origin: usize, window: usize, parts: usize) -> Line {
        let piece = (window / parts).max(1);
        let count = window / piece;
        let mut pieces = Vec::with_capacity(count);
        for k in (0..count).rev() {
            let end = origin - k * piece;
            pieces.push((-((k * piece) as f64) - 0.5 * (piece as f64 - 1.0), history.mean(end - piece, end)));
        }
        let mut slopes = Vec::with_capacity(count * count / 2);
        for (i, (at, value)) in pieces.iter().enumerate() {
            slopes.extend(pieces[i + 1..].iter().map(|(later, v)| (v - value) / (later - at)));
        }
        let slope = median(&mut slopes);
        let mut levels: Vec<f64> = pieces.iter().map(|(at, value)| value - slope * at).collect();
        Line { level: median(&mut levels), slope, believed: window as f64 }
    }

    /// The value `ahead` steps on.
    pub(crate) fn at(&self, ahead: usize) -> f64 {
        self.level + self.slope * (ahead as f64).min(self.believed)
    }
}

/// Change a step, from the means of days: the median difference to the same day of the week before, or of lines through
/// days while there are less than two weeks. Days before the `regime` are not compared with days in it.
pub(crate) fn trend(history: &History, origin: usize, regime: usize) -> f64 {
    let days = ((origin - regime) / history.day).min(14);
    if days < 3 {
        return 0.0;
    }
    let day_mean = |k: usize| history.mean(origin - (k + 1) * history.day, origin - k * history.day);
    if days > 8 {
        let mut changes: Vec<f64> =
            (0..days - 7).map(|k| (day_mean(k) - day_mean(k + 7)) / history.week as f64).collect();
        return median(&mut changes);
    }
    Line::theil_sen(history, origin, days * history.day, days).slope
}
