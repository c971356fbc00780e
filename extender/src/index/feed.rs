//! What the advisor told, and what each node may count on of the subnets until it tells more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use headroom_capacity::allot::{Free, Grower, Share, allot};
use headroom_capacity::budget::Ipv4Budget;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::ipamd::targets::{self, PoolRules};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips};

use crate::feed::{Change, Shown};

/// The feed's part of the index.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// When EC2 was read for the last time.
    observed_at: Option<Time>,
    /// Whether that counts.
    fresh: bool,
    nodes: HashMap<Arc<str>, Shown, RandomState>,
    subnets: HashMap<SubnetId, Free, RandomState>,
    /// Kept for good, as the built-in table is.
    types: HashMap<Arc<str>, InstanceLimits>,
    pools: HashMap<Arc<str>, Pool, RandomState>,
    /// Whether anything was told since the subnets were divided.
    news: bool,
    /// How old it may be.
    pub(super) stale_after: Duration,
}

/// What the advisor says of one node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told<'a> {
    /// Its ENIs. They count even if they were seen long ago: nothing else tells which of them ipamd leaves alone.
    pub(super) enis: Option<&'a Shown>,
    /// Its pool, while that counts.
    pub(super) pool: Option<&'a Pool>,
}

/// A pool as EC2 showed it, and where it may grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) at: Time,
    pub(super) attached: Ips,
    pub(super) pod_enis: Enis,
    pub(super) grower: Grower,
    pub(super) share: Share,
}

impl Pool {
    /// Attached addresses that the node may reach before EC2 is read again.
    pub(super) fn most(&self) -> Ips {
        self.attached + Ips(self.share.total().saturating_mul(self.grower.mode.ips_per_slot()))
    }

    /// Whether the same is to be expected of both; when each was seen does not matter.
    fn is_like(&self, other: &Pool) -> bool {
        let Pool { at: _, attached, pod_enis, grower, share } = self;
        (*attached, *pod_enis) == (other.attached, other.pod_enis) && share == &other.share && grower == &other.grower
    }
}

impl Feed {
    /// Takes in a change; the nodes whose ENIs are other ones now.
    pub(super) fn take(&mut self, change: Change, now: Time) -> Vec<Arc<str>> {
        let mut touched = change.gone_nodes.clone();
        if change.whole {
            touched.extend(self.nodes.drain().map(|(name, _)| name));
            self.subnets.clear();
        }
        // A clock that is ahead of ours must not make what it read last for longer.
        let observed_at = Some(change.observed_at.min(now));
        // A heartbeat only repeats the time of the last reading.
        self.news |= observed_at != self.observed_at || !change.is_heartbeat();
        self.observed_at = observed_at;
        for name in &change.gone_nodes {
            self.nodes.remove(name);
        }
        for id in &change.gone_subnets {
            self.subnets.remove(id);
        }
        touched.extend(change.nodes.iter().map(|(name, _)| Arc::clone(name)));
        self.nodes.extend(change.nodes);
        self.subnets.extend(change.subnets);
        self.types.extend(change.types);
        touched
    }

    pub(super) fn limits(&self, instance_type: &str) -> Option<&InstanceLimits> {
        self.types.get(instance_type)
    }

    /// When EC2 was read for what counts now.
    pub(super) fn observed_at(&self) -> Option<Time> {
        self.observed_at.filter(|_| self.fresh)
    }

    /// When it stops to count.
    pub(super) fn ends_at(&self) -> Option<Time> {
        self.observed_at().map(|at| at + self.stale_after)
    }

