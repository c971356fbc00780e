//! How good quantiles were, against what came.

use headroom_forecast::quantiles::LEVELS;
use serde::{Serialize, Serializer};

use super::competitors::Quantiles;

/// The levels whose pinball loss counts, as places in [`LEVELS`]: .5, .9 and .95. A subnet's surprise is upwards.
pub const SCORED: [usize; 3] = [2, 3, 4];
const P10: usize = 1;
const P50: usize = 2;
const P90: usize = 3;

/// Pinball loss of a quantile in the unit of the value: `level` of each unit that it lies too low, `1 - level` of each that it lies
/// too high (Koenker & Bassett 1978).
#[must_use]
pub fn pinball(level: f64, quantile: f64, actual: f64) -> f64 {
    let above = actual - quantile;
    f64::max(level * above, (level - 1.0) * above)
}

/// Sums over the forecasts of one trace at one horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    forecasts: u32,
    pinball: [f64; SCORED.len()],
    covered: u32,
    below: u32,
    width: f64,
    error: f64,
}

impl Sums {
    /// Counts one forecast and what came.
    pub fn add(&mut self, quantiles: &Quantiles, actual: f64) {
        self.forecasts += 1;
        for (sum, at) in self.pinball.iter_mut().zip(SCORED) {
            *sum += pinball(LEVELS[at], quantiles[at], actual);
        }
        self.covered += u32::from(actual <= quantiles[P90]);
        self.below += u32::from(actual < quantiles[P90]);
        self.width += quantiles[P90] - quantiles[P10];
        self.error += f64::abs(actual - quantiles[P50]);
    }

    /// Means, or `None` where nothing was forecast. `scale` is the trace's mean change over the horizon, `daily` that over a day.
    #[must_use]
    pub fn cell(&self, horizon_secs: u64, scale: f64, daily: f64, capacity: f64) -> Option<Cell> {
        let n = f64::from(self.forecasts);
        (self.forecasts > 0).then(|| Cell {
            horizon_secs,
            forecasts: self.forecasts,
            pinball: self.pinball.map(|sum| sum / n),
            scale,
            covered: self.covered,
            below: self.below,
            width: self.width / n / capacity,
            mase: self.error / n / daily,
        })
    }
}

/// How one competitor did on one trace at one horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Seconds ahead.
    pub horizon_secs: u64,
    /// Forecasts that could be compared with what came.
    pub forecasts: u32,
    /// Mean pinball loss at .5, .9 and .95, in IPs.
    #[serde(serialize_with = "short_all")]
    pub pinball: [f64; SCORED.len()],
    /// Mean absolute change of the trace over the horizon, in IPs: what the loss is divided by.
    #[serde(serialize_with = "short")]
    pub scale: f64,
    /// Forecasts whose P90 was not exceeded.
    pub covered: u32,
    /// Forecasts whose P90 was not even reached.
    pub below: u32,
    /// Mean of P90 - P10, in parts of the capacity.
    #[serde(serialize_with = "short")]
    pub width: f64,
    /// Mean absolute error of P50 in terms of that of the value a day before (MASE with a season of a day).
    #[serde(serialize_with = "short")]
    pub mase: f64,
}

/// Four digits after the point: there are thousands of cells, and nothing depends on the fifth.
fn short<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((value * 1e4).round() / 1e4)
}

fn short_all<S: Serializer>(values: &[f64; SCORED.len()], to: S) -> Result<S::Ok, S::Error> {
    values.map(|value| (value * 1e4).round() / 1e4).serialize(to)
}

impl Cell {
    /// Mean loss of the three levels in terms of the trace's own changes.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.pinball.iter().sum::<f64>() / SCORED.len() as f64 / self.scale
    }
}

/// Mean loss, coverage and width over cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Mean of [`Cell::loss`]: each trace and each horizon counts the same.
    pub loss: f64,
    /// Means of the normalised loss at .5, .9 and .95.
    pub losses: [f64; SCORED.len()],
    /// Share of all forecasts whose P90 was not exceeded.
    pub covered: f64,
    /// Share of all forecasts whose P90 was not even reached.
    pub below: f64,
    /// Mean of the cells' widths.
    pub width: f64,
    /// Mean of the cells' MASE.
    pub mase: f64,
    /// Forecasts in all.
    pub forecasts: u32,
}

impl Summary {
    /// Over these cells; zeros without any.
    #[must_use]
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Summary {
        let mut sum = Summary::default();
        let mut n = 0.0;
        for cell in cells {
            n += 1.0;
            sum.loss += cell.loss();
            for (total, loss) in sum.losses.iter_mut().zip(cell.pinball) {
                *total += loss / cell.scale;
            }
            sum.covered += f64::from(cell.covered);
            sum.below += f64::from(cell.below);
            sum.width += cell.width;
            sum.mase += cell.mase;
            sum.forecasts += cell.forecasts;
        }
        let per = |n: f64| move |sum: f64| if n > 0.0 { sum / n } else { 0.0 };
        let (cell, forecast) = (per(n), per(f64::from(sum.forecasts)));
        Summary {
            loss: cell(sum.loss),
            losses: sum.losses.map(cell),
            covered: forecast(sum.covered),
            below: forecast(sum.below),
            width: cell(sum.width),
            mase: cell(sum.mase),
            forecasts: sum.forecasts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn pinball_weighs_the_sides() {
        // Too low by 10 at .9: 9. Too high by 10: 1. The median: half either way.
        let rows = [(0.9, 90.0, 100.0, 9.0), (0.9, 110.0, 100.0, 1.0), (0.5, 90.0, 100.0, 5.0), (0.5, 7.0, 7.0, 0.0)];
        for (level, quantile, actual, expected) in rows {
            near(pinball(level, quantile, actual), expected);
        }
    }

    #[test]
    fn sums_become_means() {
        let mut sums = Sums::default();
        assert_eq!(sums.cell(60, 1.0, 1.0, 100.0), None);
        sums.add(&[5.0, 10.0, 20.0, 30.0, 40.0], 24.0);
        sums.add(&[5.0, 10.0, 20.0, 30.0, 40.0], 30.0);
        sums.add(&[5.0, 10.0, 20.0, 30.0, 40.0], 50.0);
        let cell = sums.cell(60, 2.0, 4.0, 100.0).unwrap();
        assert_eq!((cell.forecasts, cell.covered, cell.below), (3, 2, 1));
        // .5: 2, 5, 15. .9: 0.6, 0, 18. .95: 0.8, 0.5, 9.5.
        for (got, expected) in cell.pinball.into_iter().zip([22.0 / 3.0, 18.6 / 3.0, 10.8 / 3.0]) {
            near(got, expected);
        }
        near(cell.width, 0.2);
        // (4 + 10 + 30) / 3 over 4.
        near(cell.mase, 44.0 / 12.0);
        near(cell.loss(), (22.0 + 18.6 + 10.8) / 9.0 / 2.0);
    }

    #[test]
    fn each_cell_counts_the_same_and_so_does_each_forecast_for_coverage() {
        let cell = |forecasts, covered, pinball: f64, scale| Cell {
            horizon_secs: 60,
            forecasts,
            pinball: [pinball; 3],
            scale,
            covered,
            below: 0,
            width: 0.5,
            mase: 1.0,
        };
        let summary = Summary::of(&[cell(1, 0, 1.0, 1.0), cell(9, 9, 1000.0, 500.0)]);
        near(summary.loss, 1.5);
        near(summary.losses[1], 1.5);
        near(summary.covered, 0.9);
        assert_eq!(summary.forecasts, 10);
        assert_eq!(Summary::of(&[]).covered, 0.0);
    }
}
