//! The warm-pool arithmetic: when the pool is low, by how much, and what may be given back. Numbers in, numbers out.

use crate::budget::{Ipv4Budget, Mode};
use crate::settings::CniSettings;
use crate::units::{IPS_PER_PREFIX, Ips, Prefixes};

/// What ipamd's decisions are made of: counts over the ENIs that give pod addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pool {
    /// Attached addresses for pods, cooling ones included.
    pub total: Ips,
    /// Held by pods.
    pub assigned: Ips,
    /// Prefixes attached.
    pub prefixes: Prefixes,
    /// Prefixes of which no pod holds an address.
    pub free_prefixes: Prefixes,
}

impl Pool {
    fn available(&self) -> u32 {
        self.total.saturating_sub(self.assigned).get()
    }
}

/// The targets of one node, and the limits that they work against.
///
/// Order of precedence (CNI `isDatastorePoolTooLow`, `datastoreTargetState`): a pool that holds max-pods addresses is never
/// low; else `WARM_IP_TARGET` and `MINIMUM_IP_TARGET` if either is set; else `WARM_PREFIX_TARGET` in prefix mode and
/// `WARM_ENI_TARGET` otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolRules {
    /// Whether a slot takes one address or one /28.
    pub mode: Mode,
    /// `WARM_IP_TARGET`, 0 where unset.
    pub warm_ips: u32,
    /// `MINIMUM_IP_TARGET`, 0 where unset.
    pub minimum_ips: u32,
    /// `WARM_ENI_TARGET`.
    pub warm_enis: u32,
    /// `WARM_PREFIX_TARGET`.
    pub warm_prefixes: u32,
    /// Slots on one ENI.
    pub slots_per_eni: u32,
    /// The node's max-pods.
    pub max_pods: u32,
}

impl PoolRules {
    /// The rules of a node with these settings and limits.
    #[must_use]
    pub fn new(settings: &CniSettings, budget: &Ipv4Budget) -> PoolRules {
        PoolRules {
            mode: budget.mode,
            warm_ips: settings.warm_ip_target.unwrap_or(0),
            minimum_ips: settings.minimum_ip_target.unwrap_or(0),
            warm_enis: settings.warm_eni_target,
            warm_prefixes: settings.warm_prefix_target,
            slots_per_eni: budget.slots_per_eni,
            max_pods: budget.max_pods,
        }
    }

    /// Whether `WARM_IP_TARGET` or `MINIMUM_IP_TARGET` decides (CNI `warmIPTargetsDefined`).
    #[must_use]
    pub const fn by_ips(&self) -> bool {
        self.warm_ips != 0 || self.minimum_ips != 0
    }

    /// Addresses missing to the IP targets; 0 where they are not set (CNI `datastoreTargetState`).
    #[must_use]
    pub fn short(&self, total: Ips, assigned: Ips) -> Ips {
        if !self.by_ips() {
            return Ips::ZERO;
        }
        let warm = Ips(self.warm_ips).saturating_sub(total.saturating_sub(assigned));
        warm.max(Ips(self.minimum_ips).saturating_sub(total))
    }

    /// Whether the pool grows, room and permission given (CNI `isDatastorePoolTooLow`).
    ///
    /// ```
    /// use headroom_capacity::{budget::Mode, ipamd::targets::PoolRules, units::Ips};
    /// let m5_large = PoolRules {
    ///     mode: Mode::SecondaryIp, warm_ips: 0, minimum_ips: 0, warm_enis: 1, warm_prefixes: 0, slots_per_eni: 9, max_pods: 29,
    /// };
    /// assert!(!m5_large.is_low(Ips(9), Ips(0)));
    /// assert!(m5_large.is_low(Ips(9), Ips(1)));
    /// ```
    #[must_use]
    pub fn is_low(&self, total: Ips, assigned: Ips) -> bool {
        if total.get() >= self.max_pods {
            return false;
        }
        if self.by_ips() {
            return !self.short(total, assigned).is_zero();
        }
        let (warm, unit) = match self.mode {
            Mode::SecondaryIp => (self.warm_enis, self.slots_per_eni),
            Mode::Prefix => (self.warm_prefixes, IPS_PER_PREFIX),
        };
        let available = total.saturating_sub(assigned).get();
        available < warm.saturating_mul(unit) || (warm == 0 && available == 0)
    }

