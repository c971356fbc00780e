//! The resources of a node, and values by resource.

use std::ops::{Index, IndexMut};

/// What a pod takes of a node. All of it is given out by count or by request, so that each can run out while the others last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Addresses of the node's pool: secondary ones or those of prefixes, on Windows those of the primary ENI.
    Ip,
    /// Milli-CPU (`requests.cpu`).
    Cpu,
    /// Bytes (`requests.memory`).
    Memory,
    /// Pods that kubelet admits (`status.capacity.pods`), host-network ones included.
    Pods,
    /// Branch ENIs (`vpc.amazonaws.com/pod-eni`).
    BranchEni,
    /// EBS volumes.
    Volumes,
}

impl Resource {
    /// All of them, in the order in which one is named before another that runs out at the same pod.
    pub const ALL: [Resource; 6] =
        [Resource::Ip, Resource::Cpu, Resource::Memory, Resource::Pods, Resource::BranchEni, Resource::Volumes];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Resource::Ip => "ip",
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Pods => "pods",
            Resource::BranchEni => "branch_eni",
            Resource::Volumes => "volumes",
        }
    }
}

/// How much there is of something, in the unit of its [`Resource`], or in pods where it is room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Limit {
    /// So much.
    Of(u64),
    /// As much as anybody wants.
    Unlimited,
    /// Nobody has told.
    #[default]
    Unknown,
}

impl Limit {
    /// The number, where there is one.
    #[must_use]
    pub const fn get(self) -> Option<u64> {
        match self {
            Limit::Of(count) => Some(count),
            Limit::Unlimited | Limit::Unknown => None,
        }
    }
}

impl<T: Into<u64>> From<Option<T>> for Limit {
    /// `None` is [`Limit::Unknown`].
    fn from(count: Option<T>) -> Limit {
        count.map_or(Limit::Unknown, |count| Limit::Of(count.into()))
    }
}

/// A value for each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PerResource<T>([T; Resource::ALL.len()]);

impl<T> PerResource<T> {
    /// Each value from its resource.
    pub fn from_fn(value: impl FnMut(Resource) -> T) -> PerResource<T> {
        PerResource(Resource::ALL.map(value))
    }

    /// Resources with their values, in the order of [`Resource::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Resource, &T)> {
        Resource::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<Resource> for PerResource<T> {
    type Output = T;

    fn index(&self, resource: Resource) -> &T {
        &self.0[resource as usize]
    }
}

impl<T> IndexMut<Resource> for PerResource<T> {
    fn index_mut(&mut self, resource: Resource) -> &mut T {
        &mut self.0[resource as usize]
    }
}
