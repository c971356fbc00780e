mod damage;
mod model;
mod size;

use std::path::Path;

use headroom_forecast::series::Series;

use super::*;

/// A midnight, and a beginning of a row of hours.
const START: u64 = 20_000 * 86_400;

fn memory() -> History {
    History::open(None, Limits::default()).unwrap()
}

fn used(id: &str) -> SeriesKey {
    SeriesKey::new(Kind::SubnetUsedIps, id)
}

fn record(history: &History, at: u64, value: f64) {
    let told = history.record(at, &[(used("a"), value)]).unwrap();
    assert_eq!((told.written, told.invalid, told.over_limit), (1, 0, 0));
}

/// Seconds after [`START`] and values.
fn known(series: &Series) -> Vec<(u64, f64)> {
    let starts = (series.start_secs..).step_by(series.step_secs as usize);
    let known = starts.zip(&series.values).filter_map(|(at, value)| value.map(|value| (at, value)));
    known.map(|(at, value)| (at - START, value)).collect()
}

fn minutes(history: &History, from: u64, to: u64) -> Vec<(u64, f64)> {
    known(&history.series(&used("a"), Tier::FiveMinutes, from, to).unwrap())
}

fn hours(history: &History, from: u64, to: u64) -> Vec<(u64, f64)> {
    known(&history.series(&used("a"), Tier::Hour, from, to).unwrap())
}

#[test]
fn the_largest_of_a_step_is_kept_in_both_tiers() {
    let history = memory();
    for (at, value) in [(0, 3.0), (60, 9.0), (299, 4.0), (300, 5.0), (3599, 12.0), (3600, 1.0)] {
        record(&history, START + at, value);
    }
    assert_eq!(minutes(&history, START, START + 7200), [(0, 9.0), (300, 5.0), (3300, 12.0), (3600, 1.0)]);
    assert_eq!(hours(&history, START, START + 7200), [(0, 12.0), (3600, 1.0)]);
    assert_eq!(history.last(&used("a")).unwrap(), Some((START + 3600, 1.0)));
}

#[test]
fn a_series_has_the_steps_that_were_asked_for() {
    let history = memory();
    record(&history, START + 700, 1.0);
    let series = |from, to| history.series(&used("a"), Tier::FiveMinutes, from, to).unwrap();
    let asked = series(START + 350, START + 950);
    assert_eq!((asked.start_secs, asked.step_secs, asked.end_secs()), (START + 300, 300, START + 1200));
    assert_eq!(asked.values, [None, Some(1.0), None]);
    assert_eq!(series(START + 600, START + 900).values, [Some(1.0)]);
    assert_eq!(series(START + 900, START + 600).values, []);
    assert_eq!(series(0, 0).values, []);
    assert_eq!(series(0, u64::MAX).values.len(), 57 * 288, "as many as are kept");
    assert_eq!(known(&series(0, START + 901)), [(600, 1.0)]);
    let other = history.series(&used("b"), Tier::Hour, START, START + 7200).unwrap();
    assert_eq!(other.values, [None, None]);
    assert_eq!(history.last(&used("b")).unwrap(), None);
}

#[test]
fn what_is_no_count_is_refused() {
    let history = memory();
    let round = [f64::NAN, f64::INFINITY, -1.0, 1e300, 2.0].map(|value| (used("a"), value));
    let told = history.record(START, &round).unwrap();
    assert_eq!(told, Recorded { written: 1, invalid: 4, ..Recorded::default() });
    assert_eq!(history.record(u64::MAX, &round).unwrap(), Recorded { invalid: 5, ..Recorded::default() });
    assert_eq!(history.last(&used("a")).unwrap(), Some((START, 2.0)));
}

#[test]
fn there_are_no_more_series_than_allowed() {
    let history = History::open(None, Limits { max_series: 2, ..Limits::default() }).unwrap();
    let round = ["a", "b", "c"].map(|id| (used(id), 1.0));
    let told = history.record(START, &round).unwrap();
    assert_eq!((told.written, told.over_limit), (2, 1));
    let told = history.backfill(START, &[(used("c"), vec![(START - 600, 1.0)])]).unwrap();
    assert_eq!((told.filled, told.over_limit), (0, 1));
    assert_eq!(history.keys().unwrap(), [used("a"), used("b")]);
    assert_eq!(history.series_count().unwrap(), 2);
}

