use super::fixture::{
    AL2, ENDPOINT, KNOWN_AS, al2, al2023, control_plane, found, from, image, joined, machine, map, mapped, rule,
    user_data,
};
use crate::bundle::Section;
use crate::cause::Cause;
use crate::join::{AccessEntry, AuthenticationMode, Facts, Route, SecurityGroup, diagnose};
use crate::report::Level;

/// Nothing is wrong, nothing will be, and why there is no node is not known.
fn nothing_but_unexplained(facts: &Facts) {
    let report = diagnose(facts);
    assert_eq!(found(facts, Level::Fault), [], "{report}");
    assert_eq!(found(facts, Level::Warning), [], "{report}");
    assert_eq!(found(facts, Level::Unknown), [Cause::JoinUnexplained], "{report}");
    assert_eq!(report.exit_code(), 3);
}

#[test]
fn a_node_that_has_joined_is_left_alone_whatever_else_there_is() {
    let mut facts = al2();
    facts.node = joined(true);
    machine(&mut facts).cluster_tags.clear();
    let report = diagnose(&facts);
    assert_eq!((report.exit_code(), report.findings.len()), (0, 0));
    assert_eq!(report.fine, ["the instance has joined as node ip-10-0-1-20, which is Ready"]);
}

#[test]
fn amazon_linux_2_by_the_config_map() {
    nothing_but_unexplained(&al2());
}

#[test]
fn amazon_linux_2023_by_an_access_entry() {
    nothing_but_unexplained(&al2023());
}

#[test]
fn both_sources_with_either_of_them() {
    let mut facts = al2();
    control_plane(&mut facts).authentication_mode = AuthenticationMode::ApiAndConfigMap;
    nothing_but_unexplained(&facts);
    facts.access_entry = Section::Read(Some(AccessEntry { kind: "EC2_LINUX".to_owned() }));
    facts.aws_auth = map("- rolearn: [broken");
    nothing_but_unexplained(&facts);
}

#[test]
fn bottlerocket() {
    let settings = format!(
        "[settings.kubernetes]\napi-server = \"{ENDPOINT}\"\ncluster-certificate = \"Y2VydA==\"\ncluster-name = \"prod\"\n\
         [settings.kubernetes.node-labels]\n\"eks.amazonaws.com/nodegroup\" = \"a\"\n"
    );
    let name = image("bottlerocket-aws-k8s-1.30-x86_64-v1.26.2-360b7a38");
    nothing_but_unexplained(&Facts { user_data: user_data(&settings), image: name, ..al2() });
}

#[test]
fn windows_with_its_own_entry() {
    let script = "<powershell>\n[string]$EKSBootstrapScriptFile = \"$env:ProgramFiles\\Amazon\\EKS\\Start-EKSBootstrap.ps1\"\n\
                  & $EKSBootstrapScriptFile -EKSClusterName 'prod' 3>&1 4>&1\n</powershell>";
    let name = image("Windows_Server-2022-English-Core-EKS_Optimized-1.30-2024.08.13");
    let entry = Section::Read(Some(AccessEntry { kind: "EC2_WINDOWS".to_owned() }));
    nothing_but_unexplained(&Facts { user_data: user_data(script), image: name, access_entry: entry, ..al2023() });
    let with_group = mapped(KNOWN_AS) + "  - eks:kube-proxy-windows\n";
    let script = user_data(script);
    let name = image("Windows_Server-2022-English-Core-EKS_Optimized-1.30-2024.08.13");
    nothing_but_unexplained(&Facts { user_data: script, image: name, aws_auth: map(&with_group), ..al2() });
}

#[test]
fn groups_of_its_own_with_the_least_rules() {
    let mut facts = al2();
    machine(&mut facts).security_groups = vec!["sg-node".to_owned()];
    let cluster = SecurityGroup {
        id: "sg-cluster".to_owned(),
        ingress: vec![from("tcp", 443, "sg-node")],
        egress: vec![from("tcp", 10250, "sg-node")],
    };
    let dns = [from("tcp", 53, "sg-node"), from("udp", 53, "sg-node")];
    let node = SecurityGroup {
        id: "sg-node".to_owned(),
        ingress: [vec![from("tcp", 10250, "sg-cluster")], dns.to_vec()].concat(),
        egress: [vec![rule("tcp", Some((443, 443)), &["10.0.1.0/24", "10.0.2.0/24"], &[])], dns.to_vec()].concat(),
    };
    facts.security_groups = Section::Read(vec![cluster, node]);
    nothing_but_unexplained(&facts);
}

#[test]
fn a_private_cluster_with_its_endpoints() {
    let mut facts = al2();
    control_plane(&mut facts).public_access = false;
    facts.default_route = Section::Read(None);
    facts.user_data =
        user_data(&AL2.replace("prod", &format!("prod --b64-cluster-ca Y2VydA== --apiserver-endpoint {ENDPOINT}")));
    facts.vpc_endpoints = Section::Read(["ec2", "ecr.api", "ecr.dkr", "s3", "sts"].map(str::to_owned).to_vec());
    nothing_but_unexplained(&facts);
}

#[test]
fn a_public_endpoint_from_a_public_subnet() {
    let mut facts = al2();
    control_plane(&mut facts).private_access = false;
    control_plane(&mut facts).public_access_cidrs = vec!["203.0.113.0/24".to_owned()];
    machine(&mut facts).public_ip = Some([203, 0, 113, 9].into());
    facts.default_route = Section::Read(Some(Route { target: "igw-1".to_owned(), blackhole: false }));
    nothing_but_unexplained(&facts);
}

#[test]
fn an_old_kubelet_that_is_still_supported() {
    nothing_but_unexplained(&Facts { image: image("amazon-eks-node-1.27-v20240807"), ..al2() });
}

#[test]
fn auto_mode_brings_its_nodes_in_by_itself() {
    let entry = Section::Read(Some(AccessEntry { kind: "EC2".to_owned() }));
    let name = image("eks-auto-standard-1.30-x86_64-20250601");
    nothing_but_unexplained(&Facts { user_data: user_data(""), image: name, access_entry: entry, ..al2023() });
}

#[test]
fn a_variable_that_is_set_in_the_script_is_its_value() {
    let script = format!(
        "#!/bin/bash\nset -ex\nB64_CLUSTER_CA=Y2VydA==\nAPI_SERVER_URL={ENDPOINT}\nexport NAME=\"prod\"\n/etc/eks/bootstrap.sh ${{NAME}} \\\n  \
         --kubelet-extra-args '--node-labels=eks.amazonaws.com/nodegroup=a,workload=b\n --max-pods=29' \\\n  --b64-cluster-ca \
         $B64_CLUSTER_CA --apiserver-endpoint $API_SERVER_URL\n--//--"
    );
    nothing_but_unexplained(&Facts { user_data: user_data(&script), ..al2() });
}

#[test]
fn one_that_was_launched_a_moment_ago_has_time() {
    let mut facts = al2();
    machine(&mut facts).age_secs = 40;
    assert_eq!((found(&facts, Level::Fault), found(&facts, Level::Unknown)), (vec![], vec![Cause::StillStarting]));
}
