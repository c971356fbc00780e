//! Subnet discovery: which subnets a new ENI may be made in, and in which order they are tried.

use super::SubnetInfo;
use crate::ids::SubnetId;

const ROLE_TAG: &str = "kubernetes.io/role/cni";
const CLUSTER_TAG_PREFIX: &str = "cni.networking.k8s.aws/cluster/";
const EXCLUDED: &str = "0";

/// Subnets of the node's zone that a new ENI is tried in, most free addresses first; equal ones keep their order (CNI
/// `GetVpcSubnets`, `createENI`). In prefix mode too the order is by addresses, not by free /28s.
#[must_use]
pub fn candidates(subnets: &[SubnetInfo], primary: &SubnetId, cluster: Option<&str>) -> Vec<SubnetId> {
    let mut usable: Vec<&SubnetInfo> =
        subnets.iter().filter(|subnet| takes_new_eni(subnet, primary, cluster)).collect();
    usable.sort_by_key(|subnet| std::cmp::Reverse(subnet.available_ips));
    usable.into_iter().map(|subnet| subnet.id.clone()).collect()
}

/// Whether discovery makes ENIs in `subnet` (CNI `isSubnetValidForENICreation`): the primary ENI's subnet unless it is
/// tagged otherwise, another only if it is tagged `kubernetes.io/role/cni` with anything but `0`, and neither if tagged for
/// other clusters alone.
#[must_use]
pub fn takes_new_eni(subnet: &SubnetInfo, primary: &SubnetId, cluster: Option<&str>) -> bool {
    match role(subnet) {
        Some(EXCLUDED) => false,
        Some(_) => is_for_cluster(subnet, cluster),
        None => subnet.id == *primary,
    }
}

/// Whether ENIs that are in `subnet` already give no addresses to pods (CNI `IsSubnetExcluded`).
#[must_use]
pub fn is_excluded(subnet: &SubnetInfo, cluster: Option<&str>) -> bool {
    match role(subnet) {
        Some(EXCLUDED) => true,
        Some(_) => !is_for_cluster(subnet, cluster),
        None => false,
    }
}

/// An empty tag value counts as no tag (CNI `getTagValue`).
fn role(subnet: &SubnetInfo) -> Option<&str> {
    let tag = subnet.tags.iter().find(|(key, _)| key == ROLE_TAG)?;
    Some(tag.1.as_str()).filter(|value| !value.is_empty())
}

/// CNI `ValidSubnetTagsMatchingClusterName`: not checked where `CLUSTER_NAME` is not set.
fn is_for_cluster(subnet: &SubnetInfo, cluster: Option<&str>) -> bool {
    let Some(cluster) = cluster.filter(|name| !name.is_empty()) else { return true };
    let mut clusters = subnet.tags.iter().filter_map(|(key, _)| key.strip_prefix(CLUSTER_TAG_PREFIX)).peekable();
    clusters.peek().is_none() || clusters.any(|name| name == cluster)
}
