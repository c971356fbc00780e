//! ENIs that nobody uses any more: which ones they are, and which one may be deleted next.
//!
//! ipamd makes an ENI, attaches it, and only then says that it dies with its instance; it detaches one before it deletes it
//! (CNI `AllocENI`, `freeENI`). An instance that ends in between leaves an unattached ENI with all its addresses
//! (amazon-vpc-cni-k8s#608, #1223). ipamd on any other node of the cluster deletes it within an hour or so, unless that is
//! switched off (CNI `cleanUpLeakedENIs`).

use std::collections::{HashSet, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::ids::EniId;
use headroom_capacity::time::Time;
use thiserror::Error;

use crate::config::{LeakAction, Leaks};
use crate::inventory::{Eni, EniKind, InstanceId};
use crate::ledger::{Leak, Policy};

/// The time over which `max_per_hour` counts.
const HOUR: Duration = Duration::from_secs(3600);

/// Why an unattached ENI of the CNI counts as leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeakReason {
    /// Its instance does not run any more.
    InstanceGone,
    /// Its instance runs, but has not attached it for too long: ipamd has lost it.
    NeverAttached,
}

impl LeakReason {
    /// All of them.
    pub const ALL: [LeakReason; 2] = [LeakReason::InstanceGone, LeakReason::NeverAttached];

    /// The metric label, also used in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            LeakReason::InstanceGone => "instance_gone",
            LeakReason::NeverAttached => "never_attached",
        }
    }
}

/// The instance that ipamd made an unattached ENI for. As ipamd's own cleaner knows one: tag and description, and no other
/// cluster's name (CNI `getLeakedENIs`). `None` for one that somebody tagged to be left alone.
#[must_use]
pub fn made_for<'a>(eni: &'a Eni, policy: &Policy) -> Option<&'a InstanceId> {
    let unattached = eni.available && eni.attachment.is_none() && !eni.requester_managed;
    let others = eni.tags.cluster.as_ref().is_some_and(|name| *name != policy.cluster);
    if !unattached || others || eni.tags.no_manage || eni.kind != EniKind::Interface {
        return None;
    }
    eni.described_for.as_ref()?;
    eni.tags.instance.as_ref()
}

/// Why `eni` counts as leaked at `now`, if it does; `instance_lives` says whether the instance that it was made for runs.
///
/// Without the tag that says when it was made, as versions of the CNI before 1.6 left it, it counts once its instance is gone.
#[must_use]
pub fn reason(eni: &Eni, instance_lives: bool, policy: &Policy, now: Time) -> Option<LeakReason> {
    made_for(eni, policy)?;
    let old = eni.tags.created_at.map_or(!instance_lives, |at| now.since(at) > policy.leak_min_age);
    old.then_some(if instance_lives { LeakReason::NeverAttached } else { LeakReason::InstanceGone })
}

/// Deletions and dry runs of the last hour, whether they succeeded or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    attempts: VecDeque<(Time, EniId)>,
    running: bool,
}

impl History {
    /// An attempt begins.
    pub fn begin(&mut self, eni: EniId, now: Time) {
        self.attempts.retain(|(at, _)| now.since(*at) < HOUR);
        self.attempts.push_back((now, eni));
        self.running = true;
    }

    /// The attempt has ended, one way or the other.
    pub fn end(&mut self) {
        self.running = false;
    }

    fn recent(&self, now: Time) -> impl Iterator<Item = &EniId> {
        self.attempts.iter().filter(move |(at, _)| now.since(*at) < HOUR).map(|(_, eni)| eni)
    }
}

/// The ENI to delete next, or to try: the first of `leaks` that was not tried within the hour. None while an attempt runs, when
/// the hour's share is used up, or where nothing is to be deleted. An ENI without this cluster's name or without its time of
/// making is never chosen: it may be another cluster's, or just made.
#[must_use]
pub fn next_deletion<'a>(leaks: &'a [Leak], history: &History, config: &Leaks, now: Time) -> Option<&'a Leak> {
    if config.action == LeakAction::Report || history.running {
        return None;
    }
    let tried: HashSet<&EniId> = history.recent(now).collect();
    let used = history.recent(now).count();
    if used >= config.max_per_hour as usize {
        return None;
    }
    leaks.iter().find(|leak| leak.of_cluster && leak.created_at.is_some() && !tried.contains(&leak.eni))
}

/// Why an ENI that was to be deleted is left alone after all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Spared {
    /// EC2 shows another ENI than the one that was asked for.
    #[error("asked for {wanted}, EC2 showed {shown}; nothing is deleted")]
    AnotherEni {
        /// The ENI that was to be deleted.
        wanted: EniId,
        /// What was shown.
        shown: EniId,
    },
    /// It is attached, belongs to a service, or was tagged to be left alone since.
    #[error("{0} is in use, or tagged to be left alone, by now")]
    InUse(EniId),
    /// It does not carry this cluster's name, or says another time of making than before.
    #[error("{0} has no tag with this cluster's name, or other tags than before")]
    OtherTags(EniId),
    /// It is not old enough.
    #[error("{0} is too young to count as leaked")]
    Young(EniId),
    /// A pod has one of its addresses.
    #[error("{eni} holds {ip}, which a pod has")]
    PodHas {
        /// The ENI.
        eni: EniId,
        /// The address.
        ip: Ipv4Addr,
    },
}

/// Whether `leak` may be deleted now, by what EC2 shows of it freshly and by the addresses that pods have (`pod_has`). To be
/// asked directly before each deletion: minutes may have passed since the books were made, and EC2 is eventually consistent.
///
/// # Errors
/// The first reason to leave it alone.
pub fn still_leaked(
    leak: &Leak,
    fresh: &Eni,
    pod_has: impl Fn(Ipv4Addr) -> bool,
    policy: &Policy,
    now: Time,
) -> Result<(), Spared> {
    let id = || fresh.id.clone();
    if fresh.id != leak.eni {
        return Err(Spared::AnotherEni { wanted: leak.eni.clone(), shown: id() });
    }
    let tags = &fresh.tags;
    if tags.cluster.as_ref() != Some(&policy.cluster) || tags.created_at != leak.created_at || tags.created_at.is_none()
    {
        return Err(Spared::OtherTags(id()));
    }
    if made_for(fresh, policy).is_none() {
        return Err(Spared::InUse(id()));
    }
    if reason(fresh, true, policy, now).is_none() {
        return Err(Spared::Young(id()));
    }
    let singles = fresh.primary_ip.iter().chain(&fresh.secondary_ips).copied();
    let mut addresses = singles.chain(fresh.prefixes.iter().flat_map(|block| block.addresses()));
    match addresses.find(|ip| pod_has(*ip)) {
        Some(ip) => Err(Spared::PodHas { eni: id(), ip }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
