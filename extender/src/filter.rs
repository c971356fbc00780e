//! Which of the named nodes a pod may go to.

mod counts;
mod narrow;

use headroom_capacity::verdict::Reason;

pub use counts::Counts;

use crate::claims::{Claimant, Claims};
use crate::config::{Config, OnUnknown, Policy};
use crate::snapshot::{NodeId, NodeView, Slots, Snapshot, Zone};
use narrow::{Passing, narrow};

/// So many names in a request, and kube-scheduler may have sampled: below it always names every node that fits (k/k
/// `pkg/scheduler/schedule_one.go`, `minFeasibleNodesToFind`).
pub const SAMPLED_FROM: usize = 100;

/// Once so many times the longest answer are found that no other node can beat, the rest is not looked at: a node costs a few cache misses,
/// and kube-scheduler names the zones in turn (k/k `pkg/scheduler/backend/cache/node_tree.go`, `list`), so that each has its share of those.
const LOOK_FOR: usize = 2;

/// Names that are looked up together.
const LOOK_UP: usize = 32;

/// A pod that kube-scheduler wants to place.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who would hold the claim.
    pub claimant: Claimant,
    /// Its priority: nominees of lower priority do not count.
    pub priority: i32,
    /// Whether kube-scheduler's scores matter to it beyond resources: see [`crate::config::Answer::max_nodes_preferring`].
    pub prefers: bool,
}

/// What a node offers this pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many IPs at once, and so many in all.
    Now {
        /// Free for further pods, growth included; at least 1.
        free: u32,
    },
    /// None at once, so many within seconds.
    Soon {
        /// Free for further pods; at least 1.
        free: u32,
    },
    /// None at once; so many by the instance type's limit, if the subnets have room, which nobody has looked at. Passed by policy.
    Unproven {
        /// Free for further pods; at least 1.
        free: u32,
    },
    /// Nothing is known, or nothing limits it; passed on.
    Open(Option<Reason>),
    /// Not offered.
    Closed(Reason),
}

impl Room {
    /// Larger is better; unlimited nodes and those with an IP at once come before those that must grow, unknown ones last. A node with
    /// `plenty` for all pods that can be on their way is as good as one with more: among them kube-scheduler's rotation decides,
    /// so that large nodes do not draw all pods.
    fn rank(self, plenty: u32) -> (u8, u32) {
        match self {
            Room::Open(None) => (3, plenty),
            Room::Now { free } => (2, free.min(plenty)),
            Room::Soon { free } | Room::Unproven { free } => (1, free.min(plenty)),
            Room::Open(Some(_)) => (0, 0),
            Room::Closed(_) => (0, 0),
        }
    }

    /// Why the node is not offered.
    pub(crate) fn closed(self) -> Option<Reason> {
        if let Room::Closed(reason) = self { Some(reason) } else { None }
    }

    /// Addresses left for pods to come.
    pub(crate) fn free(self) -> u64 {
        match self {
            Room::Now { free } | Room::Soon { free } | Room::Unproven { free } => u64::from(free),
            Room::Open(_) => u64::from(u32::MAX),
            Room::Closed(_) => 0,
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The pod needs no address: every node passes.
    All,
    /// These pass: positions in the request, ascending.
    Some(Vec<usize>),
    /// None passes: a reason for each node of the request.
    None(Vec<Reason>),
    /// None of [`SAMPLED_FROM`] or more passes, all for this reason, or for several. Told once: kube-scheduler names other nodes
    /// the next time, and a count a reason would change with them; a pod whose condition changes is tried again at once, for ever.
    NoneOfMany(Reason),
}

/// The text of [`Decision::NoneOfMany`], constant per reason.
#[must_use]
pub fn on_any_node(reason: Reason) -> String {
    reason.as_str().replacen(':', " on any node asked:", 1)
}

impl Decision {
    /// Whether no node passes.
    #[must_use]
    pub const fn rejects(&self) -> bool {
        matches!(self, Decision::None(_) | Decision::NoneOfMany(_))
    }
}

/// The answer with what metrics, claims and wake-up need.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What to reply.
    pub decision: Decision,
    /// What the nodes that were looked at offered, counted.
    pub counts: Counts,
    /// The nodes to claim.
    pub claim: Vec<NodeId>,
    /// Nothing passes, kube-scheduler may have sampled, and a node that it did not name has room.
    pub room_elsewhere: bool,
}

/// One named node: its number, where it was seen, and what it offers.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    id: Option<NodeId>,
    zone: Zone,
    /// What it offers.
    pub room: Room,
    /// Whether it would offer more if it were not for claims and nominated pods.
    open: bool,
}

