//! A lower bound of a node's pool, told from its pods alone: what they prove, and what ipamd has had the time to bring.
//!
//! Attached addresses are in no Kubernetes object, but ipamd's rules are known. It keeps a pool of a certain size for
//! the addresses that are held ([`PoolRules::kept`]), and as long as a pool is smaller than that, each turn of its loop adds
//! something. So a pool that held `n` when it turned low holds one step more a [`STEP`] later, up to the least that was to be
//! kept in the meantime. A bound that comes down needs no time: ipamd may have given the addresses back already.
//!
//! ```text
//!            low since t, n held        t + STEP
//! bound  ────────── n ─────────────────────┬── n + one step ──── ...   while kept(assigned) > bound
//! pool      somewhere at or above          └─ ipamd's loop has come round, its EC2 calls are answered
//! ```
//! What it cannot see is EC2 refusing: an empty subnet, throttling, a missing permission. A pod that gets no address is the
//! evidence for these. Where EC2 is read too, by whoever it may be, the pool that it showed takes the place of the bound as of that time
//! ([`Floor::observed`]), and growth from then on stops where the subnets do ([`Floor::limit`]).

mod observed;

pub use observed::Observed;

use std::time::Duration;

use crate::budget::{Ipv4Budget, Mode};
use crate::ipamd::targets::PoolRules;
use crate::settings::CniSettings;
use crate::time::Time;
use crate::units::Ips;

/// How long ipamd may take for one step from the moment that the pool is low. The loop comes round within 5 s (CNI
/// `StartNodeIPPoolManager`: sleeps 2.5 s twice) unless it is busy detaching an ENI (about 6 s, a fixed sleep of 2 s and two calls
/// in it, `FreeENI`); a new ENI takes up to 10 s (CNI README, "up to 10 seconds"), addresses on an attached one less.
pub const STEP: Duration = Duration::from_secs(20);

/// How one node's pool grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    rules: PoolRules,
    ceiling: Ips,
    provisioned: bool,
}

impl Growth {
    /// Of a node with these settings and limits.
    #[must_use]
    pub fn new(settings: &CniSettings, budget: &Ipv4Budget) -> Growth {
        Growth {
            rules: PoolRules::new(settings, budget),
            ceiling: budget.ceiling,
            provisioned: !settings.provisioning_disabled,
        }
    }

    /// What the pool surely holds for so many held addresses: a prefix is attached as a whole.
    fn proven(&self, assigned: Ips) -> Ips {
        let whole = assigned.get().checked_next_multiple_of(self.rules.mode.ips_per_slot());
        Ips(whole.unwrap_or(u32::MAX)).min(self.ceiling)
    }

    /// How far ipamd grows the pool, never less than what the pods prove.
    fn kept(&self, assigned: Ips) -> Ips {
        let wanted = if self.provisioned { self.rules.kept(assigned) } else { Ips::ZERO };
        wanted.min(self.ceiling).max(self.proven(assigned))
    }

    /// What one step adds at least to a pool of `base` addresses (CNI `tryAssignIPs`, `tryAssignPrefixes`, `tryAllocateENI`): what is
    /// short, up to the room on the one ENI that it asks for. ENIs fill one after another, unless addresses or prefixes were
    /// given back: then an ENI with a single free slot may be the first that ipamd comes to.
    fn gain(&self, base: Ips, scattered: bool) -> Ips {
        let PoolRules { mode, slots_per_eni, .. } = self.rules;
        let slots = match mode {
            // Always whole ENIs.
            Mode::SecondaryIp if !self.rules.by_ips() => slots_per_eni,
            // Short of one prefix at least; of how many more depends on which are free.
            Mode::Prefix if !self.rules.by_ips() => 1,
            _ => {
                let used = base.get() / mode.ips_per_slot();
                match used.checked_rem(slots_per_eni) {
                    Some(on_last) if !scattered => slots_per_eni - on_last,
                    Some(_) if used + 1 < slots_per_eni => slots_per_eni - used,
                    _ => 1,
                }
            }
        };
        Ips(slots.saturating_mul(mode.ips_per_slot()))
    }
}

/// What was seen of a node since the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Pods that hold an address now.
    pub assigned: Ips,
    /// The fewest that held one at any time since.
    pub fewest: Ips,
    /// Whether an address was released since.
    pub released: bool,
    /// Whether ipamd runs and may grow the pool: the node is Ready, and not cordoned unless cordoned pools grow too.
    pub grows: bool,
}

/// The bound. A new one knows nothing: neither how long the pods have been there nor what was released before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    held: Ips,
    /// Whether ENIs may be filled in part, in no order.
    scattered: bool,
    /// Oldest first.
    rising: Vec<Rising>,
    growth: Option<Growth>,
    /// Since when ipamd may grow the pool without a break; `None` while it may not.
    grows_since: Option<Time>,
    /// How small the pool may have become when.
    lows: observed::Lows,
    shown: Option<Observed>,
    /// What the subnets let the pool reach, where somebody has looked at them.
    most: Option<Ips>,
}

/// A pool that held `base` addresses and is low: from then on `kept` were to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rising {
    since: Time,
    base: Ips,
    kept: Ips,
}

impl Floor {
    /// The bound of a node whose history is not known, as after a restart of who watches: addresses may have been released.
    #[must_use]
    pub fn of_unknown_past() -> Floor {
        Floor { scattered: true, ..Floor::default() }
    }

    /// A pod asked for an address and got none: there are no more than those that pods hold.
    #[must_use]
    pub fn refused(self) -> Floor {
        // What EC2 showed before does not bring it back.
        let shown = self.shown.map(|shown| Observed { attached: Ips::ZERO, ..shown });
        Floor { held: Ips::ZERO, rising: Vec::new(), shown, ..self }
    }

