//! Scenario files: a cluster, its load over time and what goes wrong, in YAML.

mod bundled;
mod check;
mod parse;
mod value;

use std::collections::BTreeMap;

use headroom_capacity::instance::{self, Hypervisor, InstanceLimits, LimitSource};
use headroom_capacity::settings::{CniSettings, SettingProblem};
use headroom_capacity::units::Enis;
use schemars::JsonSchema;
use serde::Deserialize;

pub use bundled::BUNDLED;
pub use parse::{Problem, ScenarioError};
pub use value::{Block, Quantity, Span};

/// A scenario as its file gives it, checked: every name that it refers to exists.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, for `headroom-lab list`.
    #[serde(default)]
    pub description: String,
    /// AWS region.
    #[serde(default = "default_region")]
    pub region: String,
    /// EKS cluster name.
    #[serde(default = "default_cluster")]
    pub cluster_name: String,
    /// The VPC.
    pub vpc: VpcSpec,
    /// Its subnets.
    pub subnets: Vec<SubnetSpec>,
    /// The VPC CNI.
    #[serde(default)]
    pub cni: CniSpec,
    /// Nodes, one Auto Scaling group each.
    pub node_groups: Vec<NodeGroup>,
    /// Pods of kube-system that are there from the start, aws-node and kube-proxy not among them: every node has those.
    #[serde(default)]
    pub system_pods: Vec<Workload>,
    /// Pods that come and go.
    #[serde(default)]
    pub workloads: Vec<Workload>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// The clock.
    #[serde(default)]
    pub clock: ClockSpec,
    /// Seed of everything random: the same seed and the same requests give the same run.
    #[serde(default)]
    pub seed: u64,
}

/// The VPC.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VpcSpec {
    /// Primary block, /16 to /28.
    pub cidr: Block,
    /// Secondary blocks, for custom networking `100.64.0.0/16` for example.
    #[serde(default)]
    pub secondary_cidrs: Vec<Block>,
}

/// One subnet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubnetSpec {
    /// Its name in this file and its `Name` tag.
    pub name: String,
    /// Availability zone, `us-west-2a`.
    pub az: String,
    /// Its block, inside one of the VPC's.
    pub cidr: Block,
    /// Tags, `kubernetes.io/role/cni` for example.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Addresses that others hold: load balancers, databases, Lambda functions.
    #[serde(default)]
    pub used: u32,
    /// Where those lie.
    #[serde(default)]
    pub used_layout: UsedLayout,
    /// CIDR reservations of type `prefix`: EC2 takes prefixes from them and keeps automatic single addresses out.
    #[serde(default)]
    pub reservations: Vec<Block>,
}

/// How the addresses that others hold lie in a subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UsedLayout {
    /// From the lowest address on.
    #[default]
    Packed,
    /// One in every aligned /28 in turn, so that few of them leave no /28 free.
    Scattered,
}

/// The VPC CNI.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CniSpec {
    /// Environment of container `aws-node`; what is not given is as in the manifest that the CNI ships.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// ENIConfig objects, for custom networking.
    #[serde(default)]
    pub eni_configs: Vec<EniConfigSpec>,
}

/// One ENIConfig.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EniConfigSpec {
    /// Its name: the zone's, where `ENI_CONFIG_LABEL_DEF` is `topology.kubernetes.io/zone`.
    pub name: String,
    /// The subnet that pod ENIs are made in.
    pub subnet: String,
    /// Security groups.
    #[serde(default)]
    pub security_groups: Vec<String>,
}

