//! The generations of the feed: what there is now, and the last steps that led to it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use headroom_capacity::time::Time;
use headroom_proto::v1::CapacityUpdate;
use prost::Message as _;
use prost_types::Timestamp;

use super::chunk::MAX_BYTES;
use super::view::FeedState;

/// The current state with a number, and a bounded ring of the steps that led to it.
#[derive(Debug)]
pub struct History {
    epoch: Arc<str>,
    /// 0 until the first state.
    generation: u64,
    observed_at: Time,
    state: Arc<FeedState>,
    /// The steps to the current generation, each from the one before; the last leads to `generation`.
    ring: VecDeque<Arc<CapacityUpdate>>,
    most: usize,
}

/// What a client that has a generation is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Since {
    /// There is no state yet.
    Nothing,
    /// It has the current state, as of this time.
    Current(Time),
    /// The next step.
    Step(Arc<CapacityUpdate>),
    /// The whole state: it has none, one of another epoch, or one that is too old.
    Whole {
        /// The state.
        state: Arc<FeedState>,
        /// Its number.
        generation: u64,
        /// When ENIs were read for it.
        observed_at: Time,
    },
}

impl History {
    /// Without a state. At most so many steps are kept.
    #[must_use]
    pub fn new(epoch: &str, steps: u32) -> History {
        History {
            epoch: epoch.into(),
            generation: 0,
            observed_at: Time::ZERO,
            state: Arc::default(),
            ring: VecDeque::new(),
            most: usize::try_from(steps).unwrap_or(usize::MAX),
        }
    }

    /// Its epoch.
    #[must_use]
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// Takes in what there is now. A state without a change gets no number of its own.
    pub fn publish(&mut self, state: FeedState, observed_at: Time) {
        self.observed_at = observed_at;
        if self.generation == 0 {
            self.generation = 1;
            self.state = Arc::new(state);
            return;
        }
        let mut step = step(&self.state, &state);
        if is_empty(&step) {
            return;
        }
        step.epoch = self.epoch.to_string();
        step.base_generation = self.generation;
        self.generation += 1;
        step.generation = self.generation;
        step.complete = true;
        step.observed_at = Some(timestamp(observed_at));
        self.state = Arc::new(shared(state, &self.state));
        if step.encoded_len() > MAX_BYTES {
            // A step comes in one message; this one is not worth more than the whole state, which may come in several.
            self.ring.clear();
            return;
        }
        self.ring.push_back(Arc::new(step));
        if self.ring.len() > self.most {
            self.ring.pop_front();
        }
    }

    /// What brings a client with this state nearer to the current one.
    #[must_use]
    pub fn since(&self, epoch: &str, generation: u64) -> Since {
        if self.generation == 0 {
            return Since::Nothing;
        }
        let behind = (*epoch == *self.epoch).then(|| self.generation.checked_sub(generation)).flatten();
        let step = behind.and_then(|behind| usize::try_from(behind).ok()).and_then(|behind| match behind {
            0 => Some(Since::Current(self.observed_at)),
            _ => Some(Since::Step(Arc::clone(self.ring.get(self.ring.len().checked_sub(behind)?)?))),
        });
        step.unwrap_or_else(|| Since::Whole {
            state: Arc::clone(&self.state),
            generation: self.generation,
            observed_at: self.observed_at,
        })
    }
}

/// What turns `before` into `after`, without numbers.
fn step(before: &FeedState, after: &FeedState) -> CapacityUpdate {
    fn news<T: Clone + PartialEq>(before: &BTreeMap<String, Arc<T>>, after: &BTreeMap<String, Arc<T>>) -> Vec<T> {
        let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
        changed.map(|(_, value)| T::clone(value)).collect()
    }
    fn gone<T>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<String> {
        before.keys().filter(|name| !after.contains_key(*name)).cloned().collect()
    }
    CapacityUpdate {
        nodes: news(&before.nodes, &after.nodes),
        gone_nodes: gone(&before.nodes, &after.nodes),
        subnets: news(&before.subnets, &after.subnets),
        gone_subnets: gone(&before.subnets, &after.subnets),
        instance_types: news(&before.types, &after.types),
        ..CapacityUpdate::default()
    }
}

fn is_empty(step: &CapacityUpdate) -> bool {
    let gone = step.gone_nodes.is_empty() && step.gone_subnets.is_empty();
    gone && step.nodes.is_empty() && step.subnets.is_empty() && step.instance_types.is_empty()
}

/// `after`, with what has not changed taken from `before`: a client that is still being sent `before` then pins little. Types stay for good.
fn shared(mut after: FeedState, before: &FeedState) -> FeedState {
    fn take<T: PartialEq>(after: &mut BTreeMap<String, Arc<T>>, before: &BTreeMap<String, Arc<T>>) {
        for (name, value) in after {
            if let Some(old) = before.get(name).filter(|old| *old == value) {
                *value = Arc::clone(old);
            }
        }
    }
    take(&mut after.nodes, &before.nodes);
    take(&mut after.subnets, &before.subnets);
    for (name, limits) in &before.types {
        after.types.entry(name.clone()).or_insert_with(|| Arc::clone(limits));
    }
    after
}

/// `Time` is Unix time in the running advisor.
pub(super) fn timestamp(time: Time) -> Timestamp {
    let millis = time.as_millis();
    Timestamp {
        seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis % 1000 * 1_000_000).unwrap_or(0),
    }
}
