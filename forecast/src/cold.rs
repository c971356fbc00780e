//! Cold start: too little is known for rolling origins.
//!
//! The last value stays, and may at most go on as steeply as it went so far; the spread is what the values had, growing like
//! that of a random walk.

use crate::history::History;
use crate::model::Model;
use crate::quantiles::{LEVELS, Point};

/// Quantiles of the standard normal distribution at [`LEVELS`].
const NORMAL: [f64; LEVELS.len()] = [-1.645, -1.282, 0.0, 1.282, 1.645];

/// Quantiles of the history's scale at each horizon.
pub(crate) fn points(history: &History, horizons: &[u64]) -> Vec<Point> {
    let len = history.len();
    let last = history.last[len - 1];
    let seen = len as f64 * history.step as f64;
    let slope = if len > 1 { (last - history.filled[0]) / ((len - 1) as f64 * history.step as f64) } else { 0.0 };
    let (least, most) =
        history.filled.iter().fold((last, last), |(least, most), value| (value.min(least), value.max(most)));
    let spread = 0.5 * (most - least);
    horizons
        .iter()
        .map(|&horizon_secs| {
            let secs = horizon_secs as f64;
            // A trend is not believed for longer than it was seen.
            let drift = slope * secs.min(seen);
            let walk = spread * (secs / seen).sqrt();
            let values = NORMAL.map(|z| {
                let bound = if (z > 0.0) == (drift > 0.0) { drift * z.abs() / NORMAL[4] } else { 0.0 };
                last + bound + z * walk
            });
            Point { horizon_secs, values }
        })
        .collect()
}

/// The only candidate.
pub(crate) const MODEL: Model = Model::LastValue;
