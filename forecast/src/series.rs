//! What was observed: one value a step, with gaps where nothing was.

/// A series at a fixed step. The value at index `i` is the largest that was observed in
/// `[start_secs + i * step_secs, start_secs + (i + 1) * step_secs)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Seconds since the Unix epoch at which the first step begins.
    pub start_secs: u64,
    /// Length of a step in seconds, at least 1.
    pub step_secs: u32,
    /// One value a step; `None` where nothing was observed. Never NaN or infinite.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// Seconds since the Unix epoch at which the last step ends: what a forecast counts its horizons from.
    #[must_use]
    pub fn end_secs(&self) -> u64 {
        self.start_secs + self.values.len() as u64 * u64::from(self.step_secs)
    }
}
