//! The most that may be asked for at once, by what the cluster declares: the scenario beside the forecast.
//!
//! ```text
//! Declarations ──waves──> pods to come, and whose ──ground──> in which subnets ──footprint──> Upper
//!                pods ──origin──> where each workload runs ──────┘
//! ```

mod ground;
mod origin;
mod sources;
#[cfg(test)]
mod tests;
mod waves;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::units::Ips;
use headroom_capacity::verdict::Demand;

use super::footprint::Fleet;
use crate::ledger::Ledger;
use crate::metrics::labels;
use crate::state::ClusterState;
use ground::Ground;
use sources::Sources;
use waves::{Wave, waves};

/// How many workloads are named.
const NAMED: usize = 5;

labels! {
    /// Why a workload may ask for more pods.
    Cause {
        /// It has fewer pods than its HorizontalPodAutoscaler's maximum.
        Autoscaler = "autoscaler",
        /// A run of the CronJob begins.
        CronJob = "cron_job",
        /// A rollout goes beyond the pods wanted.
        Rollout = "rollout",
        /// It has fewer pods than are wanted.
        Replicas = "replicas",
        /// Its pods wait for a node.
        Pending = "pending",
    }
}

/// A workload that may ask for more pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver {
    /// Why.
    pub cause: Cause,
    /// Its kind, `Pod` where whose pods they are is not known.
    pub kind: Arc<str>,
    /// `namespace/name`.
    pub name: Arc<str>,
    /// So many of them in the subnet: a share, and not whole therefore.
    pub pods: f64,
}

/// Pods to come in one subnet.
#[derive(Clone, Debug, Default, PartialEq)]
struct Share {
    pods: f64,
    /// Those with the most pods first.
    drivers: Vec<Driver>,
    /// Workloads that are not among them.
    unnamed: u32,
}

/// Pods that may come, by subnet; or why that is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToCome {
    by_subnet: BTreeMap<SubnetId, Share>,
    unknown: Option<Arc<str>>,
}

/// What a subnet holds when all of them have come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upper {
    /// Pods that come.
    pub pods: u32,
    /// Addresses that are held then, beyond what the subnet has where it has too few.
    pub ips: Ips,
    /// Of these, those that are missing: the subnet has no room for them and for the next node.
    pub short: Ips,
    /// Whose pods they are, most pods first; the first few of them.
    pub drivers: Vec<Driver>,
    /// How many more workloads there are.
    pub unnamed: u32,
}

/// What may still be asked for, by what controllers are told and by the pods that wait for a node.
#[must_use]
pub fn to_come(cluster: &ClusterState, ledger: &Ledger) -> ToCome {
    let refused: Vec<String> =
        cluster.declared.unknown().map(|(kind, why)| format!("{}: {why}", kind.label())).collect();
    if !refused.is_empty() {
        return ToCome { unknown: Some(refused.join("; ").into()), ..ToCome::default() };
    }
    let ground = Ground::of(ledger);
    let mut sources = Sources::of(&cluster.declared);
    for pod in cluster.pods.values().filter(|pod| !pod.over && pod.demand == Demand::PodIp) {
        sources.see(&pod.name, pod.node.as_deref(), &ground);
    }
    let mut shares = vec![Share::default(); ground.subnets().len()];
    for wave in waves(&cluster.declared, &sources) {
        for (at, share) in ground.shares(wave.placed) {
            shares[at].add(&wave, share * f64::from(wave.pods));
        }
    }
    let of_subnets = ground.subnets().iter().map(|id| (*id).clone()).zip(shares);
    ToCome { by_subnet: of_subnets.filter(|(_, share)| share.pods > 0.0).collect(), unknown: None }
}

impl Share {
    fn add(&mut self, wave: &Wave<'_>, pods: f64) {
        self.pods += pods;
        // Pods wait in any order, and equal ones must not take turns.
        let before = |other: &Driver| (other.pods, wave.name) > (pods, &*other.name);
        let at = self.drivers.iter().position(|other| !before(other)).unwrap_or(self.drivers.len());
        if at < NAMED {
            let driver = Driver { cause: wave.cause, kind: wave.kind.into(), name: wave.name.into(), pods };
            self.drivers.insert(at, driver);
        }
        if at >= NAMED || self.drivers.len() > NAMED {
            self.drivers.truncate(NAMED);
            self.unnamed += 1;
        }
    }
}

/// A subnet as it is.
pub(super) struct Now<'a> {
    pub(super) used: Ips,
    /// What nodes and ENIs that are coming will take.
    pub(super) in_flight: Ips,
    /// Held addresses with which it is exhausted, what is in flight counted as held.
    pub(super) most: f64,
    /// Pods that are bound and have no address yet.
    pub(super) waiting: u32,
    pub(super) fleet: Option<&'a Fleet<'a>>,
}

impl ToCome {
    /// What `subnet` comes to, or why it is not known.
    pub(super) fn upper(&self, subnet: &SubnetId, now: &Now<'_>) -> Result<Upper, Arc<str>> {
        if let Some(why) = &self.unknown {
            return Err(Arc::clone(why));
        }
        let share = self.by_subnet.get(subnet).cloned().unwrap_or_default();
        let pods = whole(share.pods);
        let more = now.fleet.map_or(0.0, |fleet| {
            let had = f64::from(fleet.pods);
            fleet.ips(had + f64::from(now.waiting) + f64::from(pods)) - fleet.ips(had)
        });
        // What is in flight is what the first of them get.
        let ips = f64::from(now.used.get()) + more.max(f64::from(now.in_flight.get()));
        let short = Ips(whole(ips - now.most));
        Ok(Upper { pods, ips: Ips(whole(ips)), short, drivers: share.drivers, unnamed: share.unnamed })
    }
}

/// Rounded up; what comes of adding shares up is no pod more.
fn whole(value: f64) -> u32 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and what fits")]
    let whole = (value - 1e-6).ceil().clamp(0.0, f64::from(u32::MAX)) as u32;
    whole
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} pods, {})", self.kind, self.name, whole(self.pods), self.cause.label())
    }
}

impl fmt::Display for Upper {
    /// Only makes sense where something is missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "if all that is declared comes at once")?;
        for (n, driver) in self.drivers.iter().enumerate() {
            write!(f, "{} {driver}", if n == 0 { ":" } else { "," })?;
        }
        if self.unnamed > 0 {
            write!(f, " and {} more", self.unnamed)?;
        }
        write!(f, ", {} addresses are missing", self.short)
    }
}
