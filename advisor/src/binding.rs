//! What binds first on each node and in each node group, and which instance types would suit the pods that run.
//!
//! ```text
//! ClusterState ──> usage ──┬─> node ──> NodeBinding
//! Ledger ──────────────────┤
//! DescribeInstanceTypes ───┴─> choice ──> suggest ──> rank ──> GroupBinding
//! ```

mod choice;
mod node;
mod rank;
pub mod report;
mod suggest;
#[cfg(test)]
mod tests;
pub(crate) mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::binding::{Fit, Limit, Mix, PerResource, Resource, Shape, Used, binds, room};
use headroom_capacity::instance::InstanceLimits;

use crate::inventory::Offer;
use crate::ledger::Ledger;
use crate::state::ClusterState;
use node::Member;
use suggest::Candidates;
use usage::Usage;

/// Most types that are suggested to a group, beside those that it runs.
const SUGGESTIONS: usize = 5;

/// What EC2 says of instance types.
#[derive(Clone, Copy, Debug)]
pub struct Types<'a> {
    /// Address limits of types that the built-in table does not know ([`crate::inventory::Inventory::types`]).
    pub limits: &'a BTreeMap<Arc<str>, InstanceLimits>,
    /// What EC2 says of every type ([`crate::inventory::Inventory::offers`]): further types to suggest, and volumes of the ones in use.
    pub offers: &'a BTreeMap<Arc<str>, Offer>,
}

/// What binds first, of every node that takes pods and of every group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Binding {
    /// Nodes by name.
    pub nodes: BTreeMap<Arc<str>, NodeBinding>,
    /// Groups by name: the Auto Scaling group, or the Karpenter NodePool where there is none.
    pub groups: BTreeMap<Arc<str>, GroupBinding>,
}

/// One node that kube-scheduler would place a pod on.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeBinding {
    /// Its group.
    pub group: Option<Arc<str>>,
    /// Its instance type.
    pub instance_type: Option<Arc<str>>,
    /// What it offers.
    pub shape: Shape,
    /// What its pods take.
    pub used: Used,
    /// How many more pods of its group's mix each resource allows, of the cluster's where it has no group or that runs nothing.
    pub room: PerResource<Limit>,
    /// The resource that runs out first; `None` where none has a known end, or no pod runs anywhere.
    pub resource: Option<Resource>,
}

impl NodeBinding {
    /// How many more pods of the mix it takes, as far as is known; `None` as of [`NodeBinding::resource`].
    #[must_use]
    pub fn pods(&self) -> Option<u64> {
        binds(&self.room).map(|(_, pods)| pods)
    }
}

/// One group of nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupBinding {
    /// Its nodes that take pods.
    pub nodes: u32,
    /// How many of them each resource ends first on; the rest have no known end.
    pub by_resource: PerResource<u32>,
    /// The resource that ends most of them first.
    pub resource: Option<Resource>,
    /// The pods that run on all of its nodes, those on the host's network left out: they are the nodes' own. Of a group that
    /// runs none, the cluster's.
    pub mix: Mix,
    /// Those that run, 0 where the mix is the cluster's.
    pub running: u64,
    /// What the pods on the host's network take of a node, on average, rounded up.
    pub base: Used,
    /// Instance types for this mix, the best first, and among them those that it runs now. Prices do not count.
    pub suggestions: Vec<Suggestion>,
}

/// An instance type for a group's pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The type.
    pub instance_type: Arc<str>,
    /// The group runs it now.
    pub current: bool,
    /// Its CPU and memory are computed from what EC2 says of the type, not seen on a node of this cluster
    /// ([`headroom_capacity::binding::TypeShape::allocatable`]).
    pub estimated: bool,
    /// Its vCPUs, where EC2 has told.
    pub vcpus: Option<u32>,
    /// Its memory in MiB, likewise.
    pub memory_mib: Option<u64>,
    /// max-pods of its nodes: the least that one of this cluster has, or EKS's default.
    pub max_pods: u32,
    /// A fresh node of it, filled with the mix.
    pub fit: Fit,
    /// Further types with the same figures.
    pub alike: Vec<Arc<str>>,
}

