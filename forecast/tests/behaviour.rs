//! What a user of the forecast relies on, on series as subnets have them.

use headroom_forecast::{Assumption, Forecast, Model, Point, Question, Series, exhaustion, forecast};

const DAY: usize = 288;

fn ask(values: Vec<Option<f64>>, capacity: f64) -> Forecast {
    let series = Series { start_secs: 1_700_000_000, step_secs: 300, values };
    forecast(&Question { series: &series, horizon_secs: 7 * 86_400, capacity })
}

fn series(days: usize, value: impl Fn(usize) -> f64) -> Vec<Option<f64>> {
    (0..days * DAY).map(|i| Some(value(i))).collect()
}

/// Between -1 and 1, without a pattern.
fn noise(i: usize) -> f64 {
    let mixed = u32::try_from(i).unwrap_or(0).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519);
    f64::from(mixed >> 8) / f64::from(1_u32 << 23) - 1.0
}

fn cycle(i: usize) -> f64 {
    (std::f64::consts::TAU * i as f64 / DAY as f64).sin()
}

fn values_at(forecast: &Forecast, horizon_secs: u64) -> [f64; 5] {
    at(&forecast.points, horizon_secs)
}

fn at(points: &[Point], horizon_secs: u64) -> [f64; 5] {
    points.iter().find(|point| point.horizon_secs == horizon_secs).expect("on the grid").values
}

#[test]
fn nothing_observed_is_nothing_expected() {
    for values in [vec![], vec![None; 100]] {
        let found = ask(values, 100.0);
        assert!(found.points.is_empty() && found.assumption == Assumption::ColdStart);
    }
}

#[test]
fn one_value_stays_about_as_it_is() {
    let found = ask(vec![None, Some(70.0), None], 1000.0);
    assert_eq!((found.model, found.assumption), (Model::LastValue, Assumption::ColdStart));
    assert!(found.points.iter().all(|point| point.values[2] == 70.0));
    let (soon, far) = (values_at(&found, 300), values_at(&found, 86_400));
    assert!(soon[3] < far[3] && far[3] > 100.0, "{soon:?} {far:?}");
}

#[test]
fn hours_without_a_change_promise_less_than_weeks() {
    let p90 = |hours: usize| values_at(&ask(vec![Some(400.0); hours * 12], 1000.0), 21_600)[3] - 400.0;
    let [first, sixth, day, week] = [1, 6, 24, 168].map(p90);
    assert!(first > sixth && sixth > day && day > 1.0 && week == 0.0, "{first} {sixth} {day} {week}");
}

#[test]
fn what_no_origin_could_try_has_no_say() {
    // A day ends where it did not begin: for the hour after it, yesterday's is far off, and nothing has shown that yet.
    let grown = |i: usize| if i < 144 { 100.0 } else { 400.0 };
    let found = ask(series(1, grown), 4091.0);
    assert!((values_at(&found, 3600)[2] - 400.0).abs() < 20.0, "{:?}", values_at(&found, 3600));
}

#[test]
fn a_cold_start_may_go_on_as_it_began() {
    let found = ask((0..12).map(|i| Some(100.0 + f64::from(i))).collect(), 1000.0);
    let [_, _, median, p90, _] = values_at(&found, 3600);
    assert_eq!(found.assumption, Assumption::ColdStart);
    assert!((median - 111.0).abs() < 1e-9 && p90 > 115.0, "{median} {p90}");
}

#[test]
fn a_constant_has_no_width() {
    let found = ask(series(20, |_| 250.0), 1000.0);
    assert!(found.points.iter().all(|point| point.values.iter().all(|v| (v - 250.0).abs() < 1e-6)));
}

#[test]
fn growth_is_found_with_its_date() {
    // 10 a day: 1000 + 10 * 28 at the end, and 1300 two days later.
    let found = ask(series(28, |i| 1000.0 + 10.0 * i as f64 / DAY as f64 + 2.0 * noise(i)), 4091.0);
    let reached = exhaustion(&found.peaks, 1300.0);
    let hours = |secs: Option<u64>| secs.map_or(f64::INFINITY, |secs| secs as f64 / 3600.0);
    assert!((40.0..=50.0).contains(&hours(reached.p50_secs)), "{reached:?}");
    assert!(hours(reached.p10_secs) > 36.0 && hours(reached.p90_secs) < 60.0, "{reached:?}");
    assert_eq!(found.assumption, Assumption::Trend);
}

