//! The forecast itself: weights and intervals of buckets, spread over all horizons.

use crate::calibrate::{self, Fitted};
use crate::candidates::holt::Holt;
use crate::candidates::{Answers, Origin};
use crate::cold::Cold;
use crate::history::History;
use crate::model::Model;
use crate::quantiles::{LEVELS, MEDIAN, Point, running};
use crate::spread::between;
use crate::weights::combine;
use crate::{Forecast, Series, backtest, cold, grid, peaks};

/// Less history than this is a cold start, in hours.
const COLD_HOURS: usize = 2;
/// A level shift drives a forecast for so many days.
const RECENT_DAYS: usize = 2;
/// A simpler assumption is the better one as long as its errors are not larger by more than this.
const SIMPLER: f64 = 1.1;
/// What drives a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assumption {
    /// Too little is known: it stays about as it is.
    ColdStart,
    /// The level stays.
    Level,
    /// The trend goes on.
    Trend,
    /// Days are alike.
    DailyCycle,
    /// Weeks are alike.
    WeeklyCycle,
    /// The level changed in the last days, and what was before it counts no more.
    LevelShift,
}

impl Assumption {
    /// The name in tables, metrics and JSON. It never changes.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Assumption::ColdStart => "cold-start",
            Assumption::Level => "level",
            Assumption::Trend => "trend",
            Assumption::DailyCycle => "daily-cycle",
            Assumption::WeeklyCycle => "weekly-cycle",
            Assumption::LevelShift => "level-shift",
        }
    }
}

/// Without regard to what is possible.
pub(crate) fn unclamped(series: &Series, horizon_secs: u64) -> Forecast {
    let cold_start = |points: Vec<Point>| Forecast {
        model: cold::MODEL,
        peaks: running(&points),
        points,
        scores: Vec::new(),
        combined_score: None,
        assumption: Assumption::ColdStart,
    };
    let Some(history) = History::new(series) else { return cold_start(Vec::new()) };
    let horizons = grid::horizons(horizon_secs, history.step);
    let cold = Cold::new(&history);
    if history.len() < COLD_HOURS * history.hour {
        return cold_start(restored(&history, cold.points(&horizons)));
    }
    let (buckets, holt) = backtest::run(&history);
    let fitted = calibrate::fit(&history, &buckets);
    if fitted.is_empty() {
        return cold_start(restored(&history, cold.points(&horizons)));
    }
    let points = points(&history, &fitted, holt, &cold, &horizons);
    let mean = |of: &dyn Fn(&Fitted) -> f64| fitted.iter().map(of).sum::<f64>() / fitted.len() as f64;
    let weights: Answers = std::array::from_fn(|i| mean(&|bucket| bucket.weights[i]));
    let losses: Answers = std::array::from_fn(|i| mean(&|bucket| bucket.losses[i]));
    let loss_unit = 0.5 * history.scale();
    Forecast {
        model: heaviest(&weights),
        peaks: restored(&history, peaks::points(&history, &cold, &points)),
        points: restored(&history, points),
        scores: Model::ALL.iter().enumerate().map(|(i, &m)| (m, loss_unit * losses[i])).collect(),
        combined_score: Some(loss_unit * mean(&|bucket| bucket.combined_loss)),
        assumption: assumption(&history, &losses),
    }
}

fn restored(history: &History, mut points: Vec<Point>) -> Vec<Point> {
    for point in &mut points {
        point.values = point.values.map(|value| history.restore(value));
    }
    points
}

/// Quantiles in order, as far from the median as before or farther.
fn points(history: &History, fitted: &[Fitted], holt: Holt, cold: &Cold, horizons: &[u64]) -> Vec<Point> {
    let origin = Origin::new(history, history.len(), holt);
    let mut reach = [0.0_f64; LEVELS.len()];
    horizons
        .iter()
        .map(|&horizon_secs| {
            let (weights, offsets) = between(fitted, horizon_secs as f64);
            let answers = origin.expect(grid::ahead(horizon_secs, history.step));
            let expected = combine(&weights, &answers);
            let values = cold.doubt(horizon_secs, offsets.map(|offset| expected + offset));
            let median = values[MEDIAN];
            for (reach, value) in reach.iter_mut().zip(values) {
                *reach = reach.max((value - median).abs());
            }
            let signed = |level: usize| if level < MEDIAN { -reach[level] } else { reach[level] };
            Point { horizon_secs, values: std::array::from_fn(|level| median + signed(level)) }
        })
        .collect()
}

fn heaviest(weights: &Answers) -> Model {
    let heaviest = Model::ALL.iter().zip(weights).max_by(|a, b| a.1.total_cmp(b.1));
    heaviest.map_or(cold::MODEL, |(model, _)| *model)
}

fn assumption(history: &History, losses: &Answers) -> Assumption {
    let since = history.len() - history.regimes.start(history.len());
    if since < history.len() && since < RECENT_DAYS * history.day {
        return Assumption::LevelShift;
    }
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let explains = |kind: &Assumption| {
        Model::ALL.iter().zip(losses).any(|(model, loss)| model.assumes() == *kind && *loss <= SIMPLER * best)
    };
    // From the simplest on.
    let kinds = [Assumption::Level, Assumption::DailyCycle, Assumption::WeeklyCycle, Assumption::Trend];
    kinds.into_iter().find(explains).unwrap_or(Assumption::Level)
}