    /// The bound at `now`. Calls may come at any time; growth is noticed by the first call after [`Floor::due`]. With a `step` of
    /// zero ipamd takes no time.
    #[must_use]
    pub fn advance(self, seen: &Seen, growth: &Growth, now: Time, step: Duration) -> Floor {
        let mut next = self;
        let before = next.growth.replace(*growth);
        // A new limit, as of an ENI that turns out not to be ipamd's, leaves the pool as it is.
        if before.is_none_or(|before| (Growth { ceiling: growth.ceiling, ..before }) != *growth) {
            // aws-node starts anew with other settings, and what it attached before may not be of the kind that it hands out now.
            next = Floor { held: Ips::ZERO, rising: Vec::new(), shown: None, ..next };
            if before.is_some() {
                next.lows.note(Ips::ZERO, now);
            }
        }
        next.scattered |= seen.released;
        let fewest = growth.kept(seen.fewest.min(seen.assigned));
        next.lows.note(fewest, now);
        next.fall(fewest);
        if seen.grows {
            next.grows_since.get_or_insert(now);
            next.rise(growth, now, step);
        } else {
            next.grows_since = None;
            next.rising.clear();
        }
        next.settle(seen, growth, now);
        next
    }

    /// What the pods prove holds in any case; and a pool that is low by what is known now rises from now on.
    fn settle(&mut self, seen: &Seen, growth: &Growth, now: Time) {
        let kept = growth.kept(seen.assigned);
        self.fall(kept);
        self.lows.keep(kept);
        let most = self.most.unwrap_or(growth.ceiling);
        self.held = self.held.min(most).max(growth.proven(seen.assigned));
        let base = self.held;
        let news = self.rising.last().is_none_or(|last| (last.base, last.kept) != (base, kept));
        if seen.grows && kept.min(most) > base && news {
            self.rising.push(Rising { since: now, base, kept });
        }
    }

    /// Addresses that are attached.
    #[must_use]
    pub fn held(&self) -> Ips {
        self.held
    }

    /// When it has grown, if nothing changes until then.
    #[must_use]
    pub fn due(&self, step: Duration) -> Option<Time> {
        self.rising.first().map(|rising| rising.since + step)
    }

    /// Addresses that are attached one step later, if pods take all that there are until then; with a `step` of zero, in the end.
    #[must_use]
    pub fn reach(&self, growth: &Growth, step: Duration, grows: bool) -> Ips {
        if !grows {
            return self.held;
        }
        let most = self.most.unwrap_or(growth.ceiling);
        if step.is_zero() {
            return most.max(self.held);
        }
        let full = growth.kept(self.held);
        // What ipamd may have given back since EC2 showed it is attached again as pods come.
        let shown = self.shown.map_or(Ips::ZERO, |shown| shown.attached.min(growth.ceiling));
        (self.held + growth.gain(self.held, self.scattered)).min(full).max(shown).min(most).max(self.held)
    }

    fn fall(&mut self, kept: Ips) {
        self.held = self.held.min(kept);
        for rising in &mut self.rising {
            rising.kept = rising.kept.min(kept);
        }
    }

    /// Each low pool was one step higher, or at what was to be kept, a step's time later.
    fn rise(&mut self, growth: &Growth, now: Time, step: Duration) {
        if step.is_zero() {
            self.held = growth.ceiling;
        }
        let most = self.most.unwrap_or(growth.ceiling);
        let due = self.rising.partition_point(|rising| rising.since + step <= now);
        for Rising { base, kept, .. } in self.rising.drain(..due) {
            self.held = self.held.max((base + growth.gain(base, self.scattered)).min(kept).min(most));
        }
        let held = self.held;
        self.rising.retain(|rising| rising.kept > held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// m5.large with `WARM_IP_TARGET=5`: 9 addresses an ENI.
    fn by_ips() -> Growth {
        let rules = PoolRules {
            mode: Mode::SecondaryIp,
            warm_ips: 5,
            minimum_ips: 0,
            warm_enis: 1,
            warm_prefixes: 0,
            slots_per_eni: 9,
            max_pods: 29,
        };
        Growth { rules, ceiling: Ips(27), provisioned: true }
    }

    fn pods(assigned: u32) -> Seen {
        Seen { assigned: Ips(assigned), fewest: Ips(assigned), released: false, grows: true }
    }

    #[test]
    fn enis_fill_one_after_another_unless_addresses_were_given_back() {
        let later = |floor: Floor, assigned| {
            let floor = floor.advance(&pods(assigned), &by_ips(), Time::ZERO, STEP);
            floor.advance(&pods(assigned), &by_ips(), Time::ZERO + STEP, STEP).held()
        };
        assert_eq!(later(Floor::default(), 10), Ips(15), "8 are free on the second ENI");
        assert_eq!(later(Floor::of_unknown_past(), 10), Ips(11), "the one with a free slot may have only one");
        assert_eq!(later(Floor::of_unknown_past(), 2), Ips(7));
    }

    #[test]
    fn what_more_pods_ask_for_counts_from_when_they_were_seen() {
        let at = Time::from_secs;
        let floor = Floor::default().advance(&pods(1), &by_ips(), at(0), STEP);
        let floor = floor.advance(&pods(3), &by_ips(), at(5), STEP);
        let floor = floor.advance(&pods(3), &by_ips(), at(20), STEP);
        assert_eq!((floor.held(), floor.due(STEP)), (Ips(6), Some(at(25))));
        assert_eq!(floor.advance(&pods(3), &by_ips(), at(25), STEP).held(), Ips(8));
    }
}
