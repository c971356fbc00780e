//! What a group does by itself.

use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;

use super::choose::{launch_order, victim, zone_to_grow};
use super::{Activity, ActivityStatus, Group, LifecycleState, Member};
use crate::aws::stamp;
use crate::aws::timer::Timer;
use crate::aws::{ApiError, InstanceId, Launch, Vpc};

impl Vpc {
    /// Compares what a group has with what it should have, and acts on the difference.
    pub(in crate::aws) fn group_step(&mut self, name: &str, now: Time) {
        let Some(group) = self.groups.get(name) else { return };
        let (has, wants) = (group.active().count(), group.desired as usize);
        if has < wants && group.runs("Launch") && group.retry_at <= now {
            self.grow(name, wants - has, now);
        } else if has > wants && group.runs("Terminate") && group.rebalancing.is_none() {
            self.shrink(name, has - wants, now);
        } else if has == wants {
            self.rebalance(name, now);
        }
    }

    fn grow(&mut self, name: &str, missing: usize, now: Time) {
        for _ in 0..missing {
            let Some(group) = self.groups.get(name) else { return };
            let order = launch_order(group, |n| self.rng.below(n));
            let why = difference(group_size(group), 1);
            if !order.iter().any(|subnet| self.try_launch(name, subnet, &why, now).is_ok()) {
                return self.retry_launch(name, now);
            }
        }
    }

    fn retry_launch(&mut self, name: &str, now: Time) {
        let at = now + self.config.launch_retry;
        if let Some(group) = self.groups.get_mut(name) {
            group.retry_at = at;
        }
        self.timers.push(at, Timer::GroupStep(name.to_owned()));
    }

    /// Launches one instance and records the activity, also when EC2 refuses.
    pub(super) fn try_launch(
        &mut self,
        name: &str,
        subnet: &SubnetId,
        why: &str,
        now: Time,
    ) -> Result<InstanceId, ApiError> {
        let group = self.group(name)?;
        let mut tags = group.tags.clone();
        tags.insert("aws:autoscaling:groupName".into(), name.to_owned());
        let launch = Launch {
            instance_type: group.instance_type.clone(),
            subnet: subnet.clone(),
            min_count: 1,
            max_count: 1,
            tags,
        };
        let protected = group.protect_new;
        let result = self.launch(&launch, Some(name), now).map(|mut ids| ids.remove(0));
        let az = self.subnet(subnet)?.az.clone();
        let activity = self.launch_activity(name, &result, (az.clone(), subnet.to_string()), why, now);
        let group = self.group_mut(name)?;
        if let Ok(id) = &result {
            group.members.insert(
                id.clone(),
                Member {
                    id: id.clone(),
                    instance_type: launch.instance_type,
                    subnet: launch.subnet,
                    az,
                    state: LifecycleState::Pending,
                    protected,
                    activity: activity.id.clone(),
                    holds: std::collections::BTreeMap::new(),
                },
            );
        }
        group.record(activity);
        result
    }

    fn launch_activity(
        &mut self,
        group: &str,
        result: &Result<InstanceId, ApiError>,
        place: (String, String),
        why: &str,
        now: Time,
    ) -> Activity {
        let (description, status, message) = match result {
            Ok(id) => (format!("Launching a new EC2 instance: {id}"), ActivityStatus::InProgress, None),
            Err(error) => {
                let message = format!("{} Launching EC2 instance failed.", error.message);
                let description = format!("Launching a new EC2 instance.  Status Reason: {message}");
                (description, ActivityStatus::Failed, Some(message))
            }
        };
        Activity {
            number: self.next_activity(),
            id: self.rng.uuid(),
            group: group.to_owned(),
            description,
            cause: format!("At {} {why}.", stamp(now)),
            started_at: now,
            ended_at: result.is_err().then_some(now),
            status,
            message,
            place,
        }
    }

    fn shrink(&mut self, name: &str, surplus: usize, now: Time) {
        for _ in 0..surplus {
            let Some(group) = self.groups.get(name) else { return };
            let Some(id) = victim(group, |n| self.rng.below(n)) else { return };
            let why = format!(
                "an instance was taken out of service in response to a difference between desired and actual capacity, \
                 shrinking the capacity from {} to {}",
                group_size(group),
                group_size(group) - 1
            );
            self.retire(name, &id, &why, now);
        }
    }

