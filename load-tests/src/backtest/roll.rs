//! Rolling origins: a forecast at each of many times, with nothing known but what was before it.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::competitors::Forecaster;
use super::competitors::past::Past;
use super::metrics::{Cell, Sums};
use super::trace::Trace;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// How far ahead is forecast: a scale-out, a shift, a day, a weekend, a week.
pub const HORIZONS: [u64; 5] = [HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY];
/// Not a part of a day, so that origins come to lie on each hour of it.
pub const ORIGINS_EVERY_SECS: u64 = 11 * HOUR;
/// Two of the longest season that anyone here knows.
const WARM_UP_SECS: u64 = 14 * DAY;
/// Traces from this length on have the long warm-up, shorter ones a day.
const LONG_SECS: u64 = 21 * DAY;
/// Ages of a subnet that was just made, with how far ahead may be asked then.
const COLD_AT: [u64; 5] = [HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY];
const COLD_HORIZONS: [u64; 3] = [HOUR, 6 * HOUR, DAY];

/// How one competitor did on one trace.
#[derive(Clone, Debug, Serialize)]
pub struct Scored {
    /// Who.
    pub forecaster: Forecaster,
    /// By horizon, those at which something could be compared.
    pub cells: Vec<Cell>,
    /// Time that its forecasts took, all horizons at once.
    #[serde(skip)]
    pub took: Duration,
    /// Origins that it was asked at.
    pub origins: u32,
}

/// Steps after which the first forecast of a trace is made.
#[must_use]
pub fn warm_up(trace: &Trace) -> usize {
    let long = trace.len() >= trace.steps(LONG_SECS);
    trace.steps(if long { WARM_UP_SECS } else { DAY })
}

/// Scores everyone after the warm-up.
#[must_use]
pub fn score(trace: &Trace) -> Vec<Scored> {
    let every = trace.steps(ORIGINS_EVERY_SECS).max(1);
    let origins: Vec<usize> = (warm_up(trace)..trace.len()).step_by(every).collect();
    score_at(trace, &origins, &HORIZONS)
}

/// Scores everyone on the trace's first day.
#[must_use]
pub fn score_cold(trace: &Trace) -> Vec<Scored> {
    let origins: Vec<usize> = COLD_AT.iter().map(|&age| trace.steps(age)).filter(|&origin| origin > 0).collect();
    score_at(trace, &origins, &COLD_HORIZONS)
}

fn score_at(trace: &Trace, origins: &[usize], horizons: &[u64]) -> Vec<Scored> {
    let mut sums = Forecaster::ALL.map(|_| vec![Sums::default(); horizons.len()]);
    let mut took = [Duration::ZERO; Forecaster::ALL.len()];
    let mut asked = 0;
    for &origin in origins {
        let series = trace.past(origin);
        let past = Past::new(&series, trace.capacity);
        // Of a full subnet nobody sees what else was wanted, and everyone is right that it is full.
        if past.last().is_none_or(|used| used >= trace.capacity) {
            continue;
        }
        asked += 1;
        for ((forecaster, sums), took) in Forecaster::ALL.into_iter().zip(&mut sums).zip(&mut took) {
            let begun = Instant::now();
            let quantiles = forecaster.quantiles(&past, horizons);
            *took += begun.elapsed();
            for ((sum, quantiles), &horizon) in sums.iter_mut().zip(&quantiles).zip(horizons) {
                if let Some(actual) = actual(trace, origin, horizon) {
                    sum.add(quantiles, actual);
                }
            }
        }
    }
    let daily = trace.mean_change(trace.steps(DAY).max(1));
    let cells = |sums: &[Sums]| {
        let cell = |(sums, &horizon): (&Sums, &u64)| {
            sums.cell(horizon, trace.mean_change(trace.steps(horizon).max(1)), daily, trace.capacity)
        };
        sums.iter().zip(horizons).filter_map(cell).collect()
    };
    let all = Forecaster::ALL.into_iter().zip(&sums).zip(took);
    all.map(|((forecaster, sums), took)| Scored { forecaster, cells: cells(sums), took, origins: asked }).collect()
}

/// What came: the largest value of the step that ends so long after `origin` steps are over.
fn actual(trace: &Trace, origin: usize, horizon_secs: u64) -> Option<f64> {
    let at = origin + trace.steps(horizon_secs).max(1) - 1;
    trace.truth.get(at).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::super::trace::tests::trace;
    use super::*;

    fn wavy(steps: u32) -> Trace {
        let value =
            |step: u32| 100.0 + 40.0 * (f64::from(step) / 288.0 * std::f64::consts::TAU).sin() + f64::from(step) / 50.0;
        trace(&(0..steps).map(value).collect::<Vec<_>>(), 400.0)
    }

    #[test]
    fn the_future_changes_no_forecast() {
        let whole = wavy(16 * 288);
        for origin in [12, 300, 15 * 288] {
            let mut other = whole.clone();
            other.observed.values[origin..].iter_mut().for_each(|value| *value = value.map(|value| 400.0 - value));
            other.truth[origin..].iter_mut().for_each(|value| *value = value.map(|value| 400.0 - value));
            let [a, b] = [&whole, &other].map(|trace| trace.past(origin));
            let [a, b] = [Past::new(&a, 400.0), Past::new(&b, 400.0)];
            for forecaster in Forecaster::ALL {
                let [a, b] = [&a, &b].map(|past| forecaster.quantiles(past, &HORIZONS));
                assert_eq!(a, b, "{forecaster:?} at {origin}");
            }
            for rule in super::super::competitors::Rule::ALL {
                assert_eq!(rule.warns(&a), rule.warns(&b), "{rule:?} at {origin}");
            }
        }
    }

    #[test]
    fn what_comes_an_hour_later_ends_an_hour_later() {
        let trace = trace(&(0..48).map(f64::from).collect::<Vec<_>>(), 100.0);
        // Steps 0 to 11 are over; the step that ends an hour later is the 12th from there.
        assert_eq!([actual(&trace, 12, HOUR), actual(&trace, 37, HOUR)], [Some(23.0), None]);
        let last = &score_at(&trace, &[12, 24], &[HOUR])[5];
        assert_eq!((last.forecaster, last.origins, last.cells[0].forecasts), (Forecaster::Last, 2, 2));
        // The last value and its constant error of 12 hit exactly once there was an error: not at the first origin.
        assert_eq!(last.cells[0].covered, 1);
    }

    #[test]
    fn short_traces_warm_up_for_a_day() {
        assert_eq!([wavy(20 * 288), wavy(21 * 288)].map(|trace| warm_up(&trace)), [288, 14 * 288]);
        let scored = score(&wavy(3 * 288));
        // 1 h, 6 h and 24 h lie within three days.
        assert!(scored.iter().all(|scored| scored.cells.len() == 3 && scored.origins == 5), "{scored:?}");
        // A sine is the same every day but for its trend, which the errors tell.
        let day = scored.iter().find(|scored| scored.forecaster == Forecaster::Day).unwrap();
        assert!(day.cells[1].mase < 0.5, "{:?}", day.cells);
        assert_eq!(score_cold(&wavy(2 * 288))[0].cells.len(), 3);
    }
}
