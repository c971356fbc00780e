//! What changed, for as long as it is kept.

use std::collections::VecDeque;
use std::time::Duration;

use headroom_capacity::time::Time;

use super::Object;
use crate::kube::error::ApiError;
use crate::kube::resource::Resource;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It replaces `previous`.
    Modified,
    /// It is gone; `object` is its last state.
    Deleted,
}

/// One step of the revision.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision that it led to, also the `resourceVersion` of `object`.
    pub revision: u64,
    /// When it happened.
    pub at: Time,
    /// The resource.
    pub resource: &'static Resource,
    /// What happened.
    pub kind: ChangeKind,
    /// The object after it, or its last state.
    pub object: Object,
    /// The object before it.
    pub previous: Option<Object>,
}

/// Changes for one watch.
#[derive(Debug)]
pub struct Batch {
    /// Oldest first.
    pub changes: Vec<Change>,
    /// Where to go on from: the newest revision that was looked at.
    pub revision: u64,
    /// How long the next change, of whatever resource, is still held back.
    pub held_for: Option<Duration>,
}

/// The newest changes, one for each revision from `floor + 1` on.
#[derive(Debug)]
pub(super) struct Log {
    changes: VecDeque<Change>,
    floor: u64,
    capacity: usize,
    pub(super) delay: Duration,
}

impl Log {
    pub(super) fn new(capacity: usize) -> Self {
        Self { changes: VecDeque::new(), floor: 0, capacity, delay: Duration::ZERO }
    }

    pub(super) fn revision(&self) -> u64 {
        self.floor + self.changes.len() as u64
    }

    pub(super) fn push(&mut self, change: Change) {
        self.changes.push_back(change);
        self.set_capacity(self.capacity);
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        let excess = self.changes.len().saturating_sub(capacity);
        self.changes.drain(..excess);
        self.floor += excess as u64;
    }

    pub(super) fn compact(&mut self) {
        self.floor = self.revision();
        self.changes.clear();
    }

    /// A revision that is not reached yet has nothing after it.
    pub(super) fn since(&self, revision: u64) -> Result<impl DoubleEndedIterator<Item = &Change>, ApiError> {
        let skip = revision.checked_sub(self.floor).ok_or_else(|| ApiError::expired(revision, self.floor))?;
        Ok(self.changes.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)))
    }

    pub(super) fn batch(&self, resource: &'static Resource, revision: u64, now: Time) -> Result<Batch, ApiError> {
        let mut batch = Batch { changes: Vec::new(), revision, held_for: None };
        for change in self.since(revision)? {
            let due = change.at + self.delay;
            if due > now && !self.delay.is_zero() {
                batch.held_for = Some(due.since(now));
                break;
            }
            batch.revision = change.revision;
            if change.resource == resource {
                batch.changes.push(change.clone());
            }
        }
        Ok(batch)
    }
}
