use super::fixture::{
    AL2, ENDPOINT, KNOWN_AS, ROLE, TAG, al2, al2023, control_plane, fault, found, from, image, machine, map, mapped,
    rule, user_data,
};
use crate::bundle::Section;
use crate::cause::Cause;
use crate::join::{AccessEntry, AuthenticationMode, Facts, Route, SecurityGroup, VpcDns, diagnose};
use crate::report::Level;

/// The entry that is to be added, word by word.
const ENTRY: &str = "- rolearn: arn:aws:iam::111122223333:role/NodeRole
  username: system:node:{{EC2PrivateDNSName}}
  groups:
  - system:bootstrappers
  - system:nodes";

#[test]
fn no_entry_in_aws_auth() {
    for aws_auth in [map(&mapped("arn:aws:iam::111122223333:role/Other")), map(""), Section::Read(None)] {
        let found = fault(&Facts { aws_auth, ..al2() }, Cause::UnauthorizedNode);
        assert!(found.remedy.ends_with(ENTRY), "{}", found.remedy);
    }
}

#[test]
fn an_entry_that_names_the_role_with_its_path() {
    let found = fault(&Facts { aws_auth: map(&mapped(ROLE)), ..al2() }, Cause::RoleArnMismatch);
    assert!(found.says.contains("without their path") && found.says.contains(ROLE), "{}", found.says);
    assert!(found.remedy.ends_with(ENTRY));
}

#[test]
fn an_entry_that_names_the_profile_or_another_account() {
    for (arn, why) in [
        ("arn:aws:iam::111122223333:instance-profile/NodeProfile", "instance profile's ARN"),
        ("arn:aws:iam::999999999999:role/NodeRole", "account"),
    ] {
        let found = fault(&Facts { aws_auth: map(&mapped(arn)), ..al2() }, Cause::RoleArnMismatch);
        assert!(found.says.contains(why), "{}", found.says);
    }
}

#[test]
fn an_entry_that_makes_no_node() {
    let right = mapped(KNOWN_AS);
    for (text, says) in [
        (right.replace("  - system:nodes\n", ""), "lacks group system:nodes"),
        (right.replace("  - system:bootstrappers\n", ""), "lacks group system:bootstrappers"),
        (right.replace("system:node:{{EC2PrivateDNSName}}", "worker"), "username 'worker'"),
        (
            format!("- rolearn: {KNOWN_AS}\n  username: system:node:x\n"),
            "lacks group system:bootstrappers and system:nodes",
        ),
        // The last one counts.
        (right.clone() + &right.replace("system:nodes", "system:masters"), "lacks group system:nodes"),
    ] {
        let found = fault(&Facts { aws_auth: map(&text), ..al2() }, Cause::RoleMappingIncomplete);
        assert!(found.says.contains(says), "{}", found.says);
    }
}

#[test]
fn an_aws_auth_that_is_no_yaml() {
    let text = mapped(KNOWN_AS) + "- rolearn: [x\n";
    let found = fault(&Facts { aws_auth: map(&text), ..al2() }, Cause::AwsAuthBroken);
    assert!(found.evidence[0].text.starts_with("line "), "{:?}", found.evidence);
}

#[test]
fn only_access_entries_count_and_there_is_none() {
    let mut facts = Facts { access_entry: Section::Read(None), ..al2023() };
    let create = format!(
        "aws eks create-access-entry --cluster-name prod --principal-arn {ROLE} --type EC2_LINUX --region us-west-2"
    );
    assert_eq!(fault(&facts, Cause::UnauthorizedNode).remedy, create);
    // What used to do does not any more.
    facts.aws_auth = map(&mapped(KNOWN_AS));
    let found = fault(&facts, Cause::UnauthorizedNode);
    assert!(found.evidence.iter().any(|seen| seen.text.contains("aws-auth names the role and does not count")));
    // Where both count, neither says anything.
    control_plane(&mut facts).authentication_mode = AuthenticationMode::ApiAndConfigMap;
    facts.aws_auth = Section::Read(None);
    assert_eq!(fault(&facts, Cause::UnauthorizedNode).evidence.len(), 2);
}

