//! Each model on series whose continuation is known.

use super::*;
use crate::Series;

const DAY: usize = 288;
const WEEK: usize = 7 * DAY;

fn history(days: usize, value: impl Fn(usize) -> f64) -> History {
    let values = (0..days * DAY).map(|i| Some(value(i))).collect();
    History::new(&Series { start_secs: 0, step_secs: 300, values }).expect("something was observed")
}

/// What `model` expects `ahead` steps after the end, in the units of the series.
fn expected(history: &History, model: Model, ahead: usize) -> f64 {
    let end = history.len();
    let holt = holt::states(history, &[end])[0];
    let answers = Origin::new(history, end, holt).expect(ahead);
    let at = Model::ALL.iter().position(|m| *m == model).expect("all models are candidates");
    history.restore(answers[at])
}

fn assert_near(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() <= tolerance, "{found} instead of {wanted}");
}

fn sine(i: usize) -> f64 {
    500.0 + 100.0 * (std::f64::consts::TAU * i as f64 / DAY as f64).sin()
}

/// A weekend is 200 lower.
fn weekly(i: usize) -> f64 {
    sine(i) - if i % WEEK >= 5 * DAY { 200.0 } else { 0.0 }
}

#[test]
fn a_constant_stays_with_every_model() {
    let history = history(20, |_| 42.0);
    for model in Model::ALL {
        for ahead in [1, 100, 2016] {
            assert_near(expected(&history, model, ahead), 42.0, 1e-9);
        }
    }
}

#[test]
fn means_are_of_their_window() {
    let history = history(21, |i| if i < 20 * DAY { 10.0 } else { 10.0 + ((i % 12) as f64) });
    assert_near(expected(&history, Model::LastValue, 5), 21.0, 1e-9);
    assert_near(expected(&history, Model::HourMean, 5), 15.5, 1e-9);
    assert_near(expected(&history, Model::DayMean, 5), 15.5, 1e-9);
}

#[test]
fn lines_go_on_for_as_long_as_they_were_seen() {
    let history = history(20, |i| 100.0 + 0.5 * i as f64);
    let end = 20 * DAY;
    let line = |i: usize| 100.0 + 0.5 * (i as f64);
    for (model, seen) in [(Model::TheilSenShort, 72), (Model::TheilSen, DAY), (Model::TheilSenLong, WEEK)] {
        assert_near(expected(&history, model, 10), line(end + 9), 1.0);
        assert_near(expected(&history, model, seen + 500), line(end + seen - 1), 1.0);
    }
    assert_near(expected(&history, Model::Mstl, DAY), line(end + DAY - 1), 1.0);
    assert_near(expected(&history, Model::DailyTrend, DAY), line(end + DAY - 1), 1.0);
}

#[test]
fn a_line_is_not_turned_by_outliers() {
    let history = history(3, |i| i as f64 + if i % 50 == 3 { 1e4 } else { 0.0 });
    let (near, far) = (expected(&history, Model::TheilSen, 1), expected(&history, Model::TheilSen, 145));
    assert_near((far - near) / 144.0, 1.0, 0.6);
}

#[test]
fn a_damped_trend_dies_down() {
    let history = history(5, |i| i as f64);
    let end = (5 * DAY) as f64;
    assert_near(expected(&history, Model::DampedHolt, 1), end, 2.0);
    let far = expected(&history, Model::DampedHolt, 4000);
    assert!(far > end && far < end + 2000.0, "{far}");
}

#[test]
fn days_repeat() {
    let history = history(10, sine);
    for ahead in [1, 70, 200, 700] {
        let wanted = sine(history.len() + ahead - 1);
        assert_near(expected(&history, Model::SeasonalDay, ahead), wanted, 1e-9);
        for model in [Model::Daily, Model::DailyNow, Model::DailyTrend] {
            assert_near(expected(&history, model, ahead), wanted, 1.0);
        }
    }
}

#[test]
fn weeks_repeat() {
    // It ends on a Thursday, so that the weekend comes.
    let history = history(32, weekly);
    for ahead in [10, 400, 700, 2000] {
        let wanted = weekly(history.len() + ahead - 1);
        assert_near(expected(&history, Model::SeasonalWeek, ahead), wanted, 1e-9);
        for model in [Model::SeasonalWeekDrift, Model::Weekly, Model::WeeklyNow, Model::WeeklyLong, Model::Mstl] {
            assert_near(expected(&history, model, ahead), wanted, 2.0);
        }
    }
}

#[test]
fn one_bad_day_does_not_change_the_usual_day() {
    let history = history(12, |i| if i / DAY == 9 { 0.0 } else { sine(i) });
    for ahead in [50, 150, 250] {
        assert_near(expected(&history, Model::Daily, ahead), sine(history.len() + ahead - 1), 2.0);
    }
}

#[test]
fn after_a_level_shift_the_shape_remains_and_the_level_is_the_new_one() {
    let shifted = 12 * DAY + 200;
    let history = history(13, |i| sine(i) + if i >= shifted { 400.0 } else { 0.0 });
    assert_near(history.regimes.start(history.len()) as f64, shifted as f64, 24.0);
    for ahead in [50, 150, 250] {
        let wanted = sine(history.len() + ahead - 1) + 400.0;
        assert_near(expected(&history, Model::Daily, ahead), wanted, 10.0);
    }
}

#[test]
fn a_burst_is_no_shift_once_it_is_over() {
    let burst = 10 * DAY..10 * DAY + 60;
    let history = history(12, |i| sine(i) + if burst.contains(&i) { 400.0 } else { 0.0 });
    assert_near(expected(&history, Model::Daily, 100), sine(history.len() + 99), 10.0);
}

#[test]
fn models_fall_back_while_they_know_too_little() {
    let history = history(2, sine);
    let ahead = 30;
    assert_near(expected(&history, Model::SeasonalWeek, ahead), expected(&history, Model::SeasonalDay, ahead), 0.0);
    assert_near(expected(&history, Model::Weekly, ahead), expected(&history, Model::Daily, ahead), 0.0);
}
