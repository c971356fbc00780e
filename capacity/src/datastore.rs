//! ipamd's data store: which address of which ENI belongs to which pod.
//!
//! A model of CNI `pkg/ipamd/datastore/data_store.go` for IPv4, checked against that code itself (`capacity/oracle`).
//! Where the CNI's answer depends on the order of a Go map, the caller chooses among the possible answers. Its oddities
//! are kept:
//!
//! - `RemoveENIFromDataStore(force)` on an ENI with pods takes the ENI's blocks off the counters twice ([`Counters`]).
//! - A block cleaned up on an excluded ENI is never taken off the counters (`deallocateEmptyCIDR`).
//! - An address that leaves with its block forgets its cool-down; if EC2 hands out the same block again, it is usable
//!   at once.
//! - An address counts as cooling up to and including the last instant of the period, so a period of 0 still bars
//!   re-use at the very instant of release (`inCoolingPeriod`).
//! - A block is refused only if the same ENI has it (`AddIPv4CidrToStore`). That no address is in two places is EC2's
//!   promise.
//!
//! Left out: IPv6, the checkpoint file, and the lookup under the names of CNI ≤ 1.6 (`_migrated-from-cri`).

mod assign;
mod eni;
mod free;

pub use assign::{Candidate, NoAvailableIp, NotACandidate, Released, UnknownPod};
pub use eni::{Address, Block, Eni, EniSpec};
pub use free::{MIN_ENI_LIFE_TIME, WarmTargets};

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use thiserror::Error;

use crate::budget::Mode;
use crate::ids::{EniId, PodUid};
use crate::subnet::Cidr;
use crate::time::Time;
use crate::units::{Ips, Prefixes};

/// How long the CNI waits before it drops an empty block of an excluded ENI (`deallocateEmptyCIDR`).
pub const EXCLUDED_CLEANUP_DELAY: Duration = Duration::from_secs(5);

/// The addresses of one network card.
#[derive(Clone, Debug)]
pub struct Datastore {
    mode: Mode,
    cooldown: Duration,
    enis: BTreeMap<EniId, Eni>,
    pods: BTreeMap<PodUid, Place>,
    total: i64,
    prefixes: i64,
    cleanups: Vec<Cleanup>,
}

/// Where a pod's address is.
#[derive(Clone, Debug)]
struct Place {
    eni: EniId,
    block: Cidr,
    ip: Ipv4Addr,
}

/// A block of an excluded ENI that is to be dropped if it is still empty.
#[derive(Clone, Debug)]
struct Cleanup {
    due: Time,
    eni: EniId,
    block: Cidr,
}

/// Why a change of ENIs or blocks was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// `DuplicatedENIError`.
    #[error("ENI {0} is already in the data store")]
    DuplicateEni(EniId),
    /// `UnknownENIError`.
    #[error("ENI {0} is not in the data store")]
    UnknownEni(EniId),
    /// `ENIInUseError`.
    #[error("ENI {0} has addresses held by pods")]
    EniInUse(EniId),
    /// `IPAlreadyInStoreError`.
    #[error("{1} is already on ENI {0}")]
    DuplicateBlock(EniId, Cidr),
    /// `UnknownIPError`.
    #[error("{1} is not on ENI {0}")]
    UnknownBlock(EniId, Cidr),
    /// `IPInUseError`.
    #[error("{1} on ENI {0} has addresses held by pods")]
    BlockInUse(EniId, Cidr),
}

/// The pool in numbers, as `GetIPStats("4")` tells them: ENIs that are not excluded, blocks of the active mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Addresses, whatever their state.
    pub total: Ips,
    /// Held by pods.
    pub assigned: Ips,
    /// Released, not yet usable.
    pub cooling: Ips,
    /// `TotalPrefixes`: the CNI's running counter over all ENIs, see [`Counters::prefixes`].
    pub prefix_counter: i64,
}

