//! Auto Scaling.

mod describe;

use std::time::Duration;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;

use super::params::Params;
use super::query::Operation;
use super::xml::{Map, Xml, members, text};
use crate::aws::{Activity, ApiError, Hook, HookResult, InstanceId, Launched, Transition, Vpc, Where, stamp};

type Answer = Result<Option<Map>, ApiError>;

/// Instances that one TerminateInstanceInAutoScalingGroup call takes (API reference).
const MAX_TERMINATED_PER_CALL: usize = 100;
/// HeartbeatTimeout when none is given (API reference).
const DEFAULT_HEARTBEAT_SECS: u64 = 3600;

pub(super) fn operation(name: &str) -> Option<Operation> {
    let operation: Operation = match name {
        "CompleteLifecycleAction" => complete_action,
        "DeleteLifecycleHook" => delete_hook,
        "DescribeAutoScalingGroups" => describe::groups,
        "DescribeAutoScalingInstances" => describe::instances,
        "DescribeLifecycleHooks" => describe::hooks,
        "DescribeScalingActivities" => describe::activities,
        "LaunchInstances" => launch_instances,
        "PutLifecycleHook" => put_hook,
        "RecordLifecycleActionHeartbeat" => record_heartbeat,
        "ResumeProcesses" => |vpc, params, now| set_suspended(vpc, params, false, now),
        "SetDesiredCapacity" => set_desired,
        "SetInstanceProtection" => set_protection,
        "SuspendProcesses" => |vpc, params, now| set_suspended(vpc, params, true, now),
        "TerminateInstanceInAutoScalingGroup" => terminate,
        _ => return None,
    };
    Some(operation)
}

/// An operation whose result element is there and empty.
#[expect(clippy::unnecessary_wraps, reason = "the type of every operation's end")]
fn empty() -> Answer {
    Ok(Some(Map::new()))
}

fn group(params: &Params) -> Result<&str, ApiError> {
    params.need("AutoScalingGroupName")
}

fn set_desired(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let desired = params.need_parsed("DesiredCapacity")?;
    vpc.set_desired(group(params)?, desired, params.flag("HonorCooldown")?, now)?;
    Ok(None)
}

fn terminate(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let decrement = params.need_parsed("ShouldDecrementDesiredCapacity")?;
    let many = params.list("InstanceIds");
    if many.is_empty() {
        let activity = vpc.terminate_in_group(&InstanceId::from(params.need("InstanceId")?), decrement, now)?;
        return Ok(Some(Map::new().put("Activity", show_activity(vpc, &activity))));
    }
    if many.len() > MAX_TERMINATED_PER_CALL {
        let message = format!("at most {MAX_TERMINATED_PER_CALL} instance IDs are allowed, {} given", many.len());
        return Err(ApiError::validation(message));
    }
    vpc.settle(now);
    let members_of = &vpc.group(group(params)?)?.members;
    if let Some(stranger) = many.iter().find(|id| !members_of.contains_key(&InstanceId::from(**id))) {
        let message = format!("Instance Id not found - No managed instance found for instance ID: {stranger}");
        return Err(ApiError::validation(message));
    }
    let mut activities = Vec::new();
    for id in many {
        let activity = vpc.terminate_in_group(&InstanceId::from(id), decrement, now)?;
        activities.push(show_activity(vpc, &activity));
    }
    Ok(Some(Map::new().put("Activities", members(activities))))
}

fn launch_instances(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let name = group(params)?.to_owned();
    let places: Vec<Where> = params
        .list("SubnetIds")
        .into_iter()
        .map(|id| Where::Subnet(SubnetId::from(id)))
        .chain(params.list("AvailabilityZones").into_iter().map(|az| Where::Zone(az.to_owned())))
        .collect();
    let place = match places.as_slice() {
        [] => Where::Anywhere,
        [one] => one.clone(),
        _ => return Err(ApiError::validation("Exactly one subnet or Availability Zone may be given")),
    };
    let launched = vpc.launch_instances(&name, params.need_parsed("RequestedCapacity")?, &place, now)?;
    let instance_type = vpc.group(&name)?.instance_type.clone();
    let answer = Map::new()
        .text("AutoScalingGroupName", name)
        .maybe("ClientToken", params.get("ClientToken"))
        .put("Instances", members(show_launched(&launched, &instance_type)))
        .put("Errors", members(show_failure(&launched, &instance_type)));
    Ok(Some(answer))
}

