//! Which of the named nodes a pod may go to.

use std::cmp::Reverse;
use std::sync::Arc;

use headroom_capacity::verdict::{Demand, Reason};

use crate::claims::{Claimant, Claims};
use crate::config::{Config, OnUnknown, Policy};
use crate::snapshot::{NodeView, Slots, Snapshot};

/// A pod that kube-scheduler wants to place.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who would hold the claim.
    pub claimant: Claimant,
    /// Its priority: nominees of lower priority do not count.
    pub priority: i32,
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
    /// Larger is better; unlimited nodes and those with an IP at once come before those that must grow, unknown ones last.
    fn rank(self) -> (u8, u32) {
        match self {
            Room::Open(None) => (3, u32::MAX),
            Room::Now { free } => (2, free),
            Room::Soon { free } | Room::Unproven { free } => (1, free),
            Room::Open(Some(_)) => (0, 0),
            Room::Closed(_) => (0, 0),
        }
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
}

/// The answer with what metrics and claims need.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What to reply.
    pub decision: Decision,
    /// What each named node offered, in the order of the request; empty where the pod needs no address.
    pub rooms: Vec<Room>,
    /// The nodes to claim.
    pub claim: Vec<Arc<str>>,
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
    if pod.claimant.demand == Demand::None {
        return Answer { decision: Decision::All, rooms: Vec::new(), claim: Vec::new() };
    }
    let own = claims.held_by(&pod.claimant.uid);
    let rooms: Vec<Room> = names.iter().map(|name| room_of(snapshot, claims, own, pod, name, config)).collect();
    let mut passing: Vec<usize> = (0..names.len()).filter(|&at| !matches!(rooms[at], Room::Closed(_))).collect();
    if passing.is_empty() && !names.is_empty() {
        let reasons =
            rooms.iter().filter_map(|room| if let Room::Closed(reason) = room { Some(*reason) } else { None });
        return Answer { decision: Decision::None(reasons.collect()), rooms, claim: Vec::new() };
    }
    let keep = answer_len(passing.iter().map(|&at| rooms[at].free()), config);
    if keep < passing.len() {
        // Best first; among equals by position, which kube-scheduler rotates from pod to pod.
        passing.select_nth_unstable_by_key(keep, |&at| (Reverse(rooms[at].rank()), at));
        passing.truncate(keep);
        passing.sort_unstable();
    }
    let claim = passing.iter().filter_map(|&at| Some(Arc::clone(&snapshot.nodes.get(names[at])?.name))).collect();
    Answer { decision: Decision::Some(passing), rooms, claim }
}

fn room_of(
    snapshot: &Snapshot,
    claims: &Claims,
    own: &[Arc<str>],
    pod: &Candidate,
    name: &str,
    config: &Config,
) -> Room {
    let demand = pod.claimant.demand;
    let Some(view) = snapshot.nodes.get(name) else {
        return match config.failure.on_unknown_node {
            OnUnknown::Pass => Room::Open(Some(Reason::UnknownNode)),
            OnUnknown::Reject => Room::Closed(Reason::UnknownNode),
        };
    };
    let Some(slots) = view.slots(demand) else { return Room::Open(None) };
    let nominated = view.nominees.iter().filter(|nominee| {
        nominee.demand == demand
            && nominee.priority >= pod.priority
            && nominee.uid != pod.claimant.uid
            && !claims.holds(&nominee.uid, name)
    });
    let nominated = u32::try_from(nominated.count()).unwrap_or(u32::MAX);
    let own = u32::from(own.iter().any(|held| &**held == name));
    room(view, slots, claims.on(name, demand).saturating_sub(own).saturating_add(nominated), config)
}

/// How many nodes to offer: each costs a claim until the pod is seen, so a short supply is spread over the pods in flight.
fn answer_len(free: impl Iterator<Item = u64>, config: &Config) -> usize {
    let free: u64 = free.fold(0, u64::saturating_add);
    let fair = free / u64::from(config.answer.pods_in_flight);
    usize::try_from(fair.clamp(1, u64::from(config.answer.max_nodes))).unwrap_or(usize::MAX)
}

/// Scores 0 to 10 for prioritize: nodes with an IP at once 6 to 10, those that must grow 1 to 5, by free IPs relative to the best.
#[must_use]
pub fn scores(rooms: &[Room]) -> Vec<u8> {
    let most = rooms.iter().map(|room| room.rank().1).filter(|&free| free < u32::MAX).max().unwrap_or(0).max(1);
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
