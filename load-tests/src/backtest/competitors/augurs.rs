//! MSTL and ETS of the crate `augurs`, which forecasts with a model and its Gaussian errors where Headroom combines many and looks
//! at what they missed.

use augurs::ets::AutoETS;
use augurs::mstl::MSTLModel;
use augurs::{Fit as _, Forecast, ForecastIntervals, Predict};

use super::Quantiles;
use super::past::Past;

const SEASONS_SECS: [u64; 2] = [86_400, 7 * 86_400];
/// Error additive or multiplicative, by AICc; an additive trend, damped; no season, which MSTL has taken out.
const ETS: &str = "ZAN";
/// The shares of what comes that lie within P10 to P90 and within P5 to P95.
const LEVELS: [f64; 2] = [0.8, 0.9];

/// Decomposed into those of day and week that are there twice, the rest forecast by damped ETS with its own intervals. The last
/// value where nothing can be fitted.
#[must_use]
pub fn quantiles(past: &Past<'_>, horizons: &[u64]) -> Vec<Quantiles> {
    let values: Vec<f64> = (0..past.observed().len()).filter_map(|step| past.by(step)).collect();
    let steps: Vec<usize> = horizons.iter().map(|&horizon| past.steps(horizon)).collect();
    let longest = steps.iter().copied().max().unwrap_or(1);
    let fan = fan(past, &values, longest);
    let last = past.last().unwrap_or(0.0);
    let at = |step: usize| fan.as_ref().and_then(|fan| fan.get(step - 1).copied()).unwrap_or([last; _]);
    steps.into_iter().map(|step| at(step).map(|value| value.clamp(0.0, past.capacity()))).collect()
}

fn fan(past: &Past<'_>, values: &[f64], steps: usize) -> Option<Vec<Quantiles>> {
    let seasons = SEASONS_SECS.map(|secs| past.steps(secs)).into_iter().filter(|season| values.len() >= 2 * season);
    let seasons: Vec<usize> = seasons.collect();
    let ets = AutoETS::new(1, ETS).and_then(|ets| ets.damped(true)).ok()?;
    if seasons.is_empty() {
        return predicted(&ets.fit(values).ok()?, steps);
    }
    predicted(&MSTLModel::new(seasons, ets.into_trend_model()).fit(values).ok()?, steps)
}

/// One for each step ahead, where all of it is a number.
fn predicted(fitted: &impl Predict, steps: usize) -> Option<Vec<Quantiles>> {
    let [inner, outer] = LEVELS.map(|level| fitted.predict(steps, level).ok());
    let (Forecast { point, intervals }, outer) = (inner?, outer?.intervals?);
    let inner: ForecastIntervals = intervals?;
    let rows = point.iter().zip(inner.lower.iter().zip(&inner.upper)).zip(outer.lower.iter().zip(&outer.upper));
    let rows: Vec<Quantiles> = rows.map(|((p50, (p10, p90)), (p5, p95))| [*p5, *p10, *p50, *p90, *p95]).collect();
    rows.iter().all(|row| row.is_sorted()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_forecast::series::Series;

    #[test]
    fn a_day_repeats_on_its_trend() {
        // Four days at half an hour, 40 around 100 and 10 more each day.
        let value = |step: i32| {
            let day = f64::from(step) / 48.0;
            100.0 + 10.0 * day + 40.0 * (day * std::f64::consts::TAU).sin()
        };
        let values = (0..192).map(|step| Some(value(step))).collect();
        let series = Series { start_secs: 0, step_secs: 1800, values };
        let found = quantiles(&Past::new(&series, 1000.0), &[6 * 3600, 18 * 3600]);
        for (found, step) in found.iter().zip([203, 227]) {
            assert!((found[2] - value(step)).abs() < 12.0 && found.is_sorted(), "{found:?} {}", value(step));
        }
    }

    #[test]
    fn without_a_fit_the_last_value_stays() {
        let series = Series { start_secs: 0, step_secs: 300, values: vec![Some(3.0), None, Some(7.0), None] };
        assert_eq!(quantiles(&Past::new(&series, 1000.0), &[3600]), [[7.0; 5]]);
    }
}
