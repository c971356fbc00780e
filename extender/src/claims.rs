//! Claims of pods on their way.
//!
//! Filter does not learn which of the offered nodes kube-scheduler takes, and the next pod is asked about before the first one's
//! bind shows in a watch. So every pod that was answered holds one address on each node it was offered, by UID, until it is seen
//! on a node (and counted there), has failed, is gone, or a deadline passes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;

use crate::config;
use crate::snapshot::NodeId;

/// What a watch event says about a pod that may hold a claim. Applied only after the snapshot that counts it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is bound, and the snapshot counts it; or it is gone.
    Settled(PodUid),
    /// It is nominated to this node and has not failed: kube-scheduler does so from 1.35 on while a bind waits for volumes or permits.
    Nominated(PodUid, NodeId),
    /// It carries a failed scheduling attempt.
    Failed {
        /// The pod.
        uid: PodUid,
        /// Its resource version with that condition.
        resource_version: u64,
        /// The condition's fingerprint.
        failure: u64,
    },
}

/// The pod as kube-scheduler sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its UID.
    pub uid: PodUid,
    /// What it needs.
    pub demand: Demand,
    /// Its resource version, as far as kube-scheduler had seen it.
    pub resource_version: u64,
    /// The fingerprint of the failure that it then already carried.
    pub failure: Option<u64>,
}

#[derive(Debug)]
struct Claim {
    claimant: Claimant,
    nodes: Vec<NodeId>,
    made_at: Time,
    ends_at: Time,
}

/// All claims of one kube-scheduler. Kept behind a mutex: an answer must read the counts and add its own claim in one step, and
/// both take microseconds.
#[derive(Debug, Default)]
pub struct Claims {
    by_pod: HashMap<PodUid, Claim>,
    /// By [`NodeId::index`].
    by_node: Vec<Held>,
    deadlines: BTreeSet<(Time, PodUid)>,
    /// Claims that ended by the deadline, since the start.
    pub expired_total: u64,
    /// Addresses given back by claims that ended or narrowed, since the start.
    pub given_back_total: u64,
}

#[derive(Clone, Debug, Default)]
struct Held {
    pod_ips: u32,
    branch_enis: u32,
    windows_ips: u32,
}

impl Held {
    fn of(&mut self, demand: Demand) -> Option<&mut u32> {
        match demand {
            Demand::None => None,
            Demand::PodIp => Some(&mut self.pod_ips),
            Demand::BranchEni => Some(&mut self.branch_enis),
            Demand::WindowsIp => Some(&mut self.windows_ips),
        }
    }
}

impl Claims {
    /// Pods that hold a claim.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_pod.len()
    }

    /// Whether no pod holds one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_pod.is_empty()
    }

    /// Claims on `node` for this kind of address.
    #[must_use]
    pub fn on(&self, node: NodeId, demand: Demand) -> u32 {
        self.by_node.get(node.index()).map_or(0, |held| match demand {
            Demand::None => 0,
            Demand::PodIp => held.pod_ips,
            Demand::BranchEni => held.branch_enis,
            Demand::WindowsIp => held.windows_ips,
        })
    }

    /// The nodes that the pod holds a claim on.
    #[must_use]
    pub fn held_by(&self, uid: &PodUid) -> &[NodeId] {
        self.by_pod.get(uid).map_or(&[], |claim| &claim.nodes)
    }

    /// Whether the pod holds a claim on `node`.
    #[must_use]
    pub fn holds(&self, uid: &PodUid, node: NodeId) -> bool {
        self.held_by(uid).contains(&node)
    }

    /// Claims one address on each of `nodes`, in place of any earlier claim of the pod.
    pub fn make(&mut self, claimant: Claimant, nodes: Vec<NodeId>, now: Time, limits: &config::Claims) {
        self.release(&claimant.uid);
        if nodes.is_empty() {
            return;
        }
        let known = nodes.iter().map(|node| node.index() + 1).max().unwrap_or(0);
        if known > self.by_node.len() {
            self.by_node.resize(known, Held::default());
        }
        for node in &nodes {
            if let Some(count) = self.by_node[node.index()].of(claimant.demand) {
                *count += 1;
            }
        }
        let ends_at = now + Duration::from_secs(limits.deadline_secs);
        self.deadlines.insert((ends_at, claimant.uid.clone()));
        self.by_pod.insert(claimant.uid.clone(), Claim { claimant, nodes, made_at: now, ends_at });
    }

    /// Ends the pod's claim, where it has one.
    pub fn release(&mut self, uid: &PodUid) {
        if let Some(claim) = self.by_pod.remove(uid) {
            self.deadlines.remove(&(claim.ends_at, uid.clone()));
            for node in claim.nodes {
                self.give_back(node, claim.claimant.demand);
            }
        }
    }

    /// Ends claims whose deadline has passed.
    pub fn expire(&mut self, now: Time) {
        while let Some((ends_at, uid)) = self.deadlines.first().cloned() {
            if ends_at > now {
                return;
            }
            self.release(&uid);
            self.expired_total += 1;
        }
    }

    /// Takes in what was seen of a pod.
    pub fn settle(&mut self, outcome: &Outcome, now: Time, limits: &config::Claims) {
        match outcome {
            Outcome::Settled(uid) => self.release(uid),
            Outcome::Nominated(uid, node) => self.collapse(uid, *node),
            Outcome::Failed { uid, resource_version, failure } => {
                let Some(claim) = self.by_pod.get(uid) else { return };
                let before = &claim.claimant;
                if *resource_version <= before.resource_version || before.failure == Some(*failure) {
                    return;
                }
                // kube-scheduler may have asked again before it saw its own report of the attempt before.
                let ends_at = claim.made_at + Duration::from_secs(limits.failure_grace_secs);
                if ends_at <= now { self.release(uid) } else { self.shorten(uid, ends_at) }
            }
        }
    }

    fn collapse(&mut self, uid: &PodUid, node: NodeId) {
        // Not offered by us: from before this answer, or of an attempt that did not ask.
        let Some(claim) = self.by_pod.get_mut(uid).filter(|claim| claim.nodes.contains(&node)) else { return };
        let offered = std::mem::replace(&mut claim.nodes, vec![node]);
        let demand = claim.claimant.demand;
        for other in offered.into_iter().filter(|other| *other != node) {
            self.give_back(other, demand);
        }
    }

    fn shorten(&mut self, uid: &PodUid, ends_at: Time) {
        if let Some(claim) = self.by_pod.get_mut(uid)
            && ends_at < claim.ends_at
        {
            self.deadlines.remove(&(claim.ends_at, uid.clone()));
            self.deadlines.insert((ends_at, uid.clone()));
            claim.ends_at = ends_at;
        }
    }

    fn give_back(&mut self, node: NodeId, demand: Demand) {
        self.given_back_total += 1;
        if let Some(count) = self.by_node.get_mut(node.index()).and_then(|held| held.of(demand)) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