/// What `node` offers one more pod, given the claims on it.
#[must_use]
pub fn room(view: &NodeView, slots: &Slots, taken: u32, config: &Config) -> Room {
    let pass = config.failure.on_unknown_capacity == OnUnknown::Pass;
    if slots.unlimited {
        return Room::Open(None);
    }
    if let Some(reason) = slots.unknown {
        return if pass { Room::Open(Some(reason)) } else { Room::Closed(reason) };
    }
    let growth = match config.policy {
        Policy::Now => 0,
        Policy::Soon => slots.soon.saturating_add(if pass { slots.unproven } else { 0 }),
    };
    let free = slots.now.saturating_add(growth).saturating_sub(taken);
    if free > 0 {
        return match taken.checked_sub(slots.now) {
            None => Room::Now { free },
            Some(beyond) if beyond < slots.soon => Room::Soon { free },
            Some(_) => Room::Unproven { free },
        };
    }
    Room::Closed(match (slots.now, slots.soon, slots.unproven) {
        (0, 0, 0) => slots.reason,
        (0, 0, _) if !pass && config.policy == Policy::Soon => Reason::UnknownSubnet,
        (0, _, _) if config.policy == Policy::Now => without_growth(view),
        _ => Reason::Claimed,
    })
}

/// Why a node that could grow has nothing at once.
fn without_growth(view: &NodeView) -> Reason {
    if view.state.cooling.is_zero() { Reason::PoolGrowing } else { Reason::CoolingDown }
}

/// Decides for all `names`. A claim that the pod itself holds takes nothing from it.
#[must_use]
pub fn decide(snapshot: &Snapshot, claims: &Claims, pod: &Candidate, names: &[&str], config: &Config) -> Answer {
    let mut counts = Counts::default();
    let Some(tally) = snapshot.nodes.tally(pod.claimant.demand) else {
        return Answer { decision: Decision::All, counts, claim: Vec::new(), room_elsewhere: false };
    };
    let sampled = names.len() >= SAMPLED_FROM;
    // Without looking at a single node: a storm of retries must stay cheap. A failing watch may have missed the node that would pass.
    if sampled && tally.open == 0 && !snapshot.nodes.is_empty() && snapshot.failing_since.is_none() {
        let reason = tally.common_reason().unwrap_or(Reason::Several);
        counts.closed(reason, names.len());
        return Answer { decision: Decision::NoneOfMany(reason), counts, claim: Vec::new(), room_elsewhere: false };
    }
    let own = claims.held_by(&pod.claimant.uid);
    let plenty = config.answer.pods_in_flight;
    let enough = most_nodes(pod, config).saturating_mul(LOOK_FOR);
    let (mut offers, mut passing, mut best) = (Vec::with_capacity(names.len()), Vec::with_capacity(names.len()), 0);
    let mut found = Vec::with_capacity(names.len().min(LOOK_UP));
    let asked = Asked { snapshot, claims, own, pod, config };
    for names in names.chunks(LOOK_UP) {
        asked.offers(names, &mut found, |offer| {
            counts.add(offer.room);
            if offer.room.closed().is_none() {
                let rank = offer.room.rank(plenty);
                best += usize::from(rank >= (2, plenty));
                passing.push(Passing { at: offers.len(), zone: offer.zone, rank });
            }
            offers.push(offer);
        });
        if best >= enough {
            break;
        }
    }
    if passing.is_empty() && !names.is_empty() {
        let open_here = offers.iter().filter(|offer| offer.open && offer.id.is_some()).count();
        let room_elsewhere = sampled && usize::try_from(tally.open).is_ok_and(|open| open > open_here);
        let reasons = offers.iter().filter_map(|offer| offer.room.closed());
        let decision = if sampled { Decision::NoneOfMany(Reason::Several) } else { Decision::None(reasons.collect()) };
        return Answer { decision, counts, claim: Vec::new(), room_elsewhere };
    }
    let free = passing.iter().map(|passing| offers[passing.at].room.free());
    let keep = answer_len(free, most_nodes(pod, config), config);
    let passing = narrow(passing, keep);
    let claim = passing.iter().filter_map(|&at| offers[at].id).collect();
    Answer { decision: Decision::Some(passing), counts, claim, room_elsewhere: false }
}

