//! Whether the first day's intervals hold what they say, over many series of laws that have nothing in common.
#![allow(clippy::cast_precision_loss, reason = "counts of a test")]

#[path = "first_day/families.rs"]
mod families;

use std::sync::LazyLock;

use families::{DAY, Family};
use headroom_forecast::{LEVELS, Point, Question, Series, forecast};

const HOUR: usize = DAY / 24;
const AGES: [usize; 5] = [1, 2, 6, 12, 24];
const AHEAD: [usize; 3] = [1, 6, 24];
const DRAWS: u64 = 30;

/// Over all ages, horizons and draws of a family.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    forecasts: f64,
    within_p90: f64,
    above_p10: f64,
    error: f64,
    error_of_last: f64,
    loss: f64,
    loss_of_last: f64,
}

static HELD: LazyLock<Vec<(Family, Held)>> = LazyLock::new(|| {
    let held = |family: Family| {
        let mut held = Held::default();
        for drawn in (0..DRAWS).map(|seed| family.draw(seed)) {
            for age in AGES {
                add(&mut held, &drawn, age * HOUR);
            }
        }
        (family, held)
    };
    Family::ALL.into_iter().map(held).collect()
});

fn add(held: &mut Held, drawn: &[f64], at: usize) {
    let (past, to_come) = drawn.split_at(at);
    let series = Series { start_secs: 0, step_secs: 300, values: past.iter().copied().map(Some).collect() };
    let found = forecast(&Question { series: &series, horizon_secs: 86_400, capacity: f64::INFINITY });
    for hours in AHEAD {
        let (came, last) = (to_come[hours * HOUR - 1], past[at - 1]);
        let is_it = |point: &&Point| point.horizon_secs == hours as u64 * 3600;
        let values = found.points.iter().find(is_it).expect("on the grid").values;
        held.forecasts += 1.0;
        held.within_p90 += f64::from(u8::from(came <= values[3]));
        held.above_p10 += f64::from(u8::from(came >= values[1]));
        held.error += (came - values[2]).abs();
        held.error_of_last += (came - last).abs();
        held.loss += pinball(values, came);
        held.loss_of_last += pinball([last; 5], came);
    }
}

fn pinball(values: [f64; 5], came: f64) -> f64 {
    values
        .iter()
        .zip(LEVELS)
        .map(|(value, level)| f64::max(level * (came - value), (level - 1.0) * (came - value)))
        .sum()
}

#[test]
fn of_ten_values_one_is_above_p90_at_most_and_one_below_p10() {
    for (family, Held { forecasts, within_p90, above_p10, .. }) in HELD.iter() {
        let shares = [within_p90, above_p10].map(|count| count / forecasts);
        assert!(shares.iter().all(|share| *share >= 0.87), "{family:?}: {shares:?}");
    }
}

#[test]
fn the_median_is_no_worse_than_the_last_value() {
    for (family, Held { error, error_of_last, .. }) in HELD.iter() {
        assert!(*error <= 1.03 * error_of_last, "{family:?}: {error:.0}, last value {error_of_last:.0}");
    }
}

#[test]
fn where_something_moves_quantiles_are_better_than_the_last_value() {
    let moving = [Family::Trend, Family::Day, Family::Staircase, Family::Step];
    let (mut loss, mut loss_of_last) = (0.0, 0.0);
    for (_, held) in HELD.iter().filter(|(family, _)| moving.contains(family)) {
        loss += held.loss;
        loss_of_last += held.loss_of_last;
    }
    assert!(loss < 0.9 * loss_of_last, "{loss:.0}, last value {loss_of_last:.0}");
}
