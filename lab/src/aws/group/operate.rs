//! What callers ask of groups.

use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;

use super::step::difference;
use super::{Activity, Group, LifecycleState, PROCESSES};
use crate::aws::{ApiError, InstanceId, Vpc};

/// Instances that one SetInstanceProtection call takes (API reference).
const MAX_PROTECTED_PER_CALL: usize = 50;
/// Instances that one LaunchInstances call launches (API reference).
const MAX_LAUNCHED_PER_CALL: u32 = 100;

/// Where LaunchInstances is to launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// In this subnet of the group.
    Subnet(SubnetId),
    /// In a subnet of this zone.
    Zone(String),
    /// In the subnet that the group would choose.
    Anywhere,
}

/// What LaunchInstances did: launching is synchronous, and a refusal is part of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Where.
    pub subnet: SubnetId,
    /// Zone of that subnet.
    pub az: String,
    /// The new instances.
    pub instances: Vec<InstanceId>,
    /// What EC2 said to the rest.
    pub failure: Option<LaunchFailure>,
}

/// Why LaunchInstances launched less than asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchFailure {
    /// `ErrorCode`.
    pub code: &'static str,
    /// `ErrorMessage`.
    pub message: String,
}

impl Vpc {
    /// SetDesiredCapacity.
    ///
    /// # Errors
    /// `ValidationError` outside of min and max; `ScalingActivityInProgress` in the cool-down, when that is to be honoured.
    pub fn set_desired(&mut self, name: &str, desired: u32, honor_cooldown: bool, now: Time) -> Result<(), ApiError> {
        self.settle(now);
        let group = self.group_mut(name)?;
        let outside = |side: &str, bound: u32| {
            let message = "for the AutoScalingGroup.";
            let message = format!("New SetDesiredCapacity value {desired} is {side} value {bound} {message}");
            Err(ApiError::validation(message))
        };
        if desired > group.max {
            return outside("above max", group.max);
        }
        if desired < group.min {
            return outside("below min", group.min);
        }
        if let Some(activity) = group.in_cooldown(now).filter(|_| honor_cooldown) {
            return Err(in_progress(activity));
        }
        group.desired = desired;
        self.schedule_step(name, now);
        Ok(())
    }

    /// TerminateInstanceInAutoScalingGroup. Scale-in protection does not keep an instance from it.
    ///
    /// # Errors
    /// `ValidationError` for an instance of no group, and when a decrement would go below min; `ScalingActivityInProgress` for
    /// one that is on its way out already.
    pub fn terminate_in_group(&mut self, id: &InstanceId, decrement: bool, now: Time) -> Result<Activity, ApiError> {
        self.settle(now);
        let stranger =
            || ApiError::validation(format!("Instance Id not found - No managed instance found for instance ID: {id}"));
        let group = self.group_of(id).ok_or_else(stranger)?;
        let leaving = group.members.get(id).filter(|member| member.state.is_leaving());
        if let Some(activity) = leaving.and_then(|member| group.activities.iter().find(|one| one.id == member.activity))
        {
            return Err(in_progress(activity));
        }
        let name = group.name.clone();
        let mut change = String::new();
        if decrement {
            if group.desired <= group.min {
                return Err(ApiError::validation(format!(
                    "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate \
                     group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's \
                     min size.",
                    group.min
                )));
            }
            group.desired -= 1;
            change = format!(", shrinking the capacity from {} to {}", group.desired + 1, group.desired);
        }
        let why = format!("instance {id} was taken out of service in response to a user request{change}");
        let activity = self.retire(&name, id, &why, now).ok_or_else(stranger)?;
        self.schedule_step(&name, now);
        Ok(activity)
    }

