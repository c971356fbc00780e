//! Who forecasts and who warns: Headroom, and what is used where it is not.
//!
//! All get the same past, the same capacity and, for alerts, the same question: does this subnet run out within two days?

#[cfg(feature = "augurs")]
pub mod augurs;
pub mod linear;
pub mod naive;
pub mod past;

use headroom_forecast::quantiles::{LEVELS, Point};
use headroom_forecast::{Question, exhaustion, forecast};
use serde::Serialize;

use naive::Season;
use past::Past;

/// Quantiles of one value at [`LEVELS`], in IPs.
pub type Quantiles = [f64; LEVELS.len()];

const HOUR: u64 = 3600;
/// A warning a day ahead is asked for. Another day is for what the forecast does not know, and for the night that comes between a
/// warning and someone's work.
pub const WARN_WITHIN_SECS: u64 = 48 * HOUR;
/// The textbook's `predict_linear(free[6h], 4 * 3600) < 0`.
const TEXTBOOK_SECS: u64 = 4 * HOUR;
/// What a static threshold warns of: less than this share free,
const THRESHOLD_SHARE: f64 = 0.1;
/// or so few addresses.
const THRESHOLD_IPS: f64 = 10.0;

/// Who gives quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forecaster {
    /// `headroom_forecast::forecast`.
    Headroom,
    /// `predict_linear(6h)` as Prometheus gives it: one value for all quantiles, below zero and above the capacity too.
    LinearPoint,
    /// The same with the quantiles of its own past errors around it, and cut to what a subnet can have: better than anyone has it.
    Linear,
    /// The value at the same time of the last day, with the quantiles of its past errors.
    Day,
    /// Likewise of the last week.
    Week,
    /// The last value, likewise.
    Last,
    /// MSTL and damped ETS of the crate `augurs` with their Gaussian intervals.
    #[cfg(feature = "augurs")]
    Augurs,
}

impl Forecaster {
    const COUNT: usize = if cfg!(feature = "augurs") { 7 } else { 6 };

    /// All of them, Headroom first.
    pub const ALL: [Forecaster; Forecaster::COUNT] = [
        Forecaster::Headroom,
        Forecaster::LinearPoint,
        Forecaster::Linear,
        Forecaster::Day,
        Forecaster::Week,
        Forecaster::Last,
        #[cfg(feature = "augurs")]
        Forecaster::Augurs,
    ];

    /// Its name in the report.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Forecaster::Headroom => "Headroom",
            Forecaster::LinearPoint => "predict_linear(6h)",
            Forecaster::Linear => "predict_linear(6h), own errors",
            Forecaster::Day => "seasonal naive, day",
            Forecaster::Week => "seasonal naive, week",
            Forecaster::Last => "last value",
            #[cfg(feature = "augurs")]
            Forecaster::Augurs => "augurs, MSTL and ETS",
        }
    }

    /// Quantiles at these horizons in seconds, by what is past.
    #[must_use]
    pub fn quantiles(self, past: &Past<'_>, horizons: &[u64]) -> Vec<Quantiles> {
        match self {
            Forecaster::Headroom => headroom(past, horizons),
            Forecaster::LinearPoint => linear::point(past, horizons),
            Forecaster::Linear => linear::with_errors(past, horizons),
            Forecaster::Day => naive::quantiles(past, horizons, Season::Day),
            Forecaster::Week => naive::quantiles(past, horizons, Season::Week),
            Forecaster::Last => naive::quantiles(past, horizons, Season::None),
            #[cfg(feature = "augurs")]
            Forecaster::Augurs => augurs::quantiles(past, horizons),
        }
    }
}

/// Who warns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Headroom's P10 of the time to exhaustion lies within [`WARN_WITHIN_SECS`].
    Headroom,
    /// `predict_linear(used[6h], 48h)` reaches the capacity.
    Linear,
    /// The textbook's: the same 4 hours ahead.
    LinearTextbook,
    /// P90 of the seasonal naive forecast by days reaches the capacity within [`WARN_WITHIN_SECS`].
    Day,
    /// Likewise by weeks.
    Week,
    /// Likewise of the last value.
    Last,
    /// At most 10 % or 10 addresses are free.
    Threshold,
}

impl Rule {
    /// All of them, Headroom first.
    pub const ALL: [Rule; 7] =
        [Rule::Headroom, Rule::Linear, Rule::LinearTextbook, Rule::Day, Rule::Week, Rule::Last, Rule::Threshold];

