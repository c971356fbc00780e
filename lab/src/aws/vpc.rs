//! The state machine.

use std::collections::BTreeMap;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::time::Time;

use super::config::Config;
use super::eni::Eni;
use super::faults::Gate;
use super::group::Group;
use super::ids::InstanceId;
use super::instance::Instance;
use super::metrics::Metrics;
use super::network::{Endpoint, SecurityGroup};
use super::rng::Rng;
use super::subnet::Subnet;
use super::timer::{Timer, Timers};

/// One VPC with everything in it.
#[derive(Clone, Debug)]
pub struct Vpc {
    pub(super) config: Config,
    pub(super) id: String,
    pub(super) rng: Rng,
    pub(super) timers: Timers,
    pub(super) events: Vec<VpcEvent>,
    /// The latest time that it has caught up with.
    settled_at: Time,
    pub(super) subnets: BTreeMap<SubnetId, Subnet>,
    pub(super) enis: BTreeMap<EniId, Eni>,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) groups: BTreeMap<String, Group>,
    /// Scaling activities so far.
    pub(super) activities: u64,
    pub(super) gate: Gate,
    pub(super) metrics: Metrics,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) security_groups: Vec<SecurityGroup>,
}

/// What happened in the VPC that nodes care about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VpcEvent {
    /// An instance is up: its kubelet starts.
    InstanceRunning {
        /// The instance as it is now.
        instance: Instance,
    },
    /// An instance is on its way out: its kubelet is dying.
    InstanceShuttingDown {
        /// The instance.
        id: InstanceId,
    },
    /// An instance and its ENIs with `DeleteOnTermination` are gone.
    InstanceTerminated {
        /// The instance.
        id: InstanceId,
        /// Its Auto Scaling group.
        group: Option<String>,
    },
}

impl Vpc {
    /// An empty VPC with its default security group.
    #[must_use]
    pub fn new(config: Config) -> Vpc {
        let mut rng = Rng::new(config.seed);
        let id = rng.id("vpc");
        let default = SecurityGroup {
            id: rng.id("sg"),
            name: "default".into(),
            description: "default VPC security group".into(),
        };
        Vpc {
            config,
            id,
            rng,
            timers: Timers::default(),
            events: Vec::new(),
            settled_at: Time::ZERO,
            subnets: BTreeMap::new(),
            enis: BTreeMap::new(),
            instances: BTreeMap::new(),
            groups: BTreeMap::new(),
            activities: 0,
            gate: Gate::default(),
            metrics: Metrics::default(),
            endpoints: Vec::new(),
            security_groups: vec![default],
        }
    }

    /// `vpc-...`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What CloudWatch was told.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Lets everything happen that is due by `now`, and tells what has happened since the last call.
    pub fn advance(&mut self, now: Time) -> Vec<VpcEvent> {
        self.settle(now);
        std::mem::take(&mut self.events)
    }

    /// When [`Vpc::advance`] has something to do: what a request has already brought about counts too.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        if self.events.is_empty() { self.timers.next_due() } else { Some(self.settled_at) }
    }

    /// Catches up with `now`, so that a request between two calls of [`Vpc::advance`] sees what it would see in AWS.
    pub(super) fn settle(&mut self, now: Time) {
        self.settled_at = self.settled_at.max(now);
        while let Some((at, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::InstanceRunning(id) => self.instance_running(&id, at),
                Timer::InstanceStopped(id) => self.instance_stopped(&id, at),
                Timer::InstanceTerminated(id) => self.instance_terminated(&id, at),
                Timer::EniAttached(id) => self.eni_attached(&id),
                Timer::EniDetached(id) => self.eni_detached(&id),
                Timer::GroupStep(name) => self.group_step(&name, at),
                Timer::InService(id) => self.group_healthy(&id, at),
                Timer::HookDeadline(id) => self.hook_deadline(&id, at),
            }
        }
    }
}
