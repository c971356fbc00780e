//! A whole state in messages that every client takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::time::Time;
use headroom_proto::v1::CapacityUpdate;
use prost::Message;

use super::history::timestamp;
use super::view::FeedState;

/// Most bytes of a message: a quarter of what gRPC clients take by default (grpc-go `defaultClientMaxReceiveMessageSize`, 4 MiB).
pub(super) const MAX_BYTES: usize = 1 << 20;
/// What a message has beside its lists: epoch, numbers, time.
const REST: usize = 4096;

/// A whole state on its way to a client, made into messages one at a time.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    state: Arc<FeedState>,
    generation: u64,
    observed_at: Time,
    part: u32,
    /// Nodes, subnets and types that are out.
    done: [usize; 3],
}

impl Whole {
    pub(super) fn new(state: Arc<FeedState>, generation: u64, observed_at: Time) -> Whole {
        Whole { state, generation, observed_at, part: 0, done: [0; 3] }
    }

    /// The next message; the last one is complete. There is always a first.
    pub(super) fn next(&mut self, epoch: &str) -> CapacityUpdate {
        let mut update = CapacityUpdate {
            epoch: epoch.to_owned(),
            generation: self.generation,
            observed_at: Some(timestamp(self.observed_at)),
            part: self.part,
            ..CapacityUpdate::default()
        };
        let FeedState { nodes, subnets, types } = &*self.state;
        let [nodes_done, subnets_done, types_done] = &mut self.done;
        let mut left = MAX_BYTES - REST;
        update.complete = fill(nodes, nodes_done, &mut left, &mut update.nodes)
            && fill(subnets, subnets_done, &mut left, &mut update.subnets)
            && fill(types, types_done, &mut left, &mut update.instance_types);
        self.part += 1;
        update
    }
}

/// The messages of a whole state, as a client is sent them one after another.
#[must_use]
pub fn whole_messages(epoch: &str, state: Arc<FeedState>, generation: u64, observed_at: Time) -> Vec<CapacityUpdate> {
    let mut whole = Whole::new(state, generation, observed_at);
    let mut messages = vec![whole.next(epoch)];
    while messages.last().is_some_and(|message| !message.complete) {
        messages.push(whole.next(epoch));
    }
    messages
}

/// Copies what fits into so many bytes; whether that was all. No name is long enough for a value to need a message of its own.
fn fill<T: Clone + Message>(
    from: &BTreeMap<String, Arc<T>>,
    done: &mut usize,
    left: &mut usize,
    to: &mut Vec<T>,
) -> bool {
    for value in from.values().skip(*done) {
        let bytes = value.encoded_len();
        // The field's key, and the length before it.
        let bytes = bytes + 1 + prost::length_delimiter_len(bytes);
        let Some(rest) = left.checked_sub(bytes) else { return false };
        *left = rest;
        *done += 1;
        to.push(T::clone(value));
    }
    true
}