    /// Its name in the report.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Rule::Headroom => "Headroom, P10 within 48 h",
            Rule::Linear => "predict_linear(6h), 48 h ahead",
            Rule::LinearTextbook => "predict_linear(6h), 4 h ahead",
            Rule::Day => "seasonal naive, day, P90 within 48 h",
            Rule::Week => "seasonal naive, week, P90 within 48 h",
            Rule::Last => "last value, P90 within 48 h",
            Rule::Threshold => "10 % or 10 IPs free",
        }
    }

    /// Whether it finds a danger in what is past.
    #[must_use]
    pub fn warns(self, past: &Past<'_>) -> bool {
        match self {
            Rule::Headroom => {
                let peaks = forecast(&past.question(WARN_WITHIN_SECS)).peaks;
                let p10 = exhaustion(&peaks, past.capacity()).p10_secs;
                p10.is_some_and(|secs| secs <= WARN_WITHIN_SECS)
            }
            Rule::Linear => linear::reaches(past, WARN_WITHIN_SECS),
            Rule::LinearTextbook => linear::reaches(past, TEXTBOOK_SECS),
            Rule::Day => p90_reaches(Forecaster::Day, past),
            Rule::Week => p90_reaches(Forecaster::Week, past),
            Rule::Last => p90_reaches(Forecaster::Last, past),
            Rule::Threshold => {
                let least = f64::max(past.capacity() * THRESHOLD_SHARE, THRESHOLD_IPS);
                past.last().is_some_and(|used| past.capacity() - used <= least)
            }
        }
    }
}

fn p90_reaches(forecaster: Forecaster, past: &Past<'_>) -> bool {
    let horizons: Vec<u64> = (1..=8).map(|n| n * WARN_WITHIN_SECS / 8).collect();
    forecaster.quantiles(past, &horizons).iter().any(|quantiles| quantiles[3] >= past.capacity())
}

fn headroom(past: &Past<'_>, horizons: &[u64]) -> Vec<Quantiles> {
    let horizon_secs = horizons.iter().copied().max().unwrap_or(0);
    let points = forecast(&Question { horizon_secs, ..past.question(horizon_secs) }).points;
    horizons.iter().map(|&horizon| at(&points, horizon).unwrap_or_else(|| unknown(past.capacity()))).collect()
}

/// Between the points around the horizon; the first or last one beyond them.
fn at(points: &[Point], horizon_secs: u64) -> Option<Quantiles> {
    let after = points.iter().position(|point| point.horizon_secs >= horizon_secs);
    let (Some(after), Some(before)) = (after, after.and_then(|at| at.checked_sub(1))) else {
        return after.map_or(points.last(), |at| points.get(at)).map(|point| point.values);
    };
    let [before, after] = [points[before], points[after]];
    #[expect(clippy::cast_precision_loss, reason = "seconds of some days")]
    let share = (horizon_secs - before.horizon_secs) as f64 / (after.horizon_secs - before.horizon_secs).max(1) as f64;
    let mut values = before.values;
    for (value, to) in values.iter_mut().zip(after.values) {
        *value += share * (to - *value);
    }
    Some(values)
}

/// Nothing is known: any value is as likely as any other.
fn unknown(capacity: f64) -> Quantiles {
    LEVELS.map(|level| level * capacity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_forecast::series::Series;

    #[test]
    fn between_points_quantiles_lie_between() {
        let points = [(100, 10.0), (200, 30.0)].map(|(horizon_secs, value)| Point { horizon_secs, values: [value; 5] });
        let rows = [(50, 10.0), (100, 10.0), (150, 20.0), (200, 30.0), (900, 30.0)];
        for (horizon, expected) in rows {
            assert_eq!(at(&points, horizon), Some([expected; 5]), "{horizon}");
        }
        assert_eq!(at(&[], 1), None);
    }

    #[test]
    fn the_threshold_counts_shares_and_addresses() {
        // Used, capacity, whether it warns.
        let rows = [(900.0, 1000.0, true), (899.0, 1000.0, false), (40.0, 50.0, true), (39.0, 50.0, false)];
        for (used, capacity, expected) in rows {
            let series = Series { start_secs: 0, step_secs: 300, values: vec![Some(1.0), Some(used), None] };
            let past = Past::new(&series, capacity);
            assert_eq!(Rule::Threshold.warns(&past), expected, "{used} of {capacity}");
        }
    }

    #[test]
    fn quantiles_never_cross_and_only_plain_predict_linear_leaves_the_subnet() {
        let mut rng = fastrand::Rng::with_seed(3);
        let values = (0..4032).map(|step| Some(f64::from(step / 20 + rng.i32(0..60)))).collect();
        let past_series = Series { start_secs: 0, step_secs: 300, values };
        let past = Past::new(&past_series, 300.0);
        for forecaster in Forecaster::ALL {
            for quantiles in forecaster.quantiles(&past, &[300, HOUR, 24 * HOUR, 168 * HOUR]) {
                assert!(quantiles.is_sorted(), "{forecaster:?}: {quantiles:?}");
                let within = quantiles.iter().all(|value| (0.0..=300.0).contains(value));
                assert!(within || forecaster == Forecaster::LinearPoint, "{forecaster:?}: {quantiles:?}");
            }
        }
    }
}
