//! When a limit is reached: the quantile curves of the running maximum, inverted.
//!
//! A limit is reached before a time when the largest value until then is at it. The values at each time do not tell: what is short
//! and certain to come some time today is unlikely at any time of it.

use crate::quantiles::{LEVELS, Point};

/// Time until a limit is reached, counted from the end of the series. `None` is not within the horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhaustion {
    /// Early: with a chance of one in ten it is reached before.
    pub p10_secs: Option<u64>,
    /// As likely before as after.
    pub p50_secs: Option<u64>,
    /// Late: with a chance of nine in ten it is reached before.
    pub p90_secs: Option<u64>,
    /// How far was looked; 0 without any point.
    pub horizon_secs: u64,
}

/// When each curve first reaches `limit`: give it [`Forecast::peaks`](crate::Forecast::peaks). Linear between points, which are in
/// order of their horizons. A curve that is there at the first point is there at the first horizon.
#[must_use]
pub fn exhaustion(points: &[Point], limit: f64) -> Exhaustion {
    // Upper quantiles reach a limit early.
    let [_, late, median, early, _]: [Option<u64>; LEVELS.len()] =
        std::array::from_fn(|level| first_reached(points, limit, level));
    Exhaustion {
        p10_secs: early,
        p50_secs: median,
        p90_secs: late,
        horizon_secs: points.last().map_or(0, |point| point.horizon_secs),
    }
}

fn first_reached(points: &[Point], limit: f64, level: usize) -> Option<u64> {
    let at = points.iter().position(|point| point.values[level] >= limit)?;
    let (to, Some(from)) = (&points[at], at.checked_sub(1).map(|before| &points[before])) else {
        return Some(points[at].horizon_secs);
    };
    let (below, above) = (from.values[level], to.values[level]);
    let part = ((limit - below) / (above - below)).clamp(0.0, 1.0);
    Some(from.horizon_secs + whole_secs(part * (to.horizon_secs - from.horizon_secs) as f64))
}

/// Rounded up: not before the limit is reached.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative and within a horizon")]
fn whole_secs(secs: f64) -> u64 {
    secs.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(horizon_secs: u64, median: f64, reach: f64) -> Point {
        Point { horizon_secs, values: [-1.2, -1.0, 0.0, 1.0, 1.2].map(|part| median + part * reach) }
    }

    #[test]
    fn between_points_it_is_linear() {
        let points = [point(100, 0.0, 10.0), point(200, 10.0, 20.0), point(400, 50.0, 30.0)];
        // The upper curve is 10, 30, 80; the median 0, 10, 50; the lower one -10, -10, 20.
        assert_eq!(
            exhaustion(&points, 20.0),
            Exhaustion { p10_secs: Some(150), p50_secs: Some(250), p90_secs: Some(400), horizon_secs: 400 }
        );
    }

    #[test]
    fn what_is_not_reached_is_none() {
        let points = [point(100, 0.0, 10.0), point(200, 5.0, 20.0)];
        let found = exhaustion(&points, 17.5);
        assert_eq!((found.p10_secs, found.p50_secs, found.p90_secs), (Some(150), None, None));
        assert_eq!(exhaustion(&points, f64::INFINITY).p10_secs, None);
        assert_eq!(exhaustion(&[], 1.0).horizon_secs, 0);
    }

    #[test]
    fn a_peak_of_a_cycle_counts() {
        let points = [point(100, 0.0, 0.0), point(200, 10.0, 0.0), point(300, 0.0, 0.0)];
        assert_eq!(exhaustion(&points, 10.0).p50_secs, Some(200));
    }

    #[test]
    fn what_is_there_already_is_at_the_first_horizon() {
        let found = exhaustion(&[point(300, 50.0, 1.0)], 40.0);
        assert_eq!((found.p10_secs, found.p90_secs), (Some(300), Some(300)));
    }
}
