//! What Auto Scaling is told to do. Desired capacity is only ever raised by a number; it goes down by one with an instance that is named.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_autoscaling::config::Builder;
use aws_sdk_autoscaling::config::retry::RetryConfig;
use aws_sdk_autoscaling::types::{Activity, RetryStrategy, ScalingActivityStatusCode};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;

use super::api::Api;
use super::error::AwsError;
use super::operation::Operation;
use crate::inventory::{Group, InstanceId};

/// What LaunchInstances did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launched {
    /// The new instances.
    pub instances: Vec<InstanceId>,
    /// What EC2 said to the rest, `code: message`.
    pub errors: Vec<String>,
}

/// A launch that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedLaunch {
    /// When it was begun.
    pub at: Time,
    /// AWS's text, for example "There are not enough free addresses in subnet ...".
    pub message: String,
}

/// What is told as a number, or must not be done twice, is sent once: a repetition whose forerunner had its effect would act on a group
/// that somebody has changed since.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

impl Api<'_> {
    /// One group as it is now; `None` where there is none of the name.
    ///
    /// # Errors
    /// When Auto Scaling does not answer.
    pub async fn group(&self, name: &Arc<str>) -> Result<Option<Group>, AwsError> {
        let mut groups = self.groups_by_name(std::slice::from_ref(name)).await?;
        Ok(groups.pop().filter(|group| group.name == *name))
    }

    /// Raises the desired capacity of `group`, which was read a moment ago, by so many. Not honouring the group's cool-down, as Cluster
    /// Autoscaler does. There is no call that lowers it by a number: Auto Scaling would choose which instances end, undrained.
    ///
    /// # Errors
    /// When Auto Scaling refuses or does not answer.
    pub async fn raise_desired_capacity(&self, group: &Group, by: NonZeroU32) -> Result<(), AwsError> {
        let to = group.desired.saturating_add(by.get());
        let operation = Operation::SetDesiredCapacity;
        let request = self.connection.autoscaling.set_desired_capacity();
        let request = request.auto_scaling_group_name(&*group.name).desired_capacity(size(to)).honor_cooldown(false);
        self.recorded(operation, async {
            request
                .customize()
                .config_override(once())
                .send()
                .await
                .map(drop)
                .map_err(|error| AwsError::of(operation, &error, SystemTime::now()))
        })
        .await
    }

    /// Launches `count` instances in one subnet of the group, which raises its desired capacity by as many. `token` makes a repetition do
    /// nothing more.
    ///
    /// # Errors
    /// When Auto Scaling refuses or does not answer. What EC2 refuses is part of the answer.
    pub async fn launch_instances(
        &self,
        group: &str,
        count: u32,
        subnet: &SubnetId,
        token: &str,
    ) -> Result<Launched, AwsError> {
        let operation = Operation::LaunchInstances;
        let request = self.connection.autoscaling.launch_instances();
        let request = request
            .auto_scaling_group_name(group)
            .requested_capacity(size(count))
            .subnet_ids(subnet.as_str())
            .retry_strategy(RetryStrategy::None)
            .client_token(token);
        self.recorded(operation, async {
            let answer = request.send().await.map_err(|error| AwsError::of(operation, &error, SystemTime::now()))?;
            let ids =
                answer.instances.unwrap_or_default().into_iter().flat_map(|one| one.instance_ids.unwrap_or_default());
            let errors = answer.errors.unwrap_or_default().into_iter().map(|one| {
                let text = |part: Option<String>| part.unwrap_or_default();
                format!("{}: {}", text(one.error_code), text(one.error_message))
            });
            Ok(Launched { instances: ids.map(|id| InstanceId::from(id.as_str())).collect(), errors: errors.collect() })
        })
        .await
    }

    /// Ends one instance of a group and lowers its desired capacity by one with it.
    ///
    /// # Errors
    /// When Auto Scaling refuses or does not answer. It may have been done all the same where no answer came.
    pub async fn terminate_with_decrement(&self, instance: &InstanceId) -> Result<(), AwsError> {
        let operation = Operation::TerminateInstanceInAutoScalingGroup;
        let request = self.connection.autoscaling.terminate_instance_in_auto_scaling_group();
        let request = request.instance_id(instance.as_str()).should_decrement_desired_capacity(true);
        self.recorded(operation, async {
            request
                .customize()
                .config_override(once())
                .send()
                .await
                .map(drop)
                .map_err(|error| AwsError::of(operation, &error, SystemTime::now()))
        })
        .await
    }

    /// Launches of a group that failed, newest first: the latest page of its activities.
    ///
    /// # Errors
    /// When Auto Scaling does not answer.
    pub async fn failed_launches(&self, group: &str) -> Result<Vec<FailedLaunch>, AwsError> {
        let operation = Operation::DescribeScalingActivities;
        let request = self.connection.autoscaling.describe_scaling_activities().auto_scaling_group_name(group);
        self.recorded(operation, async {
            let answer = request.send().await.map_err(|error| AwsError::of(operation, &error, SystemTime::now()))?;
            Ok(answer.activities.unwrap_or_default().into_iter().filter_map(failed_launch).collect())
        })
        .await
    }
}

fn failed_launch(activity: Activity) -> Option<FailedLaunch> {
    let failed = matches!(activity.status_code, Some(ScalingActivityStatusCode::Failed));
    let launch = activity.description.as_deref().is_some_and(|text| text.starts_with("Launching"));
    let at = activity.start_time.and_then(|at| u64::try_from(at.secs()).ok())?;
    (failed && launch)
        .then(|| FailedLaunch { at: Time::from_secs(at), message: activity.status_message.unwrap_or_default() })
}

fn size(nodes: u32) -> i32 {
    i32::try_from(nodes).unwrap_or(i32::MAX)
}
