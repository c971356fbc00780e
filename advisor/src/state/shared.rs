//! Values that many objects have alike, kept once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// How many values are let in between two looks for those that nobody has any more.
const BETWEEN_SWEEPS: usize = 4096;

/// The values that are in use, and for a while those that were.
#[derive(Debug)]
pub(super) struct Shared<T> {
    values: HashSet<Arc<T>>,
    /// Swept once there are so many.
    sweep_at: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared { values: HashSet::new(), sweep_at: BETWEEN_SWEEPS }
    }
}

impl<T: Eq + Hash> Shared<T> {
    /// The one that equals `value`.
    pub(super) fn get(&mut self, value: T) -> Arc<T> {
        if let Some(known) = self.values.get(&value) {
            return Arc::clone(known);
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = self.values.len() + BETWEEN_SWEEPS;
        }
        let value = Arc::new(value);
        self.values.insert(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_those_of_nobody_go() {
        let mut shared = Shared::default();
        let kept = shared.get(7);
        assert!(Arc::ptr_eq(&kept, &shared.get(7)));
        for value in 0..3 * BETWEEN_SWEEPS {
            shared.get(value);
        }
        assert!(shared.values.len() <= BETWEEN_SWEEPS + 1, "{}", shared.values.len());
        assert!(Arc::ptr_eq(&kept, &shared.get(7)));
    }
}
