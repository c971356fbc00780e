//! Cluster events in, snapshots out. Knows no clock: every call says what time it is.

mod estimate;
mod feed;
mod node;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use headroom_capacity::floor::Floor;
use headroom_capacity::ids::PodUid;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;
use headroom_cluster::{Event, Kind, Pod, SandboxFailure};

use crate::claims::Outcome;
use crate::config::{Evidence, Pool};
use crate::feed::Change;
use crate::snapshot::{NodeTable, Nominee, Snapshot, Zone};
use node::{Around, NodeEntry};

/// What is watched for it: all but the VPC resource controller's ConfigMap, of which the defaults are taken; whether Windows takes
/// prefixes, a node's figures tell too.
pub const KINDS: [Kind; 6] = [Kind::Node, Kind::Pod, Kind::CniNode, Kind::EniConfig, Kind::AwsNode, Kind::SandboxEvent];

/// So many nodes are worked out anew at once for what the advisor told: a reading may concern all of them, and filter calls must not wait
/// for that.
const AT_ONCE: usize = 256;

/// The state that only the writer changes.
#[derive(Debug)]
pub struct Index {
    evidence: Evidence,
    /// How long ipamd may take for one step.
    step: Duration,
    settings: Arc<CniSettings>,
    nodes: HashMap<Arc<str>, NodeEntry, RandomState>,
    pods: HashMap<PodUid, PodEntry>,
    /// ENIConfig name -> subnet.
    eni_configs: HashMap<Arc<str>, Option<Arc<str>>>,
    /// Pods for which the CNI had no IP, and when that was last seen.
    failures: HashMap<PodUid, Time>,
    synced: HashSet<Kind>,
    failing_since: HashMap<Kind, Time>,
    /// Shares with the last snapshot what has not changed since.
    views: NodeTable,
    dirty: HashSet<Arc<str>>,
    /// Nodes to be worked out anew for what the advisor told, a part of them each time.
    later: Vec<Arc<str>>,
    /// Every zone ever seen; its number is its place.
    zones: Vec<Option<Arc<str>>>,
    /// When a node's view changes by itself: an IP has cooled down, evidence has aged.
    timers: BinaryHeap<Reverse<(Time, Arc<str>)>>,
    outcomes: Vec<Outcome>,
    feed: feed::Feed,
}

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PodEntry {
    node: Option<Arc<str>>,
    nominated: Option<Arc<str>>,
    demand: Demand,
    stage: Stage,
}

/// Where a pod is on its way to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not bound.
    Pending,
    /// Bound, no address yet.
    Waiting,
    /// Bound, with an address.
    Assigned,
    /// Succeeded or Failed: its sandbox is torn down.
    Over,
}

impl Stage {
    fn of(pod: &Pod) -> Stage {
        match pod {
            Pod { terminal: true, .. } => Stage::Over,
            Pod { node: None, .. } => Stage::Pending,
            _ if !pod.has_ip() => Stage::Waiting,
            _ => Stage::Assigned,
        }
    }

    fn holds(self) -> bool {
        matches!(self, Stage::Waiting | Stage::Assigned)
    }
}

impl Index {
    /// Nothing known yet.
    #[must_use]
    pub fn new(evidence: Evidence, pool: &Pool) -> Index {
        Index {
            evidence,
            step: pool.step(),
            settings: Arc::new(CniSettings::default()),
            nodes: HashMap::default(),
            pods: HashMap::new(),
            eni_configs: HashMap::new(),
            failures: HashMap::new(),
            synced: HashSet::new(),
            failing_since: HashMap::new(),
            views: NodeTable::default(),
            dirty: HashSet::new(),
            later: Vec::new(),
            zones: Vec::new(),
            timers: BinaryHeap::new(),
            outcomes: Vec::new(),
            feed: feed::Feed::default(),
        }
    }

    /// How old what the advisor tells may become before it counts for nothing; until this is called, none of it counts.
    pub fn forget_feed_after(&mut self, age: Duration) {
        self.feed.stale_after = age;
    }

