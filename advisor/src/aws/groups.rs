//! What Auto Scaling is asked, through its SDK.

use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter, MixedInstancesPolicy};

use super::api::{Api, Seen};
use super::ec2::{BATCH, cluster_tag};
use super::error::AwsError;
use super::operation::Operation;
use crate::inventory::{Group, InstanceId, Member, Tags};

/// Groups on a page, the most that Auto Scaling gives (API reference, `MaxRecords`); also the most names in a request.
pub(super) const PAGE: usize = BATCH;

impl Api<'_> {
    /// Groups with one of the two tags by which a cluster's groups are known: its own, and the one that Cluster Autoscaler finds
    /// groups by (`--node-group-auto-discovery`). Values of a filter are alternatives (API reference, `Filter`), so that this is one
    /// listing.
    pub(super) async fn groups(&self, cluster: &str) -> Result<Vec<Group>, AwsError> {
        let tags = [cluster_tag(cluster), format!("k8s.io/cluster-autoscaler/{cluster}")];
        let filter = Filter::builder().name("tag-key").set_values(Some(tags.into())).build();
        self.pages(self.connection.autoscaling.describe_auto_scaling_groups().filters(filter)).await
    }

    /// Those of `names` that exist.
    pub(super) async fn groups_by_name(&self, names: &[Arc<str>]) -> Result<Vec<Group>, AwsError> {
        let mut groups = Vec::new();
        for batch in names.chunks(PAGE) {
            let names = batch.iter().map(ToString::to_string).collect();
            let request = self.connection.autoscaling.describe_auto_scaling_groups();
            groups.extend(self.pages(request.set_auto_scaling_group_names(Some(names))).await?);
        }
        Ok(groups)
    }

    /// The whole listing. Not by the SDK's paginator: it takes a page that names itself as the next one for the last.
    async fn pages(&self, request: DescribeAutoScalingGroupsFluentBuilder) -> Result<Vec<Group>, AwsError> {
        let operation = Operation::DescribeAutoScalingGroups;
        let request = request.max_records(i32::try_from(PAGE).unwrap_or(i32::MAX));
        let (mut groups, mut seen, mut token) = (Vec::new(), Seen::new(operation), None);
        loop {
            let page = request.clone().set_next_token(token).send();
            let page = self.recorded(operation, async {
                page.await.map_err(|error| AwsError::of(operation, &error, SystemTime::now()))
            });
            let page = page.await?;
            groups.extend(page.auto_scaling_groups.unwrap_or_default().into_iter().filter_map(group));
            let Some(next) = page.next_token.filter(|token| !token.is_empty()) else { return Ok(groups) };
            seen.add(&next)?;
            token = Some(next);
        }
    }
}

/// `None` for one without a name, which there is not.
fn group(group: AutoScalingGroup) -> Option<Group> {
    let count = |size: Option<i32>| size.and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
    let subnets = group.vpc_zone_identifier.unwrap_or_default();
    let tags = group.tags.unwrap_or_default().into_iter();
    Some(Group {
        name: group.auto_scaling_group_name?.into(),
        min: count(group.min_size),
        max: count(group.max_size),
        desired: count(group.desired_capacity),
        subnets: subnets.split(',').map(str::trim).filter(|id| !id.is_empty()).map(Into::into).collect(),
        types: group.mixed_instances_policy.map(types).unwrap_or_default(),
        members: group.instances.unwrap_or_default().into_iter().filter_map(member).collect(),
        suspended: group
            .suspended_processes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|one| one.process_name)
            .collect(),
        tags: tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect::<Tags>(),
    })
}

fn types(policy: MixedInstancesPolicy) -> Vec<Arc<str>> {
    let overrides = policy.launch_template.and_then(|template| template.overrides).unwrap_or_default();
    overrides.into_iter().filter_map(|one| one.instance_type.map(Arc::from)).collect()
}

fn member(instance: aws_sdk_autoscaling::types::Instance) -> Option<Member> {
    Some(Member {
        instance: InstanceId::from(instance.instance_id?.as_str()),
        instance_type: instance.instance_type.unwrap_or_default().into(),
        lifecycle: instance.lifecycle_state.map(|state| Arc::from(state.as_str())).unwrap_or_default(),
        protected: instance.protected_from_scale_in.unwrap_or(false),
    })
}
