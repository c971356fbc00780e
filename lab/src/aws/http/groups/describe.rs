//! What Auto Scaling shows.

use std::collections::BTreeSet;

use headroom_capacity::time::Time;

use super::{Answer, group, group_arn, show_activity};
use crate::aws::http::filter::{self, Filter, tag_values};
use crate::aws::http::page::{ACTIVITIES, AUTO_SCALING, INSTANCES, page};
use crate::aws::http::params::Params;
use crate::aws::http::xml::{Map, Xml, members, text};
use crate::aws::{Activity, ApiError, Group, Hook, Member, Vpc, stamp};

pub(super) fn groups(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let names = params.list("AutoScalingGroupNames");
    let filters = filter::auto_scaling(params)?;
    let with_instances = params.parsed("IncludeInstances")?.unwrap_or(true);
    let mut found = Vec::new();
    for group in vpc.groups().filter(|group| names.is_empty() || names.contains(&group.name.as_str())) {
        if filter::matches(&filters, |name| tag_values(&group.tags, name))? {
            found.push(group);
        }
    }
    let (found, next) = page(params, &AUTO_SCALING, found, |group| group.name.clone())?;
    let shown = members(found.into_iter().map(|group| show(vpc, group, with_instances)));
    Ok(Some(Map::new().put("AutoScalingGroups", shown).maybe("NextToken", next)))
}

fn show(vpc: &Vpc, group: &Group, with_instances: bool) -> Map {
    let subnets: Vec<&str> = group.subnets.iter().map(|(id, _)| id.as_str()).collect();
    let instances: Vec<Map> = group.members.values().map(|member| show_member(group, member, "Healthy")).collect();
    let suspended = group
        .suspended
        .iter()
        .map(|process| Map::new().text("ProcessName", process).text("SuspensionReason", "User suspended"));
    let map = Map::new()
        .text("AutoScalingGroupName", &group.name)
        .text("AutoScalingGroupARN", group_arn(vpc, &group.name))
        .put("LaunchTemplate", launch_template(group))
        .text("MinSize", group.min)
        .text("MaxSize", group.max)
        .text("DesiredCapacity", group.desired)
        .text("DefaultCooldown", group.cooldown.as_secs())
        .put("AvailabilityZones", members(group.zones().into_iter().map(text)))
        .put("LoadBalancerNames", members::<Xml>([]))
        .put("TargetGroupARNs", members::<Xml>([]))
        .text("HealthCheckType", "EC2")
        .text("HealthCheckGracePeriod", 0)
        .text("CreatedTime", stamp(group.created_at))
        .put("SuspendedProcesses", members(suspended))
        .text("VPCZoneIdentifier", subnets.join(","))
        .put("EnabledMetrics", members::<Xml>([]))
        .put("Tags", members(group.tags.iter().map(|(key, value)| show_tag(group, key, value))))
        .put("TerminationPolicies", members([text("Default")]))
        .text("NewInstancesProtectedFromScaleIn", group.protect_new)
        .text("CapacityRebalance", false)
        .put("TrafficSources", members::<Xml>([]))
        .text(
            "ServiceLinkedRoleARN",
            format!(
                "arn:aws:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
                vpc.config().account
            ),
        );
    if with_instances { map.put("Instances", members(instances)) } else { map }
}

fn launch_template(group: &Group) -> Map {
    Map::new()
        .text("LaunchTemplateId", &group.launch_template)
        .text("LaunchTemplateName", &group.name)
        .text("Version", "1")
}

fn show_tag(group: &Group, key: &str, value: &str) -> Map {
    Map::new()
        .text("ResourceId", &group.name)
        .text("ResourceType", "auto-scaling-group")
        .text("Key", key)
        .text("Value", value)
        .text("PropagateAtLaunch", true)
}