    /// LaunchInstances: raises the desired capacity by what it launches, at once and in a place of the caller's choice.
    ///
    /// # Errors
    /// `ValidationError` for a place outside of the group, for no instances, for more than 100 and for more than max.
    pub fn launch_instances(&mut self, name: &str, count: u32, place: &Where, now: Time) -> Result<Launched, ApiError> {
        self.settle(now);
        let group = self.group(name)?;
        if !(1..=MAX_LAUNCHED_PER_CALL).contains(&count) || group.desired + count > group.max {
            return Err(ApiError::validation(format!(
                "Requested capacity {count} with desired capacity {} must be 1 to {MAX_LAUNCHED_PER_CALL} and not exceed \
                 max size {}",
                group.desired, group.max
            )));
        }
        let (subnet, az) = self.place(group, place)?;
        let mut launched = Launched { subnet, az, instances: Vec::new(), failure: None };
        while launched.instances.len() < count as usize && launched.failure.is_none() {
            let why = difference(self.group(name)?.active().count(), 1);
            match self.try_launch(name, &launched.subnet, &why, now) {
                Ok(id) => launched.instances.push(id),
                Err(error) => launched.failure = Some(LaunchFailure { code: error.code, message: error.message }),
            }
        }
        self.group_mut(name)?.desired += u32::try_from(launched.instances.len()).unwrap_or(count);
        Ok(launched)
    }

    fn place(&self, group: &Group, place: &Where) -> Result<(SubnetId, String), ApiError> {
        let fits = |(subnet, az): &&(SubnetId, String)| match place {
            Where::Subnet(wanted) => subnet == wanted,
            Where::Zone(wanted) => az == wanted,
            Where::Anywhere => true,
        };
        let counted = |az: &str| group.active().filter(|member| member.az == az).count();
        let found = group.subnets.iter().filter(fits).min_by_key(|(_, az)| counted(az)).cloned();
        found.ok_or_else(|| ApiError::validation(format!("{place:?} is not part of AutoScalingGroup {}", group.name)))
    }

    /// SetInstanceProtection, for up to 50 instances.
    ///
    /// # Errors
    /// `ValidationError` for an instance that is not in the group or not in service, and for too many; then none is changed.
    pub fn set_protection(&mut self, name: &str, ids: &[InstanceId], protected: bool) -> Result<(), ApiError> {
        let group = self.group_mut(name)?;
        if ids.len() > MAX_PROTECTED_PER_CALL {
            let message = format!("at most {MAX_PROTECTED_PER_CALL} instance IDs are allowed, {} given", ids.len());
            return Err(ApiError::validation(message));
        }
        if let Some(stranger) = ids.iter().find(|id| !group.members.contains_key(*id)) {
            let message = format!("The instance {stranger} is not part of Auto Scaling group {name}.");
            return Err(ApiError::validation(message));
        }
        let unready = |id: &&InstanceId| group.members[*id].state != LifecycleState::InService;
        if let Some(id) = ids.iter().find(unready) {
            let message = format!("The instance {id} is not in InService or EnteringStandby or Standby.");
            return Err(ApiError::validation(message));
        }
        for member in group.members.values_mut().filter(|member| ids.contains(&member.id)) {
            member.protected = protected;
        }
        Ok(())
    }

    /// SuspendProcesses or ResumeProcesses; no process means all of them.
    ///
    /// # Errors
    /// `ValidationError` for an unknown process.
    pub fn set_suspended(
        &mut self,
        name: &str,
        processes: &[String],
        suspended: bool,
        now: Time,
    ) -> Result<(), ApiError> {
        self.settle(now);
        let known = |process: &String| {
            let found = PROCESSES.into_iter().find(|known| known == process);
            found.ok_or_else(|| ApiError::validation(format!("{process} is not a valid process; one of {PROCESSES:?}")))
        };
        let named: Vec<&'static str> = processes.iter().map(known).collect::<Result<_, _>>()?;
        let meant = if named.is_empty() { PROCESSES.to_vec() } else { named };
        let group = self.group_mut(name)?;
        for process in meant {
            if suspended {
                group.suspended.insert(process);
            } else {
                group.suspended.remove(process);
            }
        }
        self.schedule_step(name, now);
        Ok(())
    }
}

fn in_progress(activity: &Activity) -> ApiError {
    let message = format!("Scaling activity {} is in progress and blocks this action", activity.id);
    ApiError::new("ScalingActivityInProgress", message)
}
