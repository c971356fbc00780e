//! Pods take and give back addresses.

use std::net::Ipv4Addr;

use thiserror::Error;

use super::{Cleanup, Datastore, EXCLUDED_CLEANUP_DELAY, Place};
use crate::ids::{EniId, PodUid};
use crate::subnet::Cidr;
use crate::time::Time;
use crate::units::Ips;

/// An address that the next ADD may get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Its ENI.
    pub eni: EniId,
    /// Its block.
    pub block: Cidr,
    /// The address.
    pub ip: Ipv4Addr,
}

/// An address that a pod has given back; it cools down from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Its ENI.
    pub eni: EniId,
    /// The address.
    pub ip: Ipv4Addr,
}

/// ADD fails: `ErrNoAvailableIPInDataStore`, with the CNI's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("AssignPodIPAddress: no available IP/Prefix addresses")]
pub struct NoAvailableIp;

/// DEL for a pod that holds nothing: `ErrUnknownPod`, with the CNI's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("datastore: unknown pod")]
pub struct UnknownPod;

/// An address was asked for that the CNI could not have given out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{ip} cannot be assigned now: possible are {possible:?}")]
pub struct NotACandidate {
    /// What was asked for.
    pub ip: Ipv4Addr,
    /// What the CNI could give out instead.
    pub possible: Vec<Ipv4Addr>,
}

impl Datastore {
    /// Every address that an ADD may get at `now`, ordered by ENI, block and address (`AssignPodIPv4Address`): the CNI
    /// walks ENIs and blocks in random order and takes the first block that has one.
    #[must_use]
    pub fn candidates(&self, now: Time) -> Vec<Candidate> {
        let found = self.usable_blocks().flat_map(|(eni, block)| {
            let ips = block.candidates(now, self.cooldown).into_iter();
            ips.map(move |ip| Candidate { eni: eni.spec().id.clone(), block: block.cidr(), ip })
        });
        found.collect()
    }

    /// Gives `pod` one of the [candidates](Datastore::candidates), the one at index `choose(n)` of `n`; a pod that
    /// holds an address gets the same again.
    ///
    /// # Errors
    /// [`NoAvailableIp`] where there is no candidate.
    pub fn assign(
        &mut self,
        pod: PodUid,
        now: Time,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Ipv4Addr, NoAvailableIp> {
        if let Some(ip) = self.address_of(&pod) {
            return Ok(ip);
        }
        let mut candidates = self.candidates(now);
        let last = candidates.len().checked_sub(1).ok_or(NoAvailableIp)?;
        let choice = choose(last + 1).min(last);
        Ok(self.hold(pod, candidates.swap_remove(choice), now))
    }

    /// Gives `pod` exactly `ip`: to follow a store whose choices are known.
    ///
    /// # Errors
    /// [`NotACandidate`] where the CNI could not have chosen it; a pod that holds an address can only get that one.
    pub fn assign_exact(&mut self, pod: PodUid, ip: Ipv4Addr, now: Time) -> Result<(), NotACandidate> {
        if let Some(held) = self.address_of(&pod) {
            return if held == ip { Ok(()) } else { Err(NotACandidate { ip, possible: vec![held] }) };
        }
        let candidates = self.candidates(now);
        let Some(chosen) = candidates.iter().find(|candidate| candidate.ip == ip) else {
            let possible = candidates.into_iter().map(|candidate| candidate.ip).collect();
            return Err(NotACandidate { ip, possible });
        };
        self.hold(pod, chosen.clone(), now);
        Ok(())
    }

    /// Takes the address from `pod` (`UnassignPodIPAddress`). The last address given back on an excluded ENI's block
    /// sets the block up for removal, see [`Datastore::settle`].
    ///
    /// # Errors
    /// [`UnknownPod`] where it holds none.
    pub fn release(&mut self, pod: &PodUid, now: Time) -> Result<Released, UnknownPod> {
        let Place { eni, block, ip } = self.pods.remove(pod).ok_or(UnknownPod)?;
        if let Some(owner) = self.enis.get_mut(&eni) {
            let excluded = owner.spec.excluded;
            if let Some(held) = owner.block_mut(block) {
                held.release(ip, now);
                if excluded && held.assigned() == Ips::ZERO {
                    self.cleanups.push(Cleanup { due: now + EXCLUDED_CLEANUP_DELAY, eni: eni.clone(), block });
                }
            }
        }
        Ok(Released { eni, ip })
    }

    fn hold(&mut self, pod: PodUid, chosen: Candidate, now: Time) -> Ipv4Addr {
        let Candidate { eni, block, ip } = chosen;
        let cooldown = self.cooldown;
        if let Some(owner) = self.enis.get_mut(&eni).and_then(|owner| owner.block_mut(block)) {
            owner.hold(ip, pod.clone(), now, cooldown);
            self.pods.insert(pod, Place { eni, block, ip });
        }
        ip
    }
}