/// `HealthStatus` is in capitals in DescribeAutoScalingInstances, and only there.
fn show_member(group: &Group, member: &Member, health: &str) -> Map {
    Map::new()
        .text("InstanceId", &member.id)
        .text("InstanceType", &member.instance_type)
        .text("AvailabilityZone", &member.az)
        .text("LifecycleState", member.state.as_str())
        .text("HealthStatus", health)
        .put("LaunchTemplate", launch_template(group))
        .text("ProtectedFromScaleIn", member.protected)
}

pub(super) fn instances(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let ids = params.list("InstanceIds");
    let all = vpc.groups().flat_map(|group| group.members.values().map(move |member| (group, member)));
    let mut found: Vec<_> = all.filter(|(_, one)| ids.is_empty() || ids.contains(&one.id.as_str())).collect();
    found.sort_by_key(|(_, member)| &member.id);
    let (found, next) = page(params, &INSTANCES, found, |(_, member)| member.id.to_string())?;
    let shown = found
        .into_iter()
        .map(|(group, member)| show_member(group, member, "HEALTHY").text("AutoScalingGroupName", &group.name));
    Ok(Some(Map::new().put("AutoScalingInstances", members(shown)).maybe("NextToken", next)))
}

pub(super) fn activities(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let ids: BTreeSet<&str> = params.list("ActivityIds").into_iter().collect();
    let name = params.get("AutoScalingGroupName");
    let mut filters = filter::auto_scaling(params)?;
    let from = bound(params, &mut filters, "StartTimeLowerBound")?.unwrap_or(Time::ZERO);
    let until = bound(params, &mut filters, "StartTimeUpperBound")?.unwrap_or(now);
    let groups = vpc.groups().filter(|group| name.is_none_or(|name| group.name == name));
    let mut found = Vec::new();
    for activity in groups.flat_map(|group| &group.activities) {
        let wanted = ids.is_empty() || ids.contains(activity.id.as_str());
        let in_time = (from..=until).contains(&activity.started_at);
        if wanted && in_time && filter::matches(&filters, |name| value(activity, name))? {
            found.push(activity);
        }
    }
    let newest_first = |activity: &&Activity| format!("{:016x}", u64::MAX - activity.number);
    found.sort_by_key(newest_first);
    let (found, next) = page(params, &ACTIVITIES, found, newest_first)?;
    let shown = members(found.into_iter().map(|activity| show_activity(vpc, activity)));
    Ok(Some(Map::new().put("Activities", shown).maybe("NextToken", next)))
}

fn value(activity: &Activity, name: &str) -> filter::Values {
    (name == "Status").then(|| vec![activity.status.as_str().to_owned()])
}

/// Takes a bound of time out of the filters: it compares, the others match text.
fn bound(params: &Params, filters: &mut Vec<Filter>, name: &str) -> Result<Option<Time>, ApiError> {
    let Some(text) = filter::take(filters, name) else { return Ok(None) };
    let date: jiff::Timestamp = text.parse().map_err(|_| params.malformed(name, &text))?;
    Ok(Some(Time::from_millis(u64::try_from(date.as_millisecond()).unwrap_or(0))))
}

pub(super) fn hooks(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let names = params.list("LifecycleHookNames");
    let group = vpc.group(group(params)?)?;
    let wanted = |hook: &&Hook| names.is_empty() || names.contains(&hook.name.as_str());
    let shown = group.hooks.values().filter(wanted).map(|hook| show_hook(group, hook));
    Ok(Some(Map::new().put("LifecycleHooks", members(shown))))
}

fn show_hook(group: &Group, hook: &Hook) -> Map {
    Map::new()
        .text("LifecycleHookName", &hook.name)
        .text("AutoScalingGroupName", &group.name)
        .text("LifecycleTransition", hook.transition.as_str())
        .text("HeartbeatTimeout", hook.heartbeat.as_secs())
        .text("GlobalTimeout", hook.longest().as_secs())
        .text("DefaultResult", hook.default_result.as_str())
}