/// One node group. Either `count`, or `min`, `max` and `desired`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGroup {
    /// Its name.
    pub name: String,
    /// EC2 instance type.
    pub instance_type: String,
    /// A group of fixed size.
    #[serde(default)]
    pub count: Option<u32>,
    /// Smallest size.
    #[serde(default)]
    pub min: Option<u32>,
    /// Largest size.
    #[serde(default)]
    pub max: Option<u32>,
    /// Size at the start.
    #[serde(default)]
    pub desired: Option<u32>,
    /// Subnets of the nodes, taken in turn.
    pub subnets: Vec<String>,
    /// kubelet's max-pods; left out, what a node computes for itself: ENIs × (IPv4 per ENI − 1) + 2.
    #[serde(default)]
    pub max_pods: Option<u32>,
    /// Node labels beside EKS's own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Node taints.
    #[serde(default)]
    pub taints: Vec<TaintSpec>,
    /// vCPUs, for a type whose name does not say.
    #[serde(default)]
    pub cpu: Option<Quantity>,
    /// Memory, for a type whose name does not say.
    #[serde(default)]
    pub memory: Option<Quantity>,
    /// What EC2 allows a type that is too new for every table.
    #[serde(default)]
    pub limits: Option<LimitsSpec>,
}

/// A node taint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaintSpec {
    /// Key.
    pub key: String,
    /// Value.
    #[serde(default)]
    pub value: String,
    /// Effect.
    pub effect: TaintEffect,
}

/// A taint's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods only.
    NoSchedule,
    /// New pods, unless nothing else fits.
    PreferNoSchedule,
    /// Running pods too.
    NoExecute,
}

impl TaintEffect {
    /// As Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TaintEffect::NoSchedule => "NoSchedule",
            TaintEffect::PreferNoSchedule => "PreferNoSchedule",
            TaintEffect::NoExecute => "NoExecute",
        }
    }
}

/// ENI limits of an instance type.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsSpec {
    /// ENIs on the default network card.
    pub enis: u32,
    /// IPv4 addresses per ENI, the primary one included.
    pub ipv4_per_eni: u32,
}

/// Pods of one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    /// Name of the owner (a ReplicaSet, or a Job where `runFor` is given) and stem of the pods' names.
    pub name: String,
    /// `default`, and `kube-system` for system pods.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How many pods.
    #[serde(default = "one")]
    pub replicas: u32,
    /// When the first one is created.
    #[serde(default)]
    pub at: Span,
    /// The time over which the others follow, evenly.
    #[serde(default)]
    pub over: Span,
    /// CPU request of each.
    #[serde(default)]
    pub cpu: Option<Quantity>,
    /// Memory request of each.
    #[serde(default)]
    pub memory: Option<Quantity>,
    /// Whether they use the node's address.
    #[serde(default)]
    pub host_network: bool,
    /// Whether each asks for a branch ENI (`vpc.amazonaws.com/pod-eni`).
    #[serde(default)]
    pub pod_eni: bool,
    /// Labels beside `app`.
    #[serde(default)]
    pub pod_labels: BTreeMap<String, String>,
    /// `spec.nodeSelector`.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// `spec.schedulerName`.
    #[serde(default = "default_scheduler")]
    pub scheduler_name: String,
    /// How long each runs before it has succeeded; left out, for ever.
    #[serde(default)]
    pub run_for: Option<Span>,
    /// When all of them are deleted.
    #[serde(default)]
    pub delete_at: Option<Span>,
    /// Whether a pod that somebody else deleted, or that failed, is replaced by a new one.
    #[serde(default)]
    pub replace: bool,
}

/// Something that goes wrong, or that a person does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// EC2 terminates an instance.
    TerminateInstance {
        /// When.
        at: Span,
        /// Its node group.
        node_group: String,
        /// Which one, counted from 0 in the order of launch.
        #[serde(default)]
        index: u32,
    },
    /// Somebody cordons a node.
    Cordon {
        /// When.
        at: Span,
        /// Its node group.
        node_group: String,
        /// Which one, counted from 0 in the order of launch.
        #[serde(default)]
        index: u32,
    },
    /// Somebody uncordons a node.
    Uncordon {
        /// When.
        at: Span,
        /// Its node group.
        node_group: String,
        /// Which one, counted from 0 in the order of launch.
        #[serde(default)]
        index: u32,
    },
    /// Others take addresses of a subnet.
    TakeAddresses {
        /// When.
        at: Span,
        /// The subnet.
        subnet: String,
        /// How many; fewer when fewer are free.
        count: u32,
    },
    /// EC2 answers `RequestLimitExceeded` to the nodes.
    ThrottleEc2 {
        /// From when.
        at: Span,
        /// For how long.
        lasts: Span,
    },
}

