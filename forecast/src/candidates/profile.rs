//! The usual day or week: how the same phase of earlier periods lay around the mean of its period, without the trend within it.

use crate::history::History;
use crate::stats::trimmed_mean;

/// Most periods that are looked back.
const MOST: usize = 8;
/// Values within so many seconds of a phase are averaged: a profile is smooth compared to the noise of one value.
const SMOOTH_SECS: u64 = 450;

/// Periods are counted back from the origin, so that the last one is complete: period `k` begins `k * period` steps before it.
#[derive(Clone, Debug)]
pub(crate) struct Profile<'a> {
    history: &'a History,
    origin: usize,
    period: usize,
    means: Vec<f64>,
    smooth: usize,
    /// Change a step. A trend left in the shape would be a sawtooth.
    trend: f64,
}

impl<'a> Profile<'a> {
    /// Of at most `most` periods before `origin`; without any when the first is not complete.
    pub(crate) fn new(history: &'a History, origin: usize, period: usize, most: usize, trend: f64) -> Profile<'a> {
        let count = (origin / period).min(most).min(MOST);
        let means = (1..=count).map(|k| history.mean(origin - k * period, origin - (k - 1) * period)).collect();
        let smooth = crate::history::steps(SMOOTH_SECS / history.step).min(period / 8);
        Profile { history, origin, period, means, smooth, trend }
    }

    /// Complete periods.
    pub(crate) fn periods(&self) -> usize {
        self.means.len()
    }

    /// Distance from the level `ahead` steps on, where 1 is the step after the origin.
    pub(crate) fn shape(&self, ahead: usize) -> f64 {
        let phase = (ahead - 1) % self.period;
        let risen = self.trend * (phase as f64 + 0.5 - 0.5 * self.period as f64);
        self.over_periods(0, |begin| {
            let at = begin + phase;
            self.history.mean(at.saturating_sub(self.smooth), (at + self.smooth + 1).min(self.origin)) - risen
        })
    }

    /// The level that the last `window` steps show: their mean without what their phase usually makes of it.
    pub(crate) fn level(&self, window: usize) -> f64 {
        let now = self.history.mean(self.origin - window, self.origin);
        if window >= self.period || self.periods() < 2 {
            // Phases cancel out over a period; one period alone does not tell shape from level.
            return if self.periods() == 1 && window < self.period { self.means[0] } else { now };
        }
        // The last period is what is compared, so the usual is told by those before it.
        let risen = 0.5 * self.trend * (self.period - window) as f64;
        let usual = self.over_periods(1, |begin| {
            let end = begin + self.period;
            self.history.mean(end - window, end) - risen
        });
        now - usual
    }

    /// Mean of the levels of all periods.
    fn over_periods(&self, skip: usize, value: impl Fn(usize) -> f64) -> f64 {
        let mut values = [0.0; MOST];
        let mut count = 0;
        for (k, mean) in self.means.iter().enumerate().skip(skip) {
            values[count] = value(self.origin - (k + 1) * self.period) - mean;
            count += 1;
        }
        trimmed_mean(&values[..count])
    }
}