    /// Takes in what the advisor tells.
    pub fn told(&mut self, change: Change, now: Time) {
        if !change.types.is_empty() {
            self.later.extend(self.nodes.keys().cloned());
        }
        let touched = self.feed.take(change, now);
        self.later.extend(touched.into_iter().filter(|name| self.nodes.contains_key(name)));
    }

    /// aws-node's settings as last seen.
    #[must_use]
    pub fn settings(&self) -> &CniSettings {
        &self.settings
    }

    /// Takes in one event.
    pub fn apply(&mut self, event: Event, now: Time) {
        match event {
            Event::NodeApplied(node) => {
                let listed = !self.synced.contains(&Kind::Node);
                let entry = self.node(&node.name);
                if listed {
                    entry.floor = Floor::of_unknown_past();
                }
                let name = Arc::clone(&node.name);
                if entry.info.replace(*node).is_none() && self.feed.told(&name).enis.is_some() {
                    self.feed.again();
                }
            }
            Event::NodeDeleted(name) => self.node_gone(&name),
            Event::PodApplied(pod) => self.pod_applied(*pod, now),
            Event::PodDeleted(uid) => self.pod_gone(&uid, now),
            Event::CniNodeApplied(cni) => {
                let entry = self.node(&cni.name);
                entry.cni = Some(cni);
            }
            Event::CniNodeDeleted(name) => self.node(&name).cni = None,
            Event::EniConfigApplied(config) => {
                self.eni_configs.insert(config.name, config.subnet);
            }
            Event::EniConfigDeleted(name) => {
                self.eni_configs.remove(&name);
            }
            Event::CniSettings { settings, .. } => {
                if *self.settings != *settings {
                    self.settings = Arc::from(settings);
                    self.feed.again();
                    self.dirty.extend(self.nodes.keys().cloned());
                }
            }
            Event::SandboxFailed(failure) => self.sandbox_failed(&failure, now),
            Event::ControllerSettings(_)
            | Event::DeclaredApplied(_)
            | Event::DeclaredDeleted { .. }
            | Event::CsiNodeApplied { .. }
            | Event::CsiNodeDeleted(_)
            | Event::Undecodable { .. } => {}
            Event::Synced { kind, .. } => {
                self.synced.insert(kind);
            }
            Event::WatchFailed { kind, .. } => {
                self.failing_since.entry(kind).or_insert(now);
            }
            Event::WatchRecovered(kind) => {
                self.failing_since.remove(&kind);
            }
        }
    }

