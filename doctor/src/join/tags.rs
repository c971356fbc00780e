//! The tags by which instance and subnet belong to the cluster.

use super::case::Case;
use super::version::Minor;
use crate::bundle::Section;
use crate::cause::Cause;

/// Up to this version EKS tagged the subnets that a cluster was made with, and needed the tag (EKS user guide, "VPC and subnet
/// requirements").
const SUBNET_TAG_UP_TO: Minor = Minor(18);

/// Looks at both.
pub(super) fn check(case: &mut Case<'_>) {
    instance(case);
    subnet(case);
}

/// EKS user guide, "Nodes fail to join cluster": `owned`. The cloud provider goes by the key (cloud-provider-aws,
/// `pkg/providers/v1/tags.go`, `hasClusterTag`) and fails where there are two (`findClusterIDs`).
fn instance(case: &mut Case<'_>) {
    let Some(machine) = case.machine() else { return };
    let (id, cluster) = (&case.facts.instance, &case.facts.cluster);
    let key = format!("kubernetes.io/cluster/{cluster}");
    let others: Vec<&str> = machine.cluster_tags.keys().filter(|other| **other != key).map(String::as_str).collect();
    let remove = |other: &str| case.aws(&format!("ec2 delete-tags --resources {id} --tags Key={other}"));
    let create = case.aws(&format!("ec2 create-tags --resources {id} --tags Key={key},Value=owned"));
    let template = "and correct the tags of the launch template or group";
    match (machine.cluster_tags.get(&key), others.first()) {
        (Some(value), None) if value == "owned" || value == "shared" => {
            case.fine(format!("the instance has tag {key} = {value}"));
        }
        (Some(value), None) => {
            let says = format!("the instance's tag {key} is '{value}', and should be 'owned'");
            case.warning(Cause::ClusterTagWrong, says, (format!("EC2 {id}"), format!("tag {key} = {value}")), create);
        }
        (Some(_), Some(other)) => {
            let says = format!("the instance has tags of two clusters: {key} and {}", others.join(", "));
            let remedy = format!("{}, {template}", remove(other));
            case.fault(Cause::ClusterTagWrong, says, (format!("EC2 {id}"), format!("tag {other}")), remedy);
        }
        (None, other) => {
            let evidence = other.map_or("no tag kubernetes.io/cluster/*".to_owned(), |other| format!("tag {other}"));
            let remedy = match other {
                Some(other) => format!("{create} && {}, {template}", remove(other)),
                None => format!("{create}, {template}"),
            };
            let says = format!("the instance lacks tag {key} = owned");
            case.fault(Cause::ClusterTagWrong, says, (format!("EC2 {id}"), evidence), remedy);
        }
    }
}

fn subnet(case: &mut Case<'_>) {
    let Some(version) = case.control_plane().and_then(|cluster| cluster.version.parse::<Minor>().ok()) else { return };
    if version > SUBNET_TAG_UP_TO {
        return;
    }
    let key = format!("kubernetes.io/cluster/{}", case.facts.cluster);
    let subnet = match &case.facts.subnet {
        Section::Read(subnet) => subnet,
        Section::NotRead(why) => {
            let remedy = "allow ec2:DescribeSubnets".to_owned();
            return case.unknown(Cause::SubnetTagMissing, "the subnet's tags", why, remedy);
        }
    };
    let id = &subnet.id;
    if subnet.cluster_tags.contains_key(&key) {
        return case.fine(format!("{id} has tag {key}"));
    }
    let says = format!("{id} lacks tag {key} = shared, which a control plane of {version} needs");
    let remedy = case.aws(&format!("ec2 create-tags --resources {id} --tags Key={key},Value=shared"));
    case.fault(Cause::SubnetTagMissing, says, (format!("EC2 {id}"), format!("no tag {key}")), remedy);
}
