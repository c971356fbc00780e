//! What pods take.

use super::resource::{PerResource, Resource};
use crate::verdict::Demand;

/// What a pod requests beside its address, as kube-scheduler counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Requests {
    /// Milli-CPU.
    pub cpu_millis: u64,
    /// Bytes.
    pub memory_bytes: u64,
    /// Volumes that are attached to its node for it.
    pub volumes: u32,
}

/// What pods take of each resource, in its unit.
pub type Used = PerResource<u64>;

impl Used {
    /// Takes more, saturating.
    pub fn add(&mut self, more: &Used) {
        for (resource, amount) in more.iter() {
            self[resource] = self[resource].saturating_add(*amount);
        }
    }
}

/// What one pod takes of its node.
#[must_use]
pub fn need(demand: Demand, requests: &Requests) -> Used {
    PerResource::from_fn(|resource| match resource {
        Resource::Ip => u64::from(matches!(demand, Demand::PodIp | Demand::WindowsIp)),
        Resource::Cpu => requests.cpu_millis,
        Resource::Memory => requests.memory_bytes,
        Resource::Pods => 1,
        Resource::BranchEni => u64::from(demand == Demand::BranchEni),
        Resource::Volumes => requests.volumes.into(),
    })
}

/// The pods that run, as what the pods to come will be like: what one of them takes on average, and what the largest take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    sum: Used,
    most: Used,
}

impl Mix {
    /// Counts one pod in, by what it takes ([`need`]).
    pub fn add(&mut self, pod: &Used) {
        self.merge(&Mix { sum: *pod, most: *pod });
    }

    /// Counts the pods of another mix in.
    pub fn merge(&mut self, other: &Mix) {
        self.sum.add(&other.sum);
        self.most = PerResource::from_fn(|resource| self.most[resource].max(other.most[resource]));
    }

    /// Pods counted.
    #[must_use]
    pub fn pods(&self) -> u64 {
        self.sum[Resource::Pods]
    }

    /// What all of them together take.
    #[must_use]
    pub const fn sum(&self) -> &Used {
        &self.sum
    }

    /// What the one that takes most takes, for each resource of its own.
    #[must_use]
    pub const fn largest(&self) -> &Used {
        &self.most
    }

    /// What one pod takes on average, in the resource's unit; 0 without pods.
    #[must_use]
    pub fn mean(&self, resource: Resource) -> f64 {
        if self.pods() == 0 { 0.0 } else { self.sum[resource] as f64 / self.pods() as f64 }
    }

    /// What so many pods take, rounded up.
    pub(super) fn of(&self, pods: u64, resource: Resource) -> u64 {
        let product = u128::from(pods) * u128::from(self.sum[resource]);
        u64::try_from(product.div_ceil(u128::from(self.pods().max(1)))).unwrap_or(u64::MAX)
    }

    /// How many pods `amount` is enough for; `None` where they take none of it.
    pub(super) fn in_amount(&self, amount: u64, resource: Resource) -> Option<u64> {
        let product = u128::from(amount) * u128::from(self.pods());
        let pods = product.checked_div(u128::from(self.sum[resource]))?;
        Some(u64::try_from(pods).unwrap_or(u64::MAX))
    }
}