#[test]
fn an_access_entry_of_a_person_hides_what_aws_auth_says() {
    let mut facts = Facts { access_entry: Section::Read(Some(AccessEntry { kind: "STANDARD".to_owned() })), ..al2() };
    control_plane(&mut facts).authentication_mode = AuthenticationMode::ApiAndConfigMap;
    let found = fault(&facts, Cause::AccessEntryWrong);
    assert!(
        found.remedy.contains("delete-access-entry") && found.remedy.contains("--type EC2_LINUX"),
        "{}",
        found.remedy
    );
}

#[test]
fn an_instance_without_a_role() {
    let mut facts = Facts { role: Section::Read(None), ..al2() };
    assert!(fault(&facts, Cause::InstanceProfileMissing).says.contains("NodeProfile has no role"));
    machine(&mut facts).profile = None;
    assert!(fault(&facts, Cause::InstanceProfileMissing).says.contains("no instance profile"));
}

#[test]
fn an_instance_that_is_not_there_or_not_running() {
    let found = fault(&Facts { machine: Section::Read(None), ..al2() }, Cause::InstanceNotRunning);
    assert_eq!(found.says, "EC2 knows no instance i-0a1 in us-west-2");
    let mut facts = al2();
    machine(&mut facts).state = "stopped".to_owned();
    assert_eq!(fault(&facts, Cause::InstanceNotRunning).says, "the instance is stopped");
}

#[test]
fn an_instance_without_metadata() {
    let mut facts = al2();
    machine(&mut facts).metadata = false;
    assert!(fault(&facts, Cause::MetadataOff).remedy.contains("--instance-id i-0a1 --http-endpoint enabled"));
}

#[test]
fn an_instance_in_another_vpc() {
    let mut facts = al2();
    machine(&mut facts).vpc = Some("vpc-2".to_owned());
    assert_eq!(fault(&facts, Cause::OtherVpc).says, "the instance is in vpc-2 and the cluster in vpc-1");
}

#[test]
fn a_cluster_that_failed() {
    let mut facts = al2();
    control_plane(&mut facts).status = "FAILED".to_owned();
    assert_eq!(fault(&facts, Cause::ClusterNotActive).says, "cluster prod is FAILED");
}

#[test]
fn a_kubelet_that_is_too_new_or_too_old() {
    let newer = fault(&Facts { image: image("amazon-eks-node-1.31-v20240807"), ..al2() }, Cause::KubeletSkew);
    assert!(newer.says.contains("1.31") && newer.says.contains("must not be newer"), "{}", newer.says);
    let older = fault(&Facts { image: image("amazon-eks-node-1.26-v20240807"), ..al2() }, Cause::KubeletSkew);
    assert!(older.says.contains("1.27 is the oldest"), "{}", older.says);
}

#[test]
fn user_data_that_calls_nothing() {
    for text in ["", "#!/bin/bash\nyum update -y\n# /etc/eks/bootstrap.sh prod\n"] {
        let found = fault(&Facts { user_data: user_data(text), ..al2() }, Cause::BootstrapNotRun);
        assert!(found.remedy.ends_with("/etc/eks/bootstrap.sh prod"), "{}", found.remedy);
    }
}

#[test]
fn a_bootstrap_of_another_family() {
    let old_script = fault(&Facts { user_data: user_data(AL2), ..al2023() }, Cause::BootstrapMismatch);
    assert!(old_script.says.contains("/etc/eks/bootstrap.sh") && old_script.says.contains("Amazon Linux 2023"));
    let new_config = Facts { user_data: al2023().user_data, ..al2() };
    assert!(fault(&new_config, Cause::BootstrapMismatch).says.contains("nodeadm"));
}

#[test]
fn a_bootstrap_for_another_cluster() {
    let found =
        fault(&Facts { user_data: user_data(&AL2.replace("prod", "staging")), ..al2() }, Cause::BootstrapWrongCluster);
    assert_eq!(found.says, "/etc/eks/bootstrap.sh joins cluster 'staging', not 'prod'");
    let script = AL2.replace(
        "prod",
        "prod --apiserver-endpoint https://OLD.gr7.us-west-2.eks.amazonaws.com --b64-cluster-ca Y2VydA==",
    );
    let found = fault(&Facts { user_data: user_data(&script), ..al2() }, Cause::BootstrapWrongCluster);
    assert!(found.says.contains("OLD") && found.remedy.contains(ENDPOINT), "{}", found.says);
}

