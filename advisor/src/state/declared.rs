//! What controllers are told: how many pods they may come to ask for. An API server or RBAC may refuse any of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headroom_cluster::{Autoscaler, CronJob, Declared, Kind, Workload};

/// How long a list is good for while its watch fails: connections come back within a minute, permissions do not.
const GOOD_FOR: Duration = Duration::from_secs(600);

/// Objects by `namespace/name`, and which kinds are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declarations {
    /// HorizontalPodAutoscalers.
    pub autoscalers: BTreeMap<Arc<str>, Autoscaler>,
    /// CronJobs.
    pub cron_jobs: BTreeMap<Arc<str>, CronJob>,
    /// Deployments, StatefulSets and DaemonSets.
    pub workloads: BTreeMap<(Kind, Arc<str>), Workload>,
    unknown: BTreeMap<Kind, Unknown>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Unknown {
    why: Arc<str>,
    /// It was listed once: when the watch runs again it goes on from there.
    listed: bool,
}

impl Unknown {
    fn unlisted(why: &str) -> Unknown {
        Unknown { why: why.into(), listed: false }
    }
}

impl Default for Declarations {
    /// Nothing is listed.
    fn default() -> Declarations {
        Declarations {
            autoscalers: BTreeMap::new(),
            cron_jobs: BTreeMap::new(),
            workloads: BTreeMap::new(),
            unknown: Kind::DECLARED.map(|kind| (kind, Unknown::unlisted("its list is not complete"))).into(),
        }
    }
}

impl Declarations {
    /// Kinds that are not known, and why.
    pub fn unknown(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.unknown.iter().map(|(kind, unknown)| (*kind, &*unknown.why))
    }

    pub(super) fn apply(&mut self, declared: Declared) {
        match declared {
            Declared::Autoscaler(of) => drop(self.autoscalers.insert(Arc::clone(&of.name), of)),
            Declared::CronJob(of) => drop(self.cron_jobs.insert(Arc::clone(&of.name), of)),
            Declared::Workload(kind, of) => drop(self.workloads.insert((kind, Arc::clone(&of.name)), of)),
        }
    }

    pub(super) fn remove(&mut self, kind: Kind, name: &Arc<str>) {
        match kind {
            Kind::HorizontalPodAutoscaler => drop(self.autoscalers.remove(name)),
            Kind::CronJob => drop(self.cron_jobs.remove(name)),
            _ => drop(self.workloads.remove(&(kind, Arc::clone(name)))),
        }
    }

    pub(super) fn listed(&mut self, kind: Kind, absent: bool) {
        if !absent {
            self.unknown.remove(&kind);
            return;
        }
        self.unknown.insert(kind, Unknown::unlisted("the API server does not serve it"));
        match kind {
            Kind::HorizontalPodAutoscaler => self.autoscalers.clear(),
            Kind::CronJob => self.cron_jobs.clear(),
            _ => self.workloads.retain(|(other, _), _| *other != kind),
        }
    }

    /// `lasting` is for how long the watch has been failing.
    pub(super) fn failed(&mut self, kind: Kind, error: &str, lasting: Duration) {
        match self.unknown.get_mut(&kind) {
            Some(unknown) => unknown.why = error.into(),
            None if lasting >= GOOD_FOR => {
                self.unknown.insert(kind, Unknown { why: error.into(), listed: true });
            }
            None => {}
        }
    }

    pub(super) fn recovered(&mut self, kind: Kind) {
        if self.unknown.get(&kind).is_some_and(|unknown| unknown.listed) {
            self.unknown.remove(&kind);
        }
    }

    /// Everything is known of nothing, for tests.
    #[cfg(test)]
    pub(crate) fn complete() -> Declarations {
        Declarations { unknown: BTreeMap::new(), ..Declarations::default() }
    }
}