#[test]
fn the_daily_peak_is_foreseen() {
    let at_trough = 20 * DAY + 216;
    let found =
        ask(series(21, |i| 500.0 + 200.0 * cycle(i) + 5.0 * noise(i)).into_iter().take(at_trough).collect(), 4091.0);
    // Half a day later it is the peak.
    let [p5, _, median, _, p95] = values_at(&found, 12 * 3600);
    assert!((690.0..710.0).contains(&median) && p95 - p5 < 60.0, "{p5} {median} {p95}");
    let reached = exhaustion(&found.peaks, 680.0);
    assert!(reached.p50_secs.is_some_and(|secs| (8 * 3600..12 * 3600).contains(&secs)), "{reached:?}");
}

/// 30 minutes a day, begun at this minute of it.
fn spike(i: usize, minute: usize) -> f64 {
    if (minute..minute + 30).contains(&(i % DAY * 5)) { 200.0 } else { 0.0 }
}

#[test]
fn a_nightly_spike_is_a_peak_and_no_value() {
    let found = ask(series(28, |i| 500.0 + spike(i, 190) + 3.0 * noise(i)), 4091.0);
    let [_, p10, median, p90, _] = at(&found.peaks, 86_400);
    assert!((695.0..705.0).contains(&median) && p90 - p10 < 20.0, "{p10} {median} {p90}");
    assert!(found.peaks.iter().zip(&found.points).all(|(peak, value)| peak.values[2] >= value.values[2]));
    assert!((495.0..510.0).contains(&values_at(&found, 86_400)[2]));
    // It begins three hours after midnight, when the series ends.
    let [.., p90, _] = at(&found.peaks, 2 * 3600);
    assert!(p90 < 600.0, "{p90}");
}

#[test]
fn spikes_at_any_time_are_peaks() {
    // Each day at another time.
    let found = ask(series(42, |i| 500.0 + spike(i, i / DAY * 617 % 1400) + 3.0 * noise(i)), 4091.0);
    let (points, peaks) = (values_at(&found, 86_400), at(&found.peaks, 86_400));
    assert!(points[3] < 520.0 && peaks[3] > 690.0, "{points:?} {peaks:?}");
}

#[test]
fn growth_with_spikes_fills_earlier() {
    let grown = |i: usize| 1000.0 + 10.0 * i as f64 / DAY as f64 + 2.0 * noise(i);
    let plain = ask(series(28, grown), 4091.0);
    let spiky = ask(series(28, |i| grown(i) + 0.2 * spike(i, i / DAY * 617 % 1400)), 4091.0);
    // 1280 at the end: without spikes six days are left, with 40 more two.
    let [plain, spiky] = [plain, spiky].map(|found| exhaustion(&found.peaks, 1340.0));
    let days = |secs: Option<u64>| secs.map_or(f64::INFINITY, |secs| secs as f64 / 86_400.0);
    assert!((5.0..6.2).contains(&days(plain.p50_secs)), "{plain:?}");
    assert!((1.5..3.2).contains(&days(spiky.p50_secs)), "{spiky:?}");
    assert!(days(spiky.p10_secs) < days(plain.p10_secs) - 2.0, "{plain:?} {spiky:?}");
}

#[test]
fn spikes_between_thinned_values_are_peaks() {
    // A minute in each hour, which no fifth minute is.
    let values = (0..20 * 1440_u32).map(|i| Some(if i % 60 == 17 { 300.0 } else { 100.0 })).collect();
    let series = Series { start_secs: 0, step_secs: 60, values };
    let found = forecast(&Question { series: &series, horizon_secs: 86_400, capacity: 4091.0 });
    let peak = at(&found.peaks, 7200);
    assert!((peak[2] - 300.0).abs() < 1.0 && values_at(&found, 7200)[4] < 101.0, "{peak:?}");
}

