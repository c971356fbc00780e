//! What is expected: quantiles at horizons.

/// The levels that every forecast has, in this order.
pub const LEVELS: [f64; 5] = [0.05, 0.1, 0.5, 0.9, 0.95];

/// Index of the median in [`LEVELS`].
pub const MEDIAN: usize = 2;
/// Index of the level 0.9 in [`LEVELS`].
pub const P90: usize = 3;
/// Index of the level 0.95 in [`LEVELS`].
pub const P95: usize = 4;

/// Quantiles of the value at one horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The horizon: seconds from the end of the series to the end of the step that is forecast. What comes at a horizon of
    /// `n` steps is the `n`th value after the series.
    pub horizon_secs: u64,
    /// The quantiles at [`LEVELS`], never decreasing.
    pub values: [f64; LEVELS.len()],
}

/// At each horizon the largest value up to it, level by level: no less is the running maximum of what `points` are quantiles of.
#[must_use]
pub fn running(points: &[Point]) -> Vec<Point> {
    let mut reached = [f64::NEG_INFINITY; LEVELS.len()];
    let above = |point: &Point| {
        reached = std::array::from_fn(|level| reached[level].max(point.values[level]));
        Point { values: reached, ..*point }
    };
    points.iter().map(above).collect()
}
