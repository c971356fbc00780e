//! What controllers are told: how many pods each of them may come to ask for.

mod decode;

use std::sync::Arc;

use crate::kind::Kind;
use crate::placement::Placement;
pub(crate) use decode::{autoscaler, cron_job, daemon_set, deployment, stateful_set};

/// What one object says, cut down to what bears on the number of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// A HorizontalPodAutoscaler.
    Autoscaler(Autoscaler),
    /// A CronJob.
    CronJob(CronJob),
    /// A Deployment, StatefulSet or DaemonSet: which is the kind's to say.
    Workload(Kind, Workload),
}

impl Declared {
    /// The object's kind, one of [`Kind::DECLARED`].
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Declared::Autoscaler(_) => Kind::HorizontalPodAutoscaler,
            Declared::CronJob(_) => Kind::CronJob,
            Declared::Workload(kind, _) => *kind,
        }
    }
}

/// A HorizontalPodAutoscaler of autoscaling/v2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaler {
    /// `namespace/name`.
    pub name: Arc<str>,
    /// `spec.scaleTargetRef.kind`.
    pub target_kind: Arc<str>,
    /// What it scales, as `namespace/name`.
    pub target: Arc<str>,
    /// `spec.maxReplicas`.
    pub most: u32,
    /// It may start what has no pod: `minReplicas` is 0, or it is KEDA's, whose operator scales from 0 to 1.
    pub from_zero: bool,
    /// The larger of `status.currentReplicas` and `status.desiredReplicas`: what is there, or is being made.
    pub current: u32,
}

/// A CronJob of batch/v1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronJob {
    /// `namespace/name`.
    pub name: Arc<str>,
    /// Pods of a run that need an address at once: `parallelism`, at most `completions`. 0 while it or its jobs are suspended, and where
    /// they use their node's network.
    pub pods: u32,
    /// `concurrencyPolicy` is Allow or Replace: the pods of a run may come while those of another still have their addresses.
    pub overlaps: bool,
}

/// A Deployment, StatefulSet or DaemonSet of apps/v1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// `namespace/name`.
    pub name: Arc<str>,
    /// Its pods use their node's network.
    pub host_network: bool,
    /// `spec.replicas`; of a DaemonSet, `status.desiredNumberScheduled`.
    pub wanted: u32,
    /// `status.replicas`: pods of all revisions that are there and not being deleted. Of a DaemonSet as many as are wanted.
    pub current: u32,
    /// How many pods a rollout may have beyond those wanted.
    pub surge: Surge,
    /// A rollout is under way or about to begin: pods of a former revision are there, or the controller has not seen the spec.
    pub rolls: bool,
    /// Which nodes the pods of a DaemonSet may be on; of others it is not read.
    pub placement: Option<Placement>,
}

/// `maxSurge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surge {
    /// So many pods.
    Pods(u32),
    /// So many for a hundred.
    Percent(u32),
}

impl Surge {
    /// Pods beyond `wanted` ones, rounded up (k/k `pkg/controller/deployment/util`, `ResolveFenceposts`, and
    /// `pkg/controller/daemon/util`, `SurgeCount`).
    #[must_use]
    pub fn of(self, wanted: u32) -> u32 {
        match self {
            Surge::Pods(pods) => pods,
            Surge::Percent(percent) => {
                let pods = (u64::from(wanted) * u64::from(percent)).div_ceil(100);
                u32::try_from(pods).unwrap_or(u32::MAX)
            }
        }
    }
}
