//! What ipamd may give back to EC2, and where it may ask for more.

use std::time::Duration;

use super::{Block, Datastore, Eni};
use crate::budget::Mode;
use crate::ids::EniId;
use crate::subnet::Cidr;
use crate::time::Time;
use crate::units::{Ips, Prefixes};

/// An ENI is not removed for want of use before it is that old (`minENILifeTime`).
pub const MIN_ENI_LIFE_TIME: Duration = Duration::from_secs(60);

/// Targets that keep an otherwise unused ENI; 0 is unset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct WarmTargets {
    /// `WARM_IP_TARGET`.
    pub warm_ip: u32,
    /// `MINIMUM_IP_TARGET`.
    pub minimum_ip: u32,
    /// `WARM_PREFIX_TARGET`, heeded in prefix mode only.
    pub warm_prefix: u32,
}

impl Datastore {
    /// Prefixes without a pod, on excluded ENIs too (`GetFreePrefixes`).
    #[must_use]
    pub fn free_prefixes(&self) -> Prefixes {
        let blocks = self.enis().flat_map(Eni::blocks);
        blocks.filter(|block| block.is_prefix() && is_free(block)).map(|_| Prefixes(1)).sum()
    }

    /// Blocks of `eni` without a pod, of both kinds, in ascending order (`FindFreeableCidrs`; `FreeableIPs` and
    /// `FreeablePrefixes` are its two halves). Cooling addresses do not hold a block. Empty for an unknown ENI.
    #[must_use]
    pub fn freeable_cidrs(&self, eni: &EniId) -> Vec<Cidr> {
        let blocks = self.eni(eni).into_iter().flat_map(Eni::blocks);
        blocks.filter(|block| is_free(block)).map(Block::cidr).collect()
    }

    /// ENIs with fewer than `slots` blocks that may get more, by name: not the trunk, not excluded, not the primary one
    /// if `skip_primary`, as under custom networking (`GetAllocatableENIs`).
    pub fn allocatable_enis(&self, slots: u32, skip_primary: bool) -> impl Iterator<Item = &Eni> {
        self.enis().filter(move |eni| {
            let skipped = eni.spec.trunk || eni.spec.excluded || (skip_primary && eni.spec.primary);
            !skipped && eni.slots_used() < slots
        })
    }

    /// Whether some ENI could be removed but for its age, cool-down and targets (`CheckFreeableENIexists`).
    #[must_use]
    pub fn has_freeable_eni(&self) -> bool {
        self.enis().any(is_removable)
    }

    /// ENIs one of which `RemoveUnusedENIFromStore` takes, by name (`getDeletableENI`).
    #[must_use]
    pub fn deletable_enis(&self, targets: WarmTargets, now: Time) -> Vec<EniId> {
        let deletable = self.enis().filter(|eni| {
            is_removable(eni)
                && now.since(eni.created()) >= MIN_ENI_LIFE_TIME
                && eni.cooling(now, self.cooldown).is_zero()
                && !self.is_needed(eni, targets)
        });
        deletable.map(|eni| eni.spec.id.clone()).collect()
    }

    /// Removes the deletable ENI at index `choose(n)` of `n` and names it (`RemoveUnusedENIFromStore`).
    pub fn remove_unused_eni(
        &mut self,
        targets: WarmTargets,
        now: Time,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Option<EniId> {
        let mut deletable = self.deletable_enis(targets, now);
        let last = deletable.len().checked_sub(1)?;
        let chosen = deletable.swap_remove(choose(last + 1).min(last));
        self.drop_eni(&chosen);
        Some(chosen)
    }

    /// Whether the other ENIs alone would miss a target (`isRequiredForWarmIPTarget`, `…MinimumIPTarget`,
    /// `…WarmPrefixTarget`).
    fn is_needed(&self, eni: &Eni, targets: WarmTargets) -> bool {
        let others = || self.usable_blocks().filter(|(other, _)| other.spec.id != eni.spec.id).map(|(_, block)| block);
        let warm: Ips = others().map(|block| block.size() - block.assigned()).sum();
        let total: Ips = others().map(Block::size).sum();
        (targets.warm_ip != 0 && warm < self.in_units(targets.warm_ip))
            || (targets.minimum_ip != 0 && total < self.in_units(targets.minimum_ip))
            || (self.mode == Mode::Prefix && self.free_blocks_beside(eni) < targets.warm_prefix)
    }

    /// A target of addresses, rounded up to what can be asked of EC2.
    fn in_units(&self, target: u32) -> Ips {
        match self.mode {
            Mode::SecondaryIp => Ips(target),
            Mode::Prefix => Ips(target).prefixes_ceil().ips(),
        }
    }

    /// For `WARM_PREFIX_TARGET` the CNI counts leftover /32s as prefixes.
    fn free_blocks_beside(&self, eni: &Eni) -> u32 {
        let others = self.enis().filter(|other| !other.spec.excluded && other.spec.id != eni.spec.id);
        others.flat_map(Eni::blocks).map(|block| u32::from(is_free(block))).sum()
    }
}

fn is_free(block: &Block) -> bool {
    block.assigned().is_zero()
}

fn is_removable(eni: &Eni) -> bool {
    !eni.spec.primary && !eni.spec.trunk && !eni.spec.efa && !eni.has_pods()
}
