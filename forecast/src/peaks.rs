//! The largest value up to a horizon: what a limit that must never be reached is compared with.
//!
//! A rollout or a job of half an hour a day is rare at each single time, and nearly certain within the day. So the running maximum
//! has candidates of its own, which are maxima of past windows, and is calibrated like the values are: at rolling origins, against
//! the largest value that came.

use crate::backtest::{self, Bucket, Row};
use crate::calibrate::{self, Fitted};
use crate::candidates::slope::{self, Line};
use crate::candidates::{Answers, DAYS, WEEKS};
use crate::cold::Cold;
use crate::grid;
use crate::history::History;
use crate::quantiles::{LEVELS, Point, running};
use crate::spread::between;
use crate::stats::trimmed_mean;
use crate::weights::combine;

/// What [`Origin::expect`] gives.
const COUNT: usize = 14;
/// Most windows before that are looked at.
const MOST: usize = if DAYS > WEEKS { DAYS } else { WEEKS };

/// Quantiles of the running maximum at the horizons of `points`: never below those, and never decreasing.
pub(crate) fn points(history: &History, cold: &Cold, points: &[Point]) -> Vec<Point> {
    let fitted = calibrate::fit(history, &targets(history));
    if fitted.is_empty() {
        return running(points);
    }
    let origin = Origin::new(history, history.len());
    let above = |point: &Point| {
        let found = cold.doubt(point.horizon_secs, at(&origin, &fitted, point.horizon_secs));
        Point { values: std::array::from_fn(|level| found[level].max(point.values[level])), ..*point }
    };
    running(&points.iter().map(above).collect::<Vec<_>>())
}

fn at(origin: &Origin<'_>, fitted: &[Fitted<COUNT>], horizon_secs: u64) -> [f64; LEVELS.len()] {
    let (weights, offsets) = between(fitted, horizon_secs as f64);
    let expected = combine(&weights, &origin.expect(grid::ahead(horizon_secs, origin.history.step)));
    offsets.map(|offset| expected + offset)
}

/// How far each candidate was off at rolling origins.
fn targets(history: &History) -> Vec<Bucket<COUNT>> {
    let mut buckets = Bucket::all();
    for (i, at) in backtest::origins(history.len()).into_iter().enumerate() {
        let origin = Origin::new(history, at);
        let (mut top, mut seen) = (f64::NEG_INFINITY, at);
        for (n, (bucket, ahead)) in backtest::targets(history, at).enumerate() {
            // Gaps are NaN, which is never larger.
            top = history.largest[seen..at + ahead]
                .iter()
                .fold(top, |top, value| if *value > top { *value } else { top });
            seen = at + ahead;
            // Maxima of horizons in the same bucket are nearly the same, so that every other one is enough.
            if top.is_finite() && (i + n).is_multiple_of(2) {
                let errors = origin.expect(ahead).map(|answer| answer - top);
                buckets[bucket].add(Row { origin: i, age: history.len() - seen, errors });
            }
        }
    }
    buckets
}

/// What is known at an origin: only values before it.
#[derive(Clone, Debug)]
struct Origin<'a> {
    history: &'a History,
    at: usize,
    hour_mean: f64,
    day_mean: f64,
    trend: f64,
    line: Line,
    /// Means of the day and of the hour before the time `n + 1` days back.
    before: Vec<[f64; 2]>,
}

impl Origin<'_> {
    /// `at` is at least 1.
    fn new(history: &History, at: usize) -> Origin<'_> {
        let regime = history.regimes.start(at).min(at - 1);
        let [hour, day] = [history.hour, history.day].map(|steps| steps.min(at - regime));
        let before = |n: usize| {
            let time = at - n * history.day;
            [history.day, history.hour].map(|steps| history.mean(time.saturating_sub(steps), time.max(1)))
        };
        Origin {
            history,
            at,
            hour_mean: history.mean(at - hour, at),
            day_mean: history.mean(at - day, at),
            trend: slope::trend(history, at, regime),
            line: Line::theil_sen(history, at, day, 12),
            before: (1..=at / history.day).map(before).collect(),
        }
    }

    /// What the largest of the next `ahead` values may be.
    fn expect(&self, ahead: usize) -> Answers<COUNT> {
        let Origin { history, at, hour_mean, day_mean, trend, line, .. } = self;
        let last = history.last[at - 1];
        let top = |steps: usize| history.tops.over(at - steps.min(*at), *at);
        let recent = top(ahead) + trend * ahead as f64;
        let day_top = top(history.day) + trend.max(0.0) * ahead as f64;
        // The level of a day lies half a day back.
        let half = 0.5 * history.day.min(*at) as f64;
        let risen = day_mean + (trend * (half + 1.0)).max(trend * (half + ahead as f64));
        let daily = self.usual(ahead, history.day, DAYS).unwrap_or([recent; 4]);
        let weekly = self.usual(ahead, history.week, WEEKS).unwrap_or(daily);
        let [day_moved, days_moved, day_now, day_hour_now] = daily;
        let [week_moved, weeks_moved, week_now, week_hour_now] = weekly;
        let sloped = line.at(1).max(line.at(ahead));
        [
            last,
            *hour_mean,
            risen,
            sloped,
            day_top,
            recent,
            day_moved,
            days_moved,
            day_now,
            day_hour_now,
            week_moved,
            weeks_moved,
            week_now,
            week_hour_now,
        ]
    }

    /// From windows as long at the same phase before, whole `unit`s back: the top of the last one and the usual top, both moved
    /// by the trend; and how far tops usually lay above the day and the hour before their windows, from the last day and hour on.
    fn usual(&self, ahead: usize, unit: usize, most: usize) -> Option<[f64; 4]> {
        let Origin { history, at, hour_mean, day_mean, trend, before, .. } = self;
        let period = ahead.div_ceil(unit).saturating_mul(unit);
        let known = *at < history.len() || backtest::tested(*at, period);
        let count = if known { (at / period).min(most) } else { 0 };
        let (mut moved, mut above_day, mut above_hour) = ([0.0; MOST], [0.0; MOST], [0.0; MOST]);
        for k in 0..count {
            let back = (k + 1) * period;
            let begin = at - back;
            let top = history.tops.over(begin, begin + ahead);
            let [day_before, hour_before] = before[back / history.day - 1];
            moved[k] = top + trend * back as f64;
            above_day[k] = top - day_before;
            above_hour[k] = top - hour_before;
        }
        let mean = |values: &[f64; MOST]| trimmed_mean(&values[..count]);
        (count > 0).then(|| [moved[0], mean(&moved), day_mean + mean(&above_day), hour_mean + mean(&above_hour)])
    }
}