impl Stats {
    /// Total − assigned: what ipamd calls available. Cooling addresses count as available (`AvailableAddresses`).
    #[must_use]
    pub fn available(&self) -> Ips {
        self.total.saturating_sub(self.assigned)
    }

    /// What an ADD can get at once.
    #[must_use]
    pub fn assignable(&self) -> Ips {
        self.available().saturating_sub(self.cooling)
    }

    /// The prefix counter as a count, zero where the CNI's own has gone below.
    #[must_use]
    pub fn prefixes(&self) -> Prefixes {
        Prefixes(u32::try_from(self.prefix_counter.max(0)).unwrap_or(u32::MAX))
    }
}

/// The store's running counters (`total`, `assigned`, `allocatedPrefix`; the first two are in `GetENIInfos` and in
/// `/metrics`). They cover every ENI and every block, and go wrong the way the CNI's do, below zero included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Addresses.
    pub total: i64,
    /// Addresses held by pods.
    pub assigned: i64,
    /// Prefixes.
    pub prefixes: i64,
}

impl Datastore {
    /// An empty store. `cooldown` is `IP_COOLDOWN_PERIOD`, 30 s by default.
    #[must_use]
    pub fn new(mode: Mode, cooldown: Duration) -> Datastore {
        Datastore {
            mode,
            cooldown,
            enis: BTreeMap::new(),
            pods: BTreeMap::new(),
            total: 0,
            prefixes: 0,
            cleanups: Vec::new(),
        }
    }

    /// Adds an ENI without blocks (`AddENI`, `SetENIExcludedForPodIPs`); `now` starts its age.
    ///
    /// # Errors
    /// [`StoreError::DuplicateEni`].
    pub fn add_eni(&mut self, spec: EniSpec, now: Time) -> Result<(), StoreError> {
        if self.enis.contains_key(&spec.id) {
            return Err(StoreError::DuplicateEni(spec.id));
        }
        self.enis.insert(spec.id.clone(), Eni::new(spec, now));
        Ok(())
    }

    /// Marks an ENI as excluded from pod addresses, or not (`SetENIExcludedForPodIPs`). Pods keep what they have.
    ///
    /// # Errors
    /// [`StoreError::UnknownEni`].
    pub fn set_excluded(&mut self, eni: &EniId, excluded: bool) -> Result<(), StoreError> {
        self.eni_mut(eni)?.spec.excluded = excluded;
        Ok(())
    }

    /// Removes an ENI with its blocks (`RemoveENIFromDataStore`); with `force` also from under its pods.
    ///
    /// # Errors
    /// [`StoreError::UnknownEni`]; [`StoreError::EniInUse`] without `force`.
    pub fn remove_eni(&mut self, eni: &EniId, force: bool) -> Result<(), StoreError> {
        let in_use = self.eni_mut(eni)?.has_pods();
        if in_use && !force {
            return Err(StoreError::EniInUse(eni.clone()));
        }
        if in_use {
            self.discount(eni);
        }
        self.drop_eni(eni);
        Ok(())
    }

    /// Adds a /32 or a prefix to an ENI (`AddIPv4CidrToStore`).
    ///
    /// # Errors
    /// [`StoreError::UnknownEni`], [`StoreError::DuplicateBlock`].
    pub fn add_cidr(&mut self, eni: &EniId, block: Cidr) -> Result<(), StoreError> {
        if !self.eni_mut(eni)?.add(block) {
            return Err(StoreError::DuplicateBlock(eni.clone(), block));
        }
        self.count(block, 1);
        Ok(())
    }

    /// Removes a block from an ENI (`DelIPv4CidrFromStore`); with `force` also from under its pods. Cooling addresses
    /// do not hold it.
    ///
    /// # Errors
    /// [`StoreError::UnknownEni`], [`StoreError::UnknownBlock`]; [`StoreError::BlockInUse`] without `force`.
    pub fn remove_cidr(&mut self, eni: &EniId, block: Cidr, force: bool) -> Result<(), StoreError> {
        let owner = self.eni_mut(eni)?;
        let found = owner.block(block).ok_or_else(|| StoreError::UnknownBlock(eni.clone(), block))?;
        if found.assigned() > Ips::ZERO && !force {
            return Err(StoreError::BlockInUse(eni.clone(), block));
        }
        owner.remove(block);
        self.pods.retain(|_, place| place.eni != *eni || place.block != block);
        self.count(block, -1);
        Ok(())
    }

