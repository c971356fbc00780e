//! What a competitor knows at an origin.

use headroom_forecast::Question;
use headroom_forecast::quantiles::LEVELS;
use headroom_forecast::series::Series;

use super::Quantiles;

/// Errors of the past are taken from origins so far apart: closer ones say nearly the same.
const ORIGINS_EVERY_SECS: u64 = 1800;

/// A series up to its end, its gaps filled with what was there before them.
#[derive(Debug)]
pub struct Past<'a> {
    series: &'a Series,
    capacity: f64,
    filled: Vec<Option<f64>>,
}

impl<'a> Past<'a> {
    /// Of this series, in a subnet of so many addresses.
    #[must_use]
    pub fn new(series: &'a Series, capacity: f64) -> Past<'a> {
        let mut last = None;
        let fill = |value: &Option<f64>| {
            last = value.or(last);
            last
        };
        Past { series, capacity, filled: series.values.iter().map(fill).collect() }
    }

    /// As Headroom is asked.
    #[must_use]
    pub const fn question(&self, horizon_secs: u64) -> Question<'a> {
        Question { series: self.series, horizon_secs, capacity: self.capacity }
    }

    /// Addresses of the subnet.
    #[must_use]
    pub const fn capacity(&self) -> f64 {
        self.capacity
    }

    /// Seconds of a step.
    #[must_use]
    pub const fn step_secs(&self) -> u32 {
        self.series.step_secs
    }

    /// Steps in so many seconds, at least one.
    #[must_use]
    pub fn steps(&self, secs: u64) -> usize {
        usize::try_from(secs / u64::from(self.series.step_secs)).unwrap_or(usize::MAX).max(1)
    }

    /// What was observed, gaps included.
    #[must_use]
    pub fn observed(&self) -> &'a [Option<f64>] {
        &self.series.values
    }

    /// The last value that was observed by the end of this step.
    #[must_use]
    pub fn by(&self, step: usize) -> Option<f64> {
        self.filled.get(step).copied().flatten()
    }

    /// The last value that was observed.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.filled.last().copied().flatten()
    }

    /// Steps after which a forecast could have been made, so that `ahead` steps later lie in the past too.
    pub fn origins(&self, ahead: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.filled.len().saturating_sub(ahead)).rev().step_by(self.steps(ORIGINS_EVERY_SECS))
    }

    /// Quantiles of the errors around the point, cut to what a subnet can have. The point alone where there were no errors.
    #[must_use]
    pub fn around(&self, point: f64, mut errors: Vec<f64>) -> Quantiles {
        errors.sort_unstable_by(f64::total_cmp);
        LEVELS.map(|level| (point + empirical(&errors, level)).clamp(0.0, self.capacity))
    }
}

/// Between the two nearest of sorted values (type 7 of Hyndman & Fan 1996, what numpy does); zero of none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list"
)]
fn empirical(sorted: &[f64], level: f64) -> f64 {
    let Some(most) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = most as f64 * level;
    let low = place as usize;
    let [below, above] = [sorted[low], sorted[(low + 1).min(most)]];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_take_what_was_before() {
        let series = Series { start_secs: 0, step_secs: 900, values: vec![None, Some(1.0), None, Some(3.0), None] };
        let past = Past::new(&series, 9.0);
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(|step| past.by(step)),
            [None, Some(1.0), Some(1.0), Some(3.0), Some(3.0), None]
        );
        assert_eq!(past.last(), Some(3.0));
        assert_eq!(past.origins(1).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(past.origins(9).count(), 0);
    }

    #[test]
    fn quantiles_of_errors_are_those_of_numpy() {
        let series = Series { start_secs: 0, step_secs: 300, values: vec![Some(1.0)] };
        let past = Past::new(&series, 103.0);
        // numpy.quantile([-2, 0, 1, 5], [.05, .1, .5, .9, .95]) = [-1.7, -1.4, 0.5, 3.8, 4.4].
        let quantiles = past.around(100.0, vec![1.0, -2.0, 5.0, 0.0]);
        for (got, expected) in quantiles.into_iter().zip([98.3, 98.6, 100.5, 103.0, 103.0]) {
            assert!((got - expected).abs() < 1e-9, "{quantiles:?}");
        }
        assert_eq!(past.around(7.0, vec![]), [7.0; 5]);
    }
}
