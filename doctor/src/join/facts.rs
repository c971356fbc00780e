//! What joining depends on, as it was read. Only what is named here is kept.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::aws_auth::AwsAuth;
use super::image::Image;
use super::user_data::UserData;
use crate::bundle::Section;

/// Everything about one instance and one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The cluster's name.
    pub cluster: String,
    /// The region, for commands; empty where it is not known.
    #[serde(default)]
    pub region: String,
    /// The instance's ID.
    pub instance: String,
    /// Its Node, by `spec.providerID`; `None` while there is none.
    #[serde(default)]
    pub node: Section<Option<Node>>,
    /// EC2's `DescribeInstances`; `None` where EC2 knows no such instance.
    #[serde(default)]
    pub machine: Section<Option<Machine>>,
    /// EC2's `DescribeImages`.
    #[serde(default)]
    pub image: Section<Image>,
    /// What the user data does; the text itself is never kept.
    #[serde(default)]
    pub user_data: Section<UserData>,
    /// The node role: IAM's `GetInstanceProfile`; `None` for a profile without a role.
    #[serde(default)]
    pub role: Section<Option<String>>,
    /// EKS's `DescribeCluster`; `None` where EKS knows no such cluster.
    #[serde(default)]
    pub control_plane: Section<Option<ControlPlane>>,
    /// Addresses of the ENIs by which the control plane is in the VPC.
    #[serde(default)]
    pub control_plane_ips: Section<Vec<Ipv4Addr>>,
    /// ConfigMap `kube-system/aws-auth`; `None` where there is none.
    #[serde(default)]
    pub aws_auth: Section<Option<AwsAuth>>,
    /// The node role's access entry; `None` where there is none.
    #[serde(default)]
    pub access_entry: Section<Option<AccessEntry>>,
    /// The security groups of the instance and of the control plane.
    #[serde(default)]
    pub security_groups: Section<Vec<SecurityGroup>>,
    /// The instance's subnet.
    #[serde(default)]
    pub subnet: Section<Subnet>,
    /// Where the subnet sends what is for `0.0.0.0/0`; `None` where nowhere.
    #[serde(default)]
    pub default_route: Section<Option<Route>>,
    /// How the VPC resolves names.
    #[serde(default)]
    pub vpc_dns: Section<VpcDns>,
    /// The AWS services that the VPC has an endpoint of: `ec2`, `ecr.api`, `s3`.
    #[serde(default)]
    pub vpc_endpoints: Section<Vec<String>>,
}

/// A node that has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Condition `Ready` is `True`.
    pub ready: bool,
    /// That condition's message.
    pub message: String,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// EC2's name of its state: `running`.
    pub state: String,
    /// Seconds since it was launched or started.
    pub age_secs: u64,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its subnet.
    pub subnet: Option<String>,
    /// The primary address.
    pub private_ip: Option<Ipv4Addr>,
    /// The public address.
    pub public_ip: Option<Ipv4Addr>,
    /// Security groups of the primary ENI.
    pub security_groups: Vec<String>,
    /// ARN of the instance profile.
    pub profile: Option<String>,
    /// The image's ID.
    pub image: String,
    /// Tags `kubernetes.io/cluster/*`, without others.
    pub cluster_tags: BTreeMap<String, String>,
    /// Whether the instance metadata service answers (`HttpEndpoint`).
    pub metadata: bool,
}

/// An EKS cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPlane {
    /// `ACTIVE`.
    pub status: String,
    /// `1.33`.
    pub version: String,
    /// URL of the API server.
    pub endpoint: String,
    /// Its VPC.
    pub vpc: String,
    /// The group that EKS made.
    pub cluster_security_group: Option<String>,
    /// The groups that its ENIs have beside that one.
    pub security_groups: Vec<String>,
    /// Whether the endpoint is reached from the internet.
    pub public_access: bool,
    /// From where; meaningless without public access.
    pub public_access_cidrs: Vec<String>,
    /// Whether the endpoint is reached within the VPC.
    pub private_access: bool,
    /// By what IAM principals are known.
    pub authentication_mode: AuthenticationMode,
}

/// By what the API server knows IAM principals (EKS user guide, "Grant IAM users and roles access to Kubernetes APIs").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthenticationMode {
    /// By `aws-auth` only; also that of a cluster that says none.
    ConfigMap,
    /// By access entries, and by `aws-auth` for principals that have none.
    ApiAndConfigMap,
    /// By access entries only.
    Api,
}

/// An access entry of the node role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessEntry {
    /// `EC2_LINUX`.
    pub kind: String,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityGroup {
    /// `sg-0a1`.
    pub id: String,
    /// What may come in.
    pub ingress: Vec<Rule>,
    /// What may go out.
    pub egress: Vec<Rule>,
}

/// A rule of a security group: what it lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `tcp`, `udp`, `-1` for all, or a number.
    pub protocol: String,
    /// First and last port; `None` for all.
    pub ports: Option<(u16, u16)>,
    /// IPv4 blocks.
    pub cidrs: Vec<String>,
    /// Security groups.
    pub groups: Vec<String>,
    /// Prefix lists, whose blocks were not read.
    pub prefix_lists: Vec<String>,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// `subnet-0a1`.
    pub id: String,
    /// Tags `kubernetes.io/cluster/*`, without others.
    pub cluster_tags: BTreeMap<String, String>,
}

/// A default route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `igw-0a1`, `nat-0a1`, `tgw-0a1`, `eni-0a1`.
    pub target: String,
    /// The target is gone (`blackhole`).
    pub blackhole: bool,
}

/// A VPC's DNS attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VpcDns {
    /// `enableDnsSupport`.
    pub support: bool,
    /// `enableDnsHostnames`.
    pub hostnames: bool,
}