#[test]
fn a_bootstrap_that_lacks_something() {
    let config = "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    name: prod\n";
    let found = fault(&Facts { user_data: user_data(config), ..al2023() }, Cause::BootstrapIncomplete);
    let lacks = "lacks spec.cluster.apiServerEndpoint, spec.cluster.certificateAuthority, spec.cluster.cidr";
    assert!(found.says.ends_with(lacks), "{}", found.says);
    let nameless = user_data("#!/bin/bash\n/etc/eks/bootstrap.sh --use-max-pods true\n");
    assert!(
        fault(&Facts { user_data: nameless, ..al2() }, Cause::BootstrapIncomplete).says.contains("no cluster name")
    );
    let settings = user_data("[settings.kubernetes]\ncluster-name = \"prod\"\n");
    let bottlerocket = image("bottlerocket-aws-k8s-1.30-x86_64-v1.26.2-360b7a38");
    let found = fault(&Facts { user_data: settings, image: bottlerocket, ..al2() }, Cause::BootstrapIncomplete);
    assert!(found.says.ends_with("lacks api-server, cluster-certificate"), "{}", found.says);
}

#[test]
fn what_kubelet_does_not_take() {
    for (flags, says) in [
        ("--node-labels=node-role.kubernetes.io/worker=", "node label node-role.kubernetes.io/worker"),
        ("--container-runtime=remote", "flag --container-runtime, removed in 1.27"),
    ] {
        let script = AL2.replace("--max-pods=29", flags);
        let found = fault(&Facts { user_data: user_data(&script), ..al2() }, Cause::KubeletFlagRefused);
        assert!(found.says.contains(says), "{}", found.says);
    }
}

#[test]
fn no_way_to_a_public_endpoint() {
    let mut facts = al2();
    control_plane(&mut facts).private_access = false;
    let route = |target: &str, blackhole| Section::Read(Some(Route { target: target.to_owned(), blackhole }));
    facts.vpc_endpoints = Section::Read(["ec2", "ecr.api", "ecr.dkr", "s3", "eks"].map(str::to_owned).to_vec());
    for (default_route, says) in [
        (Section::Read(None), "subnet-1 has no route"),
        (route("nat-1", true), "nat-1, which is gone"),
        (route("igw-1", false), "has no public address"),
    ] {
        let found = fault(&Facts { default_route, ..facts.clone() }, Cause::EndpointUnreachable);
        assert!(found.says.contains(says), "{}", found.says);
        assert!(found.remedy.contains("endpointPrivateAccess=true"));
    }
    control_plane(&mut facts).public_access_cidrs = vec!["203.0.113.0/24".to_owned()];
    machine(&mut facts).public_ip = Some([198, 51, 100, 7].into());
    facts.default_route = route("igw-1", false);
    assert!(fault(&facts, Cause::EndpointUnreachable).remedy.contains("198.51.100.7/32"));
    // A NAT gateway's address was not read: nobody knows.
    facts.default_route = route("nat-1", false);
    assert_eq!(found(&facts, Level::Unknown), [Cause::EndpointUnreachable]);
}

#[test]
fn no_way_to_aws() {
    let mut facts = Facts { default_route: Section::Read(None), ..al2() };
    let missing = fault(&facts, Cause::AwsUnreachable);
    assert!(missing.says.ends_with("has no endpoint of ec2, ecr.api, ecr.dkr, s3, eks"), "{}", missing.says);
    assert!(missing.remedy.contains("com.amazonaws.us-west-2.ecr.api"));
    // Images are pulled once the node is there.
    facts.vpc_endpoints = Section::Read(vec!["ec2".to_owned(), "eks".to_owned()]);
    assert_eq!((found(&facts, Level::Fault), found(&facts, Level::Warning)), (vec![], vec![Cause::AwsUnreachable]));
}

#[test]
fn a_vpc_that_does_not_resolve_names() {
    let facts = Facts { vpc_dns: Section::Read(VpcDns { support: true, hostnames: false }), ..al2() };
    let found = fault(&facts, Cause::VpcDnsOff);
    assert_eq!(found.remedy, "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-hostnames --region us-west-2");
}

