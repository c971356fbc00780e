//! Lifecycle hooks.

use std::time::Duration;

use headroom_capacity::time::Time;

use super::{ActivityStatus, LifecycleState};
use crate::aws::timer::Timer;
use crate::aws::{ApiError, InstanceId, Vpc};

/// Hooks hold an instance for 48 hours or 100 heartbeats, whichever is less (Auto Scaling user guide, "Lifecycle hooks").
const LONGEST_HOLD: Duration = Duration::from_secs(48 * 3600);
const MOST_HEARTBEATS: u32 = 100;

/// What a hook waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// `autoscaling:EC2_INSTANCE_LAUNCHING`.
    Launching,
    /// `autoscaling:EC2_INSTANCE_TERMINATING`.
    Terminating,
}

impl Transition {
    /// As Auto Scaling spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Transition::Launching => "autoscaling:EC2_INSTANCE_LAUNCHING",
            Transition::Terminating => "autoscaling:EC2_INSTANCE_TERMINATING",
        }
    }
}

/// How a hook ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookResult {
    /// Go on.
    Continue,
    /// Give a launching instance up; of a terminating one, end the other hooks too.
    Abandon,
}

impl HookResult {
    /// As Auto Scaling spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            HookResult::Continue => "CONTINUE",
            HookResult::Abandon => "ABANDON",
        }
    }
}

/// A lifecycle hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// When it holds an instance.
    pub transition: Transition,
    /// `HeartbeatTimeout`, 30 s to 2 h.
    pub heartbeat: Duration,
    /// What happens when nobody answers.
    pub default_result: HookResult,
}

impl Hook {
    /// `GlobalTimeout`.
    #[must_use]
    pub fn longest(&self) -> Duration {
        LONGEST_HOLD.min(self.heartbeat * MOST_HEARTBEATS)
    }
}

/// A hook that holds an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::aws) struct Hold {
    /// `LifecycleActionToken`.
    pub(in crate::aws) token: String,
    deadline: Time,
    /// No heartbeat moves the deadline beyond this.
    latest: Time,
}

impl Vpc {
    /// PutLifecycleHook.
    ///
    /// # Errors
    /// `ValidationError` for an unknown group or a heartbeat outside of 30 s to 7200 s.
    pub fn put_hook(&mut self, group: &str, hook: Hook) -> Result<(), ApiError> {
        if !(30..=7200).contains(&hook.heartbeat.as_secs()) {
            let message = "Heartbeat timeout must be between 30 and 7200 seconds";
            return Err(ApiError::validation(message));
        }
        self.group_mut(group)?.hooks.insert(hook.name.clone(), hook);
        Ok(())
    }

    /// DeleteLifecycleHook.
    ///
    /// # Errors
    /// `ValidationError` for an unknown group or hook.
    pub fn delete_hook(&mut self, group: &str, hook: &str) -> Result<(), ApiError> {
        self.group_mut(group)?.hooks.remove(hook).map(drop).ok_or_else(|| unknown_hook(hook))
    }

    /// CompleteLifecycleAction for the instance that `hook` holds.
    ///
    /// # Errors
    /// `ValidationError` when that hook does not hold that instance.
    pub fn complete_action(
        &mut self,
        group: &str,
        hook: &str,
        id: &InstanceId,
        result: HookResult,
        now: Time,
    ) -> Result<(), ApiError> {
        self.settle(now);
        self.group_mut(group)?
            .members
            .get_mut(id)
            .and_then(|member| member.holds.remove(hook))
            .ok_or_else(|| no_action(hook, id))?;
        self.let_go(group, id, result, now);
        Ok(())
    }

    /// RecordLifecycleActionHeartbeat: the deadline starts anew.
    ///
    /// # Errors
    /// `ValidationError` when that hook does not hold that instance.
    pub fn record_heartbeat(&mut self, group: &str, hook: &str, id: &InstanceId, now: Time) -> Result<(), ApiError> {
        self.settle(now);
        let group = self.group_mut(group)?;
        let heartbeat = group.hooks.get(hook).ok_or_else(|| unknown_hook(hook))?.heartbeat;
        let hold = group.members.get_mut(id).and_then(|member| member.holds.get_mut(hook));
        let hold = hold.ok_or_else(|| no_action(hook, id))?;
        hold.deadline = (now + heartbeat).min(hold.latest);
        let deadline = hold.deadline;
        self.timers.push(deadline, Timer::HookDeadline(id.clone()));
        Ok(())
    }

