//! What was collected about a cluster: enough to look for causes without it.

mod cluster;
mod node;
mod pod;
mod read;
mod subnet;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use cluster::{Cni, Group};
pub use node::{Agent, Ipamd, Kind, Limits, Node, Pool, Source};
pub use pod::{Condition, Demand, Event, Pod};
pub use read::{BundleError, Section, VERSION};
pub use subnet::{Leak, Subnet};

use crate::join;

/// What `doctor collect` writes. Only what is listed here is kept of an object, so nothing else can leave the cluster with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The version of this format: [`VERSION`].
    pub version: u32,
    /// When it was collected, milliseconds of the Unix epoch by the collector's clock.
    pub collected_at_ms: u64,
    /// The cluster's name.
    pub cluster: String,
    /// aws-node's settings and its pods in figures.
    #[serde(default)]
    pub cni: Section<Cni>,
    /// Nodes.
    #[serde(default)]
    pub nodes: Section<Vec<Node>>,
    /// Pods: those that were asked for or do not run, and others where there is room for them.
    #[serde(default)]
    pub pods: Section<Vec<Pod>>,
    /// Subnets of the VPC.
    #[serde(default)]
    pub subnets: Section<Vec<Subnet>>,
    /// Auto Scaling groups of the cluster.
    #[serde(default)]
    pub groups: Section<Vec<Group>>,
    /// What joining depends on, where it was collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<join::Facts>,
}

impl Bundle {
    /// One of this version with nothing in it yet.
    #[must_use]
    pub fn new(cluster: &str, collected_at_ms: u64) -> Bundle {
        Bundle { version: VERSION, collected_at_ms, cluster: cluster.to_owned(), ..Bundle::default() }
    }

    /// The text of a bundle's file.
    ///
    /// # Errors
    /// When a number is none that JSON has.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A node by name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get()?.iter().find(|node| node.name == name)
    }

    /// A pod by namespace and name.
    #[must_use]
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Pod> {
        self.pods.get()?.iter().find(|pod| pod.namespace == namespace && pod.name == name)
    }

    /// A subnet by ID.
    #[must_use]
    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.get()?.iter().find(|subnet| subnet.id == id)
    }
}

impl FromStr for Bundle {
    type Err = BundleError;

    fn from_str(text: &str) -> Result<Bundle, BundleError> {
        read::parse(text)
    }
}