/// What binds first at the moment of `ledger` and `state`. The same arguments give the same answer.
///
/// Nodes that are not Ready, cordoned, or run by Fargate do not count, but for the pods on them. Addresses are counted against
/// the instance's limit, whatever the subnets still hold: that is [`crate::headroom::headroom`]'s answer. A group's pods are taken
/// to come in the mix that runs now; pods without requests take neither CPU nor memory, as for kube-scheduler. Suggested are, of the
/// architectures that the group runs, types of the cluster's nodes, and of [`Types::offers`] those of the current generation or a family that
/// the group runs, with half as many to four times as many vCPUs. Bare metal and types with accelerators are suggested where their family
/// runs, and types whose CPU is burstable or that have local disks where such run. Whether pods select nodes by anything else is not looked at.
#[must_use]
pub fn binding(ledger: &Ledger, state: &ClusterState, types: &Types<'_>) -> Binding {
    let usage = Usage::of(state);
    let members: Vec<Member<'_>> =
        state.nodes.values().filter_map(|info| Member::new(info, ledger.nodes.get(&info.node.name)?, &usage)).collect();
    let candidates = Candidates::of(&members, types, state);
    let mut cluster = Mix::default();
    let mut by_group: BTreeMap<Arc<str>, Vec<&Member<'_>>> = BTreeMap::new();
    for member in &members {
        cluster.merge(&member.usage.mix);
        if let Some(group) = &member.group {
            by_group.entry(Arc::clone(group)).or_default().push(member);
        }
    }
    let mut binding = Binding::default();
    for (name, members) in by_group {
        let group = group(&members, &cluster, state, types, &candidates, &mut binding.nodes);
        binding.groups.insert(name, group);
    }
    for member in members.iter().filter(|member| member.group.is_none() && member.open) {
        binding.nodes.insert(Arc::clone(member.name), node(member, &cluster, state, types));
    }
    binding
}

fn group(
    members: &[&Member<'_>],
    cluster: &Mix,
    state: &ClusterState,
    types: &Types<'_>,
    candidates: &Candidates<'_>,
    nodes: &mut BTreeMap<Arc<str>, NodeBinding>,
) -> GroupBinding {
    let mut own = Mix::default();
    members.iter().for_each(|member| own.merge(&member.usage.mix));
    let mix = if own.pods() > 0 { own } else { *cluster };
    let mut group = GroupBinding { mix, running: own.pods(), ..GroupBinding::default() };
    for member in members.iter().filter(|member| member.open) {
        let node = node(member, &group.mix, state, types);
        group.nodes += 1;
        if let Some(resource) = node.resource {
            group.by_resource[resource] += 1;
        }
        nodes.insert(Arc::clone(member.name), node);
    }
    // Of equally many the first: `max_by_key` would take the last.
    let most = group.by_resource.iter().map(|(_, nodes)| *nodes).max().filter(|nodes| *nodes > 0);
    group.resource = group.by_resource.iter().find(|(_, nodes)| Some(**nodes) == most).map(|(resource, _)| resource);
    group.base = base(members);
    group.suggestions = candidates.suggest(members, types, &group.mix, &group.base, SUGGESTIONS);
    group
}

fn node(member: &Member<'_>, mix: &Mix, state: &ClusterState, types: &Types<'_>) -> NodeBinding {
    let (shape, used) = (member.shape(state, types), member.usage.used());
    let room = room(&shape, &used, mix);
    NodeBinding {
        group: member.group.clone(),
        instance_type: member.instance_type().cloned(),
        shape,
        used,
        room,
        resource: binds(&room).map(|(resource, _)| resource),
    }
}

/// What a node has of its own: agents ask for the same on large nodes as on small ones.
fn base(members: &[&Member<'_>]) -> Used {
    let mut sum = Used::default();
    members.iter().for_each(|member| sum.add(&member.usage.host));
    let nodes = u64::try_from(members.len()).unwrap_or(u64::MAX).max(1);
    Used::from_fn(|resource| sum[resource].div_ceil(nodes))
}