    /// The pool that ipamd keeps while so many addresses are held, limits of the instance type aside: a smaller one grows to at
    /// least this, and none is shrunk below it (CNI `isDatastorePoolTooLow`, `isDatastorePoolTooHigh`).
    ///
    /// Without IP targets ipamd asks for whole ENIs and whole prefixes, and as long as EC2 does not refuse it has such. Without a
    /// warm ENI or prefix it gives back what it attached ahead of the pods.
    #[must_use]
    pub fn kept(&self, assigned: Ips) -> Ips {
        let unit = self.mode.ips_per_slot();
        let assigned = assigned.get();
        let whole = |ips: u32, block: u32| ips.checked_next_multiple_of(block.max(1)).unwrap_or(u32::MAX);
        let wanted = match self.mode {
            _ if self.by_ips() => {
                let warm = if self.warm_ips == 0 { 0 } else { assigned.saturating_add(self.warm_ips) };
                warm.max(self.minimum_ips)
            }
            Mode::SecondaryIp => assigned.saturating_add(self.warm_enis.saturating_mul(self.slots_per_eni)),
            Mode::Prefix => assigned.saturating_add(self.warm_prefixes.saturating_mul(unit)),
        };
        let block = if self.by_ips() || self.mode == Mode::Prefix { unit } else { self.slots_per_eni };
        Ips(whole(wanted.min(self.max_pods), block))
    }

    /// Slots that the next step asks for, before the free slots of an ENI cap it (CNI `tryAssignIPs`, `getPrefixesNeeded`,
    /// `GetENIResourcesToAllocate`). Zero only when the IP targets are met in secondary-IP mode.
    #[must_use]
    pub fn request(&self, pool: &Pool) -> u32 {
        let short = self.short(pool.total, pool.assigned);
        match self.mode {
            Mode::SecondaryIp if self.by_ips() => short.get(),
            Mode::SecondaryIp => self.slots_per_eni,
            Mode::Prefix if self.by_ips() => short.prefixes_ceil().get().max(1),
            Mode::Prefix => Prefixes(self.warm_prefixes).saturating_sub(pool.free_prefixes).get().max(1),
        }
    }

    /// Slots that may be given back (CNI `datastoreTargetState`, `computeExtraPrefixesOverWarmTarget`). In secondary-IP mode
    /// without IP targets single addresses are never given back, only whole ENIs.
    #[must_use]
    pub fn over(&self, pool: &Pool) -> u32 {
        match (self.by_ips(), self.mode) {
            (true, Mode::SecondaryIp) => {
                let warm = pool.available().saturating_sub(self.warm_ips);
                warm.min(pool.total.saturating_sub(Ips(self.minimum_ips)).get())
            }
            (true, Mode::Prefix) => {
                let warm = Ips(pool.assigned.get().saturating_add(self.warm_ips)).prefixes_ceil();
                let needed = warm.max(Ips(self.minimum_ips).prefixes_ceil());
                pool.free_prefixes.min(pool.prefixes.saturating_sub(needed)).get()
            }
            (false, Mode::SecondaryIp) => 0,
            (false, Mode::Prefix) => pool.free_prefixes.saturating_sub(Prefixes(self.warm_prefixes)).get(),
        }
    }

