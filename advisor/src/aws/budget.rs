//! How many calls observing takes: known before any is made.

use std::collections::BTreeMap;

use super::ec2::{BATCH, PAGE, TYPES_PAGE};
use super::groups;
use super::observe::{JITTER, Part};
use super::operation::Operation;
use crate::config;

/// How large an account's part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Subnets of the VPC.
    pub subnets: u32,
    /// ENIs in the VPC, everybody's.
    pub enis: u32,
    /// Instances with the cluster's tag.
    pub instances: u32,
    /// Nodes whose instance has no such tag.
    pub untagged_nodes: u32,
    /// Groups with a tag of the cluster.
    pub groups: u32,
    /// Groups without one that have nodes of the cluster.
    pub untagged_groups: u32,
    /// VPC endpoints.
    pub endpoints: u32,
}

/// Instance types of a region, some more than `us-east-1` had in November 2026 (1,395).
const OFFERS: u32 = 1_500;

/// Calls a minute at most, once running; retries come on top, `aws.max_attempts - 1` a call at worst. The first round reads
/// everything at once. To be held against [`Operation::quota`].
#[must_use]
pub fn calls_per_minute(observe: &config::Observe, sizes: &Sizes) -> BTreeMap<Operation, f64> {
    let batch = u32::try_from(BATCH).unwrap_or(u32::MAX);
    let group_page = u32::try_from(groups::PAGE).unwrap_or(u32::MAX);
    let pages = |rows: u32, page: u32| rows.div_ceil(page).max(1);
    let calls = [
        (Operation::DescribeSubnets, Part::Subnets, pages(sizes.subnets, PAGE)),
        (Operation::DescribeNetworkInterfaces, Part::Enis, pages(sizes.enis, PAGE)),
        (
            Operation::DescribeInstances,
            Part::Instances,
            pages(sizes.instances, PAGE) + sizes.untagged_nodes.div_ceil(batch),
        ),
        (
            Operation::DescribeAutoScalingGroups,
            Part::Groups,
            pages(sizes.groups, group_page) + sizes.untagged_groups.div_ceil(group_page),
        ),
        (Operation::GetSubnetCidrReservations, Part::Topology, sizes.subnets),
        (Operation::DescribeVpcs, Part::Topology, 1),
        (Operation::DescribeVpcEndpoints, Part::Topology, pages(sizes.endpoints, PAGE)),
        (Operation::DescribeInstanceTypes, Part::Offers, pages(OFFERS, TYPES_PAGE)),
    ];
    let rate = |(operation, part, calls): (Operation, Part, u32)| {
        let shortest = part.every(observe).as_secs_f64() * (1.0 - JITTER);
        (operation, f64::from(calls) * 60.0 / shortest)
    };
    calls.into_iter().map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_cluster_takes_a_small_part_of_the_quotas() {
        let sizes = Sizes {
            subnets: 200,
            enis: 30_000,
            instances: 5_000,
            untagged_nodes: 0,
            groups: 60,
            untagged_groups: 0,
            endpoints: 20,
        };
        let calls = calls_per_minute(&config::Observe::default(), &sizes);
        assert!((calls[&Operation::DescribeNetworkInterfaces] - 30.0 / 0.9).abs() < 1e-9);
        for (operation, per_minute) in calls {
            let granted = operation.quota().map_or(f64::MAX, |quota| f64::from(quota.per_sec) * 60.0);
            assert!(per_minute < granted / 20.0, "{operation}: {per_minute} of {granted}");
        }
    }
}
