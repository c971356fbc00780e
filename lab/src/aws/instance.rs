//! EC2 instances.

use std::net::Ipv4Addr;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::instance::{self, InstanceLimits};
use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;

use super::eni::{AttachmentStatus, NewEni};
use super::timer::Timer;
use super::vpc::VpcEvent;
use super::{ApiError, InstanceId, Tags, Vpc};

/// What RunInstances is asked for.
#[derive(Clone, Debug)]
pub struct Launch {
    /// EC2 instance type.
    pub instance_type: String,
    /// Subnet of the primary ENI.
    pub subnet: SubnetId,
    /// The fewest instances that will do.
    pub min_count: u32,
    /// The most that are wanted.
    pub max_count: u32,
    /// Tags of the instances.
    pub tags: Tags,
}

/// `State` of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Booting.
    Pending,
    /// Up.
    Running,
    /// On its way down; its addresses stay.
    Stopping,
    /// Down; its addresses stay.
    Stopped,
    /// On its way out; its addresses stay until it is gone.
    ShuttingDown,
    /// Gone; EC2 shows it for about an hour.
    Terminated,
}

impl InstanceState {
    /// As EC2 spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
            InstanceState::ShuttingDown => "shutting-down",
            InstanceState::Terminated => "terminated",
        }
    }

    /// `Code` of the state (EC2 API reference, `InstanceState`).
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            InstanceState::Pending => 0,
            InstanceState::Running => 16,
            InstanceState::ShuttingDown => 32,
            InstanceState::Terminated => 48,
            InstanceState::Stopping => 64,
            InstanceState::Stopped => 80,
        }
    }

    /// Whether it is gone, or will be whatever happens.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, InstanceState::ShuttingDown | InstanceState::Terminated)
    }
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its type.
    pub instance_type: String,
    /// Subnet of the primary ENI.
    pub subnet: SubnetId,
    /// Availability zone.
    pub az: String,
    /// Its state.
    pub state: InstanceState,
    /// The primary ENI.
    pub primary_eni: EniId,
    /// The primary ENI's primary address: the node's `InternalIP`.
    pub private_ip: Ipv4Addr,
    /// When it was asked for.
    pub launched_at: Time,
    /// Its Auto Scaling group.
    pub group: Option<String>,
    /// Tags.
    pub tags: Tags,
}

impl Vpc {
    /// RunInstances: as many as fit, `max_count` at most; when fewer than `min_count` fit, none. They are `running` after
    /// [`Config::instance_start`](super::Config::instance_start).
    ///
    /// # Errors
    /// `InvalidSubnetID.NotFound`, `InvalidParameterValue` for an unknown type, `InsufficientFreeAddressesInSubnet`.
    pub fn run_instances(&mut self, launch: &Launch, now: Time) -> Result<Vec<InstanceId>, ApiError> {
        self.settle(now);
        self.launch(launch, None, now)
    }

    pub(super) fn launch(
        &mut self,
        launch: &Launch,
        group: Option<&str>,
        now: Time,
    ) -> Result<Vec<InstanceId>, ApiError> {
        let subnet = self.subnet(&launch.subnet)?;
        if self.limits(&launch.instance_type).is_none() {
            let message = format!("The following supplied instance types do not exist: [{}]", launch.instance_type);
            return Err(ApiError::new("InvalidInstanceType", message));
        }
        let (min, max) = (launch.min_count, launch.max_count);
        if min == 0 || min > max {
            return Err(ApiError::invalid(format!("minCount {min} must be at least 1 and at most maxCount {max}")));
        }
        let Ips(free) = subnet.free_ips();
        if free < min {
            return Err(ApiError::new(
                "InsufficientFreeAddressesInSubnet",
                format!(
                    "There are not enough free addresses in subnet '{}' to satisfy the requested number of instances.",
                    launch.subnet
                ),
            ));
        }
        (0..max.min(free)).map(|_| self.launch_one(launch, group, now)).collect()
    }

    fn launch_one(&mut self, launch: &Launch, group: Option<&str>, now: Time) -> Result<InstanceId, ApiError> {
        let mut eni = self.make_eni(NewEni::in_subnet(launch.subnet.clone()), now)?;
        let id = InstanceId::from(self.rng.id("i"));
        eni.attachment = Some(self.attachment(id.clone(), 0, AttachmentStatus::Attached, now));
        let instance = Instance {
            id: id.clone(),
            instance_type: launch.instance_type.clone(),
            subnet: launch.subnet.clone(),
            az: eni.az.clone(),
            state: InstanceState::Pending,
            primary_eni: eni.id.clone(),
            private_ip: eni.primary_ip,
            launched_at: now,
            group: group.map(str::to_owned),
            tags: launch.tags.clone(),
        };
        self.enis.insert(eni.id.clone(), eni);
        self.instances.insert(id.clone(), instance);
        self.timers.push(now + self.config.instance_start, Timer::InstanceRunning(id.clone()));
        Ok(id)
    }

