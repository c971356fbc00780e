//! Which objects a watch has reported, so that a new list shows what went away unseen.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

/// Keys reported and not yet deleted.
#[derive(Debug, Default)]
pub(crate) struct Known {
    keys: HashSet<Arc<str>>,
    /// While a list is under way: the keys of the list before.
    before: Option<HashSet<Arc<str>>>,
}

impl Known {
    /// A list begins. One that broke off leaves its part to the next.
    pub(crate) fn begin(&mut self) {
        let seen = mem::take(&mut self.keys);
        match &mut self.before {
            Some(before) => before.extend(seen),
            None => self.before = Some(seen),
        }
    }

    /// Whether a list is under way.
    pub(crate) fn listing(&self) -> bool {
        self.before.is_some()
    }

    pub(crate) fn insert(&mut self, key: Arc<str>) {
        self.keys.insert(key);
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.keys.remove(key);
    }

    /// The list is complete: the keys that were reported once and are not in it.
    pub(crate) fn finish(&mut self) -> Vec<Arc<str>> {
        let before = self.before.take().unwrap_or_default();
        before.into_iter().filter(|key| !self.keys.contains(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(known: &mut Known, keys: &[&str]) -> Vec<String> {
        known.begin();
        for key in keys {
            known.insert(Arc::from(*key));
        }
        let mut gone: Vec<String> = known.finish().iter().map(ToString::to_string).collect();
        gone.sort();
        gone
    }

    #[test]
    fn a_new_list_shows_what_went_away_while_nobody_looked() {
        let mut known = Known::default();
        assert!(list(&mut known, &["a", "b", "c"]).is_empty());
        known.remove("a");
        known.insert("d".into());
        assert_eq!(list(&mut known, &["c"]), ["b", "d"]);
        assert!(list(&mut known, &["c"]).is_empty());
    }

    #[test]
    fn a_list_that_breaks_off_hides_no_deletion() {
        let mut known = Known::default();
        list(&mut known, &["a", "b"]);
        known.begin();
        known.insert("c".into());
        assert!(known.listing());
        assert_eq!(list(&mut known, &["a"]), ["b", "c"]);
    }
}