impl Fault {
    /// When it happens, counted from the start.
    #[must_use]
    pub const fn at(&self) -> Span {
        match self {
            Fault::TerminateInstance { at, .. }
            | Fault::Cordon { at, .. }
            | Fault::Uncordon { at, .. }
            | Fault::TakeAddresses { at, .. }
            | Fault::ThrottleEc2 { at, .. } => *at,
        }
    }
}

/// The clock.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockSpec {
    /// Lab seconds per real second.
    pub rate: f64,
}

impl Default for ClockSpec {
    fn default() -> Self {
        ClockSpec { rate: 1.0 }
    }
}

impl NodeGroup {
    /// `(min, desired, max)`.
    #[must_use]
    pub fn sizes(&self) -> (u32, u32, u32) {
        let fixed = self.count.unwrap_or_default();
        let desired = self.desired.unwrap_or(fixed);
        (self.min.unwrap_or(desired), desired, self.max.unwrap_or(desired))
    }

    /// What EC2 allows its type: the file's word first, then the tables'. `None` never leaves a checked scenario.
    #[must_use]
    pub fn instance_limits(&self) -> Option<InstanceLimits> {
        self.limits.map(LimitsSpec::limits).or_else(|| instance::lookup(&self.instance_type).copied())
    }

    /// kubelet's max-pods; the default is that of EKS's AMIs (CNI `misc/eni-max-pods.txt`).
    #[must_use]
    pub fn effective_max_pods(&self) -> u32 {
        let standard = |limits: InstanceLimits| limits.enis.get() * limits.ipv4_per_eni.saturating_sub(1) + 2;
        self.max_pods.or_else(|| self.instance_limits().map(standard)).unwrap_or(MAX_PODS_UNKNOWN_TYPE)
    }
}

/// kubelet's own default, used by EKS's AMIs for a type that they do not know.
const MAX_PODS_UNKNOWN_TYPE: u32 = 110;

impl LimitsSpec {
    fn limits(self) -> InstanceLimits {
        InstanceLimits {
            enis: Enis(self.enis),
            ipv4_per_eni: self.ipv4_per_eni,
            hypervisor: Hypervisor::Nitro,
            bare_metal: false,
            network_cards: 1,
            branch: None,
            source: LimitSource::DescribeInstanceTypes,
        }
    }
}

impl CniSpec {
    /// The environment of `aws-node`: the shipped manifest's (CNI `config/master/aws-k8s-cni.yaml`, as far as it bears on
    /// addresses), overridden by the file's.
    #[must_use]
    pub fn effective_env(&self, cluster_name: &str) -> BTreeMap<String, String> {
        let shipped = [
            ("WARM_ENI_TARGET", "1"),
            ("WARM_PREFIX_TARGET", "1"),
            ("ENABLE_PREFIX_DELEGATION", "false"),
            ("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "false"),
            ("ENABLE_POD_ENI", "false"),
            ("ENABLE_IPv4", "true"),
            ("ENABLE_IPv6", "false"),
            ("ENABLE_SUBNET_DISCOVERY", "true"),
            ("CLUSTER_NAME", cluster_name),
        ];
        let mut env: BTreeMap<_, _> = shipped.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        env.extend(self.env.clone());
        env
    }

    /// What ipamd makes of that environment.
    #[must_use]
    pub fn settings(&self, cluster_name: &str) -> CniSettings {
        self.read(cluster_name).0
    }

    /// Variables that ipamd does not take at their word.
    #[must_use]
    pub fn problems(&self, cluster_name: &str) -> Vec<SettingProblem> {
        self.read(cluster_name).1
    }

    fn read(&self, cluster_name: &str) -> (CniSettings, Vec<SettingProblem>) {
        let env = self.effective_env(cluster_name);
        CniSettings::from_env(env.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// The JSON schema of a scenario file, pretty-printed with a final newline.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Scenario);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON with string keys");
    text.push('\n');
    text
}

fn default_region() -> String {
    "us-west-2".to_owned()
}

fn default_cluster() -> String {
    "headroom-lab".to_owned()
}

fn default_scheduler() -> String {
    "default-scheduler".to_owned()
}

const fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests;