    pub(super) fn told(&self, node: &str) -> Told<'_> {
        Told { enis: self.nodes.get(node), pool: self.pools.get(node) }
    }

    /// The subnets are to be divided anew: a node that was told of is there only now, or grows by other rules.
    pub(super) fn again(&mut self) {
        self.news = true;
    }

    /// Whether there is something to divide, once for each time.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// The nodes that were told of.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Arc<str>, &Shown)> {
        self.nodes.iter()
    }

    /// Whether what was told counts at `now`; where it does not any more, the nodes whose pools are forgotten.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Arc<str>> {
        self.fresh = self.observed_at.is_some_and(|at| now < at + self.stale_after);
        if self.fresh { Vec::new() } else { self.pools.drain().map(|(name, _)| name).collect() }
    }

    /// Divides the subnets among nodes that can grow. The nodes that may count on something else than before.
    pub(super) fn divide(&mut self, growing: Vec<(Arc<str>, Growing)>) -> Vec<Arc<str>> {
        let Some(at) = self.observed_at() else { return Vec::new() };
        let mut free: Vec<Free> = Vec::with_capacity(self.subnets.len());
        let mut places: Places<'_> = HashMap::with_capacity_and_hasher(self.subnets.len(), RandomState::default());
        for (id, subnet) in &self.subnets {
            places.insert(id, free.len());
            free.push(*subnet);
        }
        let (mut names, mut shown, mut growers) = (Vec::new(), Vec::new(), Vec::new());
        for (name, growing) in growing {
            let Some(of) = self.nodes.get(&name) else { continue };
            // In subnets that nobody has looked at, nothing is known of its growth.
            let Some(grower) = growing.grower(of, &places) else { continue };
            names.push(name);
            shown.push((of.attached, of.pod_enis));
            growers.push(grower);
        }
        let shares = allot(&mut free, &growers);
        let pools = HashMap::with_capacity_and_hasher(growers.len(), RandomState::default());
        let mut before = std::mem::replace(&mut self.pools, pools);
        let mut changed = Vec::new();
        let told = names.into_iter().zip(shown).zip(growers.into_iter().zip(shares));
        for ((name, (attached, pod_enis)), (grower, share)) in told {
            let pool = Pool { at, attached, pod_enis, grower, share };
            if before.remove(&name).is_none_or(|before| !before.is_like(&pool)) {
                changed.push(Arc::clone(&name));
            }
            self.pools.insert(name, pool);
        }
        changed.extend(before.into_keys());
        changed
    }
}

/// Where in the list that is divided each subnet is.
type Places<'a> = HashMap<&'a SubnetId, usize, RandomState>;

/// What Kubernetes says of a node whose pool can grow.
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) budget: Ipv4Budget,
    pub(super) rules: PoolRules,
    /// Addresses that count as attached.
    pub(super) held: Ips,
    pub(super) assigned: u32,
    pub(super) cooling: u32,
    pub(super) waiting: u32,
}

impl Growing {
    pub(super) fn new(budget: Ipv4Budget, settings: &CniSettings) -> Growing {
        let rules = PoolRules::new(settings, &budget);
        Growing { budget, rules, held: Ips::ZERO, assigned: 0, cooling: 0, waiting: 0 }
    }

    fn grower(&self, shown: &Shown, places: &Places<'_>) -> Option<Grower> {
        let Ipv4Budget { mode, slots_per_eni, ceiling, max_pods, pod_enis, .. } = self.budget;
        let unit = mode.ips_per_slot();
        let place = |id: &SubnetId| places.get(id).copied();
        let free_slots = shown.free_slots.iter().map(|(id, slots)| Some((place(id)?, *slots)));
        let free_slots = free_slots.collect::<Option<Vec<_>>>()?;
        let new_eni_subnets = shown.new_eni_subnets.iter().map(place).collect::<Option<Vec<_>>>()?;
        // As the verdict counts what ipamd asks for: as if nothing cooled.
        let full = targets::Pool { total: shown.attached, assigned: shown.attached, ..targets::Pool::default() };
        let useful = Ips(max_pods.checked_next_multiple_of(unit).unwrap_or(u32::MAX)).min(ceiling);
        let taken = self.assigned.saturating_add(self.cooling).saturating_add(self.waiting);
        let is_low = self.rules.is_low(shown.attached, Ips(self.assigned));
        Some(Grower {
            mode,
            slots_per_eni,
            request: self.rules.request(&full).min(slots_per_eni),
            free_slots,
            new_enis: if new_eni_subnets.is_empty() { Enis::ZERO } else { pod_enis.saturating_sub(shown.pod_enis) },
            new_eni_subnets,
            useful: useful.saturating_sub(shown.attached).get() / unit,
            // Pods that are bound were let in on the share that the node had; it is not for others now.
            grown: self.held.max(Ips(taken)).saturating_sub(shown.attached).get().div_ceil(unit),
            urgent: is_low || taken > shown.attached.get(),
        })
    }
}
