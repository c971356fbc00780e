//! The lab's AWS in the advisor's own types, as it ought to be seen.

use headroom_advisor::inventory::{
    Attachment, Eni, EniKind, EniTags, Group, Instance, InstanceId, InstanceState, Member, Subnet,
};
use headroom_lab::aws;
use headroom_lab::kube::object;

/// How ipamd describes an ENI that it makes (CNI `pkg/awsutils`, `eniDescriptionPrefix`), before the instance.
const MADE_FOR: &str = "aws-K8S-";

/// A subnet of a VPC.
#[must_use]
pub fn subnet(vpc: &aws::Vpc, view: aws::SubnetView) -> Subnet {
    Subnet {
        id: view.id,
        vpc: vpc.id().into(),
        az: view.az.as_str().into(),
        cidr: view.cidr,
        available_ips: view.available_ips,
        tags: view.tags,
    }
}

/// An ENI.
///
/// # Panics
/// When its tag `createdAt` is no date.
#[must_use]
pub fn eni(eni: &aws::Eni) -> Eni {
    let tag = |key: &str| eni.tags.get(key).map(String::as_str);
    Eni {
        id: eni.id.clone(),
        subnet: eni.subnet.clone(),
        available: eni.status() == aws::EniStatus::Available,
        kind: match eni.interface_type {
            "interface" => EniKind::Interface,
            "trunk" => EniKind::Trunk,
            "branch" => EniKind::Branch,
            _ => EniKind::Service,
        },
        primary_ip: Some(eni.primary_ip),
        secondary_ips: eni.secondary_ips.clone(),
        prefixes: eni.prefixes.clone(),
        attachment: eni.attachment.as_ref().map(|attachment| Attachment {
            instance: Some(attachment.instance.as_str().into()),
            device_index: attachment.device_index,
            network_card: 0,
        }),
        requester_managed: eni.requester_managed,
        described_for: eni.description.strip_prefix(MADE_FOR).map(InstanceId::from),
        tags: EniTags {
            instance: tag("node.k8s.amazonaws.com/instance_id").map(InstanceId::from),
            created_at: tag("node.k8s.amazonaws.com/createdAt")
                .map(|at| object::parse_timestamp(at).expect("a date, as ipamd writes it")),
            cluster: tag("cluster.k8s.amazonaws.com/name").map(Into::into),
            eks_owner: tag("eks:eni:owner").map(Into::into),
            no_manage: tag("node.k8s.amazonaws.com/no_manage") == Some("true"),
            trunk: tag("vpcresources.k8s.aws/trunk-eni-id").map(Into::into),
        },
    }
}

/// An instance, of the cluster or not.
#[must_use]
pub fn instance(instance: &aws::Instance, cluster: &str) -> Instance {
    let host = instance.private_ip.to_string().replace('.', "-");
    Instance {
        id: instance.id.as_str().into(),
        instance_type: instance.instance_type.as_str().into(),
        state: match instance.state {
            aws::InstanceState::Pending => InstanceState::Pending,
            aws::InstanceState::Running => InstanceState::Running,
            aws::InstanceState::ShuttingDown => InstanceState::ShuttingDown,
            aws::InstanceState::Stopping | aws::InstanceState::Stopped => InstanceState::Stopped,
            aws::InstanceState::Terminated => InstanceState::Terminated,
        },
        launched_at: instance.launched_at,
        subnet: Some(instance.subnet.clone()),
        private_dns: format!("ip-{host}.us-west-2.compute.internal").into(),
        group: instance.group.as_deref().map(Into::into),
        of_cluster: instance.tags.contains_key(&format!("kubernetes.io/cluster/{cluster}")),
    }
}

/// A group.
#[must_use]
pub fn group(group: &aws::Group) -> Group {
    let member = |member: &aws::Member| Member {
        instance: member.id.as_str().into(),
        instance_type: member.instance_type.as_str().into(),
        lifecycle: member.state.as_str().into(),
        protected: member.protected,
    };
    Group {
        name: group.name.as_str().into(),
        min: group.min,
        max: group.max,
        desired: group.desired,
        subnets: group.subnets.iter().map(|(id, _)| id.clone()).collect(),
        members: group.members.values().map(member).collect(),
        types: Vec::new(),
        suspended: group.suspended.iter().map(|name| (*name).to_owned()).collect(),
        tags: group.tags.clone(),
    }
}
