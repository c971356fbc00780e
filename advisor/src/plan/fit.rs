//! Whether the pods of a node find room on others.

use std::sync::Arc;

use headroom_capacity::binding::{Limit, PerResource, Resource, Used, need, shape};
use headroom_capacity::verdict::Demand;

use super::facts::Facts;
use super::refusal::{Because, Refusal};
use crate::binding::usage::Usage;
use crate::headroom::grants_without;

/// What a node has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The node.
    pub node: Arc<str>,
    left: PerResource<u64>,
}

impl Room {
    /// Addresses for pods.
    pub(super) fn ips(&self) -> u64 {
        self.left[Resource::Ip]
    }
}

/// What the pods take that have to move when the node goes: those on the host's network are taken to be agents, which every node has.
pub(super) fn moving(facts: &Facts<'_>, node: &str) -> Vec<Used> {
    let pods = facts.cluster.pods.values().filter(|pod| !pod.over && pod.node.as_deref() == Some(node));
    let moving = pods.filter(|pod| pod.demand != Demand::None);
    moving.map(|pod| need(pod.demand, &pod.requests)).collect()
}

/// What the nodes without `without` have left, for nodes that kube-scheduler would place a pod on.
pub(super) fn rooms(facts: &Facts<'_>, usage: &Usage<'_>, without: &str) -> Vec<Room> {
    let grants = grants_without(facts.ledger, facts.cluster, without, facts.now);
    let room = |(name, ips): (Arc<str>, u32)| {
        let info = facts.cluster.nodes.get(&name)?;
        let account = facts.ledger.nodes.get(&name)?;
        let shape = shape(&account.budget, &facts.cluster.settings, info.node.max_pods, &info.node.allocatable);
        let used = usage.on(&name).used();
        let left = PerResource::from_fn(|resource| match (resource, shape[resource]) {
            (Resource::Ip, _) => u64::from(ips),
            (_, Limit::Of(limit)) => limit.saturating_sub(used[resource]),
            // Seldom told; kube-scheduler will know.
            (Resource::Volumes, Limit::Unknown) | (_, Limit::Unlimited) => u64::MAX,
            (_, Limit::Unknown) => 0,
        });
        Some(Room { node: name, left })
    };
    grants.into_iter().filter_map(room).collect()
}

/// What beside room decides whether a pod may be on a node, as far as others are placed by then.
pub(super) trait Filters {
    /// Of the pod at this place.
    fn lets(&self, at: usize) -> impl Fn(&str) -> bool;

    /// The pod at this place will be on `node`.
    fn placed(&mut self, at: usize, node: &Arc<str>);
}

/// Nothing does.
pub(super) struct Anywhere;

impl Filters for Anywhere {
    fn lets(&self, _: usize) -> impl Fn(&str) -> bool {
        |_| true
    }

    fn placed(&mut self, _: usize, _: &Arc<str>) {}
}

/// Finds each pod a node that `filters` let it on, the largest first, or says what lacks. Another order could find room where this one
/// does not: then a node stays that could have gone.
///
/// # Errors
/// [`Refusal::NoIpsElsewhere`] where it would fit but for addresses, [`Refusal::NoPlaceElsewhere`] otherwise.
pub(super) fn place(pods: &[Used], rooms: &[Room], mut filters: impl Filters) -> Result<(), Because> {
    let mut left: Vec<Room> = rooms.to_vec();
    let mut order: Vec<usize> = (0..pods.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse((pods[*at][Resource::Cpu], pods[*at][Resource::Memory])));
    for at in order {
        let pod = &pods[at];
        let fits = |room: &Room, resource: Resource| pod[resource] <= room.left[resource];
        let all = |room: &Room| Resource::ALL.into_iter().all(|resource| fits(room, resource));
        let lets = filters.lets(at);
        let found = left.iter().position(|room| all(room) && lets(&room.node));
        if let Some(room) = found.map(|found| &mut left[found]) {
            drop(lets);
            room.left = PerResource::from_fn(|resource| room.left[resource].saturating_sub(pod[resource]));
            filters.placed(at, &room.node);
            continue;
        }
        let but_ips = |room: &Room| Resource::ALL.into_iter().all(|one| one == Resource::Ip || fits(room, one));
        let refusal = match left.iter().any(|room| but_ips(room) && lets(&room.node)) {
            true => Refusal::NoIpsElsewhere,
            false => Refusal::NoPlaceElsewhere,
        };
        return Err(Because::new(refusal, format!("{} pods to move", pods.len())));
    }
    Ok(())
}