    /// Whether so much is free that an ENI may be superfluous (CNI `shouldRemoveExtraENIs`; in prefix mode it also looks for
    /// an ENI without pods). With IP targets always: whether the other ENIs meet them decides.
    #[must_use]
    pub fn may_spare_eni(&self, pool: &Pool) -> bool {
        let warm = match self.mode {
            Mode::SecondaryIp => self.warm_enis,
            Mode::Prefix => self.warm_prefixes,
        };
        let ips_per_eni = self.slots_per_eni.saturating_mul(self.mode.ips_per_slot());
        self.by_ips() || pool.available() >= warm.saturating_add(1).saturating_mul(ips_per_eni)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M5_LARGE: PoolRules = PoolRules {
        mode: Mode::SecondaryIp,
        warm_ips: 0,
        minimum_ips: 0,
        warm_enis: 1,
        warm_prefixes: 1,
        slots_per_eni: 9,
        max_pods: 110,
    };
    const PREFIXES: PoolRules = PoolRules { mode: Mode::Prefix, ..M5_LARGE };

    fn pool(total: u32, assigned: u32, free_prefixes: u32) -> Pool {
        Pool {
            total: Ips(total),
            assigned: Ips(assigned),
            prefixes: Prefixes(total / IPS_PER_PREFIX),
            free_prefixes: Prefixes(free_prefixes),
        }
    }

    #[test]
    fn precedence_and_bounds_of_low() {
        let ips = PoolRules { warm_ips: 2, minimum_ips: 5, ..M5_LARGE };
        let none = |rules: PoolRules| PoolRules { warm_enis: 0, warm_prefixes: 0, ..rules };
        // Rules, total, assigned, low.
        let rows = [
            (M5_LARGE, 9, 0, false),
            (M5_LARGE, 9, 1, true),
            (M5_LARGE, 110, 110, false),
            (M5_LARGE, 109, 109, true),
            (none(M5_LARGE), 9, 8, false),
            (none(M5_LARGE), 9, 9, true),
            (PREFIXES, 16, 0, false),
            (PREFIXES, 16, 1, true),
            (none(PREFIXES), 16, 15, false),
            (none(PREFIXES), 0, 0, true),
            (ips, 4, 0, true),
            (ips, 5, 3, false),
            (ips, 5, 4, true),
            (PoolRules { max_pods: 5, ..ips }, 5, 4, false),
        ];
        for (rules, total, assigned, low) in rows {
            assert_eq!(rules.is_low(Ips(total), Ips(assigned)), low, "{rules:?} {total} {assigned}");
        }
    }

    #[test]
    fn what_a_step_asks_for_and_what_may_go() {
        let ips = PoolRules { warm_ips: 2, minimum_ips: 5, ..M5_LARGE };
        let by_prefix = PoolRules { mode: Mode::Prefix, ..ips };
        // Rules, pool, slots asked for, slots over.
        let rows = [
            (M5_LARGE, pool(9, 4, 0), 9, 0),
            (M5_LARGE, pool(27, 0, 0), 9, 0),
            (ips, pool(0, 0, 0), 5, 0),
            (ips, pool(9, 8, 0), 1, 0),
            (ips, pool(9, 1, 0), 0, 4),
            (ips, pool(9, 6, 0), 0, 1),
            (PREFIXES, pool(32, 1, 1), 1, 0),
            (PREFIXES, pool(48, 1, 2), 1, 1),
            (PoolRules { warm_prefixes: 4, ..PREFIXES }, pool(16, 0, 1), 3, 0),
            (PoolRules { minimum_ips: 20, ..by_prefix }, pool(0, 0, 0), 2, 0),
            (by_prefix, pool(48, 14, 2), 1, 2),
            // A free prefix is needed for the target: 1 + 16 addresses take two.
            (PoolRules { warm_ips: 16, ..by_prefix }, pool(32, 1, 1), 1, 0),
            // Pods on every prefix: nothing may go though two would do.
            (by_prefix, pool(48, 3, 0), 1, 0),
        ];
        for (rules, pool, asked, over) in rows {
            assert_eq!((rules.request(&pool), rules.over(&pool)), (asked, over), "{rules:?} {pool:?}");
        }
    }

    #[test]
    fn with_a_target_the_least_pool_that_is_not_low_is_kept() {
        let targets =
            (1..3).flat_map(|warm| (0..3).flat_map(move |ips| (0..3).map(move |minimum| (warm, ips, minimum))));
        for (mode, (warm, warm_ips, minimum)) in targets.flat_map(|t| [(Mode::SecondaryIp, t), (Mode::Prefix, t)]) {
            let rules = PoolRules {
                mode,
                warm_enis: warm,
                warm_prefixes: warm,
                warm_ips: warm_ips * 7,
                minimum_ips: minimum * 11,
                ..M5_LARGE
            };
            for assigned in (0..130).map(Ips) {
                let kept = rules.kept(assigned).max(assigned);
                assert!(!rules.is_low(kept, assigned), "{rules:?} {assigned}");
                let block =
                    if rules.by_ips() || mode == Mode::Prefix { mode.ips_per_slot() } else { rules.slots_per_eni };
                let less = kept.saturating_sub(Ips(block));
                assert!(less < assigned || kept.is_zero() || rules.is_low(less, assigned), "{rules:?} {assigned}");
            }
        }
    }

    #[test]
    fn without_a_target_whole_enis_with_pods_are_kept() {
        let none = PoolRules { warm_enis: 0, ..M5_LARGE };
        assert_eq!([0, 1, 9, 10].map(|pods| none.kept(Ips(pods)).get()), [0, 9, 9, 18]);
    }

    #[test]
    fn huge_targets_do_not_overflow() {
        let huge = PoolRules {
            warm_ips: u32::MAX,
            minimum_ips: u32::MAX,
            warm_enis: u32::MAX,
            warm_prefixes: u32::MAX,
            ..M5_LARGE
        };
        for rules in [huge, PoolRules { mode: Mode::Prefix, ..huge }, PoolRules { warm_ips: 0, minimum_ips: 0, ..huge }]
        {
            let pool = pool(32, 3, 1);
            assert!(rules.is_low(pool.total, pool.assigned));
            assert!(rules.request(&pool) > 0);
            assert_eq!(rules.over(&pool), 0);
            assert_eq!(rules.may_spare_eni(&pool), rules.by_ips());
        }
    }
}
