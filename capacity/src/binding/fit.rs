//! How well an instance type suits a mix of pods.

use super::mix::{Mix, Used};
use super::offer::Allocatable;
use super::resource::{Limit, PerResource, Resource};
use super::room::{Shape, binds, room, shape};
use crate::budget::{Budget, NodeFacts, NodeKind, budget};
use crate::instance::InstanceLimits;
use crate::settings::CniSettings;
use crate::steady::steady;
use crate::units::Enis;

/// What holds for each node to come, whatever its type.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Who gives it addresses.
    pub kind: NodeKind,
    /// aws-node's settings.
    pub settings: &'a CniSettings,
    /// `enable-windows-prefix-delegation` of ConfigMap `kube-system/amazon-vpc-cni`.
    pub windows_prefix_delegation: bool,
    /// What is taken on each node before a pod of the mix comes: aws-node, kube-proxy and the like.
    pub base: &'a Used,
}

/// A fresh node of one type, filled with pods of a mix.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// What it offers.
    pub shape: Shape,
    /// How many pods of the mix each resource allows.
    pub room: PerResource<Limit>,
    /// The resource that ends it, among those with a known end.
    pub resource: Option<Resource>,
    /// Pods of the mix that it takes; an upper bound unless [`Fit::is_complete`], `None` where no resource has a known end.
    pub pods: Option<u64>,
    /// Whether it can take the largest pods of the mix, as far as is known.
    pub holds_largest: bool,
    /// Share of its CPU that is left when it is full, 0 to 1; `None` where it is not known.
    pub stranded_cpu: Option<f64>,
    /// Likewise of its memory.
    pub stranded_memory: Option<f64>,
    /// IPv4 addresses that the full node takes in subnets: its own, what its pool settles at ([`steady`]), branch ENIs and
    /// their trunk. `None` on Windows, and where the type's limits are not known.
    pub subnet_ips: Option<u64>,
}

impl Fit {
    /// Whether every resource that the mix takes has a known limit.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.room.iter().all(|(_, limit)| *limit != Limit::Unknown)
    }

    /// Whether the VPC ends it, by addresses, branch ENIs or the max-pods that EKS derives from them, rather than what is paid
    /// for.
    #[must_use]
    pub fn is_ip_bound(&self) -> bool {
        matches!(self.resource, Some(Resource::Ip | Resource::Pods | Resource::BranchEni))
    }

    /// Addresses that it takes in subnets for each pod of the mix; `None` where either is not known, or it takes no pod.
    #[must_use]
    pub fn ips_per_pod(&self) -> Option<f64> {
        let pods = self.pods.filter(|pods| *pods > 0)?;
        Some(self.subnet_ips? as f64 / pods as f64)
    }

    /// The mean of what is stranded of CPU and memory: what is paid for and not used. `None` where neither is known.
    #[must_use]
    pub fn stranded(&self) -> Option<f64> {
        match (self.stranded_cpu, self.stranded_memory) {
            (Some(cpu), Some(memory)) => Some(f64::midpoint(cpu, memory)),
            (cpu, memory) => cpu.or(memory),
        }
    }
}

/// Fills a fresh node, of a type with these limits, with pods of the mix until a resource runs out. The node has a trunk ENI
/// where security groups for pods are on and its type can have one.
#[must_use]
pub fn fit(setup: &Setup<'_>, limits: &InstanceLimits, max_pods: u32, allocatable: &Allocatable, mix: &Mix) -> Fit {
    let budget = budget(&NodeFacts {
        kind: setup.kind,
        limits: Some(limits),
        settings: setup.settings,
        max_pods,
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk_attached: false,
        windows_prefix_delegation: setup.windows_prefix_delegation,
    });
    let shape = shape(&budget, setup.settings, max_pods, allocatable);
    let room = room(&shape, setup.base, mix);
    let (resource, pods) = binds(&room).unzip();
    let stranded = |resource| {
        let limit = shape[resource].get().filter(|limit| *limit > 0)?;
        let taken = setup.base[resource] as f64 + pods? as f64 * mix.mean(resource);
        Some((1.0 - taken / limit as f64).max(0.0))
    };
    Fit {
        holds_largest: holds(&shape, setup.base, mix.largest()),
        stranded_cpu: stranded(Resource::Cpu),
        stranded_memory: stranded(Resource::Memory),
        subnet_ips: pods.and_then(|pods| subnet_ips(setup, &budget, mix, pods)),
        shape,
        room,
        resource,
        pods,
    }
}

fn holds(shape: &Shape, base: &Used, pod: &Used) -> bool {
    pod.iter().all(|(resource, amount)| {
        *amount == 0 || shape[resource].get().is_none_or(|limit| base[resource].saturating_add(*amount) <= limit)
    })
}

fn subnet_ips(setup: &Setup<'_>, budget: &Budget, mix: &Mix, pods: u64) -> Option<u64> {
    let branches = mix.of(pods, Resource::BranchEni);
    let trunk = u64::from(branches > 0);
    let rest = match budget {
        Budget::Ipv4(budget) => {
            let holders = setup.base[Resource::Ip].saturating_add(mix.of(pods, Resource::Ip));
            let steady = steady(setup.settings, budget, u32::try_from(holders).unwrap_or(u32::MAX));
            u64::from((steady.subnet_ips + steady.node_subnet_ips).get())
        }
        // The pods have IPv6 addresses; the node keeps its own.
        Budget::Ipv6 { .. } => 1,
        Budget::Windows { .. } | Budget::NotManaged(_) | Budget::Unknown(_) => return None,
    };
    Some(rest.saturating_add(branches).saturating_add(trunk))
}