/// The node's group and the cluster's, with nothing between them but these rules of the node's and that one of the cluster's.
fn apart(node_in: &[(&str, u16, &str)], cluster_in: &[(&str, u16, &str)]) -> Facts {
    let mut facts = al2();
    machine(&mut facts).security_groups = vec!["sg-node".to_owned()];
    let rules =
        |all: &[(&str, u16, &str)]| all.iter().map(|(protocol, port, group)| from(protocol, *port, group)).collect();
    let anywhere = vec![rule("-1", None, &["0.0.0.0/0"], &[])];
    let group = |id: &str, ingress| SecurityGroup { id: id.to_owned(), ingress, egress: anywhere.clone() };
    facts.security_groups =
        Section::Read(vec![group("sg-node", rules(node_in)), group("sg-cluster", rules(cluster_in))]);
    facts
}

#[test]
fn a_group_that_keeps_the_node_from_the_api_server() {
    let all = [("tcp", 10250, "sg-cluster"), ("tcp", 53, "sg-node"), ("udp", 53, "sg-node")];
    let found = fault(&apart(&all, &[]), Cause::ApiPortBlocked);
    let command = "aws ec2 authorize-security-group-ingress --group-id sg-cluster --ip-permissions \
                   'IpProtocol=tcp,FromPort=443,ToPort=443,UserIdGroupPairs=[{GroupId=sg-node}]' --region us-west-2";
    assert!(found.remedy.starts_with(command), "{}", found.remedy);
    assert!(found.remedy.contains("or give the launch template's instances sg-cluster too"));
}

#[test]
fn a_group_that_keeps_the_control_plane_from_kubelet_or_pods_from_dns() {
    let api = [("tcp", 443, "sg-node")];
    for (node_in, cause) in [
        (vec![("tcp", 53, "sg-node"), ("udp", 53, "sg-node")], Cause::KubeletPortBlocked),
        (vec![("tcp", 10250, "sg-cluster"), ("tcp", 53, "sg-node")], Cause::DnsPortBlocked),
    ] {
        let facts = apart(&node_in, &api);
        assert_eq!((found(&facts, Level::Fault), found(&facts, Level::Warning)), (vec![], vec![cause]));
        // It is not what keeps the instance out, and that is said.
        assert_eq!(found(&facts, Level::Unknown), [Cause::JoinUnexplained]);
    }
}

#[test]
fn tags_of_no_cluster_of_another_or_of_two() {
    let tags = |names: &[&str]| {
        names.iter().map(|name| (format!("kubernetes.io/cluster/{name}"), "owned".to_owned())).collect()
    };
    for (names, says) in [
        (&[][..], "lacks tag kubernetes.io/cluster/prod = owned"),
        (&["staging"], "lacks tag kubernetes.io/cluster/prod = owned"),
        (&["prod", "staging"], "tags of two clusters"),
    ] {
        let mut facts = al2();
        machine(&mut facts).cluster_tags = tags(names);
        let found = fault(&facts, Cause::ClusterTagWrong);
        assert!(found.says.contains(says), "{}", found.says);
        assert_eq!(found.remedy.contains("delete-tags"), names.contains(&"staging"), "{}", found.remedy);
    }
}

#[test]
fn a_subnet_needs_its_tag_up_to_1_18() {
    let old = |version: &str| {
        let mut facts = Facts { image: image(&format!("amazon-eks-node-{version}-v20210101")), ..al2() };
        control_plane(&mut facts).version = version.to_owned();
        facts
    };
    let found = fault(&old("1.18"), Cause::SubnetTagMissing);
    assert!(found.remedy.contains(&format!("--resources subnet-1 --tags Key={TAG},Value=shared")), "{}", found.remedy);
    assert_eq!(super::fixture::found(&old("1.19"), Level::Fault), []);
}

#[test]
fn the_likeliest_of_several_comes_first() {
    let mut facts = Facts { aws_auth: Section::Read(None), vpc_dns: Section::NotRead("denied".to_owned()), ..al2() };
    machine(&mut facts).cluster_tags.clear();
    let causes: Vec<Cause> = diagnose(&facts).findings.iter().map(|finding| finding.cause).collect();
    assert_eq!(causes, [Cause::UnauthorizedNode, Cause::ClusterTagWrong, Cause::VpcDnsOff]);
}
