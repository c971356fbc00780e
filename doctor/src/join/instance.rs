//! The instance itself, and the cluster that it is for.

use super::case::Case;
use super::facts::Machine;
use crate::bundle::Section;
use crate::cause::Cause;
use crate::report::{Evidence, Level};

/// Joining takes one to three minutes; EKS gives up on a managed node after 15 (EKS user guide, "Nodes fail to join cluster").
const TIME_TO_JOIN_SECS: u64 = 5 * 60;

/// Looks at the instance and the cluster; whether the rest can be looked at.
pub(super) fn check(case: &mut Case<'_>) -> bool {
    cluster(case);
    let facts = case.facts;
    let id = &facts.instance;
    let machine = match &facts.machine {
        Section::Read(Some(machine)) => machine,
        Section::Read(None) => {
            let says = format!("EC2 knows no instance {id}{}", in_region(&facts.region));
            let remedy = format!(
                "check the ID, the region and the account: {}",
                case.aws(&format!("ec2 describe-instances --instance-ids {id}"))
            );
            case.fault(
                Cause::InstanceNotRunning,
                says,
                ("EC2 DescribeInstances".into(), "no such instance".into()),
                remedy,
            );
            return false;
        }
        Section::NotRead(why) => {
            let remedy = "allow ec2:DescribeInstances".to_owned();
            case.unknown(Cause::InstanceNotRunning, "the instance", why, remedy);
            return false;
        }
    };
    let ec2 = format!("EC2 {id}");
    match machine.state.as_str() {
        "running" => case.fine("the instance is running".to_owned()),
        "pending" => {}
        state => {
            let says = format!("the instance is {state}");
            let remedy = Cause::InstanceNotRunning.remedy().to_owned();
            case.fault(Cause::InstanceNotRunning, says, (ec2, format!("state {state}")), remedy);
            return false;
        }
    }
    if !machine.metadata {
        let says =
            "the instance metadata service is turned off, where bootstrap and kubelet read region and credentials";
        let command = format!("ec2 modify-instance-metadata-options --instance-id {id} --http-endpoint enabled");
        let remedy = format!("{}, and in the launch template", case.aws(&command));
        case.fault(
            Cause::MetadataOff,
            says.to_owned(),
            (ec2.clone(), "MetadataOptions.HttpEndpoint disabled".into()),
            remedy,
        );
    }
    role(case, machine);
    vpc(case, machine, ec2);
    true
}

fn in_region(region: &str) -> String {
    if region.is_empty() { String::new() } else { format!(" in {region}") }
}

fn cluster(case: &mut Case<'_>) {
    let (facts, name) = (case.facts, &case.facts.cluster);
    let eks = || format!("EKS {name}");
    match &facts.control_plane {
        Section::Read(Some(cluster)) => match cluster.status.as_str() {
            "ACTIVE" | "UPDATING" => {
                case.fine(format!("cluster {name} is {}, version {}", cluster.status, cluster.version))
            }
            status => {
                let remedy = case.aws(&format!("eks describe-cluster --name {name} --query cluster.health"));
                case.fault(
                    Cause::ClusterNotActive,
                    format!("cluster {name} is {status}"),
                    (eks(), format!("status {status}")),
                    remedy,
                );
            }
        },
        Section::Read(None) => {
            let why = format!("EKS knows no cluster of that name{}", in_region(&facts.region));
            let remedy =
                format!("correct cluster_name or the region; {} lists what there is", case.aws("eks list-clusters"));
            case.unknown(Cause::ClusterNotActive, &format!("cluster {name}"), &why, remedy);
        }
        Section::NotRead(why) => {
            let remedy = "allow eks:DescribeCluster".to_owned();
            case.unknown(Cause::ClusterNotActive, &format!("cluster {name}"), why, remedy);
        }
    }
}

fn role(case: &mut Case<'_>, machine: &Machine) {
    let (facts, id) = (case.facts, &case.facts.instance);
    let associate = format!("ec2 associate-iam-instance-profile --instance-id {id} --iam-instance-profile Name=");
    match (&machine.profile, &facts.role) {
        (None, _) => {
            let remedy = format!(
                "name the node role's instance profile in the launch template, or: {}",
                case.aws(&format!("{associate}PROFILE"))
            );
            case.fault(
                Cause::InstanceProfileMissing,
                "the instance has no instance profile".to_owned(),
                (format!("EC2 {id}"), "IamInstanceProfile is not set".to_owned()),
                remedy,
            );
        }
        (Some(profile), Section::Read(None)) => {
            let name = profile.rsplit('/').next().unwrap_or(profile);
            case.fault(
                Cause::InstanceProfileMissing,
                format!("instance profile {name} has no role"),
                (format!("IAM {profile}"), "Roles is empty".to_owned()),
                format!("aws iam add-role-to-instance-profile --instance-profile-name {name} --role-name ROLE"),
            );
        }
        (Some(_), Section::Read(Some(role))) => case.fine(format!("the instance has role {role}")),
        (Some(profile), Section::NotRead(why)) => {
            let what = format!("the role of instance profile {profile}");
            case.unknown(Cause::UnauthorizedNode, &what, why, "allow iam:GetInstanceProfile".to_owned());
        }
    }
}

/// Nodes are in the cluster's VPC (EKS user guide, "VPC and subnet requirements").
fn vpc(case: &mut Case<'_>, machine: &Machine, ec2: String) {
    let (Some(ours), Some(cluster)) = (&machine.vpc, case.control_plane()) else { return };
    if *ours != cluster.vpc {
        let says = format!("the instance is in {ours} and the cluster in {}", cluster.vpc);
        let remedy = format!("launch it in a subnet of {}", cluster.vpc);
        case.fault(Cause::OtherVpc, says, (ec2, format!("VpcId {ours}")), remedy);
    }
}

/// Says what there is to say where nothing is wrong and there is no node all the same.
pub(super) fn unexplained(case: &mut Case<'_>) {
    let Some(machine) = case.machine() else { return };
    if machine.age_secs < TIME_TO_JOIN_SECS || machine.state == "pending" {
        let says = format!("the instance was launched {} s ago, and may still be about to join", machine.age_secs);
        let evidence = Evidence::new(format!("EC2 {}", case.facts.instance), format!("state {}", machine.state));
        let remedy = Cause::StillStarting.remedy().to_owned();
        case.add(Cause::StillStarting, Level::Unknown, says, vec![evidence], remedy);
    } else if case.facts.node.get().is_some() && !case.has(Level::Fault) && !case.has(Level::Unknown) {
        let id = &case.facts.instance;
        let says = "nothing that can be seen from outside keeps the instance from joining".to_owned();
        let evidence = Evidence::new("Kubernetes nodes", format!("none has the providerID of {id}"));
        let remedy = format!(
            "read the logs on the instance: {} , then journalctl -u kubelet and /var/log/cloud-init-output.log, and give them to \
             headroom-advisor doctor log",
            case.aws(&format!("ssm start-session --target {id}"))
        );
        case.add(Cause::JoinUnexplained, Level::Unknown, says, vec![evidence], remedy);
    }
}
