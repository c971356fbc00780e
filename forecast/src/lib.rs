//! Forecasts of how many addresses will be used, with honest quantiles: a pure function of a series and a horizon.
//!
//! Nothing here reads a clock, a random source or a socket.
//!
//! ```text
//! Series ── History ──┬── candidates at rolling origins ── weights and residuals for each bucket of horizons ──┐
//!           one scale │                                                                                       ├── Points
//!           no gaps   └── candidates at the end ───────────────────────────────────────────────────────────────┘
//! ```
//! Candidates ([`Model`]) are simple and many; each bucket of horizons has the convex combination of them that was off the least,
//! and its interval is how far that was off on targets it had not been fitted to.
//!
//! What comes for half an hour a day is seldom there at any one time, and fills a subnet nevertheless. So the largest value up to each
//! horizon is forecast as well, in the same way: its candidates are the largest values of windows before.
#![cfg_attr(not(test), deny(missing_docs))]

mod backtest;
mod calibrate;
mod candidates;
mod cold;
mod exhaustion;
mod grid;
mod history;
mod model;
mod outlook;
mod peaks;
pub mod quantiles;
pub mod series;
mod shift;
mod spread;
mod stats;
mod tops;
mod weights;

pub use exhaustion::{Exhaustion, exhaustion};
pub use model::Model;
pub use outlook::Assumption;
pub use quantiles::{LEVELS, Point};
pub use series::Series;

/// What is forecast.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What was observed.
    pub series: &'a Series,
    /// How far to look, in seconds from the end of the series.
    pub horizon_secs: u64,
    /// The most that there can be; may be infinite. Forecasts are within 0 and this.
    pub capacity: f64,
}

/// What is expected, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The candidate with the most weight over all horizons.
    pub model: Model,
    /// In order of horizons, the last at the one that was asked for. Empty when nothing was observed
    /// in the last ten weeks (or thousand steps).
    pub points: Vec<Point>,
    /// The largest value from now until each horizon of `points`, at the same levels: what tells when a limit is reached. Never
    /// decreasing, and nowhere below `points`.
    pub peaks: Vec<Point>,
    /// Each candidate's pinball loss at the median (half the mean absolute error) at rolling origins, in units of the series, with
    /// all buckets of horizons alike. Empty after a cold start.
    pub scores: Vec<(Model, f64)>,
    /// The same loss of the combination that is used; `None` after a cold start.
    pub combined_score: Option<f64>,
    /// What drives the forecast.
    pub assumption: Assumption,
}

/// Quantiles of how the series goes on.
#[must_use]
pub fn forecast(question: &Question<'_>) -> Forecast {
    let capacity = question.capacity.max(0.0);
    let mut forecast = outlook::unclamped(question.series, question.horizon_secs);
    for point in forecast.points.iter_mut().chain(&mut forecast.peaks) {
        point.values = point.values.map(|value| value.clamp(0.0, capacity));
    }
    forecast
}
