//! Holt's linear method with a damped trend (Gardner and McKenzie), its parameters chosen by the errors one step ahead.

use crate::history::History;

/// Smoothing of the level, of the trend (relative to the level's), and hours over which a trend dies down.
const PARAMETERS: [(f64, f64, f64); 8] = [
    (0.02, 0.02, 48.0),
    (0.1, 0.01, 12.0),
    (0.1, 0.05, 48.0),
    (0.3, 0.01, 12.0),
    (0.3, 0.05, 48.0),
    (0.7, 0.0, 12.0),
    (0.7, 0.02, 12.0),
    (0.7, 0.1, 3.0),
];

/// Level, trend and damping at an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Holt {
    level: f64,
    trend: f64,
    damping: f64,
}

impl Holt {
    /// The value `ahead` steps on.
    pub(crate) fn at(&self, ahead: usize) -> f64 {
        let damping = self.damping;
        // Sum of damping^1 ..= damping^ahead.
        let times = damping * (1.0 - damping.powf(ahead as f64)) / (1.0 - damping);
        self.level + self.trend * times
    }
}

/// The states at `origins`, which are in order. Each is of the parameters that did best up to there.
pub(crate) fn states(history: &History, origins: &[usize]) -> Vec<Holt> {
    let mut best = vec![(f64::INFINITY, Holt::default()); origins.len()];
    for (alpha, beta, hours) in PARAMETERS {
        let damping = (-1.0 / (hours * history.hour as f64)).exp();
        let mut state = Holt { level: history.filled[0], trend: 0.0, damping };
        let (mut error, mut step) = (0.0, 0);
        for (best, &origin) in best.iter_mut().zip(origins) {
            for &value in &history.filled[step..origin] {
                let damped = damping * state.trend;
                let surprise = value - state.level - damped;
                error += surprise.abs();
                state.level += damped + alpha * surprise;
                state.trend = damped + alpha * beta * surprise;
            }
            step = origin;
            if error < best.0 {
                *best = (error, state);
            }
        }
    }
    best.into_iter().map(|(_, state)| state).collect()
}
