//! Pods that found no node, and which of them to wake when addresses come back.
//!
//! A pod is due once room for its kind of address has grown on some node since it was last tried, or once claims that it was
//! rejected for have ended. Rejected again, it makes way for the next one: so a pod that cannot use the room does not keep it from
//! the others, and while nothing changes nobody is woken.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;

use crate::claims::Claims;
use crate::config::Config;
use crate::filter::room;
use crate::snapshot::{NodeView, Snapshot};

/// Most pods kept. More wait for one of these to be bound, which makes kube-scheduler retry every pod.
const MAX_PODS: usize = 10_000;
/// A pod of which nothing was heard for so long is not there: kube-scheduler tries each again after five minutes at the latest
/// (k/k `pkg/scheduler/backend/queue/scheduling_queue.go`, `DefaultPodMaxInUnschedulablePodsDuration`).
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// kube-scheduler's back-off for one pod (`podInitialBackoffSeconds`, `podMaxBackoffSeconds`): sooner is no use.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// How long a pod that was woken counts as on its way to the next filter call.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// The kinds of address that pods wait for.
const DEMANDS: [Demand; 3] = [Demand::PodIp, Demand::BranchEni, Demand::WindowsIp];

/// Which pod to patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPod {
    /// `metadata.uid`.
    pub uid: PodUid,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

/// A filter call that let no node pass.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The pod.
    pub pod: WaitingPod,
    /// What it needs.
    pub demand: Demand,
    /// Its priority.
    pub priority: i32,
    /// Where claims were among the reasons: [`Claims::given_back_total`] at that time.
    pub claims: Option<u64>,
}

/// All waiting pods.
#[derive(Debug, Default)]
pub struct Waiting {
    pods: HashMap<PodUid, Entry>,
    /// The nodes as last compared; `None` while no pod waits.
    seen: Option<Seen>,
    /// How often room grew, by the place in [`DEMANDS`].
    grown: [u64; 3],
    arrivals: u64,
}

#[derive(Debug)]
struct Seen {
    nodes: Arc<HashMap<Arc<str>, Arc<NodeView>>>,
    at: Time,
}

#[derive(Debug)]
struct Entry {
    rejection: Rejection,
    arrival: u64,
    /// The growth that it was last tried after; `None`: tried before the last growth, or not for certain.
    tried: Option<u64>,
    wakes: u32,
    not_before: Time,
    /// Woken then and not seen since.
    woken: Option<Time>,
    heard: Time,
}