    /// Takes a member out: hooks first, then EC2. Returns the activity.
    pub(super) fn retire(&mut self, name: &str, id: &InstanceId, why: &str, now: Time) -> Option<Activity> {
        let (number, activity_id) = (self.next_activity(), self.rng.uuid());
        let group = self.groups.get_mut(name)?;
        let member = group.members.get_mut(id).filter(|member| !member.state.is_leaving())?;
        let launching = std::mem::replace(&mut member.activity, activity_id.clone());
        let was = std::mem::replace(&mut member.state, LifecycleState::Terminating);
        member.holds.clear();
        let activity = Activity {
            number,
            id: activity_id,
            group: name.to_owned(),
            description: format!("Terminating EC2 instance: {id}"),
            cause: format!("At {} {why}.", stamp(now)),
            started_at: now,
            ended_at: None,
            status: ActivityStatus::InProgress,
            message: None,
            place: (member.az.clone(), member.subnet.to_string()),
        };
        if was != LifecycleState::InService {
            group.mark(&launching, ActivityStatus::Cancelled, now);
        }
        group.record(activity.clone());
        if !self.hold_leaving(name, id, now) {
            self.shut_down(id, now);
        }
        Some(activity)
    }

    fn next_activity(&mut self) -> u64 {
        self.activities += 1;
        self.activities
    }

    fn rebalance(&mut self, name: &str, now: Time) {
        let Some(group) = self.groups.get(name) else { return };
        if group.retry_at > now || !["AZRebalance", "Launch", "Terminate"].iter().all(|process| group.runs(process)) {
            return;
        }
        let Some(zone) = zone_to_grow(group) else { return };
        let Some((subnet, _)) = group.subnets.iter().find(|(_, az)| az == zone).cloned() else { return };
        let why = format!("an instance was launched in {zone} to balance instances between Availability Zones");
        match self.try_launch(name, &subnet, &why, now) {
            Ok(id) => {
                if let Some(group) = self.groups.get_mut(name) {
                    group.rebalancing = Some(id);
                }
            }
            Err(_) => self.retry_launch(name, now),
        }
    }

    /// A member is up and healthy: into service, unless a launching hook holds it.
    pub(in crate::aws) fn group_healthy(&mut self, id: &InstanceId, now: Time) {
        let Some(group) = self.group_of(id) else { return };
        let name = group.name.clone();
        if group.members.get(id).is_some_and(|member| member.state == LifecycleState::Pending)
            && !self.hold_launching(&name, id, now)
        {
            self.put_in_service(&name, id, now);
        }
    }

    pub(super) fn put_in_service(&mut self, name: &str, id: &InstanceId, now: Time) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let Some(member) = group.members.get_mut(id) else { return };
        member.state = LifecycleState::InService;
        let activity = member.activity.clone();
        group.mark(&activity, ActivityStatus::Successful, now);
        group.rebalancing.take_if(|new| new == id);
        self.schedule_step(name, now);
    }

    /// EC2 takes a member down whom the group did not send away: its health check notices.
    pub(in crate::aws) fn group_lost(&mut self, id: &InstanceId, now: Time) {
        let Some(group) = self.group_of(id) else { return };
        let name = group.name.clone();
        let why = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated \
                   or stopped";
        self.retire(&name, id, why, now);
        self.schedule_step(&name, now);
    }

    /// A member is gone.
    pub(in crate::aws) fn group_gone(&mut self, id: &InstanceId, now: Time) {
        let Some(group) = self.group_of(id) else { return };
        let name = group.name.clone();
        if let Some(member) = group.members.remove(id) {
            group.mark(&member.activity, ActivityStatus::Successful, now);
        }
        group.rebalancing.take_if(|new| new == id);
        self.schedule_step(&name, now);
    }
}

fn group_size(group: &Group) -> usize {
    group.active().count()
}

/// The part of a launch's cause after its time.
pub(super) fn difference(from: usize, by: usize) -> String {
    format!(
        "an instance was started in response to a difference between desired and actual capacity, increasing the capacity from \
         {from} to {}",
        from + by
    )
}