    /// The state as an immutable value. Only nodes that changed since the last call are worked out anew.
    pub fn freeze(&mut self, now: Time) -> Snapshot {
        while self.timers.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            if let Some(Reverse((_, name))) = self.timers.pop() {
                self.dirty.insert(name);
            }
        }
        self.divide(now);
        let rest = self.later.len().saturating_sub(AT_ONCE);
        self.dirty.extend(self.later.drain(rest..));
        for name in mem::take(&mut self.dirty) {
            self.refresh(&name, now);
        }
        let required = [Kind::Node, Kind::Pod];
        Snapshot {
            nodes: self.views.clone(),
            settings: Arc::clone(&self.settings),
            missing: KINDS.into_iter().filter(|kind| !self.synced.contains(kind)).collect(),
            failing_since: required.iter().filter_map(|kind| self.failing_since.get(kind)).min().copied(),
            feed_observed_at: self.feed.observed_at(),
            at: now,
        }
    }

    /// What became of pods that may hold claims, since the last call. To be settled after the snapshot is published, so that no
    /// request finds a pod neither claimed nor counted.
    pub fn take_outcomes(&mut self) -> Vec<Outcome> {
        mem::take(&mut self.outcomes)
    }

    /// When the next node changes without an event.
    #[must_use]
    pub fn next_change(&self) -> Option<Time> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let later = (!self.later.is_empty()).then_some(Time::ZERO);
        [later, timer, self.feed.ends_at()].into_iter().flatten().min()
    }

    /// The ENIConfig that this node's new ENIs take their subnet from, and that subnet where the ENIConfig exists; `None` without
    /// custom networking.
    #[must_use]
    pub fn eni_config(&self, node: &str) -> Option<(&str, Option<&str>)> {
        let name = self.nodes.get(node)?.info.as_ref()?.eni_config(&self.settings)?;
        Some((name, self.eni_configs.get(name).and_then(Option::as_deref)))
    }

    /// The node's entry, which will be worked out anew. Pods and CNINodes may be seen before their node.
    fn node(&mut self, name: &Arc<str>) -> &mut NodeEntry {
        self.dirty.insert(Arc::clone(name));
        self.nodes.entry(Arc::clone(name)).or_default()
    }

    fn node_gone(&mut self, name: &Arc<str>) {
        let entry = self.node(name);
        entry.info = None;
        entry.cooling = node::Cooling::default();
        entry.floor = Floor::default();
    }

    fn zone(&mut self, name: &Arc<str>) -> Zone {
        let zone = self.nodes.get(name).and_then(|entry| entry.info.as_ref()).and_then(|info| info.zone.as_ref());
        let at = self.zones.iter().position(|known| known.as_ref() == zone).unwrap_or_else(|| {
            self.zones.push(zone.cloned());
            self.zones.len() - 1
        });
        Zone(u16::try_from(at).unwrap_or(u16::MAX))
    }

    /// Once for each time that the advisor told something: pools are as EC2 showed them, and the subnets are divided anew. Nodes
    /// that may count on the same as before are left alone, which is most of them.
    fn divide(&mut self, now: Time) {
        self.later.extend(self.feed.expire(now));
        if !self.feed.take_news() {
            return;
        }
        let Some(at) = self.feed.observed_at() else { return };
        let mut growing = Vec::new();
        let limits = |name: &str| self.feed.limits(name);
        for (name, shown) in self.feed.nodes() {
            let Some(entry) = self.nodes.get_mut(name) else { continue };
            entry.forget(now);
            let told = feed::Told { enis: Some(shown), pool: None };
            let around = Around { settings: &self.settings, step: self.step, limits: &limits, told };
            let Some((node, changed)) = entry.observe(&around, at, now) else { continue };
            growing.push((Arc::clone(name), node));
            if changed {
                self.later.push(Arc::clone(name));
            }
        }
        // The order decides who is served first where addresses are scarce, and must not be that of a hash table.
        growing.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.later.extend(self.feed.divide(growing));
        self.later.sort_unstable();
        self.later.dedup();
    }

    fn refresh(&mut self, name: &Arc<str>, now: Time) {
        let zone = self.zone(name);
        let Some(entry) = self.nodes.get_mut(name) else { return };
        entry.forget(now);
        let limits = |name: &str| self.feed.limits(name);
        let told = self.feed.told(name);
        let around = Around { settings: &self.settings, step: self.step, limits: &limits, told };
        let view = entry.view(&around, zone, now);
        if let Some(at) = entry.next_growth(self.step) {
            self.timers.push(Reverse((at, Arc::clone(name))));
        }
        match view {
            // Most node updates are heartbeats and change nothing here.
            Some(view) if self.views.get(name).is_none_or(|before| **before != view) => {
                self.views.set(view);
            }
            Some(_) => {}
            None => {
                self.views.remove(name);
                if entry.is_empty() {
                    self.nodes.remove(name);
                }
            }
        }
    }

    fn pod_applied(&mut self, pod: Pod, now: Time) {
        let stage = Stage::of(&pod);
        let uid = pod.uid;
        let nominated = pod.nominated_node.filter(|_| stage == Stage::Pending);
        let before = self.pods.remove(&uid);
        if let Some(before) = &before {
            self.leave(&uid, before, stage.holds(), now);
        }
        match (stage, &nominated, pod.schedule_failure) {
            // A pod that has failed may be nominated by that attempt, while its claim is of a later one.
            (Stage::Pending, _, Some(failure)) => self.outcomes.push(Outcome::Failed {
                uid: uid.clone(),
                resource_version: pod.resource_version,
                failure,
            }),
            (Stage::Pending, Some(node), None) => {
                // A node that is not there holds no claim to collapse to.
                let found = self.views.find(node).map(|(id, _)| Outcome::Nominated(uid.clone(), id));
                self.outcomes.extend(found);
            }
            (Stage::Pending, None, None) => {}
            _ => {
                if before.is_none_or(|before| before.stage == Stage::Pending) {
                    self.outcomes.push(Outcome::Settled(uid.clone()));
                }
            }
        }
        if let Some(node) = &nominated {
            let nominee = Nominee { uid: uid.clone(), priority: pod.priority, demand: pod.demand };
            self.node(node).nominees.push(nominee);
        }
        let entry = PodEntry { node: pod.node, nominated, demand: pod.demand, stage };
        self.arrive(&uid, &entry, now);
        self.pods.insert(uid, entry);
    }

    fn pod_gone(&mut self, uid: &PodUid, now: Time) {
        if let Some(before) = self.pods.remove(uid) {
            self.leave(uid, &before, false, now);
        }
        self.failures.remove(uid);
        self.outcomes.push(Outcome::Settled(uid.clone()));
    }

    /// Counts a pod where it is now.
    fn arrive(&mut self, uid: &PodUid, entry: &PodEntry, now: Time) {
        let Some(name) = entry.node.as_ref().filter(|_| entry.stage.holds() && entry.demand != Demand::None) else {
            return;
        };
        let refused = entry.stage == Stage::Waiting && entry.demand == Demand::PodIp;
        let failing = refused.then(|| self.failures.get(uid).copied()).flatten();
        let node = self.node(name);
        node.count(entry.demand, entry.stage == Stage::Assigned, 1);
        match failing {
            Some(at) => self.close(uid, &Arc::clone(name), at, now),
            None if entry.stage == Stage::Assigned => {
                self.failures.remove(uid);
            }
            None => {}
        }
    }

    /// Takes a pod off where it was. If it held an address and will not hold one any more, that address cools down.
    fn leave(&mut self, uid: &PodUid, before: &PodEntry, still_holds: bool, now: Time) {
        if let Some(nominated) = &before.nominated {
            self.node(nominated).nominees.retain(|nominee| nominee.uid != *uid);
        }
        let Some(name) = before.node.as_ref().filter(|_| before.stage.holds() && before.demand != Demand::None) else {
            return;
        };
        let ip_cooldown = self.settings.ip_cooldown;
        let name = Arc::clone(name);
        let node = self.node(&name);
        node.count(before.demand, before.stage == Stage::Assigned, -1);
        let failed = node.failing.remove(uid).is_some();
        // A pod may get its address and go before its status says so; only one that the CNI refused surely held none.
        if !still_holds && !failed {
            let until = node.cool(before.demand, ip_cooldown, now);
            self.timers.push(Reverse((until, name)));
        }
    }

    fn sandbox_failed(&mut self, failure: &SandboxFailure, now: Time) {
        let hold = Duration::from_secs(self.evidence.hold_secs);
        if !failure.ip_cause || now.since(failure.at) >= hold {
            return;
        }
        let at = failure.at.min(now);
        self.failures.retain(|_, seen| now.since(*seen) < hold);
        self.failures.insert(failure.pod.clone(), at);
        if let Some(pod) = self.pods.get(&failure.pod)
            && pod.stage == Stage::Waiting
            && pod.demand == Demand::PodIp
            && let Some(node) = pod.node.clone()
        {
            self.close(&failure.pod, &node, at, now);
        }
    }

    fn close(&mut self, uid: &PodUid, node: &Arc<str>, at: Time, now: Time) {
        let until = at + Duration::from_secs(self.evidence.hold_secs);
        if until > now {
            self.node(node).refused(uid.clone(), until);
            self.timers.push(Reverse((until, Arc::clone(node))));
        }
    }
}

#[cfg(test)]
mod tests;