impl Waiting {
    /// Pods that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// Takes in that a pod was rejected by what `snapshot` says.
    pub fn reject(&mut self, rejection: Rejection, snapshot: &Snapshot, now: Time) {
        let Some(class) = class(rejection.demand) else { return };
        if self.pods.len() >= MAX_PODS && !self.pods.contains_key(&rejection.pod.uid) {
            return;
        }
        let seen = self.seen.get_or_insert_with(|| Seen { nodes: Arc::clone(&snapshot.nodes), at: snapshot.at });
        // Decided by an older state than was last compared: the growth between them was not taken into account.
        let outdated = snapshot.at <= seen.at && !Arc::ptr_eq(&snapshot.nodes, &seen.nodes);
        let tried = (!outdated).then_some(self.grown[class]);
        if let Some(entry) = self.pods.get_mut(&rejection.pod.uid) {
            entry.tried = tried;
            entry.woken = None;
            entry.heard = now;
            entry.rejection = rejection;
            return;
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        let uid = rejection.pod.uid.clone();
        self.pods.insert(
            uid,
            Entry { rejection, arrival, tried, wakes: 0, not_before: Time::ZERO, woken: None, heard: now },
        );
    }

    /// The pod found a node, is bound or is gone.
    pub fn forget(&mut self, uid: &PodUid) {
        self.pods.remove(uid);
        if self.pods.is_empty() {
            self.seen = None;
        }
    }

    /// The pod could not be woken: it is due again after its back-off.
    pub fn not_woken(&mut self, uid: &PodUid) {
        if let Some(entry) = self.pods.get_mut(uid) {
            entry.tried = None;
            entry.woken = None;
        }
    }

    /// Compares the nodes with those of the last look.
    pub fn look(&mut self, snapshot: &Snapshot, config: &Config, now: Time) {
        self.pods.retain(|_, entry| now.since(entry.heard) < FORGET_AFTER);
        let Some(seen) = &mut self.seen else { return };
        if self.pods.is_empty() {
            self.seen = None;
            return;
        }
        if !Arc::ptr_eq(&seen.nodes, &snapshot.nodes) {
            for (grown, demand) in self.grown.iter_mut().zip(DEMANDS) {
                *grown += u64::from(has_grown(&seen.nodes, &snapshot.nodes, demand, config));
            }
        }
        *seen = Seen { nodes: Arc::clone(&snapshot.nodes), at: snapshot.at };
    }

    /// The pods to wake now: at most `wake_up.max_pods`, and of each kind no more than there are addresses free of claims. Those
    /// that were woken the fewest times come first, then by priority and age as in kube-scheduler's queue.
    pub fn wake(&mut self, snapshot: &Snapshot, claims: &Claims, config: &Config, now: Time) -> Vec<WaitingPod> {
        let most = usize::try_from(config.wake_up.max_pods).unwrap_or(usize::MAX);
        let mut woken = Vec::new();
        for (class, demand) in DEMANDS.into_iter().enumerate() {
            let mut due = self.due(class, claims.given_back_total, now);
            if due.is_empty() || woken.len() >= most {
                continue;
            }
            let on_their_way = self.on_their_way(class, now);
            let free = free(snapshot, claims, demand, config, most.saturating_add(on_their_way));
            let take = (most - woken.len()).min(free.saturating_sub(on_their_way));
            if take < due.len() {
                due.select_nth_unstable(take);
                due.truncate(take);
            }
            due.sort_unstable();
            for (.., uid) in due {
                woken.extend(self.pods.get_mut(&uid).map(|entry| entry.wake(self.grown[class], now)));
            }
        }
        woken
    }

    /// Who may be woken if there is room, with what orders them.
    fn due(&self, class: usize, given_back: u64, now: Time) -> Vec<(u32, Reverse<i32>, u64, PodUid)> {
        let grown = self.grown[class];
        let of_class = self.pods.iter().filter(|(_, entry)| entry.is_of(class) && entry.not_before <= now);
        let due = of_class.filter(|(_, entry)| {
            entry.tried != Some(grown) || entry.rejection.claims.is_some_and(|before| before != given_back)
        });
        due.map(|(uid, entry)| (entry.wakes, Reverse(entry.rejection.priority), entry.arrival, uid.clone())).collect()
    }

    fn on_their_way(&self, class: usize, now: Time) -> usize {
        let recent = |entry: &&Entry| entry.woken.is_some_and(|at| now.since(at) < ON_ITS_WAY);
        self.pods.values().filter(|entry| entry.is_of(class)).filter(recent).count()
    }
}

impl Entry {
    fn is_of(&self, wanted: usize) -> bool {
        class(self.rejection.demand) == Some(wanted)
    }

    fn wake(&mut self, grown: u64, now: Time) -> WaitingPod {
        let backoff = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(self.wakes)).min(MAX_BACKOFF);
        self.wakes = self.wakes.saturating_add(1);
        self.not_before = now + backoff;
        self.tried = Some(grown);
        self.rejection.claims = None;
        self.woken = Some(now);
        self.rejection.pod.clone()
    }
}

fn class(demand: Demand) -> Option<usize> {
    DEMANDS.iter().position(|&known| known == demand)
}

/// Whether some node has more room than before, claims aside: those only say who of the pods on their way comes first.
fn has_grown(
    before: &HashMap<Arc<str>, Arc<NodeView>>,
    after: &HashMap<Arc<str>, Arc<NodeView>>,
    demand: Demand,
    config: &Config,
) -> bool {
    let free = |view: &NodeView| view.slots(demand).map_or(0, |slots| room(view, slots, 0, config).free());
    after.iter().any(|(name, view)| match before.get(name) {
        Some(old) if Arc::ptr_eq(old, view) => false,
        old => free(view) > old.map_or(0, |old| free(old)),
    })
}

/// Addresses that are neither used nor claimed, counted up to `enough`. Nominees are left out: the nominated pod may be one of
/// those that wait.
fn free(snapshot: &Snapshot, claims: &Claims, demand: Demand, config: &Config, enough: usize) -> usize {
    let mut free = 0_usize;
    for (name, view) in snapshot.nodes.iter() {
        let Some(slots) = view.slots(demand) else { continue };
        let here = room(view, slots, claims.on(name, demand), config).free();
        free = free.saturating_add(usize::try_from(here).unwrap_or(usize::MAX));
        if free >= enough {
            break;
        }
    }
    free
}

#[cfg(test)]
mod tests;
