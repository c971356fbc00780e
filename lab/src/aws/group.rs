//! Auto Scaling groups.

mod activity;
mod choose;
mod hook;
mod operate;
mod step;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;

use super::timer::Timer;
use super::{ApiError, InstanceId, Tags, Vpc};

pub use activity::{Activity, ActivityStatus};
pub use hook::{Hook, HookResult, Transition};
pub use operate::{LaunchFailure, Launched, Where};

/// A group to be made.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// `MinSize`.
    pub min: u32,
    /// `MaxSize`.
    pub max: u32,
    /// `DesiredCapacity`.
    pub desired: u32,
    /// `VPCZoneIdentifier`.
    pub subnets: Vec<SubnetId>,
    /// The launch template's instance type.
    pub instance_type: String,
    /// Tags, all of them with `PropagateAtLaunch`.
    pub tags: Tags,
    /// `NewInstancesProtectedFromScaleIn`.
    pub protect_new: bool,
    /// `DefaultCooldown`; AWS's default is 300 s.
    pub cooldown: Duration,
}

/// Processes that can be suspended (Auto Scaling user guide, "Suspend and resume processes").
pub const PROCESSES: [&str; 9] = [
    "AZRebalance",
    "AddToLoadBalancer",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
];

/// `LifecycleState` of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleState {
    /// Launched, not in service yet.
    Pending,
    /// A launching hook holds it.
    PendingWait,
    /// In service.
    InService,
    /// On its way out.
    Terminating,
    /// A terminating hook holds it, and with it its addresses.
    TerminatingWait,
    /// The hooks let it go.
    TerminatingProceed,
}

impl LifecycleState {
    /// As Auto Scaling spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LifecycleState::Pending => "Pending",
            LifecycleState::PendingWait => "Pending:Wait",
            LifecycleState::InService => "InService",
            LifecycleState::Terminating => "Terminating",
            LifecycleState::TerminatingWait => "Terminating:Wait",
            LifecycleState::TerminatingProceed => "Terminating:Proceed",
        }
    }

    /// Whether it is on its way out: such members do not count against the desired capacity.
    #[must_use]
    pub const fn is_leaving(self) -> bool {
        matches!(
            self,
            LifecycleState::Terminating | LifecycleState::TerminatingWait | LifecycleState::TerminatingProceed
        )
    }
}

/// An instance of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub id: InstanceId,
    /// Its type.
    pub instance_type: String,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its zone.
    pub az: String,
    /// Its state.
    pub state: LifecycleState,
    /// `ProtectedFromScaleIn`.
    pub protected: bool,
    /// The activity that launches or terminates it.
    pub(super) activity: String,
    /// Hooks that hold it, by name.
    pub(super) holds: BTreeMap<String, hook::Hold>,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// `MinSize`.
    pub min: u32,
    /// `MaxSize`.
    pub max: u32,
    /// `DesiredCapacity`.
    pub desired: u32,
    /// `VPCZoneIdentifier`, with the zones.
    pub subnets: Vec<(SubnetId, String)>,
    /// The launch template's instance type.
    pub instance_type: String,
    /// The launch template.
    pub launch_template: String,
    /// Tags.
    pub tags: Tags,
    /// `NewInstancesProtectedFromScaleIn`.
    pub protect_new: bool,
    /// `DefaultCooldown`.
    pub cooldown: Duration,
    /// When it was made.
    pub created_at: Time,
    /// Suspended processes, out of [`PROCESSES`].
    pub suspended: BTreeSet<&'static str>,
    /// Lifecycle hooks by name.
    pub hooks: BTreeMap<String, Hook>,
    /// Its instances.
    pub members: BTreeMap<InstanceId, Member>,
    /// Scaling activities, newest first.
    pub activities: VecDeque<Activity>,
    /// The instance that a rebalance launched ahead of the one that it will terminate.
    rebalancing: Option<InstanceId>,
    /// No launch before this time, after one that failed.
    retry_at: Time,
}

impl Group {
    /// Members that are not on their way out.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| !member.state.is_leaving())
    }

    /// Its zones, sorted.
    #[must_use]
    pub fn zones(&self) -> BTreeSet<&str> {
        self.subnets.iter().map(|(_, az)| az.as_str()).collect()
    }

    fn runs(&self, process: &str) -> bool {
        !self.suspended.contains(process)
    }
}

impl Vpc {
    /// CreateAutoScalingGroup. It launches its first instances when the VPC advances next.
    ///
    /// # Errors
    /// `AlreadyExists`; `ValidationError` for no or unknown subnets, and for a desired capacity outside of min and max.
    pub fn create_group(&mut self, new: NewGroup, now: Time) -> Result<(), ApiError> {
        if self.groups.contains_key(&new.name) {
            let message = format!(
                "AutoScalingGroup by this name already exists - A group with the name {} already exists",
                new.name
            );
            return Err(ApiError::new("AlreadyExists", message));
        }
        if new.min > new.max || !(new.min..=new.max).contains(&new.desired) {
            let message = "Desired capacity must be between the specified min size and max size";
            return Err(ApiError::validation(format!(
                "Max bound {} must be at least min bound {}: {message}",
                new.max, new.min
            )));
        }
        let zone = |id: SubnetId| match self.subnets.get(&id) {
            Some(subnet) => Ok((id, subnet.az.clone())),
            None => Err(ApiError::validation(format!("The subnet ID '{id}' does not exist"))),
        };
        let subnets: Vec<_> = new.subnets.into_iter().map(zone).collect::<Result<_, _>>()?;
        if subnets.is_empty() {
            return Err(ApiError::validation("At least one Availability Zone or VPC Subnet is required."));
        }
        let group = Group {
            launch_template: self.rng.id("lt"),
            name: new.name.clone(),
            min: new.min,
            max: new.max,
            desired: new.desired,
            subnets,
            instance_type: new.instance_type,
            tags: new.tags,
            protect_new: new.protect_new,
            cooldown: new.cooldown,
            created_at: now,
            suspended: BTreeSet::new(),
            hooks: BTreeMap::new(),
            members: BTreeMap::new(),
            activities: VecDeque::new(),
            rebalancing: None,
            retry_at: now,
        };
        self.timers.push(now, Timer::GroupStep(new.name.clone()));
        self.groups.insert(new.name, group);
        Ok(())
    }

    /// Every group, in order of name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// One group.
    ///
    /// # Errors
    /// `ValidationError` for an unknown name.
    pub fn group(&self, name: &str) -> Result<&Group, ApiError> {
        self.groups.get(name).ok_or_else(|| unknown(name))
    }

    fn group_mut(&mut self, name: &str) -> Result<&mut Group, ApiError> {
        self.groups.get_mut(name).ok_or_else(|| unknown(name))
    }

    /// The group that an instance belongs to.
    fn group_of(&mut self, id: &InstanceId) -> Option<&mut Group> {
        let name = self.instances.get(id)?.group.as_ref()?;
        self.groups.get_mut(name).filter(|group| group.members.contains_key(id))
    }

    fn schedule_step(&mut self, name: &str, now: Time) {
        self.timers.push(now + self.config.group_step, Timer::GroupStep(name.to_owned()));
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::validation(format!("AutoScalingGroup name not found - AutoScalingGroup {name} not found"))
}
