//! `predict_linear(used[6h], t)` as Prometheus computes it.

use super::Quantiles;
use super::past::Past;

/// The range of the rule that everyone copies.
const WINDOW_SECS: u64 = 6 * 3600;

/// A straight line through a window, with its value at the end of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    per_sec: f64,
    now: f64,
}

impl Line {
    #[expect(clippy::cast_precision_loss, reason = "seconds of some days")]
    fn at(self, ahead_secs: u64) -> f64 {
        self.per_sec * ahead_secs as f64 + self.now
    }
}

/// What Prometheus gives, at every level. The last value where it gives nothing: with fewer than two samples in its window.
#[must_use]
pub fn point(past: &Past<'_>, horizons: &[u64]) -> Vec<Quantiles> {
    let line = now(past);
    let flat = past.last().unwrap_or(0.0);
    horizons.iter().map(|&horizon| [line.map_or(flat, |line| line.at(horizon)); _]).collect()
}

/// The same cut to what the subnet can have, with the quantiles of what it would have missed so far.
#[must_use]
pub fn with_errors(past: &Past<'_>, horizons: &[u64]) -> Vec<Quantiles> {
    let cut = |value: f64| value.clamp(0.0, past.capacity());
    let lines: Vec<(usize, Line)> = past.origins(0).filter_map(|origin| Some((origin, line(past, origin)?))).collect();
    let of = |horizon: u64, point: &Quantiles| {
        let ahead = past.steps(horizon);
        let came = |&(origin, line): &(usize, Line)| {
            let actual = past.observed().get(origin + ahead).copied().flatten()?;
            Some(actual - cut(line.at(horizon)))
        };
        past.around(cut(point[0]), lines.iter().filter_map(came).collect())
    };
    horizons.iter().zip(&point(past, horizons)).map(|(&horizon, point)| of(horizon, point)).collect()
}

/// Whether it reaches the capacity so far ahead. Nothing is said without two samples in the window, as Prometheus has it.
#[must_use]
pub fn reaches(past: &Past<'_>, ahead_secs: u64) -> bool {
    now(past).is_some_and(|line| line.at(ahead_secs) >= past.capacity())
}

fn now(past: &Past<'_>) -> Option<Line> {
    line(past, past.observed().len().checked_sub(1)?)
}

/// The line through the window that ends with this step. A sample is taken when its step ends.
fn line(past: &Past<'_>, last: usize) -> Option<Line> {
    let most = past.steps(WINDOW_SECS).min(last + 1);
    let window = past.observed().get(last + 1 - most..=last)?;
    let ages = (0..u32::try_from(most).ok()?).rev();
    regression(ages.zip(window).filter_map(|(age, value)| Some((-f64::from(age * past.step_secs()), (*value)?))))
}

/// `linearRegression` of Prometheus (promql/functions.go): ordinary least squares, intercept where x is 0.
fn regression(samples: impl Iterator<Item = (f64, f64)>) -> Option<Line> {
    let [mut n, mut x, mut y, mut xy, mut xx] = [Kahan::default(); 5];
    let (mut first, mut constant) = (None, true);
    for (at, value) in samples {
        constant &= *first.get_or_insert(value) == value;
        n.add(1.0);
        x.add(at);
        y.add(value);
        xy.add(at * value);
        xx.add(at * at);
    }
    let [n, x, y, xy, xx] = [n, x, y, xy, xx].map(Kahan::sum);
    if n < 2.0 {
        return None;
    }
    if constant {
        return first.map(|now| Line { per_sec: 0.0, now });
    }
    let covariance = xy - x * y / n;
    let variance = xx - x * x / n;
    let per_sec = covariance / variance;
    Some(Line { per_sec, now: y / n - per_sec * x / n })
}

/// `kahanSumInc`.
#[derive(Clone, Copy, Debug, Default)]
struct Kahan {
    total: f64,
    lost: f64,
}

impl Kahan {
    fn add(&mut self, value: f64) {
        let total = self.total + value;
        self.lost +=
            if self.total.abs() >= value.abs() { (self.total - total) + value } else { (value - total) + self.total };
        self.total = total;
    }

    fn sum(self) -> f64 {
        self.total + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_forecast::series::Series;

    fn hourly(values: &[f64]) -> Series {
        Series { start_secs: 0, step_secs: 3600, values: values.iter().copied().map(Some).collect() }
    }

    #[test]
    fn a_line_by_hand() {
        // x = -2, -1, 0 h and y = 1, 2, 6: slope ((1)(-1) + (6)(1)) / 2 = 2.5 an hour, mean 3 at -1 h, so 5.5 now.
        let samples = [(-7200.0, 1.0), (-3600.0, 2.0), (0.0, 6.0)];
        let line = regression(samples.into_iter()).unwrap();
        assert!((line.per_sec * 3600.0 - 2.5).abs() < 1e-12 && (line.now - 5.5).abs() < 1e-12, "{line:?}");
        assert!((line.at(7200) - 10.5).abs() < 1e-12);
        assert_eq!(regression([(0.0, 1.0)].into_iter()), None);
        let flat = [(-60.0, 7.0), (0.0, 7.0)];
        assert_eq!(regression(flat.into_iter()), Some(Line { per_sec: 0.0, now: 7.0 }));
    }

    #[test]
    fn the_window_is_six_hours_and_skips_gaps() {
        let mut series = hourly(&[1e6, 1e6, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
        let at = |series: &Series| point(&Past::new(series, 100.0), &[3600, 86_400]);
        assert_eq!(at(&series).map_in(), [70, 300]);
        series.values[4] = None;
        assert_eq!(at(&series).map_in(), [70, 300]);
        assert!(reaches(&Past::new(&series, 100.0), 4 * 3600) && !reaches(&Past::new(&series, 101.0), 4 * 3600));
        // Nothing in the window: the last value, and no alert.
        series.values.extend([None; 6]);
        assert_eq!(at(&series).map_in(), [60, 60]);
        assert!(!reaches(&Past::new(&series, 1.0), 3600));
    }

    #[test]
    fn its_own_errors_are_around_it() {
        // A straight line is never missed, and cut to the capacity.
        let series = hourly(&(0..48).map(f64::from).collect::<Vec<_>>());
        let quantiles = with_errors(&Past::new(&series, 60.0), &[3600, 86_400]);
        for (got, expected) in quantiles.into_iter().flatten().zip([48.0; 5].into_iter().chain([60.0; 5])) {
            assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
        }
    }

    trait Rounded {
        fn map_in(self) -> Vec<i64>;
    }

    impl Rounded for Vec<Quantiles> {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        fn map_in(self) -> Vec<i64> {
            self.into_iter().map(|quantiles| quantiles[2].round() as i64).collect()
        }
    }
}
