//! One forecast of a trace beside what came, for the eye.

use super::competitors::past::Past;
use super::competitors::{Forecaster, Quantiles};
use super::roll::warm_up;
use super::trace::Trace;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const SHOWN_BEFORE: u64 = 4 * DAY;
const SHOWN_AFTER: u64 = 7 * DAY;
/// One quantile in so long is enough to draw,
const EVERY: u64 = 2 * HOUR;
/// and the most that was used in so long.
const DRAWN_EVERY: u64 = HOUR / 2;
const DAY_SECS: f64 = 86_400.0;

/// A fan of Headroom's quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Fan {
    /// Addresses of the subnet.
    pub capacity: f64,
    /// Days from the origin and used addresses, up to the origin.
    pub past: Vec<(f64, f64)>,
    /// Likewise what came.
    pub came: Vec<(f64, f64)>,
    /// Days from the origin and quantiles.
    pub quantiles: Vec<(f64, Quantiles)>,
}

impl Fan {
    /// From three days before the subnet is full, or from two thirds of a trace in which it never is.
    #[must_use]
    pub fn of(trace: &Trace) -> Fan {
        let full = trace.truth.iter().position(|used| used.is_some_and(|used| used >= trace.capacity));
        let origin = full.map_or(trace.len() * 2 / 3, |full| full.saturating_sub(trace.steps(3 * DAY)));
        let origin = origin.max(warm_up(trace)).min(trace.len());
        let series = trace.past(origin);
        let horizons: Vec<u64> = (1..=SHOWN_AFTER / EVERY).map(|n| n * EVERY).collect();
        let quantiles = Forecaster::Headroom.quantiles(&Past::new(&series, trace.capacity), &horizons);
        let days = |secs: u64| std::time::Duration::from_secs(secs).as_secs_f64() / DAY_SECS;
        let at_once = trace.steps(DRAWN_EVERY).max(1);
        let shown = |from: usize, to: usize| {
            let steps = trace.truth.get(from..to.min(trace.len())).unwrap_or(&[]);
            let drawn = steps.chunks(at_once).enumerate().filter_map(|(n, steps)| {
                // What is drawn ends where its last step does.
                let day = trace.days(from + n * at_once + steps.len()) - trace.days(origin);
                Some((day, steps.iter().flatten().copied().reduce(f64::max)?))
            });
            drawn.collect()
        };
        Fan {
            capacity: trace.capacity,
            past: shown(origin.saturating_sub(trace.steps(SHOWN_BEFORE)), origin),
            came: shown(origin, origin + trace.steps(SHOWN_AFTER)),
            quantiles: horizons.into_iter().map(days).zip(quantiles).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trace::tests::trace;
    use super::*;

    #[test]
    fn starts_three_days_before_the_subnet_is_full() {
        let mut values = vec![50.0; 27 * 288];
        values[25 * 288..].fill(100.0);
        let fan = Fan::of(&trace(&values, 100.0));
        assert_eq!((fan.past.len(), fan.came.len(), fan.quantiles.len()), (4 * 48, 5 * 48, 84));
        let full = fan.came.iter().find(|(_, used)| *used >= 100.0).unwrap();
        assert!((full.0 - 3.0).abs() < 0.03, "{full:?}");
        assert!(fan.past.iter().all(|(day, _)| *day <= 1e-9), "{:?}", fan.past.last());
    }
}
