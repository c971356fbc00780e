//! What earlier answers promised and the books do not show yet.
//!
//! The books notice a node when Auto Scaling is read again, up to a minute after Cluster Autoscaler has asked for it, and count what its
//! pods take only when they are bound to it. Until then what was promised for it is not promised again:
//!
//! | the node is | held for it |
//! |---|---|
//! | promised | all that it will take |
//! | wanted by its group | that, less what the books count as in flight for it |
//! | registered | nothing: the books see its ENIs and its pods |
//!
//! An answer may name several groups, of which one will grow: each subnet holds the most that one of them takes, until one is seen to
//! grow. A pod that is asked for again got no node, so that its share is given up; and after a while all of it is.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;

use super::decide::{Answer, Wanted};
use super::read::Asked;
use super::rooms::Rooms;
use crate::in_flight::Units;

/// The promises that stand, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Held(VecDeque<Promise>);

/// What one answer promised.
#[derive(Clone, Debug)]
struct Promise {
    made: Time,
    /// One of them will grow.
    groups: Vec<Growing>,
}

#[derive(Clone, Debug)]
struct Growing {
    wanted: Wanted,
    /// Of the nodes, those that may still come.
    nodes: u32,
    /// Of these, those that the group wants by now.
    came: u32,
    /// Of these, those that have registered.
    registered: u32,
    /// Pods that have no node yet, as far as is known.
    pods: Vec<u64>,
    all_pods: usize,
}

impl Held {
    /// Holds what `answer` promises to what was `asked`.
    pub fn promise(&mut self, answer: &Answer, asked: &[Asked], now: Time) {
        let groups = answer.promised().map(|(at, wanted)| Growing {
            wanted: wanted.clone(),
            nodes: wanted.nodes,
            came: 0,
            registered: 0,
            pods: asked[at].pods.keys.clone(),
            all_pods: asked[at].pods.keys.len(),
        });
        let groups: Vec<Growing> = groups.collect();
        if !groups.is_empty() {
            self.0.push_back(Promise { made: now, groups });
        }
    }

    /// Gives up what is older than `longest`, what the books show, and the shares of pods that are asked for again.
    pub fn settle(&mut self, rooms: &Rooms, asked: &[Asked], now: Time, longest: Duration) {
        self.0.retain(|promise| now.since(promise.made) < longest);
        self.ask_again(asked);
        self.grow(rooms);
        self.0.retain(|promise| promise.groups.iter().any(|group| group.registered < group.nodes));
    }

    /// By subnet.
    #[must_use]
    pub fn units(&self) -> BTreeMap<SubnetId, Units> {
        let mut units: BTreeMap<SubnetId, Units> = BTreeMap::new();
        for promise in &self.0 {
            let mut most: BTreeMap<&SubnetId, Units> = BTreeMap::new();
            for (subnet, held) in promise.groups.iter().flat_map(Growing::held) {
                let most = most.entry(subnet).or_default();
                *most = Units { ips: most.ips.max(held.ips), prefixes: most.prefixes.max(held.prefixes) };
            }
            for (subnet, most) in most {
                let sum = units.entry(subnet.clone()).or_default();
                *sum = sum.plus(most);
            }
        }
        units
    }

    /// Instances that groups gained count for the oldest promise first, and each of them once.
    fn grow(&mut self, rooms: &Rooms) {
        let mut counted: BTreeMap<Arc<str>, (u32, u32)> = BTreeMap::new();
        for promise in &mut self.0 {
            for group in &mut promise.groups {
                let Some(room) = rooms.groups.get(&group.wanted.group) else { continue };
                let (wanted, nodes) = counted.entry(Arc::clone(&group.wanted.group)).or_default();
                let had = &mut group.wanted.had;
                *had = (*had).max(*wanted);
                group.came = group.came.max(room.wanted.saturating_sub(*had).min(group.nodes));
                *wanted = had.saturating_add(group.came);
                let had = &mut group.wanted.had_nodes;
                *had = (*had).max(*nodes);
                group.registered = group.registered.max(room.nodes.saturating_sub(*had).min(group.came));
                *nodes = had.saturating_add(group.registered);
            }
            if promise.groups.iter().any(|group| group.came > 0) {
                promise.groups.retain(|group| group.came > 0);
            }
        }
    }

    fn ask_again(&mut self, asked: &[Asked]) {
        if self.0.is_empty() {
            return;
        }
        let ours = self.0.iter().flat_map(|promise| &promise.groups).map(|group| &group.pods[..]);
        let mut ours: HashSet<u64> = pods(ours).collect();
        let before = ours.len();
        for key in pods(asked.iter().map(|asked| &asked.pods.keys[..])) {
            ours.remove(&key);
        }
        if ours.len() == before {
            return;
        }
        for group in self.0.iter_mut().flat_map(|promise| &mut promise.groups) {
            group.pods.retain(|key| ours.contains(key));
            // Pods without a UID cannot be told apart: what is held for them is held to the end.
            if group.all_pods > 0 {
                let nodes = usize::try_from(group.wanted.nodes).unwrap_or(usize::MAX);
                let left = nodes.saturating_mul(group.pods.len()).div_ceil(group.all_pods);
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                group.nodes = group.nodes.min(left).max(group.came);
            }
        }
    }
}

/// All in the lists, of which one is mostly the same as the one before: a pod that waits would fit in several groups.
fn pods<'a>(lists: impl Iterator<Item = &'a [u64]>) -> impl Iterator<Item = u64> {
    let mut last: &[u64] = &[];
    lists.filter(move |list| std::mem::replace(&mut last, list) != *list).flatten().copied()
}

impl Growing {
    fn held(&self) -> impl Iterator<Item = (&SubnetId, Units)> {
        let all = self.wanted.nodes;
        self.wanted.takes.iter().map(move |(subnet, takes)| {
            let in_books = self.wanted.in_books.get(subnet).copied().unwrap_or_default();
            let promised = takes.share(self.nodes - self.came, all);
            let beyond = takes.beyond(in_books);
            (subnet, promised.plus(beyond.share(self.came - self.registered, all)))
        })
    }
}