    /// The instance that is held under a `LifecycleActionToken`.
    ///
    /// # Errors
    /// `ValidationError` for an unknown group or token.
    pub fn held_by_token(&self, group: &str, token: &str) -> Result<InstanceId, ApiError> {
        let mut members = self.group(group)?.members.values();
        let held = members.find(|member| member.holds.values().any(|hold| hold.token == token));
        held.map(|member| member.id.clone())
            .ok_or_else(|| ApiError::validation(format!("No active Lifecycle Action found with token {token}")))
    }

    /// Lets the terminating hooks hold a member; whether any does.
    pub(super) fn hold_leaving(&mut self, group: &str, id: &InstanceId, now: Time) -> bool {
        // An instance that EC2 takes down on its own account waits for nobody.
        let ending = self.instances.get(id).is_none_or(|instance| instance.state.is_ending());
        !ending && self.hold(group, id, Transition::Terminating, LifecycleState::TerminatingWait, now)
    }

    /// Lets the launching hooks hold a member; whether any does.
    pub(super) fn hold_launching(&mut self, group: &str, id: &InstanceId, now: Time) -> bool {
        self.hold(group, id, Transition::Launching, LifecycleState::PendingWait, now)
    }

    fn hold(&mut self, group: &str, id: &InstanceId, when: Transition, state: LifecycleState, now: Time) -> bool {
        let Some(group) = self.groups.get_mut(group) else { return false };
        let Some(member) = group.members.get_mut(id) else { return false };
        for hook in group.hooks.values().filter(|hook| hook.transition == when) {
            let deadline = now + hook.heartbeat;
            let hold = Hold { token: self.rng.uuid(), deadline, latest: now + hook.longest() };
            member.holds.insert(hook.name.clone(), hold);
            self.timers.push(deadline, Timer::HookDeadline(id.clone()));
        }
        if member.holds.is_empty() {
            return false;
        }
        member.state = state;
        let activity = member.activity.clone();
        group.mark(&activity, ActivityStatus::MidLifecycleAction, now);
        true
    }

    /// Ends the holds of a member that nobody answered in time.
    pub(in crate::aws) fn hook_deadline(&mut self, id: &InstanceId, now: Time) {
        let Some(group) = self.group_of(id) else { return };
        let Some(member) = group.members.get_mut(id) else { return };
        let late: Vec<String> =
            member.holds.extract_if(.., |_, hold| hold.deadline <= now).map(|(name, _)| name).collect();
        let result = |name: &String| group.hooks.get(name).map_or(HookResult::Abandon, |hook| hook.default_result);
        let results: Vec<HookResult> = late.iter().map(result).collect();
        let name = group.name.clone();
        for result in results {
            self.let_go(&name, id, result, now);
        }
    }

    /// One hook of a member has ended; on to the next state when it was the last.
    fn let_go(&mut self, name: &str, id: &InstanceId, result: HookResult, now: Time) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let Some(member) = group.members.get_mut(id) else { return };
        if result == HookResult::Abandon {
            member.holds.clear();
        }
        if !member.holds.is_empty() {
            return;
        }
        match (member.state, result) {
            (LifecycleState::TerminatingWait, _) => {
                member.state = LifecycleState::TerminatingProceed;
                let activity = member.activity.clone();
                group.mark(&activity, ActivityStatus::InProgress, now);
                self.shut_down(id, now);
            }
            (LifecycleState::PendingWait, HookResult::Continue) => self.put_in_service(name, id, now),
            (LifecycleState::PendingWait, HookResult::Abandon) => {
                self.retire(name, id, "an instance was abandoned by a lifecycle hook", now);
                self.schedule_step(name, now);
            }
            _ => {}
        }
    }
}

fn unknown_hook(hook: &str) -> ApiError {
    ApiError::validation(format!("Lifecycle Hook {hook} not found"))
}

fn no_action(hook: &str, id: &InstanceId) -> ApiError {
    ApiError::validation(format!("No active Lifecycle Action found with instance ID {id} for hook {hook}"))
}