    /// TerminateInstances: `shutting-down` now, `terminated` after [`Config::instance_stop`](super::Config::instance_stop).
    /// Its ENIs with `DeleteOnTermination` go then; the others stay behind, `available`, and keep their addresses.
    ///
    /// # Errors
    /// `InvalidInstanceID.NotFound`.
    pub fn terminate_instance(&mut self, id: &InstanceId, now: Time) -> Result<(), ApiError> {
        self.settle(now);
        self.instance(id)?;
        self.shut_down(id, now);
        Ok(())
    }

    pub(super) fn shut_down(&mut self, id: &InstanceId, now: Time) {
        let Some(instance) = self.instances.get_mut(id).filter(|instance| !instance.state.is_ending()) else { return };
        instance.state = InstanceState::ShuttingDown;
        self.events.push(VpcEvent::InstanceShuttingDown { id: id.clone() });
        self.timers.push(now + self.config.instance_stop, Timer::InstanceTerminated(id.clone()));
        self.group_lost(id, now);
    }

    /// StopInstances: `stopped` after [`Config::instance_stop`](super::Config::instance_stop), with all its addresses.
    ///
    /// # Errors
    /// `InvalidInstanceID.NotFound`; `IncorrectInstanceState` unless it is running.
    pub fn stop_instance(&mut self, id: &InstanceId, now: Time) -> Result<(), ApiError> {
        self.settle(now);
        let instance = self.instance_mut(id)?;
        if instance.state != InstanceState::Running {
            let message = format!("The instance '{id}' is not in a state from which it can be stopped.");
            return Err(ApiError::new("IncorrectInstanceState", message));
        }
        instance.state = InstanceState::Stopping;
        self.timers.push(now + self.config.instance_stop, Timer::InstanceStopped(id.clone()));
        Ok(())
    }

    pub(super) fn instance_running(&mut self, id: &InstanceId, now: Time) {
        let Some(instance) = self.instances.get_mut(id).filter(|one| one.state == InstanceState::Pending) else {
            return;
        };
        instance.state = InstanceState::Running;
        self.events.push(VpcEvent::InstanceRunning { instance: instance.clone() });
        if instance.group.is_some() {
            self.timers.push(now + self.config.in_service, Timer::InService(id.clone()));
        }
    }

    pub(super) fn instance_stopped(&mut self, id: &InstanceId, now: Time) {
        if let Some(instance) = self.instances.get_mut(id).filter(|one| one.state == InstanceState::Stopping) {
            instance.state = InstanceState::Stopped;
            self.group_lost(id, now);
        }
    }

    pub(super) fn instance_terminated(&mut self, id: &InstanceId, now: Time) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.state = InstanceState::Terminated;
        self.events.push(VpcEvent::InstanceTerminated { id: id.clone(), group: instance.group.clone() });
        let (gone, left): (Vec<_>, Vec<_>) = self
            .enis_of(id)
            .map(|eni| (eni.id.clone(), eni.attachment.as_ref().is_some_and(|at| at.delete_on_termination)))
            .partition(|(_, delete)| *delete);
        for (eni, _) in gone {
            self.remove_eni(&eni, now);
        }
        for (eni, _) in left {
            if let Some(eni) = self.enis.get_mut(&eni) {
                eni.attachment = None;
            }
        }
        self.group_gone(id, now);
    }

    /// Every instance, terminated ones too, in order of id.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// One instance.
    ///
    /// # Errors
    /// `InvalidInstanceID.NotFound`.
    pub fn instance(&self, id: &InstanceId) -> Result<&Instance, ApiError> {
        self.instances.get(id).ok_or_else(|| unknown(id))
    }

    pub(super) fn instance_mut(&mut self, id: &InstanceId) -> Result<&mut Instance, ApiError> {
        self.instances.get_mut(id).ok_or_else(|| unknown(id))
    }

    /// What EC2 allows an instance type: the configuration's word first, then the tables'.
    #[must_use]
    pub fn limits(&self, instance_type: &str) -> Option<&InstanceLimits> {
        self.config.limits.get(instance_type).or_else(|| instance::lookup(instance_type))
    }

    pub(super) fn limits_of(&self, id: &InstanceId) -> Option<&InstanceLimits> {
        self.instances.get(id).and_then(|instance| self.limits(&instance.instance_type))
    }
}

fn unknown(id: &InstanceId) -> ApiError {
    ApiError::new("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
}
