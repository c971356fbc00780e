//! A subnet over time: what was seen of it, what was true, and how much it holds.

use headroom_forecast::series::Series;

/// One subnet's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its name in the report.
    pub name: String,
    /// Where it comes from, in one sentence.
    pub about: String,
    /// Used addresses as they were observed, gaps included: the only thing that a competitor gets to see, and of it the past.
    pub observed: Series,
    /// Used addresses as they were, one a step like `observed`; `None` where nobody knows.
    pub truth: Vec<Option<f64>>,
    /// Addresses that the subnet has.
    pub capacity: f64,
    /// Whether it fills over days, so that a warning a day ahead can be asked for.
    pub gradual: bool,
}

impl Trace {
    /// Steps in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// Whether there is no step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.truth.is_empty()
    }

    /// Steps in so many seconds, rounded down.
    #[must_use]
    pub fn steps(&self, secs: u64) -> usize {
        usize::try_from(secs / u64::from(self.observed.step_secs)).unwrap_or(usize::MAX)
    }

    /// Days in so many steps.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a trace has far fewer than 2^52 steps")]
    pub fn days(&self, steps: usize) -> f64 {
        steps as f64 * f64::from(self.observed.step_secs) / 86_400.0
    }

    /// What had been observed when so many steps were over. A competitor gets this copy, which does not have the future.
    #[must_use]
    pub fn past(&self, steps: usize) -> Series {
        let values = self.observed.values.iter().take(steps).copied().collect();
        Series { values, ..self.observed }
    }

    /// Mean absolute change over so many steps from those in which there was room, at least a thousandth of the capacity: a flat
    /// trace has no scale of its own.
    #[must_use]
    pub fn mean_change(&self, steps: usize) -> f64 {
        let pairs = self.truth.iter().zip(self.truth.iter().skip(steps));
        let (mut sum, mut n) = (0.0, 0.0);
        for (before, after) in
            pairs.filter_map(|(before, after)| Some(((*before).filter(|used| *used < self.capacity)?, (*after)?)))
        {
            sum += f64::abs(after - before);
            n += 1.0;
        }
        let floor = self.capacity / 1000.0;
        if n > 0.0 { f64::max(sum / n, floor) } else { floor }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A trace of 5 minutes steps in which everything was observed.
    pub(crate) fn trace(values: &[f64], capacity: f64) -> Trace {
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        Trace {
            name: "test".to_owned(),
            about: String::new(),
            observed: Series { start_secs: 1_700_000_100, step_secs: 300, values: values.clone() },
            truth: values,
            capacity,
            gradual: true,
        }
    }

    #[test]
    fn the_past_ends_and_the_scale_has_a_floor() {
        let mut trace = trace(&[1.0, 3.0, 2.0, 2.0], 10.0);
        assert_eq!(trace.past(2).values, [Some(1.0), Some(3.0)]);
        assert_eq!(trace.past(2).end_secs(), 1_700_000_700);
        // |3 - 1|, |2 - 3|, |2 - 2|.
        assert_eq!(trace.mean_change(1), 1.0);
        assert_eq!(trace.mean_change(9), 0.01);
        // From 3 there is no way up: |2 - 1| / 1 and |2 - 2|.
        trace.capacity = 3.0;
        assert_eq!(trace.mean_change(1), 1.0);
        trace.capacity = 10.0;
        trace.truth[1] = None;
        assert_eq!(trace.mean_change(1), 0.01);
    }
}
