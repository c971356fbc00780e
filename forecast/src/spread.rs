//! What was fitted to buckets, spread over all horizons.

use crate::calibrate::{self, Fitted};
use crate::candidates::Answers;
use crate::quantiles::LEVELS;

/// How fast intervals grow beyond what could be tested, as powers of the horizon: a random walk's at most.
const GROWTH: (f64, f64) = (0.05, 0.4);

/// Weights and offsets at a horizon, from the centers of the buckets around it.
pub(crate) fn between<const N: usize>(fitted: &[Fitted<N>], secs: f64) -> (Answers<N>, [f64; LEVELS.len()]) {
    let after = fitted.partition_point(|bucket| bucket.center < secs);
    let (Some(before), Some(next)) = (after.checked_sub(1).map(|i| &fitted[i]), fitted.get(after)) else {
        let nearest = &fitted[after.min(fitted.len() - 1)];
        let mut offsets = nearest.offsets;
        if secs > nearest.center {
            calibrate::widen(&mut offsets, (secs / nearest.center).powf(growth(fitted)));
        }
        return (nearest.weights, offsets);
    };
    let part = (secs / before.center).ln() / (next.center / before.center).ln();
    let mix = |a: f64, b: f64| a + part * (b - a);
    (
        std::array::from_fn(|i| mix(before.weights[i], next.weights[i])),
        std::array::from_fn(|i| mix(before.offsets[i], next.offsets[i])),
    )
}

/// The power of the horizon by which intervals grew over the last two buckets.
fn growth<const N: usize>(fitted: &[Fitted<N>]) -> f64 {
    let width = |bucket: &Fitted<N>| bucket.offsets[LEVELS.len() - 1] - bucket.offsets[0];
    match fitted {
        [.., before, last] if width(before) > 0.0 && width(last) > 0.0 => {
            ((width(last) / width(before)).ln() / (last.center / before.center).ln()).clamp(GROWTH.0, GROWTH.1)
        }
        _ => GROWTH.1,
    }
}
