//! Rolling origins: what each candidate would have expected earlier, against what came.

use crate::candidates::holt::{self, Holt};
use crate::candidates::{Answers, Origin};
use crate::grid::{self, BUCKETS};
use crate::history::History;
use crate::model::Model;
use crate::stats::index;

/// Most origins. More make far buckets no better: their targets overlap.
const ORIGINS: usize = 128;
/// The part of the history that is only learned from.
const LEARNED: f64 = 0.25;
/// After so many periods a quarter of the origins lies behind the first one.
const TESTED_PERIODS: f64 = 1.25;
/// Fractional part of the golden ratio: origins spread by it fall on all phases of the day and the week.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// One target: how far each candidate was off. Positive is too high.
#[derive(Clone, Debug)]
pub(crate) struct Row<const N: usize = { Model::ALL.len() }> {
    /// Index of the origin, in order of time.
    pub(crate) origin: usize,
    /// Steps from the target to the end of the history.
    pub(crate) age: usize,
    pub(crate) errors: Answers<N>,
}

/// Targets at similar horizons.
#[derive(Clone, Debug)]
pub(crate) struct Bucket<const N: usize = { Model::ALL.len() }> {
    /// Geometric mean of the horizons, in seconds.
    pub(crate) center: f64,
    pub(crate) rows: Vec<Row<N>>,
    /// Origins that have a target here.
    pub(crate) origins: usize,
}

impl<const N: usize> Bucket<N> {
    /// One for each of [`BUCKETS`], without targets.
    pub(crate) fn all() -> Vec<Bucket<N>> {
        let empty = |minutes: &&[u64]| {
            let logs: f64 = minutes.iter().map(|minutes| (*minutes as f64 * 60.0).ln()).sum();
            Bucket { center: (logs / minutes.len() as f64).exp(), rows: Vec::new(), origins: 0 }
        };
        BUCKETS.iter().map(empty).collect()
    }

    /// In order of origins.
    pub(crate) fn add(&mut self, row: Row<N>) {
        self.origins += usize::from(self.rows.last().is_none_or(|last| last.origin != row.origin));
        self.rows.push(row);
    }
}

/// Every bucket, and Holt's state at the end of the history.
pub(crate) fn run(history: &History) -> (Vec<Bucket>, Holt) {
    let mut origins = origins(history.len());
    origins.push(history.len());
    let states = holt::states(history, &origins);
    let mut buckets = Bucket::all();
    for (i, (&at, &holt)) in origins.iter().zip(&states).enumerate().take(origins.len() - 1) {
        let origin = Origin::new(history, at, holt);
        for (bucket, ahead) in targets(history, at) {
            let value = history.observed[at + ahead - 1];
            if !value.is_nan() {
                let errors = origin.expect(ahead).map(|answer| answer - value);
                buckets[bucket].add(Row { origin: i, age: history.len() - at - ahead, errors });
            }
        }
    }
    (buckets, states.last().copied().unwrap_or_default())
}

/// Whether enough of the origins knew a whole `period` for the weights to tell how good it is to go by it.
pub(crate) fn tested(len: usize, period: usize) -> bool {
    len as f64 >= TESTED_PERIODS * period as f64
}

/// What lies in the history after an origin: buckets, and steps ahead, which never decrease.
pub(crate) fn targets(history: &History, at: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (step, left) = (history.step, history.len() - at);
    let all = BUCKETS.iter().enumerate().flat_map(|(bucket, minutes)| minutes.iter().map(move |m| (bucket, m * 60)));
    all.filter_map(move |(bucket, secs)| {
        let ahead = grid::ahead(secs, step);
        // Horizons well below a step are another one's target.
        (ahead <= left && secs + step / 2 >= ahead as u64 * step).then_some((bucket, ahead))
    })
}

/// Steps at which origins lie, in order, each at least 1.
pub(crate) fn origins(len: usize) -> Vec<usize> {
    let first = (len as f64 * LEARNED).max(1.0);
    let count = ORIGINS.min(len.saturating_sub(1));
    let stride = (len as f64 - first) / count as f64;
    let mut origins: Vec<usize> =
        (0..count).map(|i| index(first + stride * (i as f64 + (i as f64 * GOLDEN).fract())).min(len - 1)).collect();
    origins.dedup();
    origins
}
