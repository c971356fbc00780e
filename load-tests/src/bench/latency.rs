//! Latencies of one target, in rounds that it took in turns with the others.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Three digits from 1 ns to a minute: longer than any timeout here.
const HIGHEST_NANOS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// Everything that was measured of one target.
#[derive(Clone, Debug)]
pub struct Latencies {
    all: Histogram<u64>,
    /// Median and mean of each round, in nanoseconds.
    rounds: Vec<Round>,
}

#[derive(Clone, Copy, Debug)]
struct Round {
    median: f64,
    mean: f64,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { all: empty(), rounds: Vec::new() }
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_NANOS, DIGITS).expect("the bounds are constants that it takes")
}

impl Latencies {
    /// Adds a round, in nanoseconds.
    pub fn add_round(&mut self, nanos: &[u64]) {
        let mut sorted = nanos.to_vec();
        sorted.sort_unstable();
        let Some(&median) = sorted.get(sorted.len() / 2) else { return };
        let sum: u64 = sorted.iter().sum();
        self.rounds.push(Round { median: to_f64(median), mean: to_f64(sum) / to_f64(sorted.len() as u64) });
        for &value in nanos {
            self.all.saturating_record(value.max(1));
        }
    }

    /// The histogram of all rounds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.all
    }

    /// How many calls were measured.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.all.len()
    }

    /// The latency that this share of calls stays within, 0 to 1.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.all.value_at_quantile(quantile))
    }

    /// The slowest call.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.all.max())
    }

    /// In one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|quantile| self.quantile(quantile).as_micros());
        format!(
            "{} calls, p50 {p50} µs, p90 {p90} µs, p99 {p99} µs, p99.9 {p999} µs, max {} µs",
            self.calls(),
            self.max().as_micros()
        )
    }

    /// How this target compares with another that took turns with it.
    #[must_use]
    pub fn over(&self, other: &Latencies) -> Ratio {
        let of =
            |quantile| to_f64(self.all.value_at_quantile(quantile)) / to_f64(other.all.value_at_quantile(quantile));
        let by_round = |of: fn(&Round) -> f64| {
            let mut ratios: Vec<f64> = self.rounds.iter().zip(&other.rounds).map(|(a, b)| of(a) / of(b)).collect();
            ratios.sort_by(f64::total_cmp);
            Spread::of(&ratios)
        };
        Ratio {
            p50: of(0.5),
            p99: of(0.99),
            round_median: by_round(|round| round.median),
            round_mean: by_round(|round| round.mean),
        }
    }
}

/// One target's latency in terms of another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Of the medians of all calls.
    pub p50: f64,
    /// Of the 99th percentiles of all calls.
    pub p99: f64,
    /// Of the rounds' medians, pair by pair: what the machine did meanwhile hit both of a pair.
    pub round_median: Spread,
    /// Of the rounds' means, pair by pair.
    pub round_mean: Spread,
}

/// Quartiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A quarter lies below.
    pub low: f64,
    /// Half lies below.
    pub middle: f64,
    /// A quarter lies above.
    pub high: f64,
}

impl Spread {
    fn of(sorted: &[f64]) -> Spread {
        let at =
            |quarter: usize| sorted.get((sorted.len().saturating_sub(1)) * quarter / 4).copied().unwrap_or(f64::NAN);
        Spread { low: at(1), middle: at(2), high: at(3) }
    }
}

#[allow(clippy::cast_precision_loss, reason = "2^53 ns are a hundred days")]
fn to_f64(nanos: u64) -> f64 {
    nanos as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noisy_round_that_hits_both_leaves_the_ratio_alone() {
        let (mut a, mut b) = (Latencies::default(), Latencies::default());
        for noise in [1, 1, 50, 1, 1] {
            a.add_round(&[1100 * noise; 100]);
            b.add_round(&[1000 * noise; 100]);
        }
        let ratio = a.over(&b);
        assert_eq!((ratio.round_median.low, ratio.round_median.middle, ratio.round_median.high), (1.1, 1.1, 1.1));
        assert!((ratio.p50 - 1.1).abs() < 0.002 && (ratio.p99 - 1.1).abs() < 0.002, "{ratio:?}");
    }

    #[test]
    fn quantiles_are_of_all_calls_and_means_of_rounds() {
        let mut slow_tail = Latencies::default();
        slow_tail.add_round(&[&[1000; 98][..], &[100_000; 2]].concat());
        let mut flat = Latencies::default();
        flat.add_round(&[1000; 100]);
        assert_eq!(slow_tail.quantile(0.5).as_nanos(), 1000);
        assert_eq!(slow_tail.max().as_nanos() / 100, 1000);
        let ratio = slow_tail.over(&flat);
        assert!((ratio.round_mean.middle - 2.98).abs() < 1e-9 && ratio.p50 == 1.0 && ratio.p99 > 90.0, "{ratio:?}");
        assert_eq!((slow_tail.calls(), flat.calls()), (100, 100));
    }

    #[test]
    fn quartiles_are_values_that_were_there() {
        assert_eq!(Spread::of(&[1.0, 2.0, 3.0, 4.0, 5.0]), Spread { low: 2.0, middle: 3.0, high: 4.0 });
        assert!(Spread::of(&[]).middle.is_nan());
    }
}
