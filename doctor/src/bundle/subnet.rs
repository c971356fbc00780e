//! A subnet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A subnet, by the books that the advisor keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Its ID.
    pub id: String,
    /// Tag `Name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its availability zone.
    pub zone: String,
    /// Its block.
    pub cidr: String,
    /// Addresses that can be held.
    pub usable: u32,
    /// Addresses that are held, by owner: `pod`, `warm`, `leaked`, `foreign`, ...
    pub held: BTreeMap<String, u32>,
    /// Free addresses that EC2 may choose.
    pub free: u32,
    /// Free aligned /28s that EC2 may choose.
    pub free_prefixes: u32,
    /// Of the free addresses, those that nodes are still going to attach by their settings.
    #[serde(default)]
    pub in_flight: u32,
    /// EC2's `AvailableIpAddressCount`.
    pub reported_free: u32,
    /// ENIs that leaked.
    #[serde(default)]
    pub leaks: Vec<Leak>,
}

impl Subnet {
    /// Addresses of one owner.
    #[must_use]
    pub fn held_by(&self, owner: &str) -> u32 {
        self.held.get(owner).copied().unwrap_or_default()
    }

    /// `subnet-0a1 (nodes-a, us-west-2a)`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name}, {})", self.id, self.zone),
            None => format!("{} ({})", self.id, self.zone),
        }
    }
}

/// An ENI that the CNI made and nothing is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// Its ID.
    pub eni: String,
    /// Addresses that it holds.
    pub ips: u32,
}
