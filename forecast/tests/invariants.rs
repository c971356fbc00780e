//! What holds for every series.

use headroom_forecast::{Forecast, Point, Question, Series, exhaustion, forecast};
use proptest::prelude::*;

/// Series of all sorts: walks, repetitions, gaps, huge values, any step.
fn any_series() -> impl Strategy<Value = Series> {
    let value = prop_oneof![
        1 => Just(None),
        1 => Just(Some(0.0)),
        8 => (0.0..5000.0_f64).prop_map(Some),
        1 => prop_oneof![Just(1e300), Just(-1e300), Just(f64::MAX), Just(f64::MIN_POSITIVE)].prop_map(Some),
    ];
    let plain = prop_oneof![1 => Just(None), 20 => (100.0..200.0_f64).prop_map(Some)];
    let step =
        prop_oneof![Just(1_u32), Just(60), Just(70), Just(300), Just(1800), Just(3600), Just(86_400), Just(u32::MAX)];
    (step, prop_oneof![prop::collection::vec(value, 0..40), prop::collection::vec(plain, 0..200)], 1..8_usize)
        .prop_map(|(step_secs, part, times)| Series { start_secs: 0, step_secs, values: part.repeat(times) })
}

/// A walk with a daily cycle in it, long enough for most models.
fn ordinary_series() -> impl Strategy<Value = Series> {
    (prop::collection::vec(-3..4_i32, 100..700), 0.0..200.0_f64).prop_map(|(steps, amplitude)| {
        let mut level = 5000;
        let values = steps.iter().enumerate().map(|(i, step)| {
            level += step;
            Some(f64::from(level) + amplitude * (i as f64 / 48.0 * std::f64::consts::TAU).sin())
        });
        Series { start_secs: 0, step_secs: 1800, values: values.collect() }
    })
}

fn ask(series: &Series, capacity: f64) -> Forecast {
    forecast(&Question { series, horizon_secs: 7 * 86_400, capacity })
}

fn mapped(series: &Series, change: impl Fn(f64) -> f64) -> Series {
    Series { values: series.values.iter().map(|value| value.map(&change)).collect(), ..series.clone() }
}

fn assert_like(found: &[Point], wanted: &[Point], change: impl Fn(f64) -> f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        for (found, wanted) in found.values.iter().zip(wanted.values) {
            let wanted = change(wanted);
            prop_assert!((found - wanted).abs() <= 1e-3 * wanted.abs(), "{} instead of {}", found, wanted);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quantiles_are_in_order_and_within_capacity_and_peaks_only_rise(series in any_series(), capacity in 0.0..1e4_f64, horizon_secs in 0..2_000_000_u64) {
        let found = forecast(&Question { series: &series, horizon_secs, capacity });
        for point in found.points.iter().chain(&found.peaks) {
            prop_assert!(point.values.is_sorted(), "{:?}", point);
            prop_assert!(point.values.iter().all(|value| (0.0..=capacity).contains(value)), "{:?}", point);
        }
        prop_assert_eq!(found.peaks.len(), found.points.len());
        for (peak, point) in found.peaks.iter().zip(&found.points) {
            prop_assert_eq!(peak.horizon_secs, point.horizon_secs);
            prop_assert!(peak.values.iter().zip(point.values).all(|(peak, value)| *peak >= value), "{:?} {:?}", peak, point);
        }
        for pair in found.peaks.windows(2) {
            prop_assert!(pair[0].values.iter().zip(pair[1].values).all(|(before, after)| *before <= after), "{:?}", pair);
        }
        let horizons: Vec<u64> = found.points.iter().map(|point| point.horizon_secs).collect();
        prop_assert!(horizons.is_sorted_by(|a, b| a < b));
        let observed = series.values.iter().any(Option::is_some);
        prop_assert_eq!(found.points.is_empty(), !observed || horizon_secs == 0);
        if !found.points.is_empty() {
            prop_assert_eq!(horizons.last(), Some(&horizon_secs));
        }
    }

    #[test]
    fn intervals_never_become_narrower(series in ordinary_series()) {
        let points = ask(&series, f64::INFINITY).points;
        for pair in points.windows(2) {
            for (low, high) in [(0, 4), (1, 3), (0, 2), (2, 4)] {
                let width = |point: &Point| point.values[high] - point.values[low];
                prop_assert!(width(&pair[1]) >= width(&pair[0]) - 1e-6, "{:?}", pair);
            }
        }
    }

    #[test]
    fn early_is_before_late(series in any_series(), limit in 0.0..5000.0_f64) {
        let found = exhaustion(&ask(&series, 4000.0).peaks, limit);
        let time = |secs: Option<u64>| secs.unwrap_or(u64::MAX);
        prop_assert!(time(found.p10_secs) <= time(found.p50_secs) && time(found.p50_secs) <= time(found.p90_secs));
        prop_assert!([found.p10_secs, found.p50_secs, found.p90_secs].iter().flatten().all(|secs| *secs <= found.horizon_secs));
    }

    #[test]
    fn a_constant_more_is_a_constant_more(series in ordinary_series()) {
        let (plain, shifted) = (ask(&series, f64::INFINITY), ask(&mapped(&series, |v| v + 1024.0), f64::INFINITY));
        prop_assume!(plain.points.iter().all(|point| point.values[0] > 0.0));
        assert_like(&shifted.points, &plain.points, |value| value + 1024.0)?;
        assert_like(&shifted.peaks, &plain.peaks, |value| value + 1024.0)?;
    }

    #[test]
    fn units_do_not_matter(series in ordinary_series()) {
        let (plain, scaled) = (ask(&series, f64::INFINITY), ask(&mapped(&series, |v| v * 8.0), f64::INFINITY));
        assert_like(&scaled.points, &plain.points, |value| value * 8.0)?;
        assert_like(&scaled.peaks, &plain.peaks, |value| value * 8.0)?;
    }
}
