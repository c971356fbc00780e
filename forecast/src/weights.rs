//! The convex combination of candidates that was off the least (Bates and Granger, with weights that are not negative).
//!
//! Squares of errors are weighted down by their size, so that it is about absolute errors that are minimised: a burst that
//! nobody can foresee does not choose the model.

use crate::backtest::Row;
use crate::candidates::Answers;
use crate::model::Model;

/// A candidate that is worse than the best by so much has nothing to add.
const HOPELESS: f64 = 3.0;
/// Pull towards the weights of before, in units of the best candidate's mean square, times the square root of the targets.
const RIDGE: f64 = 1.0;
/// Sweeps over all candidates; weights settle within about ten.
const SWEEPS: usize = 15;

/// Sums of products of errors, which add up over targets.
#[derive(Clone, Debug)]
pub(crate) struct Gram<const N: usize = { Model::ALL.len() }> {
    products: [Answers<N>; N],
    weight: f64,
}

impl<const N: usize> Gram<N> {
    pub(crate) fn new() -> Gram<N> {
        Gram { products: [[0.0; N]; N], weight: 0.0 }
    }

    pub(crate) fn add(&mut self, row: &Row<N>, weight: f64) {
        for (i, products) in self.products.iter_mut().enumerate() {
            let scaled = weight * row.errors[i];
            for (product, error) in products.iter_mut().zip(&row.errors) {
                *product += scaled * error;
            }
        }
        self.weight += weight;
    }

    pub(crate) fn merge(&mut self, other: &Gram<N>) {
        for (products, more) in self.products.iter_mut().zip(&other.products) {
            for (product, more) in products.iter_mut().zip(more) {
                *product += more;
            }
        }
        self.weight += other.weight;
    }

    /// Weights that sum to 1, near `prior`. `targets` is how many independent ones there were.
    pub(crate) fn solve(&self, prior: &Answers<N>, targets: f64) -> Answers<N> {
        let mut best = f64::INFINITY;
        for i in 0..N {
            best = best.min(self.products[i][i]);
        }
        let usable: Vec<usize> = (0..N).filter(|&i| self.products[i][i] <= HOPELESS * HOPELESS * best).collect();
        let mut weights = [0.0; N];
        for &i in &usable {
            weights[i] = 1.0 / usable.len() as f64;
        }
        let ridge = RIDGE * best / targets.max(1.0).sqrt();
        // Gradient of half the loss.
        let mut slope: Answers<N> = std::array::from_fn(|i| {
            ridge * weights[i] + self.products[i].iter().zip(&weights).map(|(p, w)| p * w).sum::<f64>()
        });
        for _ in 0..SWEEPS {
            for &i in &usable {
                self.shift_to(i, ridge, prior, &mut weights, &mut slope);
            }
        }
        weights
    }

    /// Moves all weights towards candidate `i`, or away from it, to where the loss is least.
    fn shift_to(&self, i: usize, ridge: f64, prior: &Answers<N>, weights: &mut Answers<N>, slope: &mut Answers<N>) {
        let now: f64 = weights.iter().zip(slope.iter()).map(|(w, s)| w * s).sum();
        let curvature = self.products[i][i] + ridge - 2.0 * slope[i] + now;
        if curvature <= 0.0 || weights[i] >= 1.0 {
            return;
        }
        let pull: f64 = weights.iter().zip(prior).map(|(w, p)| w * p).sum::<f64>() - prior[i];
        let move_by = ((now - slope[i] - ridge * pull) / curvature).clamp(-weights[i] / (1.0 - weights[i]), 1.0);
        for (j, (weight, slope)) in weights.iter_mut().zip(slope.iter_mut()).enumerate() {
            let to = if i == j { 1.0 } else { 0.0 };
            *weight = (*weight + move_by * (to - *weight)).max(0.0);
            *slope += move_by * (self.products[i][j] + ridge * to - *slope);
        }
    }
}

/// What the weights make of the candidates' answers or errors.
pub(crate) fn combine<const N: usize>(weights: &Answers<N>, answers: &Answers<N>) -> f64 {
    weights.iter().zip(answers).map(|(weight, answer)| weight * answer).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = Model::ALL.len();

    fn solved(errors: impl Fn(usize, usize) -> f64) -> Answers {
        let mut gram = Gram::new();
        for target in 0..100 {
            gram.add(&Row { origin: target, age: 0, errors: std::array::from_fn(|i| errors(target, i)) }, 1.0);
        }
        gram.solve(&[1.0 / COUNT as f64; COUNT], 1e12)
    }

    #[test]
    fn opposite_errors_cancel_out() {
        let weights = solved(|target, i| {
            let sign = if target % 2 == 0 { 1.0 } else { -1.0 };
            match i {
                0 => sign,
                1 => -sign,
                _ => 2.0 * sign + target as f64 / 50.0,
            }
        });
        assert!((weights[0] - 0.5).abs() < 0.01 && (weights[1] - 0.5).abs() < 0.01, "{weights:?}");
    }

    #[test]
    fn the_only_good_one_has_all_the_weight() {
        let weights = solved(|target, i| if i == 3 { 0.0 } else { 1.0 + (target * i) as f64 });
        assert!((weights[3] - 1.0).abs() < 1e-9, "{weights:?}");
    }

    #[test]
    fn weights_sum_to_one() {
        for scale in [0.0, 1e-12, 1e12] {
            let weights = solved(|target, i| scale * ((target * 7 + i * 13) % 29) as f64);
            assert!(
                (weights.iter().sum::<f64>() - 1.0).abs() < 1e-9 && weights.iter().all(|w| *w >= 0.0),
                "{weights:?}"
            );
        }
    }
}