/// What each of `names` offers, in their order.
#[must_use]
pub fn offers(snapshot: &Snapshot, claims: &Claims, pod: &Candidate, names: &[&str], config: &Config) -> Vec<Offer> {
    let asked = Asked { snapshot, claims, own: claims.held_by(&pod.claimant.uid), pod, config };
    let (mut ids, mut offers) = (Vec::new(), Vec::with_capacity(names.len()));
    asked.offers(names, &mut ids, |offer| offers.push(offer));
    offers
}

/// What a request is decided by, but for the names.
struct Asked<'a> {
    snapshot: &'a Snapshot,
    claims: &'a Claims,
    /// The nodes that the pod itself has claims on.
    own: &'a [NodeId],
    pod: &'a Candidate,
    config: &'a Config,
}

impl Asked<'_> {
    /// Hands on what each of `names` offers, in their order. All names are looked up first: nothing depends on the outcome of a
    /// lookup until then, so that the processor waits for the memory of several at once. `ids` is room to work in.
    fn offers(&self, names: &[&str], ids: &mut Vec<Option<NodeId>>, mut each: impl FnMut(Offer)) {
        ids.clear();
        ids.extend(names.iter().map(|name| self.snapshot.nodes.id(name)));
        ids.iter().for_each(|&id| each(self.offer(id)));
    }

    fn offer(&self, id: Option<NodeId>) -> Offer {
        let Asked { snapshot, claims, own, pod, config } = *self;
        let demand = pod.claimant.demand;
        let Some((id, row)) = id.and_then(|id| Some((id, snapshot.nodes.row(id)?))) else {
            let room = match config.failure.on_unknown_node {
                OnUnknown::Pass => Room::Open(Some(Reason::UnknownNode)),
                OnUnknown::Reject => Room::Closed(Reason::UnknownNode),
            };
            return Offer { id: None, zone: Zone::default(), room, open: false };
        };
        let Some(slots) = row.slots(demand) else {
            return Offer { id: Some(id), zone: row.zone, room: Room::Open(None), open: true };
        };
        let own = u32::from(own.contains(&id));
        let claimed = claims.on(id, demand).saturating_sub(own);
        let nominated = if row.nominated { nominated_before(&row.view, id, claims, pod) } else { 0 };
        let room = room(&row.view, slots, claimed.saturating_add(nominated), config);
        Offer { id: Some(id), zone: row.zone, room, open: slots.closed().is_none() }
    }
}

/// Pods nominated to this node that come before `pod` and are not counted by a claim.
pub(crate) fn nominated_before(view: &NodeView, id: NodeId, claims: &Claims, pod: &Candidate) -> u32 {
    let before = view.nominees.iter().filter(|nominee| {
        nominee.demand == pod.claimant.demand
            && nominee.priority >= pod.priority
            && nominee.uid != pod.claimant.uid
            && !claims.holds(&nominee.uid, id)
    });
    u32::try_from(before.count()).unwrap_or(u32::MAX)
}

/// How many nodes to offer: each costs a claim until the pod is seen, so a short supply is spread over the pods in flight.
fn answer_len(free: impl Iterator<Item = u64>, most: usize, config: &Config) -> usize {
    let free: u64 = free.fold(0, u64::saturating_add);
    let fair = free / u64::from(config.answer.pods_in_flight);
    usize::try_from(fair).unwrap_or(usize::MAX).clamp(1, most)
}

fn most_nodes(pod: &Candidate, config: &Config) -> usize {
    let most = if pod.prefers { config.answer.max_nodes_preferring } else { config.answer.max_nodes };
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// Scores 0 to 10 for prioritize: nodes with an IP at once 6 to 10, those that must grow 1 to 5, by free IPs relative to the best.
#[must_use]
pub fn scores(rooms: &[Room]) -> Vec<u8> {
    let free = |room: &Room| match *room {
        Room::Now { free } | Room::Soon { free } | Room::Unproven { free } => Some(free),
        Room::Open(_) | Room::Closed(_) => None,
    };
    let most = rooms.iter().filter_map(free).max().unwrap_or(0).max(1);
    let share = |free: u32| u8::try_from(u64::from(free) * 4 / u64::from(most)).unwrap_or(4).min(4);
    let score = |room: &Room| match *room {
        Room::Open(None) => 10,
        Room::Now { free } => 6 + share(free),
        Room::Soon { free } | Room::Unproven { free } => 1 + share(free),
        Room::Open(Some(_)) | Room::Closed(_) => 0,
    };
    rooms.iter().map(score).collect()
}

#[cfg(test)]
mod tests;