fn place(launched: &Launched, instance_type: &str) -> Map {
    Map::new()
        .text("InstanceType", instance_type)
        .text("MarketType", "on-demand")
        .text("SubnetId", &launched.subnet)
        .text("AvailabilityZone", &launched.az)
}

fn show_launched(launched: &Launched, instance_type: &str) -> Option<Map> {
    let ids = members(launched.instances.iter().map(text));
    (!launched.instances.is_empty()).then(|| place(launched, instance_type).put("InstanceIds", ids))
}

fn show_failure(launched: &Launched, instance_type: &str) -> Option<Map> {
    let failure = launched.failure.as_ref()?;
    let map = place(launched, instance_type).text("ErrorCode", failure.code);
    Some(map.text("ErrorMessage", &failure.message))
}

fn set_protection(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let ids: Vec<InstanceId> = params.list("InstanceIds").into_iter().map(InstanceId::from).collect();
    vpc.settle(now);
    vpc.set_protection(group(params)?, &ids, params.need_parsed("ProtectedFromScaleIn")?)?;
    empty()
}

fn set_suspended(vpc: &mut Vpc, params: &Params, suspended: bool, now: Time) -> Answer {
    let processes: Vec<String> = params.list("ScalingProcesses").into_iter().map(str::to_owned).collect();
    vpc.set_suspended(group(params)?, &processes, suspended, now)?;
    Ok(None)
}

fn hook_result(params: &Params, name: &str, default: HookResult) -> Result<HookResult, ApiError> {
    match params.get(name) {
        None => Ok(default),
        Some("CONTINUE") => Ok(HookResult::Continue),
        Some("ABANDON") => Ok(HookResult::Abandon),
        Some(other) => Err(params.malformed(name, other)),
    }
}

fn put_hook(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let transition = match params.need("LifecycleTransition")? {
        "autoscaling:EC2_INSTANCE_LAUNCHING" => Transition::Launching,
        "autoscaling:EC2_INSTANCE_TERMINATING" => Transition::Terminating,
        other => return Err(params.malformed("LifecycleTransition", other)),
    };
    let secs = params.parsed("HeartbeatTimeout")?.unwrap_or(DEFAULT_HEARTBEAT_SECS);
    let hook = Hook {
        name: params.need("LifecycleHookName")?.to_owned(),
        transition,
        heartbeat: Duration::from_secs(secs),
        default_result: hook_result(params, "DefaultResult", HookResult::Abandon)?,
    };
    vpc.put_hook(group(params)?, hook)?;
    empty()
}

fn delete_hook(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    vpc.delete_hook(group(params)?, params.need("LifecycleHookName")?)?;
    empty()
}

/// The instance of a lifecycle action: named, or known by its token.
fn held(vpc: &Vpc, params: &Params) -> Result<InstanceId, ApiError> {
    match params.get("LifecycleActionToken") {
        Some(token) => vpc.held_by_token(group(params)?, token),
        None => params.need("InstanceId").map(InstanceId::from),
    }
}

fn complete_action(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let id = held(vpc, params)?;
    params.need("LifecycleActionResult")?;
    let result = hook_result(params, "LifecycleActionResult", HookResult::Abandon)?;
    vpc.complete_action(group(params)?, params.need("LifecycleHookName")?, &id, result, now)?;
    empty()
}

fn record_heartbeat(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let id = held(vpc, params)?;
    vpc.record_heartbeat(group(params)?, params.need("LifecycleHookName")?, &id, now)?;
    empty()
}

fn group_arn(vpc: &Vpc, name: &str) -> String {
    let config = vpc.config();
    let uuid = "00000000-0000-4000-a000-000000000000";
    format!(
        "arn:aws:autoscaling:{}:{}:autoScalingGroup:{uuid}:autoScalingGroupName/{name}",
        config.region, config.account
    )
}

fn show_activity(vpc: &Vpc, activity: &Activity) -> Xml {
    let (az, subnet) = &activity.place;
    let details = serde_json::json!({ "Subnet ID": subnet, "Availability Zone": az });
    Map::new()
        .text("ActivityId", &activity.id)
        .text("AutoScalingGroupName", &activity.group)
        .text("AutoScalingGroupARN", group_arn(vpc, &activity.group))
        .text("Description", &activity.description)
        .text("Cause", &activity.cause)
        .text("StartTime", stamp(activity.started_at))
        .maybe("EndTime", activity.ended_at.map(stamp))
        .text("StatusCode", activity.status.as_str())
        .maybe("StatusMessage", activity.message.as_ref())
        .text("Progress", if activity.ended_at.is_some() { 100 } else { 0 })
        .text("Details", details)
        .into()
}
