//! Nodes under dense numbers, so that a request looks each name up once and everything else is an array index.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use headroom_capacity::verdict::{Demand, Reason};

use super::{NodeView, Slots, Zone};

/// Nodes in one chunk: what changing a single node copies.
const CHUNK: usize = 64;
/// The kinds of address that are counted and waited for.
pub(crate) const DEMANDS: [Demand; 3] = [Demand::PodIp, Demand::BranchEni, Demand::WindowsIp];

/// The place in [`DEMANDS`]; `None` for pods that need no address.
pub(crate) fn class(demand: Demand) -> Option<usize> {
    DEMANDS.iter().position(|&known| known == demand)
}

/// A node's number. It stays for as long as the node is there and then passes to another: claims that outlive their node only
/// take from its successor until they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    fn at(index: usize) -> NodeId {
        NodeId(u32::try_from(index).expect("etcd does not hold 4 billion nodes"))
    }
}

type Chunk = [Option<Row>; CHUNK];

/// A node with what nearly every request reads of it, so that most need not follow the pointer.
#[derive(Clone, Debug)]
pub struct Row {
    /// The node.
    pub view: Arc<NodeView>,
    /// As in the view.
    pub zone: Zone,
    /// Whether pods are nominated to it.
    pub nominated: bool,
    pod_ip: Slots,
}

impl Row {
    fn new(view: NodeView) -> Row {
        let (zone, nominated, pod_ip) = (view.zone, !view.nominees.is_empty(), view.pod_ip);
        Row { view: Arc::new(view), zone, nominated, pod_ip }
    }

    /// As [`NodeView::slots`].
    #[must_use]
    pub fn slots(&self, demand: Demand) -> Option<&Slots> {
        if demand == Demand::PodIp { Some(&self.pod_ip) } else { self.view.slots(demand) }
    }
}

/// Every node. A clone shares all that has not changed since: it is what makes publishing a snapshot cheap however large the cluster.
#[derive(Clone, Debug, Default)]
pub struct NodeTable {
    ids: Arc<HashMap<Arc<str>, NodeId, RandomState>>,
    chunks: Vec<Arc<Chunk>>,
    vacant: Arc<Vec<NodeId>>,
    tallies: [Tally; DEMANDS.len()],
}

/// How many nodes have room of one kind, claims aside, and why the others have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Nodes with room, or of which nothing can be said.
    pub open: u32,
    closed: [u32; Reason::ALL.len()],
}

impl Tally {
    /// The reason that all closed nodes share, where no node is open.
    #[must_use]
    pub fn common_reason(&self) -> Option<Reason> {
        let mut closed = Reason::ALL.into_iter().zip(self.closed).filter(|(_, nodes)| *nodes > 0);
        let (reason, _) = closed.next()?;
        (self.open == 0 && closed.next().is_none()).then_some(reason)
    }

    fn count(&mut self, slots: &Slots, by: i32) {
        let place = slots.closed().map_or(&mut self.open, |reason| &mut self.closed[reason as usize]);
        *place = place.saturating_add_signed(by);
    }
}

impl NodeTable {
    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// A node by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(NodeId, &Arc<NodeView>)> {
        let id = self.id(name)?;
        Some((id, self.view(id)?))
    }

    /// A node's number by its name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<NodeId> {
        self.ids.get(name).copied()
    }

    /// A node by its number.
    #[must_use]
    pub fn row(&self, id: NodeId) -> Option<&Row> {
        self.chunks.get(id.index() / CHUNK)?[id.index() % CHUNK].as_ref()
    }

    /// A node by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<NodeView>> {
        Some(self.find(name)?.1)
    }

    /// All nodes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Arc<NodeView>)> {
        let slots = self.chunks.iter().flat_map(|chunk| chunk.iter()).enumerate();
        slots.filter_map(|(index, row)| Some((NodeId::at(index), &row.as_ref()?.view)))
    }

    /// Nodes that are new or differ from those of `before`: as they were, where they were, and as they are.
    pub fn changed<'a>(
        &'a self,
        before: &'a NodeTable,
    ) -> impl Iterator<Item = (Option<&'a Arc<NodeView>>, &'a Arc<NodeView>)> {
        let chunks = self
            .chunks
            .iter()
            .enumerate()
            .filter(|(at, chunk)| before.chunks.get(*at).is_none_or(|old| !Arc::ptr_eq(old, chunk)));
        chunks.flat_map(|(_, chunk)| chunk.iter().flatten()).filter_map(|row| match before.get(&row.view.name) {
            Some(old) if Arc::ptr_eq(old, &row.view) => None,
            old => Some((old, &row.view)),
        })
    }

    /// Whether both are the same state.
    #[must_use]
    pub fn is_same(&self, other: &NodeTable) -> bool {
        self.chunks.len() == other.chunks.len()
            && self.chunks.iter().zip(&other.chunks).all(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
    }

    /// The count of nodes with and without room for this kind of address; `None` for pods that need none.
    #[must_use]
    pub fn tally(&self, demand: Demand) -> Option<&Tally> {
        class(demand).map(|at| &self.tallies[at])
    }

    /// Adds a node, or replaces what is known of it.
    pub fn set(&mut self, view: NodeView) {
        let id = self.ids.get(&view.name).copied().unwrap_or_else(|| self.number(&view.name));
        self.put(id, Some(Row::new(view)));
    }

    /// Drops a node.
    pub fn remove(&mut self, name: &str) {
        if !self.ids.contains_key(name) {
            return;
        }
        if let Some(id) = Arc::make_mut(&mut self.ids).remove(name) {
            self.put(id, None);
            Arc::make_mut(&mut self.vacant).push(id);
        }
    }

    /// A node by its number.
    #[must_use]
    pub fn view(&self, id: NodeId) -> Option<&Arc<NodeView>> {
        Some(&self.row(id)?.view)
    }

    fn number(&mut self, name: &Arc<str>) -> NodeId {
        let vacant = if self.vacant.is_empty() { None } else { Arc::make_mut(&mut self.vacant).pop() };
        let id = vacant.unwrap_or_else(|| NodeId::at(self.ids.len()));
        Arc::make_mut(&mut self.ids).insert(Arc::clone(name), id);
        id
    }

    fn put(&mut self, id: NodeId, row: Option<Row>) {
        let (at, place) = (id.index() / CHUNK, id.index() % CHUNK);
        if at == self.chunks.len() {
            self.chunks.push(Arc::new([const { None }; CHUNK]));
        }
        let old = std::mem::replace(&mut Arc::make_mut(&mut self.chunks[at])[place], row.clone());
        for (row, by) in [(old, -1), (row, 1)] {
            let Some(row) = row else { continue };
            for (tally, demand) in self.tallies.iter_mut().zip(DEMANDS) {
                if let Some(slots) = row.slots(demand) {
                    tally.count(slots, by);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
