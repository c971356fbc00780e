//! A self-managed node with everything right that has not joined yet, and user data of each family.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bundle::Section;
use crate::cause::Cause;
use crate::join::{
    AccessEntry, AuthenticationMode, AwsAuth, ControlPlane, Facts, Image, Machine, Node, Route, Rule, SecurityGroup,
    Subnet, UserData, VpcDns, diagnose,
};
use crate::report::{Finding, Level};

pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/eks/NodeRole";
pub(super) const KNOWN_AS: &str = "arn:aws:iam::111122223333:role/NodeRole";
pub(super) const ENDPOINT: &str = "https://ABCDEF.gr7.us-west-2.eks.amazonaws.com";
pub(super) const TAG: &str = "kubernetes.io/cluster/prod";

/// An entry of `mapRoles` as EKS asks for it.
pub(super) fn mapped(arn: &str) -> String {
    format!(
        "- rolearn: {arn}\n  username: system:node:{{{{EC2PrivateDNSName}}}}\n  groups:\n  - system:bootstrappers\n  - system:nodes\n"
    )
}

pub(super) fn map(text: &str) -> Section<Option<AwsAuth>> {
    Section::Read(Some(AwsAuth::read(text, ROLE, Some("arn:aws:iam::111122223333:instance-profile/eks/NodeProfile"))))
}

pub(super) fn user_data(text: &str) -> Section<UserData> {
    Section::Read(UserData::read(&STANDARD.encode(text)))
}

pub(super) fn image(name: &str) -> Section<Image> {
    Section::Read(Image { id: "ami-0a1".to_owned(), name: name.to_owned() })
}

/// Everything between members and everything out: the default of the group that EKS makes.
fn cluster_group() -> SecurityGroup {
    let all = |cidrs: &[&str], groups: &[&str]| rule("-1", None, cidrs, groups);
    SecurityGroup {
        id: "sg-cluster".to_owned(),
        ingress: vec![all(&[], &["sg-cluster"])],
        egress: vec![all(&["0.0.0.0/0"], &[])],
    }
}

pub(super) fn rule(protocol: &str, ports: Option<(u16, u16)>, cidrs: &[&str], groups: &[&str]) -> Rule {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let (cidrs, groups) = (owned(cidrs), owned(groups));
    Rule { protocol: protocol.to_owned(), ports, cidrs, groups, prefix_lists: Vec::new() }
}

/// One port from one group.
pub(super) fn from(protocol: &str, port: u16, group: &str) -> Rule {
    rule(protocol, Some((port, port)), &[], &[group])
}

pub(super) const AL2: &str =
    "#!/bin/bash\nset -o xtrace\n/etc/eks/bootstrap.sh prod --kubelet-extra-args '--max-pods=29'\n";

pub(super) fn al2() -> Facts {
    let machine = Machine {
        state: "running".to_owned(),
        age_secs: 1200,
        vpc: Some("vpc-1".to_owned()),
        subnet: Some("subnet-1".to_owned()),
        private_ip: Some([10, 0, 1, 20].into()),
        public_ip: None,
        security_groups: vec!["sg-cluster".to_owned()],
        profile: Some("arn:aws:iam::111122223333:instance-profile/eks/NodeProfile".to_owned()),
        image: "ami-0a1".to_owned(),
        cluster_tags: [(TAG.to_owned(), "owned".to_owned())].into(),
        metadata: true,
    };
    let control_plane = ControlPlane {
        status: "ACTIVE".to_owned(),
        version: "1.30".to_owned(),
        endpoint: ENDPOINT.to_owned(),
        vpc: "vpc-1".to_owned(),
        cluster_security_group: Some("sg-cluster".to_owned()),
        security_groups: Vec::new(),
        public_access: true,
        public_access_cidrs: vec!["0.0.0.0/0".to_owned()],
        private_access: true,
        authentication_mode: AuthenticationMode::ConfigMap,
    };
    Facts {
        cluster: "prod".to_owned(),
        region: "us-west-2".to_owned(),
        instance: "i-0a1".to_owned(),
        node: Section::Read(None),
        machine: Section::Read(Some(machine)),
        image: image("amazon-eks-node-1.30-v20240807"),
        user_data: user_data(AL2),
        role: Section::Read(Some(ROLE.to_owned())),
        control_plane: Section::Read(Some(control_plane)),
        control_plane_ips: Section::Read(vec![[10, 0, 1, 4].into(), [10, 0, 2, 4].into()]),
        aws_auth: map(&mapped(KNOWN_AS)),
        access_entry: Section::Read(None),
        security_groups: Section::Read(vec![cluster_group()]),
        subnet: Section::Read(Subnet { id: "subnet-1".to_owned(), ..Subnet::default() }),
        default_route: Section::Read(Some(Route { target: "nat-1".to_owned(), blackhole: false })),
        vpc_dns: Section::Read(VpcDns { support: true, hostnames: true }),
        vpc_endpoints: Section::Read(Vec::new()),
    }
}

/// The same with access entries only, and nodeadm.
pub(super) fn al2023() -> Facts {
    let config = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"BOUNDARY\"\n\n--BOUNDARY\nContent-Type: application/node.eks.aws\n\n\
         ---\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    name: prod\n    apiServerEndpoint: {ENDPOINT}\n    \
         certificateAuthority: Y2VydA==\n    cidr: 172.20.0.0/16\n--BOUNDARY--\n"
    );
    let mut facts = Facts {
        image: image("amazon-eks-node-al2023-x86_64-standard-1.30-v20250519"),
        user_data: user_data(&config),
        aws_auth: Section::Read(None),
        access_entry: Section::Read(Some(AccessEntry { kind: "EC2_LINUX".to_owned() })),
        ..al2()
    };
    control_plane(&mut facts).authentication_mode = AuthenticationMode::Api;
    facts
}

pub(super) fn joined(ready: bool) -> Section<Option<Node>> {
    let message = if ready { "kubelet is posting ready status" } else { "cni plugin not initialized" };
    Section::Read(Some(Node { name: "ip-10-0-1-20".to_owned(), ready, message: message.to_owned() }))
}

pub(super) fn machine(facts: &mut Facts) -> &mut Machine {
    match &mut facts.machine {
        Section::Read(Some(machine)) => machine,
        _ => panic!("it was read"),
    }
}

pub(super) fn control_plane(facts: &mut Facts) -> &mut ControlPlane {
    match &mut facts.control_plane {
        Section::Read(Some(cluster)) => cluster,
        _ => panic!("it was read"),
    }
}

/// What was found with that weight.
pub(super) fn found(facts: &Facts, level: Level) -> Vec<Cause> {
    let findings = diagnose(facts).findings;
    findings.iter().filter(|finding| finding.level == level).map(|finding| finding.cause).collect()
}

/// The only fault, which must be `cause`.
pub(super) fn fault(facts: &Facts, cause: Cause) -> Finding {
    let report = diagnose(facts);
    assert_eq!(found(facts, Level::Fault), [cause], "{report}");
    assert_eq!(report.exit_code(), 1);
    report.findings.into_iter().next().expect("there is one")
}
