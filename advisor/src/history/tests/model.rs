//! Against maps from step to value.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::history::row::kept;

#[derive(Clone, Debug)]
enum Action {
    Record(Vec<(u64, f64)>),
    Backfill(Vec<(u64, f64)>),
    Reopen,
}

/// Times around a few moments, as a clock that jumps to and fro between them gives them. The days are fewer than are kept.
fn time() -> impl Strategy<Value = u64> {
    let around = prop_oneof![Just(0), Just(86_400), Just(40 * 86_400), Just(390 * 86_400), Just(9000 * 86_400)];
    (around, 0..7200_u64).prop_map(|(around, at)| START + around + at)
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (0..300_u32).prop_map(f64::from),
        2 => 0.0..1e6,
        1 => Just(f64::NAN),
        1 => Just(-3.0),
    ]
}

fn points() -> impl Strategy<Value = Vec<(u64, f64)>> {
    prop::collection::vec((time(), value()), 0..12)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => points().prop_map(Action::Record),
        3 => points().prop_map(Action::Backfill),
        1 => Just(Action::Reopen),
    ]
}

/// What should be known of a series.
#[derive(Debug, Default)]
struct Model {
    observed: BTreeMap<u64, f64>,
    filled: BTreeMap<u64, f64>,
}

impl Model {
    fn record(&mut self, at: u64, value: f64) {
        let Some(value) = kept(value) else { return };
        let largest = self.observed.entry(at - at % 300).or_insert(value);
        *largest = largest.max(value);
    }

    fn backfill(&mut self, points: &[(u64, f64)]) {
        let known: BTreeSet<u64> = self.observed.keys().chain(self.filled.keys()).copied().collect();
        for (at, value) in points {
            let Some(value) = kept(*value).filter(|_| !known.contains(&(at - at % 300))) else { continue };
            let largest = self.filled.entry(at - at % 300).or_insert(value);
            *largest = largest.max(value);
        }
    }

    /// A step that was filled and is then observed holds the larger of the two.
    fn largest(&self, step_secs: u64) -> BTreeMap<u64, f64> {
        let mut all = BTreeMap::new();
        for (at, value) in self.observed.iter().chain(&self.filled) {
            let largest = all.entry(at - at % step_secs).or_insert(*value);
            *largest = value.max(*largest);
        }
        all
    }
}

const NOW: u64 = START + 9001 * 86_400;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever comes at whatever times: each step holds what the model says, and no observation is ever made smaller.
    #[test]
    fn it_holds_what_was_seen(actions in prop::collection::vec(action(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.redb");
        let open = || History::open(Some(&file), Limits::default()).unwrap();
        let (mut history, mut model) = (Some(open()), Model::default());
        for action in actions {
            let store = history.as_ref().unwrap();
            match action {
                Action::Record(points) => for (at, value) in points {
                    store.record(at, &[(used("a"), value)]).unwrap();
                    model.record(at, value);
                },
                Action::Backfill(points) => {
                    let series = [(used("a"), points.clone())];
                    store.backfill(NOW, &series).unwrap();
                    model.backfill(&points);
                    prop_assert_eq!(store.backfill(NOW, &series).unwrap().filled, 0);
                }
                Action::Reopen => {
                    drop(history.take());
                    history = Some(open());
                }
            }
        }
        let store = history.as_ref().unwrap();
        for tier in Tier::ALL.iter().copied() {
            let expected = model.largest(u64::from(tier.step_secs()));
            let mut found = BTreeMap::new();
            for day in [0, 1, 40, 390, 9000] {
                let from = START + day * 86_400;
                let series = store.series(&used("a"), tier, from, from + 86_400).unwrap();
                found.extend(known(&series).into_iter().map(|(at, value)| (at + START, value)));
            }
            prop_assert_eq!(&found, &expected, "{:?}", tier);
        }
        if let Some((at, value)) = store.last(&used("a")).unwrap() {
            prop_assert_eq!(model.largest(300).get(&at).copied(), Some(value));
        }
    }

    /// However the clock jumps, over a thousand years: rows are bounded, and what is told was seen.
    #[test]
    fn it_is_bounded(times in prop::collection::vec(0..365_000_u64, 1..300)) {
        let history = memory();
        let mut model = Model::default();
        for (index, day) in times.iter().enumerate() {
            record(&history, day * 86_400, index as f64);
            model.record(day * 86_400, index as f64);
        }
        for (tier, most) in [(Tier::FiveMinutes, 2 * 57), (Tier::Hour, 2 * 26)] {
            let seen = model.largest(u64::from(tier.step_secs()));
            let (rows, _) = history.stored_rows(tier);
            prop_assert!(rows <= most);
            for at in seen.keys() {
                let step = history.series(&used("a"), tier, *at, at + 1).unwrap().values[0];
                prop_assert!(step.is_none() || step == seen.get(at).copied());
            }
        }
    }
}
