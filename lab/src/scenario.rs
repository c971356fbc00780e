//! Scenario files: a cluster, its load over time and what goes wrong, in YAML.

mod bundled;
mod check;
mod cni;
mod group;
mod load;
mod parse;
mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use bundled::BUNDLED;
pub use cni::{CniSpec, EniConfigSpec};
pub use group::{LimitsSpec, NodeGroup, TaintEffect, TaintSpec};
pub use load::{AwsTrouble, Fault, Workload};
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
    /// EC2's request rates for the account, which ipamd on all nodes shares; left out, those that AWS publishes.
    #[serde(default)]
    pub ec2_quotas: Option<QuotaSpec>,
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

/// Request rates of an account: AWS raises them for those who ask.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuotaSpec {
    /// Of each Describe operation.
    pub reads: RateSpec,
    /// Of each other operation.
    pub writes: RateSpec,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateSpec {
    /// Calls at once.
    pub burst: u32,
    /// Calls per second after that.
    pub per_sec: u32,
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

#[cfg(test)]
mod tests;
