//! The verdict for an IPv4 pod address on Linux.

use super::account::{Account, ips};
use super::{NodeState, Reason, Room, Verdict};
use crate::budget::{Ipv4Budget, Mode};
use crate::instance::LimitSource;
use crate::ipamd::targets::{self, PoolRules};
use crate::settings::CniSettings;
use crate::time::Time;
use crate::units::{IPS_PER_PREFIX, Ips};

/// No bound.
pub(super) const ANY: i64 = i64::MAX;

/// How far one circumstance lets the pool grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) reason: Reason,
    /// Attached addresses, [`ANY`] where it does not bind.
    pub(super) reach: i64,
}

/// A node's pool together with what decides on its growth.
#[derive(Debug)]
pub(super) struct Pool<'a> {
    node: &'a NodeState,
    budget: &'a Ipv4Budget,
    settings: &'a CniSettings,
    rules: PoolRules,
    now: Time,
}

impl<'a> Pool<'a> {
    pub(super) fn new(node: &'a NodeState, budget: &'a Ipv4Budget, settings: &'a CniSettings, now: Time) -> Pool<'a> {
        Pool { node, budget, settings, rules: PoolRules::new(settings, budget), now }
    }

    pub(super) fn verdict(&self) -> Verdict {
        let refused = match self.with_claims(self.node.claims) {
            Ok(granted) => return granted,
            Err(refused) => refused,
        };
        let without_claims = self.with_claims(Ips::ZERO);
        if without_claims.is_ok() {
            return Verdict::Never(Reason::Claimed);
        }
        let settled = self.promised(Ips::ZERO);
        if i64::from(self.node.total.get().min(self.limit())) > settled {
            return Verdict::Never(Reason::CoolingDown);
        }
        without_claims.err().unwrap_or(refused)
    }

    /// What is assignable at once.
    pub(super) fn account(&self, claims: Ips) -> Account<4> {
        Account {
            have: (self.node.total.get(), "attached"),
            less: [
                (self.node.assigned.get(), "assigned"),
                (self.node.cooling.get(), "cooling"),
                (self.node.waiting.get(), "waiting"),
                (claims.get(), "claimed"),
            ],
        }
    }

    /// Attached addresses that it takes to serve everyone who comes before, and one pod more.
    pub(super) fn needed(&self, claims: Ips) -> i64 {
        self.promised(claims) + i64::from(self.node.cooling.get()) + 1
    }

    /// Every bound on growth, in the order in which they are given as reasons.
    pub(super) fn bounds(&self, claims: Ips) -> [Bound; 7] {
        let total = i64::from(self.node.total.get());
        let promised = self.promised(claims);
        let stops_if = |stops: bool| if stops { total } else { ANY };
        // At a limit with pods alone nothing can come, whatever is attached.
        let under = |limit: u32, reach: i64| if promised < i64::from(limit) { reach } else { 0 };

        let ceiling = self.budget.ceiling.get();
        let instance =
            Bound { reason: Reason::InstanceIpLimit, reach: under(ceiling, self.slots().min(i64::from(ceiling))) };
        let max_pods = self.budget.max_pods;
        let pods = Bound { reason: Reason::MaxPods, reach: under(max_pods, total.max(i64::from(max_pods))) };
        let [first, second] = if max_pods < ceiling { [pods, instance] } else { [instance, pods] };

        let cordoned = self.node.cordoned && !self.settings.manage_enis_non_schedulable;
        let backing_off = self.node.back_off_until.is_some_and(|until| self.now <= until);
        [
            first,
            second,
            Bound { reason: Reason::ProvisioningDisabled, reach: stops_if(self.settings.provisioning_disabled) },
            Bound { reason: Reason::PoolNotGrowing, reach: self.targets() },
            self.room(),
            Bound { reason: Reason::Cordoned, reach: stops_if(cordoned) },
            Bound { reason: Reason::IpamdBackOff, reach: stops_if(backing_off) },
        ]
    }

    fn with_claims(&self, claims: Ips) -> Result<Verdict, Verdict> {
        let under_limits = i64::from(self.limit()) - self.promised(claims);
        let at_once = self.account(claims).left().min(under_limits);
        if at_once > 0 {
            return Ok(Verdict::Now(ips(at_once)));
        }
        let needed = self.needed(claims);
        let mut reach = ANY;
        for bound in self.bounds(claims) {
            if bound.reach < needed {
                return Err(self.refuse(bound.reason));
            }
            reach = reach.min(bound.reach);
        }
        Ok(Verdict::Soon(ips((reach - needed + 1).min(under_limits))))
    }

    fn refuse(&self, reason: Reason) -> Verdict {
        if reason == Reason::InstanceIpLimit && self.budget.source == LimitSource::Observed {
            return Verdict::Unknown(Reason::UnknownInstanceType);
        }
        Verdict::Never(reason)
    }

    /// Pods that hold, wait for or claim an address.
    fn promised(&self, claims: Ips) -> i64 {
        [self.node.assigned, self.node.waiting, claims].iter().map(|count| i64::from(count.get())).sum()
    }

    fn limit(&self) -> u32 {
        self.budget.ceiling.get().min(self.budget.max_pods)
    }

    fn ips_in(&self, slots: u64) -> i64 {
        i64::try_from(slots.saturating_mul(u64::from(self.budget.mode.ips_per_slot()))).unwrap_or(ANY)
    }

    fn enis_left(&self) -> u64 {
        u64::from(self.budget.pod_enis.saturating_sub(self.node.pod_enis).get())
    }

    /// What every slot of the node could hold. Slots are only known together with the subnets.
    fn slots(&self) -> i64 {
        match self.node.room {
            Room::Unknown => ANY,
            Room::Known { .. } => {
                let new = self.enis_left() * u64::from(self.budget.slots_per_eni);
                i64::from(self.node.total.get()).saturating_add(self.ips_in(u64::from(self.node.free_slots) + new))
            }
        }
    }

    /// Where the warm-pool targets stop when pods take every address that can be assigned. Cooling addresses count as
    /// available (CNI `DataStoreStats.AvailableAddresses`).
    fn targets(&self) -> i64 {
        let low_at = |total: Ips| self.rules.is_low(total, total.saturating_sub(self.node.cooling));
        let total = self.node.total;
        let unit = self.budget.mode.ips_per_slot();
        let minimum = Ips(self.rules.minimum_ips.checked_next_multiple_of(unit).unwrap_or(u32::MAX)).max(total);
        if low_at(minimum) {
            ANY
        } else if low_at(total) {
            i64::from(minimum.get())
        } else {
            i64::from(total.get())
        }
    }

    /// Where the subnets stop.
    fn room(&self) -> Bound {
        let Room::Known { on_attached_ips, on_attached_prefixes, for_new_eni_ips, for_new_eni_prefixes } =
            self.node.room
        else {
            return Bound { reason: Reason::SubnetExhausted, reach: ANY };
        };
        let (new_ips, new_prefixes) = (for_new_eni_ips.get(), for_new_eni_prefixes.get());
        let slots = match self.budget.mode {
            Mode::SecondaryIp => {
                self.fill(on_attached_ips.get(), |filled| self.new_eni_ips(new_ips.saturating_sub(filled)))
            }
            Mode::Prefix => self.fill(on_attached_prefixes.get(), |filled| {
                let ips = new_ips.saturating_sub(filled.saturating_mul(IPS_PER_PREFIX));
                self.new_eni_prefixes(ips, new_prefixes.saturating_sub(filled))
            }),
        };
        let reach = i64::from(self.node.total.get()).saturating_add(self.ips_in(slots));
        let new_eni = self.enis_left() > 0 && self.goes_on_to_new_eni(0);
        let reachable = if self.node.free_slots > 0 { on_attached_ips } else { Ips::ZERO }.max(if new_eni {
            for_new_eni_ips
        } else {
            Ips::ZERO
        });
        let fragmented = self.budget.mode == Mode::Prefix && reachable.get() >= IPS_PER_PREFIX;
        Bound { reason: if fragmented { Reason::SubnetFragmented } else { Reason::SubnetExhausted }, reach }
    }

    /// Slots that can be filled: `free` of those on attached ENIs first, then those of new ENIs in what is left. Attached and
    /// new ENIs may share a subnet, wholly or in part, so what the first take may be missing for the others; the worst case is
    /// taken over everything that the first could still find, which also keeps the answer from falling when more is free.
    fn fill(&self, free: u32, new: impl Fn(u32) -> u64) -> u64 {
        let slots = self.node.free_slots;
        let filled_with =
            |filled: u32| u64::from(filled) + if self.goes_on_to_new_eni(filled) { new(filled) } else { 0 };
        (free.min(slots)..=slots).map(filled_with).min().unwrap_or(0)
    }

    /// Whether ipamd makes an ENI once it has filled so many of the free slots. While one is left it asks for that first, and
    /// where EC2 refuses it backs off, unless subnet discovery is on (CNI `tryAssignIPs`, `tryAssignPrefixes`).
    fn goes_on_to_new_eni(&self, filled: u32) -> bool {
        self.settings.subnet_discovery || filled == self.node.free_slots
    }

    /// Slots that ipamd asks for when it makes an ENI, all in one call: fewer are not tried (CNI `createENI`). Taken as if
    /// nothing cooled, which is the most that it asks for.
    fn new_eni_request(&self) -> u64 {
        let full = targets::Pool { total: self.node.total, assigned: self.node.total, ..targets::Pool::default() };
        u64::from(self.rules.request(&full).min(self.budget.slots_per_eni))
    }

    /// Secondary addresses that new ENIs find in one subnet with so many free.
    fn new_eni_ips(&self, free: u32) -> u64 {
        self.new_eni_slots(u64::from(free), self.enis_left())
    }

    /// Prefixes that new ENIs find in one subnet. Each ENI takes a single address for itself, and nobody says that EC2 does
    /// not take it out of a free /28: one is lost for each ENI, except that the first gets its prefixes together with its
    /// address.
    fn new_eni_prefixes(&self, free_ips: u32, free_prefixes: u32) -> u64 {
        let enis = self.enis_left().min(u64::from(free_ips));
        let free = u64::from(free_prefixes);
        let outside = u64::from(free_ips).saturating_sub(free * u64::from(IPS_PER_PREFIX));
        let request = self.new_eni_request();
        let fits = enis > 0 && (free > request || (free == request && outside > 0));
        self.new_eni_slots(free, enis).max(if fits { request } else { 0 })
    }

    /// Slots that up to `enis` new ENIs fill from `free` units, each ENI taking one more unit for itself.
    fn new_eni_slots(&self, free: u64, enis: u64) -> u64 {
        let slots = u64::from(self.budget.slots_per_eni);
        let (whole, rest) = (free / (slots + 1), free % (slots + 1));
        if whole >= enis {
            return enis * slots;
        }
        whole * slots + if rest > self.new_eni_request() { rest - 1 } else { 0 }
    }
}