#[test]
fn a_series_that_nobody_writes_is_forgotten_with_its_rows() {
    let history = History::open(None, Limits { max_series: 2, idle_days: 3 }).unwrap();
    history.record(START, &[(used("a"), 1.0), (used("gone"), 1.0)]).unwrap();
    history.record(START + 300, &[(used("a"), 1.0), (used("gone"), 1.0)]).unwrap();
    let mut forgotten = Vec::new();
    // The advisor does not run for a year, and the clock jumps by 20: a day each.
    for day in [1, 366, 8000, 367, 368] {
        forgotten.push(history.record(START + day * 86_400, &[(used("a"), 1.0)]).unwrap().forgotten);
    }
    assert_eq!(forgotten, [0, 0, 0, 1, 0]);
    assert_eq!(history.keys().unwrap(), [used("a")]);
    let told = history.record(START + 368 * 86_400, &[(used("gone"), 5.0)]).unwrap();
    assert_eq!(told.written, 1, "there is room again");
    let again = history.series(&used("gone"), Tier::FiveMinutes, START, START + 600).unwrap();
    assert_eq!(again.values, [None, None], "and it begins anew");
}

#[test]
fn a_clock_that_is_set_back_or_ahead_destroys_nothing() {
    let history = memory();
    let day = 86_400;
    for number in 0..60 {
        record(&history, START + number * day, number as f64 + 1.0);
    }
    // A day at a time: one call gives no more than is kept.
    let all = || (0..60).flat_map(|number| hours(&history, START + number * day, START + (number + 1) * day)).count();
    let all_minutes = || -> Vec<(u64, f64)> {
        (0..60).flat_map(|number| minutes(&history, START + number * day, START + number * day + 300)).collect()
    };
    let before = all_minutes();
    assert_eq!(before.len(), 58, "57 days in rows, and the step that lasts");
    // A month in the past, then the truth again: what is there stays.
    for at in [START - 30 * day, START - 30 * day + 300, START + 59 * day + 300] {
        record(&history, at, 1.0);
    }
    assert_eq!(all_minutes(), before[1..]);
    // Three years ahead, then the truth again: the oldest day for the false one.
    for at in [START + 1095 * day, START + 1095 * day + 300, START + 59 * day + 600] {
        record(&history, at, 1.0);
    }
    assert_eq!(all_minutes(), before[2..]);
    assert_eq!(all(), 60, "hours go back further");
}

#[test]
fn gaps_are_filled_and_observations_stay() {
    let history = memory();
    record(&history, START + 300, 5.0);
    record(&history, START + 900, 6.0);
    let points = vec![
        (START, 1.0),
        (START + 60, 2.0),
        (START + 310, 50.0),
        (START + 650, 3.0),
        (START + 900, 60.0),
        (START + 1200, 7.0),
        (START + 10, -1.0),
    ];
    let series = [(used("a"), points)];
    let told = history.backfill(START + 1199, &series).unwrap();
    assert_eq!((told.filled, told.invalid), (2, 2), "one point is no count, one is not yet");
    let expected = [(0, 2.0), (300, 5.0), (600, 3.0), (900, 6.0)];
    assert_eq!(minutes(&history, START, START + 3600), expected);
    assert_eq!(hours(&history, START, START + 3600), [(0, 6.0)]);
    assert_eq!(history.backfill(START + 1199, &series).unwrap().filled, 0);
    record(&history, START + 950, 8.0);
    assert_eq!(hours(&history, START, START + 3600), [(0, 8.0)], "the step goes on");
    assert_eq!(history.last(&used("a")).unwrap(), Some((START + 900, 8.0)));
}

#[test]
fn what_is_too_old_for_five_minutes_is_kept_by_the_hour() {
    let history = memory();
    let year = 365 * 86_400;
    let old = vec![(START, 4.0), (START + 300, 9.0), (START + 3600, 2.0), (START + year - 600, 1.0)];
    for day in 0..57 {
        record(&history, START + year - day * 86_400, 1.0);
    }
    history.backfill(START + year, &[(used("a"), old.clone())]).unwrap();
    assert_eq!(minutes(&history, START, START + 86_400), []);
    assert_eq!(hours(&history, START, START + 86_400), [(0, 9.0), (3600, 2.0)]);
    let other = vec![(START, 90.0)];
    history.backfill(START + year, &[(used("a"), other)]).unwrap();
    assert_eq!(hours(&history, START, START + 3600), [(0, 9.0)]);
    assert_eq!(history.last(&used("b")).unwrap(), None);
}
