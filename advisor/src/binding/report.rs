//! What binds, for readers: what `/headroom` serves as JSON, and `headroom-advisor headroom` prints.

use std::collections::BTreeMap;

use headroom_capacity::binding::{Limit, Resource};
use serde::{Deserialize, Serialize};

use super::{Binding, GroupBinding, NodeBinding, Suggestion};
use crate::headroom::Headroom;

const MIB: f64 = 1024.0 * 1024.0;
const EC2: &str = "ec2";

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// More pods that can get an address, each subnet's addresses counted once.
    pub pods: u64,
    /// By zone, as if it alone grew.
    pub by_az: BTreeMap<String, u64>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
}

/// A group of nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Nodes that take pods.
    pub nodes: u32,
    /// Pods with an address of their own that run on all of its nodes.
    pub running: u64,
    /// More pods that can get an address, as if it alone grew; null for a group that is no Auto Scaling group.
    pub pods: Option<u64>,
    /// Label of the resource that ends most of its nodes first.
    pub binds: Option<String>,
    /// Nodes by the resource that ends them first.
    pub by_resource: BTreeMap<String, u32>,
    /// Thousandths of a CPU that a pod requests, on average.
    pub mean_cpu_millis: f64,
    /// MiB that a pod requests, on average.
    pub mean_memory_mib: f64,
    /// Instance types for such pods, the best first.
    pub types: Vec<Type>,
}

/// An instance type, filled with a group's pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Type {
    /// Its name.
    pub instance_type: String,
    /// The group runs it now.
    pub current: bool,
    /// Where its CPU and memory for pods come from: `node`, the least that one of this cluster has, or `ec2`, computed from what EC2
    /// says of the type by the rules of EKS's image.
    pub source: String,
    /// Its vCPUs.
    pub vcpus: Option<u32>,
    /// Its memory.
    pub memory_mib: Option<u64>,
    /// max-pods of its nodes.
    pub max_pods: u32,
    /// Pods of the mix on a fresh node.
    pub pods: Option<u64>,
    /// Nodes of it that would hold the pods that run now.
    pub nodes: Option<u64>,
    /// Label of the resource that ends it.
    pub binds: Option<String>,
    /// Share of its CPU that no pod could use then, 0 to 1.
    pub stranded_cpu: Option<f64>,
    /// The same of its memory.
    pub stranded_memory: Option<f64>,
    /// That share of its CPU, in vCPUs.
    pub idle_vcpus: Option<f64>,
    /// That share of its memory, in MiB.
    pub idle_memory_mib: Option<f64>,
    /// Addresses that it takes for each pod.
    pub ips_per_pod: Option<f64>,
    /// Further types with the same figures.
    pub alike: Vec<String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its group.
    pub group: Option<String>,
    /// Its instance type.
    pub instance_type: Option<String>,
    /// Label of the resource that runs out first.
    pub binds: Option<String>,
    /// More pods of the mix by each resource that has a known end.
    pub room: BTreeMap<String, u64>,
}

impl Report {
    /// Of the latest figures.
    #[must_use]
    pub fn new(headroom: &Headroom, binding: &Binding) -> Report {
        let groups = binding
            .groups
            .iter()
            .map(|(name, group)| (name.to_string(), Group::new(group, headroom.by_group.get(name).copied())));
        Report {
            pods: headroom.cluster,
            by_az: headroom.by_az.iter().map(|(az, pods)| (az.to_string(), *pods)).collect(),
            groups: groups.collect(),
            nodes: binding.nodes.iter().map(|(name, node)| (name.to_string(), Node::new(node))).collect(),
        }
    }
}

impl Group {
    fn new(of: &GroupBinding, pods: Option<u64>) -> Group {
        let by_resource = of.by_resource.iter().filter(|(_, nodes)| **nodes > 0);
        Group {
            nodes: of.nodes,
            running: of.running,
            pods,
            binds: label(of.resource),
            by_resource: by_resource.map(|(resource, nodes)| (resource.label().to_owned(), *nodes)).collect(),
            mean_cpu_millis: of.mix.mean(Resource::Cpu),
            mean_memory_mib: of.mix.mean(Resource::Memory) / MIB,
            types: of.suggestions.iter().map(|suggestion| Type::new(suggestion, of.running)).collect(),
        }
    }
}

impl Type {
    fn new(of: &Suggestion, running: u64) -> Type {
        let fit = &of.fit;
        let idle = |share: Option<f64>, resource, unit| Some(share? * fit.shape[resource].get()? as f64 / unit);
        Type {
            instance_type: of.instance_type.to_string(),
            current: of.current,
            source: if of.estimated { EC2 } else { "node" }.to_owned(),
            vcpus: of.vcpus,
            memory_mib: of.memory_mib,
            max_pods: of.max_pods,
            pods: fit.pods,
            nodes: fit.pods.filter(|pods| *pods > 0).map(|pods| running.div_ceil(pods)),
            binds: label(fit.resource),
            stranded_cpu: fit.stranded_cpu,
            stranded_memory: fit.stranded_memory,
            idle_vcpus: idle(fit.stranded_cpu, Resource::Cpu, 1000.0),
            idle_memory_mib: idle(fit.stranded_memory, Resource::Memory, MIB),
            ips_per_pod: fit.ips_per_pod(),
            alike: of.alike.iter().map(ToString::to_string).collect(),
        }
    }

    /// Whether its CPU and memory are computed and not seen.
    #[must_use]
    pub fn is_estimated(&self) -> bool {
        self.source == EC2
    }
}

impl Node {
    fn new(of: &NodeBinding) -> Node {
        let room = of.room.iter().filter_map(|(resource, limit)| match limit {
            Limit::Of(pods) => Some((resource.label().to_owned(), *pods)),
            Limit::Unlimited | Limit::Unknown => None,
        });
        Node {
            group: of.group.as_ref().map(ToString::to_string),
            instance_type: of.instance_type.as_ref().map(ToString::to_string),
            binds: label(of.resource),
            room: room.collect(),
        }
    }
}

fn label(resource: Option<Resource>) -> Option<String> {
    resource.map(|resource| resource.label().to_owned())
}