#[test]
fn after_a_cold_start_peaks_are_the_highest_points() {
    let found = ask((0..12).map(|i| Some(100.0 - f64::from(i))).collect(), 1000.0);
    let (first, last) = (found.points[0].values, found.peaks[found.peaks.len() - 1].values);
    assert_eq!((found.assumption, found.peaks[0].values), (Assumption::ColdStart, first));
    assert!(last[0] == first[0] && last[4] > first[4], "{first:?} {last:?}");
}

#[test]
fn the_weekend_is_foreseen() {
    let week = |i: usize| if i % (7 * DAY) >= 5 * DAY { 300.0 } else { 500.0 };
    // It ends on a Friday at noon.
    let found = ask(series(33, |i| week(i) + 5.0 * noise(i)).into_iter().take(32 * DAY + 144).collect(), 4091.0);
    let median = |hours: u64| values_at(&found, hours * 3600)[2];
    assert!((median(6) - 500.0).abs() < 15.0 && (median(30) - 300.0).abs() < 30.0, "{} {}", median(6), median(30));
    assert_eq!(found.assumption, Assumption::WeeklyCycle);
}

#[test]
fn a_level_shift_is_followed() {
    let found = ask(
        series(21, |i| 500.0 + 50.0 * cycle(i) + 3.0 * noise(i) + if i > 20 * DAY + 100 { 300.0 } else { 0.0 }),
        4091.0,
    );
    assert_eq!(found.assumption, Assumption::LevelShift);
    let median = values_at(&found, 86_400)[2];
    assert!((median - 800.0).abs() < 80.0, "{median}");
}

#[test]
fn a_reset_and_gaps_do_no_harm() {
    let values = series(21, |i| if (15 * DAY..15 * DAY + 20).contains(&i) { 0.0 } else { 500.0 + 50.0 * cycle(i) });
    let gaps =
        values.into_iter().enumerate().map(|(i, v)| v.filter(|_| !(3000..3400).contains(&i) && i % 17 != 0)).collect();
    let found = ask(gaps, 4091.0);
    let [_, p10, median, p90, _] = values_at(&found, 86_400);
    assert!((median - 500.0).abs() < 15.0 && p90 - p10 < 60.0, "{p10} {median} {p90}");
}

#[test]
fn every_step_length_works() {
    for step_secs in [60, 300, 1800, 3600, 86_400] {
        let per_day = f64::from(86_400 / step_secs);
        let values: Vec<_> =
            (0..5000).map(|i| Some(500.0 + 100.0 * (f64::from(i) / per_day * std::f64::consts::TAU).sin())).collect();
        let series = Series { start_secs: 0, step_secs, values };
        let found = forecast(&Question { series: &series, horizon_secs: 86_400, capacity: 4091.0 });
        let [p5, .., p95] = found.points.last().expect("there are points").values;
        assert!((380.0..=620.0).contains(&p5) && (380.0..=620.0).contains(&p95), "{step_secs}: {p5} {p95}");
    }
}

#[test]
fn scores_tell_why() {
    let found = ask(series(21, |i| 500.0 + 200.0 * cycle(i) + 5.0 * noise(i)), 4091.0);
    let score = |model: Model| found.scores.iter().find(|(m, _)| *m == model).map(|(_, score)| *score);
    assert_eq!(found.scores.len(), Model::ALL.len());
    assert!(score(Model::Daily) < score(Model::LastValue) && found.combined_score < score(Model::LastValue));
    assert_eq!(found.assumption, Assumption::DailyCycle);
}

#[test]
fn what_repeats_exactly_is_foreseen_exactly() {
    // Half a day up, half a day down; it ends in the middle of being down.
    let value = |i: usize| if i % DAY < DAY / 2 { 200.0 } else { 100.0 };
    let found = ask(series(21, value).into_iter().take(20 * DAY + 216).collect(), 4091.0);
    let (night, day) = (values_at(&found, 4 * 3600), values_at(&found, 12 * 3600));
    assert!(
        night.iter().all(|v| (v - 100.0).abs() < 1.0) && day.iter().all(|v| (v - 200.0).abs() < 1.0),
        "{night:?} {day:?}"
    );
}
