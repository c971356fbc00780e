//! When an open-loop driver means to send, whatever the answers do.

use std::time::Duration;

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Arrivals {
    /// Evenly.
    Fixed,
    /// At random: gaps are exponential, as of many callers that know nothing of each other.
    Poisson,
}

/// When to send, from the start on, in order: `count` arrivals at `per_sec` on average.
#[must_use]
pub fn schedule(arrivals: Arrivals, per_sec: f64, count: usize, rng: &mut fastrand::Rng) -> Vec<Duration> {
    let mut at = 0.0;
    (0..count)
        .map(|_| {
            let due = Duration::from_secs_f64(at);
            at += match arrivals {
                Arrivals::Fixed => 1.0,
                // The inverse of the distribution function; f64() is below 1, so the logarithm is finite.
                Arrivals::Poisson => -(1.0 - rng.f64()).ln(),
            } / per_sec;
            due
        })
        .collect()
}

/// How long a call took, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// From when it was to be sent: a caller that had to wait for the calls before it waited for this one too.
    pub corrected: Duration,
    /// From when it was sent: what a closed loop would report, blind to the calls that it held back meanwhile.
    pub uncorrected: Duration,
}

impl Took {
    /// From the moments of intention, sending and answer. A call is never sent early; a clock that says so is cut off.
    #[must_use]
    pub fn between(intended: Duration, sent: Duration, answered: Duration) -> Took {
        Took { corrected: answered.saturating_sub(intended), uncorrected: answered.saturating_sub(sent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn fixed_arrivals_are_evenly_spread() {
        let due = schedule(Arrivals::Fixed, 100.0, 4, &mut fastrand::Rng::with_seed(1));
        assert_eq!(due, [ms(0), ms(10), ms(20), ms(30)]);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_their_kind() {
        let due = schedule(Arrivals::Poisson, 1000.0, 100_000, &mut fastrand::Rng::with_seed(1));
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1000.0).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // An exponential distribution's standard deviation is its mean.
        assert!((mean - 1.0).abs() < 0.02 && (variance.sqrt() - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    /// A server of 1 ms a call, asked every 2 ms, that stands still for 100 ms once.
    #[test]
    fn a_stall_counts_for_every_call_that_was_due_meanwhile() {
        let due = schedule(Arrivals::Fixed, 500.0, 100, &mut fastrand::Rng::with_seed(1));
        let mut free = Duration::ZERO;
        let took: Vec<Took> = due
            .iter()
            .enumerate()
            .map(|(i, &intended)| {
                let sent = intended.max(free);
                free = sent + if i == 10 { ms(100) } else { ms(1) };
                Took::between(intended, sent, free)
            })
            .collect();
        let slow = |of: fn(&Took) -> Duration| took.iter().filter(|took| of(took) > ms(20)).count();
        assert_eq!(slow(|took| took.uncorrected), 1);
        assert!(slow(|took| took.corrected) > 50);
        assert_eq!(took[11].corrected, ms(99));
    }
}
