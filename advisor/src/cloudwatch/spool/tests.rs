use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::cloudwatch::{Datum, Sample, Unit};

fn batch(round: u64, points: u64) -> Batch {
    let datum = |index: u64| Datum::new("SubnetFreeIPs", Unit::Count, &[("Id", &index.to_string())], 1.0);
    Batch { namespace: "Headroom".into(), at: Time::from_secs(round), data: (0..points).map(datum).collect() }
}

#[test]
fn what_was_written_is_there_after_the_process_and_comes_back_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("spool.redb");
    let odd = Datum {
        samples: vec![Sample { value: -0.1, count: 1.0 }, Sample { value: 1e300, count: 3.0 }],
        ..Datum::new("x", Unit::Seconds, &[("Cluster", "c"), ("AZ", "")], 0.0)
    };
    let first = Batch { data: vec![odd], ..batch(1, 0) };
    {
        let mut spool = Spool::open(Some(&file), 1000).unwrap();
        assert!(matches!(Spool::open(Some(&file), 1000), Err(SpoolError::Open { .. })), "it has one user");
        spool.push(&[first.clone(), batch(1, 2)]).unwrap();
        spool.push(&[batch(2, 3)]).unwrap();
    }
    let mut spool = Spool::open(Some(&file), 1000).unwrap();
    assert_eq!(spool.points(), 6);
    let mut got = Vec::new();
    while let Some(entry) = spool.first().unwrap() {
        spool.remove(entry.key).unwrap();
        got.push(entry.batch);
    }
    assert_eq!(got, [first, batch(1, 2), batch(2, 3)]);
    assert_eq!(spool.points(), 0);
}

#[test]
fn the_round_that_came_last_goes_first() {
    let mut spool = Spool::in_memory(1000).unwrap();
    for round in 1..=3 {
        spool.push(&[batch(round, 1), batch(round, 2)]).unwrap();
    }
    let mut order = Vec::new();
    while let Some(entry) = spool.first().unwrap() {
        spool.remove(entry.key).unwrap();
        order.push(entry.batch.at.as_secs());
    }
    assert_eq!(order, [3, 3, 1, 1, 2, 2]);
}

#[test]
fn something_else_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notes.txt");
    std::fs::write(&file, "not a spool, but somebody's notes").unwrap();
    let error = Spool::open(Some(&file), 1000).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a spool, but somebody's notes");
}

#[derive(Clone, Debug)]
enum Step {
    Push(Vec<u64>),
    Take,
    Acknowledge,
    Halve,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::collection::vec(1..20u64, 0..4).prop_map(Step::Push),
        4 => Just(Step::Take),
        3 => Just(Step::Acknowledge),
        1 => Just(Step::Halve),
    ]
}

proptest! {
    /// Whatever happens in whatever order: a point is acknowledged once, thrown away, or still there, and there are never more
    /// than the limit but for the batch that is being sent.
    #[test]
    fn no_point_is_lost_or_there_twice(steps in prop::collection::vec(step(), 1..60)) {
        let mut spool = Spool::in_memory(40).unwrap();
        let (mut pushed, mut sent, mut evicted) = (0, 0, 0);
        let mut taken: Option<Entry> = None;
        for (round, step) in (0..).zip(steps) {
            match step {
                Step::Push(sizes) => {
                    pushed += sizes.iter().sum::<u64>();
                    let round: Vec<Batch> = sizes.into_iter().map(|points| batch(round, points)).collect();
                    evicted += spool.push(&round).unwrap();
                }
                Step::Take => taken = spool.first().unwrap(),
                Step::Acknowledge => if let Some(entry) = taken.take() {
                    sent += entry.batch.data.len() as u64;
                    spool.remove(entry.key).unwrap();
                },
                Step::Halve => if let Some(entry) = taken.take_if(|entry| entry.batch.data.len() > 1) {
                    spool.halve(entry).unwrap();
                },
            }
            let held = taken.as_ref().map_or(0, |entry| entry.batch.data.len() as u64);
            prop_assert!(spool.points() <= 40 + held);
            prop_assert_eq!(pushed, sent + evicted + spool.points());
        }
        let mut left = VecDeque::new();
        while let Some(entry) = spool.first().unwrap() {
            spool.remove(entry.key).unwrap();
            left.push_back(entry.batch.data.len() as u64);
        }
        prop_assert_eq!(pushed, sent + evicted + left.iter().sum::<u64>());
    }
}
