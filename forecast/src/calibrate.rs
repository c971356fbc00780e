//! From rolling origins to weights and intervals: for each bucket of horizons a combination, and how far that was off.
//!
//! Residuals are of combinations that were fitted without the origins around them (cross-conformal), signed, and taken on each side
//! on their own: use jumps up when nodes come and decays when they go.

use std::cmp::Ordering;

use crate::backtest::{Bucket, Row};
use crate::candidates::Answers;
use crate::history::History;
use crate::model::Model;
use crate::quantiles::{LEVELS, MEDIAN};
use crate::stats::weighted_quantile;
use crate::weights::{Gram, combine};

/// Fewer origins than this tell nothing of a bucket.
const LEAST_ORIGINS: usize = 6;
/// Blocks of origins that are left out in turn.
const BLOCKS: usize = 4;
/// An origin counts half after so many days.
const HALF_LIFE_DAYS: f64 = 14.0;

/// A median that is off is believed in half once there are so many independent targets.
const SHRINK: f64 = 4.0;
/// How much wider intervals are that only one independent target tells of, as a part: about what Student's quantiles at a few
/// degrees of freedom exceed the normal ones by.
const FEW: f64 = 0.5;
/// Power of the loss by which candidates are weighted before they are fitted together.
const DOMINANCE: i32 = 4;
/// Errors below this part of the usual one are all alike to the fit.
const NEGLIGIBLE: f64 = 0.1;
/// An error that is none, of a scale of 1. Divided by less, the errors of others overflow where one candidate is never off.
const EXACT: f64 = 1e-9;

/// How one bucket is forecast.
#[derive(Clone, Debug)]
pub(crate) struct Fitted<const N: usize = { Model::ALL.len() }> {
    /// Seconds.
    pub(crate) center: f64,
    pub(crate) weights: Answers<N>,
    /// Quantiles of what comes, less what the combination expects.
    pub(crate) offsets: [f64; LEVELS.len()],
    /// Mean absolute error of each candidate.
    pub(crate) losses: Answers<N>,
    pub(crate) combined_loss: f64,
}

/// The buckets that enough is known of, nearest first.
pub(crate) fn fit<const N: usize>(history: &History, buckets: &[Bucket<N>]) -> Vec<Fitted<N>> {
    buckets.iter().filter(|bucket| bucket.origins >= LEAST_ORIGINS).map(|bucket| fit_bucket(history, bucket)).collect()
}

fn fit_bucket<const N: usize>(history: &History, bucket: &Bucket<N>) -> Fitted<N> {
    let half_life = HALF_LIFE_DAYS * history.day as f64;
    let recency: Vec<f64> = bucket.rows.iter().map(|row| (-(row.age as f64) / half_life).exp2()).collect();
    let losses = mean_losses(&bucket.rows, &recency);
    // Targets closer together than the horizon are about the same surprise.
    let first = bucket.rows.iter().map(|row| row.age).max().unwrap_or(0);
    let apart = bucket.center / history.step as f64;
    let independent = (first as f64 / apart).clamp(1.0, bucket.origins as f64);
    let pilot = by_loss(&losses);
    let floor = NEGLIGIBLE * combine(&pilot, &losses) + EXACT;
    let last_origin = bucket.rows.last().map_or(0, |row| row.origin);
    let block_of = |row: &Row<N>| (row.origin * BLOCKS / (last_origin + 1)).min(BLOCKS - 1);
    let mut blocks: Vec<Gram<N>> = (0..BLOCKS).map(|_| Gram::new()).collect();
    for (row, recency) in bucket.rows.iter().zip(&recency) {
        let size = combine(&pilot, &row.errors).abs().max(floor);
        blocks[block_of(row)].add(row, recency / size);
    }
    let without = |left_out: Option<usize>| {
        let mut sum = Gram::new();
        for (i, block) in blocks.iter().enumerate() {
            if Some(i) != left_out {
                sum.merge(block);
            }
        }
        sum.solve(&pilot, independent)
    };
    let honest: Vec<Answers<N>> = (0..BLOCKS).map(|block| without(Some(block))).collect();
    let mut residuals: Vec<(f64, f64)> = bucket
        .rows
        .iter()
        .zip(&recency)
        .map(|(row, &recency)| (-combine(&honest[block_of(row)], &row.errors), recency))
        .collect();
    let total: f64 = recency.iter().sum();
    let combined_loss = residuals.iter().map(|(residual, recency)| residual.abs() * recency).sum::<f64>() / total;
    residuals.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut offsets = LEVELS.map(|level| weighted_quantile(&residuals, level));
    doubt(&mut offsets, SHRINK / (independent + SHRINK));
    widen(&mut offsets, 1.0 + FEW / independent);
    Fitted { center: bucket.center, weights: without(None), offsets, losses, combined_loss }
}

