//! Pods that found no node, and which of them to wake when addresses come back.
//!
//! A pod is due once room for its kind of address has grown on some node since it was last tried, once claims that it was
//! rejected for have ended, or while room is on nodes that kube-scheduler did not ask about: in large clusters it samples, starts its next
//! sample where the last one ended, and would leave the pod alone for minutes in between. Rejected again, it makes way for the next one: so a pod that cannot use the room does not keep it from
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
use crate::snapshot::{DEMANDS, NodeTable, NodeView, Snapshot, class};

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
/// How often all nodes are asked about before a pod is taken to fit none that has room. kube-scheduler's samples follow one another
/// (k/k `pkg/scheduler/schedule_one.go`, `nextStartNodeIndex`), but in a burst other pods' samples come in between, so that each is as
/// good as drawn by lot: of 80 that hold a free node once in ten times, all miss with a chance of 1 in 5,000.
const ROUNDS: usize = 8;
/// After so many rounds it goes on at [`FIRST_BACKOFF`]: in a quiet cluster one round is enough.
const FAST_ROUNDS: usize = 2;

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
    /// Where kube-scheduler may have sampled and a node that it did not name has room: how many it named.
    pub sampled: Option<usize>,
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
    nodes: NodeTable,
    at: Time,
}

#[derive(Debug)]
struct Entry {
    rejection: Rejection,
    arrival: u64,
    /// The growth that it was last tried after; `None`: tried before the last growth, or not for certain.
    tried: Option<u64>,
    /// Nodes named in rejections since room last grew, as long as others had room: a node that is named again counts again.
    walked: usize,
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
        let seen = self.seen.get_or_insert_with(|| Seen { nodes: snapshot.nodes.clone(), at: snapshot.at });
        // Decided by an older state than was last compared: the growth between them was not taken into account.
        let outdated = snapshot.at <= seen.at && !snapshot.nodes.is_same(&seen.nodes);
        let tried = (!outdated).then_some(self.grown[class]);
        let named = rejection.sampled.unwrap_or(0);
        if let Some(entry) = self.pods.get_mut(&rejection.pod.uid) {
            let goes_on = entry.tried == tried && named > 0;
            entry.walked = if goes_on { entry.walked.saturating_add(named) } else { named };
            entry.tried = tried;
            entry.woken = None;
            entry.heard = now;
            entry.rejection = rejection;
            return;
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        let uid = rejection.pod.uid.clone();
        let entry = Entry {
            rejection,
            arrival,
            tried,
            walked: named,
            wakes: 0,
            not_before: Time::ZERO,
            woken: None,
            heard: now,
        };
        self.pods.insert(uid, entry);
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
        if !snapshot.nodes.is_same(&seen.nodes) {
            for (grown, demand) in self.grown.iter_mut().zip(DEMANDS) {
                *grown += u64::from(has_grown(&seen.nodes, &snapshot.nodes, demand, config));
            }
        }
        *seen = Seen { nodes: snapshot.nodes.clone(), at: snapshot.at };
    }

    /// The pods to wake now: at most `wake_up.max_pods`, and of each kind no more than there are addresses free of claims. Those
    /// that were woken the fewest times come first, then by priority and age as in kube-scheduler's queue.
    pub fn wake(&mut self, snapshot: &Snapshot, claims: &Claims, config: &Config, now: Time) -> Vec<WaitingPod> {
        let most = usize::try_from(config.wake_up.max_pods).unwrap_or(usize::MAX);
        let mut woken = Vec::new();
        for (class, demand) in DEMANDS.into_iter().enumerate() {
            let mut due = self.due(class, claims.given_back_total, snapshot.nodes.len(), now);
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
                let grown = self.grown[class];
                let given_back = claims.given_back_total;
                woken.extend(self.pods.get_mut(&uid).map(|entry| entry.wake(grown, given_back, now)));
            }
        }
        woken
    }

    /// Who may be woken if there is room, with what orders them.
    fn due(&self, class: usize, given_back: u64, nodes: usize, now: Time) -> Vec<(u32, Reverse<i32>, u64, PodUid)> {
        let grown = self.grown[class];
        let of_class = self.pods.iter().filter(|(_, entry)| entry.is_of(class) && entry.not_before <= now);
        let due = of_class.filter(|(_, entry)| entry.has_news(grown, given_back) || entry.walks_on(nodes, now));
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

    /// Whether something came back since it was tried.
    fn has_news(&self, grown: u64, given_back: u64) -> bool {
        self.tried != Some(grown) || self.rejection.claims.is_some_and(|before| before != given_back)
    }

    /// Whether kube-scheduler's next sample may hold a node with room, and this pod is not on its way to it already.
    fn walks_on(&self, nodes: usize, now: Time) -> bool {
        let on_its_way = self.woken.is_some_and(|at| now.since(at) < ON_ITS_WAY);
        let rounds = |rounds: usize| self.walked < nodes.saturating_mul(rounds);
        let slow = || now.since(self.heard) >= FIRST_BACKOFF;
        self.rejection.sampled.is_some() && !on_its_way && rounds(ROUNDS) && (rounds(FAST_ROUNDS) || slow())
    }

    fn wake(&mut self, grown: u64, given_back: u64, now: Time) -> WaitingPod {
        // A step to the next sample is no failure of the pod: it does not send it to the end of the line.
        if self.has_news(grown, given_back) {
            let backoff = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(self.wakes)).min(MAX_BACKOFF);
            self.wakes = self.wakes.saturating_add(1);
            self.not_before = now + backoff;
            self.walked = 0;
        }
        self.tried = Some(grown);
        self.rejection.claims = None;
        self.woken = Some(now);
        self.rejection.pod.clone()
    }
}

/// Whether some node has more room than before, claims aside: those only say who of the pods on their way comes first.
fn has_grown(before: &NodeTable, after: &NodeTable, demand: Demand, config: &Config) -> bool {
    let free = |view: &NodeView| view.slots(demand).map_or(0, |slots| room(view, slots, 0, config).free());
    after.changed(before).any(|(old, view)| free(view) > old.map_or(0, |old| free(old)))
}

/// Addresses that are neither used nor claimed, counted up to `enough`. Nominees are left out: the nominated pod may be one of
/// those that wait.
fn free(snapshot: &Snapshot, claims: &Claims, demand: Demand, config: &Config, enough: usize) -> usize {
    let mut free = 0_usize;
    if snapshot.nodes.tally(demand).is_none_or(|tally| tally.open == 0) {
        return free;
    }
    for (id, view) in snapshot.nodes.iter() {
        let Some(slots) = view.slots(demand) else { continue };
        let here = room(view, slots, claims.on(id, demand), config).free();
        free = free.saturating_add(usize::try_from(here).unwrap_or(usize::MAX));
        if free >= enough {
            break;
        }
    }
    free
}

#[cfg(test)]
mod tests;
