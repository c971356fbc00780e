//! What stays the same in a node's life.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::shape::{self, Shape};
use crate::aws::InstanceId;
use crate::scenario::{NodeGroup, TaintSpec};

/// One node as its instance and its node group make it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name, the instance's private DNS name.
    pub name: String,
    /// EC2 instance.
    pub instance: InstanceId,
    /// Primary private address.
    pub ip: Ipv4Addr,
    /// Availability zone.
    pub az: String,
    /// Region.
    pub region: String,
    /// Node group.
    pub group: String,
    /// EC2 instance type.
    pub instance_type: String,
    /// kubelet's max-pods.
    pub max_pods: u32,
    /// CPU and memory that kubelet sees.
    pub shape: Shape,
    /// EBS volumes that the CSI driver says it can have; `None` without a driver.
    pub ebs_volumes: Option<u32>,
    /// Branch ENIs for pods, where security groups for pods are on.
    pub branch_enis: Option<u32>,
    /// Name of its ENIConfig, under custom networking.
    pub eni_config: Option<String>,
    /// Labels of the node group.
    pub labels: BTreeMap<String, String>,
    /// Taints of the node group.
    pub taints: Vec<TaintSpec>,
}

/// The instance under a node, as far as EC2 and not the node group says it.
#[derive(Clone, Debug)]
pub struct Placement {
    /// EC2 instance.
    pub instance: InstanceId,
    /// Primary private address.
    pub ip: Ipv4Addr,
    /// Availability zone.
    pub az: String,
    /// Region.
    pub region: String,
}

impl Identity {
    /// A node of `group` on the instance at `placement`.
    #[must_use]
    pub fn new(group: &NodeGroup, placement: Placement) -> Identity {
        let by_name = shape::of(&group.instance_type).map(Shape::visible);
        let cpu = group.cpu.as_ref().map(|cpu| cpu.milli()).or(by_name.map(|shape| shape.cpu_milli));
        let memory = group.memory.as_ref().map(|memory| memory.units()).or(by_name.map(|shape| shape.memory_bytes));
        Identity {
            name: private_dns_name(placement.ip, &placement.region),
            instance: placement.instance,
            ip: placement.ip,
            az: placement.az,
            region: placement.region,
            group: group.name.clone(),
            instance_type: group.instance_type.clone(),
            max_pods: group.effective_max_pods(),
            shape: Shape { cpu_milli: cpu.unwrap_or_default(), memory_bytes: memory.unwrap_or_default() },
            ebs_volumes: group.ebs_volumes,
            branch_enis: None,
            eni_config: None,
            labels: group.labels.clone(),
            taints: group.taints.clone(),
        }
    }

    /// The label `key` of the node, EKS's own or the node group's.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        match key {
            "topology.kubernetes.io/zone" => Some(&self.az),
            "topology.kubernetes.io/region" => Some(&self.region),
            "node.kubernetes.io/instance-type" => Some(&self.instance_type),
            "eks.amazonaws.com/nodegroup" => Some(&self.group),
            _ => self.labels.get(key).map(String::as_str),
        }
    }

    /// `spec.providerID`.
    #[must_use]
    pub fn provider_id(&self) -> String {
        format!("aws:///{}/{}", self.az, self.instance)
    }

    /// `kubernetes.io/arch`.
    #[must_use]
    pub fn arch(&self) -> &'static str {
        if shape::is_graviton(&self.instance_type) { "arm64" } else { "amd64" }
    }
}

/// EC2's private DNS name of type `ip-name`; `us-east-1` has a domain of its own.
fn private_dns_name(ip: Ipv4Addr, region: &str) -> String {
    let [a, b, c, d] = ip.octets();
    match region {
        "us-east-1" => format!("ip-{a}-{b}-{c}-{d}.ec2.internal"),
        _ => format!("ip-{a}-{b}-{c}-{d}.{region}.compute.internal"),
    }
}