fn mean_losses<const N: usize>(rows: &[Row<N>], recency: &[f64]) -> Answers<N> {
    let total: f64 = recency.iter().sum();
    let mut losses = [0.0; N];
    for (row, recency) in rows.iter().zip(recency) {
        for (loss, error) in losses.iter_mut().zip(&row.errors) {
            *loss += recency * error.abs() / total;
        }
    }
    losses
}

/// Weights by which the better of several candidates dominate.
fn by_loss<const N: usize>(losses: &Answers<N>) -> Answers<N> {
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE);
    let weights = losses.map(|loss| (best / loss.max(best)).powi(DOMINANCE));
    let total: f64 = weights.iter().sum();
    weights.map(|weight| weight / total)
}

/// Takes a part of how much the median is off back. Intervals hold both with it and without.
fn doubt(offsets: &mut [f64; LEVELS.len()], part: f64) {
    let back = part * offsets[MEDIAN];
    for (level, offset) in offsets.iter_mut().enumerate() {
        let without = *offset - back;
        *offset = match level.cmp(&MEDIAN) {
            Ordering::Less => offset.min(without),
            Ordering::Equal => without,
            Ordering::Greater => offset.max(without),
        };
    }
}

/// Around the median.
pub(crate) fn widen(offsets: &mut [f64; LEVELS.len()], factor: f64) {
    let median = offsets[MEDIAN];
    for offset in offsets {
        *offset = median + (*offset - median) * factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Series;

    /// Of a history of `days` at an hour a step.
    fn fitted(days: u32, value: impl Fn(u32) -> f64) -> Vec<Fitted> {
        let values = (0..days * 24).map(|i| Some(value(i))).collect();
        let history = History::new(&Series { start_secs: 0, step_secs: 3600, values }).expect("something was observed");
        fit(&history, &crate::backtest::run(&history).0)
    }

    /// Between -1 and 1, without a pattern.
    fn noise(i: u32) -> f64 {
        let mixed = i.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519);
        f64::from(mixed >> 8) / f64::from(1_u32 << 23) - 1.0
    }

    #[test]
    fn intervals_are_as_wide_as_the_noise() {
        for bucket in fitted(56, noise) {
            // The scale is about 2, the distance of the last value from the farthest.
            let [p5, p10, median, p90, p95] = bucket.offsets;
            assert!(p5 <= p10 && p10 <= median && median <= p90 && p90 <= p95);
            assert!((0.6..1.3).contains(&((p90 - p10) / 0.8 / (p95 - p5) * 0.9)), "{:?}", bucket.offsets);
        }
    }

    #[test]
    fn intervals_are_on_the_side_where_surprises_are() {
        // One value in seven is a burst.
        for bucket in fitted(56, |i| if noise(i) > 0.7 { 100.0 } else { noise(i) }) {
            let [p5, _, median, _, p95] = bucket.offsets;
            assert!(p95 - median > 1.2 * (median - p5), "{:?}", bucket.offsets);
        }
    }

    #[test]
    fn a_doubted_median_is_in_the_middle_of_what_it_may_be() {
        let mut offsets = [1.0, 2.0, 4.0, 6.0, 7.0];
        doubt(&mut offsets, 0.5);
        assert_eq!(offsets, [-1.0, 0.0, 2.0, 6.0, 7.0]);
        let mut offsets = [-7.0, -6.0, -4.0, -2.0, -1.0];
        doubt(&mut offsets, 0.5);
        assert_eq!(offsets, [-7.0, -6.0, -2.0, 0.0, 1.0]);
    }

    #[test]
    fn little_is_known_of_far_horizons_after_a_few_days() {
        let far = |days| fitted(days, noise).last().map(|bucket| bucket.center);
        assert!(far(3) < far(56));
    }

    #[test]
    fn the_combination_is_no_worse_than_the_best() {
        for bucket in fitted(56, |i| 10.0 * (f64::from(i) / 24.0 * std::f64::consts::TAU).sin() + noise(i)) {
            let best = bucket.losses.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(bucket.combined_loss <= 1.1 * best, "{} {best}", bucket.combined_loss);
        }
    }
}