    /// Drops the blocks of excluded ENIs that became empty at least 5 s before `now` and still are
    /// (`deallocateEmptyCIDR`, which runs by itself in the CNI). To be called before anything else is done or asked at
    /// `now`.
    pub fn settle(&mut self, now: Time) {
        let due: Vec<Cleanup> = self.cleanups.extract_if(.., |cleanup| cleanup.due <= now).collect();
        for Cleanup { eni, block, .. } in due {
            let Some(owner) = self.enis.get_mut(&eni) else { continue };
            let empty = owner.block(block).is_some_and(|found| found.assigned() == Ips::ZERO);
            if owner.spec.excluded && empty {
                owner.remove(block);
            }
        }
    }

    /// The pool in numbers (`GetIPStats`).
    #[must_use]
    pub fn stats(&self, now: Time) -> Stats {
        let mut stats = Stats { prefix_counter: self.prefixes, ..Stats::default() };
        for (_, block) in self.usable_blocks() {
            stats.total += block.size();
            stats.assigned += block.assigned();
            stats.cooling += block.cooling(now, self.cooldown);
        }
        stats
    }

    /// The running counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            total: self.total,
            assigned: self.pods.len().try_into().unwrap_or(i64::MAX),
            prefixes: self.prefixes,
        }
    }

    /// The unit in which addresses are used.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// `IP_COOLDOWN_PERIOD`.
    #[must_use]
    pub fn cooldown(&self) -> Duration {
        self.cooldown
    }

    /// Every ENI, by name.
    pub fn enis(&self) -> impl ExactSizeIterator<Item = &Eni> {
        self.enis.values()
    }

    /// One ENI.
    #[must_use]
    pub fn eni(&self, id: &EniId) -> Option<&Eni> {
        self.enis.get(id)
    }

    /// The address that a pod holds.
    #[must_use]
    pub fn address_of(&self, pod: &PodUid) -> Option<Ipv4Addr> {
        self.pods.get(pod).map(|place| place.ip)
    }

    /// Pods that hold an address (`AllocatedIPs`).
    pub fn pods(&self) -> impl ExactSizeIterator<Item = (&PodUid, Ipv4Addr)> {
        self.pods.iter().map(|(pod, place)| (pod, place.ip))
    }

    fn eni_mut(&mut self, id: &EniId) -> Result<&mut Eni, StoreError> {
        self.enis.get_mut(id).ok_or_else(|| StoreError::UnknownEni(id.clone()))
    }

    /// Blocks of the active mode on ENIs that are not excluded: the ones that serve pods.
    fn usable_blocks(&self) -> impl Iterator<Item = (&Eni, &Block)> {
        let enis = self.enis.values().filter(|eni| !eni.spec.excluded);
        enis.flat_map(|eni| eni.blocks().filter(|block| block.serves(self.mode)).map(move |block| (eni, block)))
    }

    fn count(&mut self, block: Cidr, sign: i64) {
        let block = Block::new(block);
        self.total += sign * i64::from(block.size().get());
        self.prefixes += sign * i64::from(block.is_prefix());
    }

    fn discount(&mut self, eni: &EniId) {
        let blocks: Vec<Cidr> = self.enis.get(eni).into_iter().flat_map(Eni::blocks).map(Block::cidr).collect();
        for block in blocks {
            self.count(block, -1);
        }
    }

    fn drop_eni(&mut self, eni: &EniId) {
        self.discount(eni);
        self.pods.retain(|_, place| place.eni != *eni);
        self.enis.remove(eni);
    }
}
