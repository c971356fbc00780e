//! Pods that lack an address, by the nodes that they may be on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use headroom_cluster::{Node, Placement};

use super::facts::Facts;
use crate::headroom::grants_without;
use crate::in_flight::Likeness;
use crate::inventory::Group;
use crate::state::PodInfo;

/// Where in a group's subnets a node must be for a pod to be let on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zones<'a> {
    /// In any of them.
    All,
    /// In one of these zones, which are not all of the group's.
    Only(BTreeSet<&'a Arc<str>>),
}

impl Zones<'_> {
    pub(super) fn has(&self, az: &Arc<str>) -> bool {
        match self {
            Zones::All => true,
            Zones::Only(zones) => zones.contains(az),
        }
    }

    /// Whether a node of which no more is known than `other` is in one of these.
    pub(super) fn covers(&self, other: &Zones<'_>) -> bool {
        match (self, other) {
            (Zones::All, _) => true,
            (Zones::Only(_), Zones::All) => false,
            (Zones::Only(these), Zones::Only(those)) => those.is_subset(these),
        }
    }
}

/// Pods with the same [`Placement`].
#[derive(Debug)]
pub(super) struct Class<'a> {
    placement: &'a Placement,
    /// One of them, `namespace/name`.
    pub(super) first: &'a Arc<str>,
    pods: u32,
    /// Of these, those that are on no node yet.
    waiting: u32,
    /// Of these, those that room on nodes does not help.
    passed_over: u32,
    /// The groups that could have a node for them.
    pub(super) groups: BTreeMap<&'a Arc<str>, Zones<'a>>,
    /// Pods for which nodes have to be added.
    pub(super) need: u32,
}

/// The classes of pods, each with whether it was passed over, those with fewest groups to choose from first.
pub(super) fn classes<'a>(facts: &Facts<'a>, pods: impl Iterator<Item = (&'a PodInfo, bool)>) -> Vec<Class<'a>> {
    let mut classes: HashMap<&Placement, Class<'a>> = HashMap::new();
    for (pod, passed_over) in pods {
        let placement = &*pod.scheduling.placement;
        let class = classes.entry(placement).or_insert_with(|| Class {
            placement,
            first: &pod.name,
            pods: 0,
            waiting: 0,
            passed_over: 0,
            groups: BTreeMap::new(),
            need: 0,
        });
        class.first = class.first.min(&pod.name);
        class.pods += 1;
        class.waiting += u32::from(pod.node.is_none());
        class.passed_over += u32::from(passed_over);
    }
    let mut classes: Vec<Class<'_>> = classes.into_values().collect();
    if !classes.is_empty() {
        for (name, group) in &facts.inventory.groups {
            let like = Likeness::of(facts.known, group);
            for class in &mut classes {
                class.groups.extend(zones(facts, group, &like, class.placement).map(|zones| (name, zones)));
            }
        }
    }
    classes.sort_by_key(|class| (class.groups.len(), class.first));
    classes
}

/// Where in the group's subnets the pods could be; `None` for nowhere.
fn zones<'a>(facts: &Facts<'a>, group: &Group, like: &Likeness, placement: &Placement) -> Option<Zones<'a>> {
    let subnets = group.subnets.iter().filter_map(|id| facts.inventory.subnets.get(id));
    let all: BTreeSet<&Arc<str>> = subnets.map(|subnet| &subnet.az).collect();
    let open: BTreeSet<&Arc<str>> = all.iter().copied().filter(|az| placement.allows(&like.in_zone(az))).collect();
    match open.len() {
        // Subnets that were not read have no zone that is known.
        0 if all.is_empty() => placement.allows(&like.in_zone("")).then_some(Zones::All),
        0 => None,
        some if some == all.len() => Some(Zones::All),
        _ => Some(Zones::Only(open)),
    }
}

/// What nodes that are coming will have addresses for, by group and zone, where that is known.
pub(super) type Coming<'a> = BTreeMap<(&'a Arc<str>, Option<&'a Arc<str>>), u32>;

/// Says of each class for how many of its pods neither nodes that are there nor those that are coming have an address. Classes with
/// fewest to choose from choose first.
pub(super) fn count_needs(facts: &Facts<'_>, classes: &mut [Class<'_>], mut coming: Coming<'_>) {
    if classes.is_empty() {
        return;
    }
    let mut grants = grants_without(facts.ledger, facts.cluster, "", facts.now);
    grants.retain(|_, grant| *grant > 0);
    for class in classes {
        let open = grants.iter_mut().filter(|(name, _)| {
            facts.cluster.nodes.get(&***name).is_some_and(|info| class.placement.allows(&info.node))
        });
        let left = take(class.pods, open.map(|(_, grant)| grant));
        let usable = coming.iter_mut().filter(|((group, az), _)| {
            let zones = class.groups.get(*group);
            zones.is_some_and(|zones| az.is_none_or(|az| zones.has(az)))
        });
        class.need = take(left.max(class.passed_over), usable.map(|(_, pods)| pods));
    }
}

/// What is left of `want` after as much as there is was taken.
fn take<'n>(want: u32, from: impl Iterator<Item = &'n mut u32>) -> u32 {
    from.fold(want, |left, have| {
        let taken = left.min(*have);
        *have -= taken;
        left - taken
    })
}

/// Where nodes of the group would serve pods, and how many, most first; the whole group before a part of it that serves no more.
pub(super) fn wanted<'a>(classes: &[Class<'a>], group: &Arc<str>) -> Vec<(Zones<'a>, u32)> {
    let of_group =
        || classes.iter().filter(|class| class.need > 0).filter_map(|class| Some((class, class.groups.get(group)?)));
    let served =
        |by: &Zones<'_>| -> u32 { of_group().filter(|(_, zones)| zones.covers(by)).map(|(class, _)| class.need).sum() };
    let mut wanted: Vec<(Zones<'a>, u32)> = Vec::new();
    for by in std::iter::once(&Zones::All).chain(of_group().map(|(_, zones)| zones)) {
        let pods = served(by);
        if pods > 0 && !wanted.iter().any(|(known, _)| known == by) {
            wanted.push((by.clone(), pods));
        }
    }
    wanted.sort_by_key(|(_, pods)| std::cmp::Reverse(*pods));
    wanted
}

/// Pods that wait for an address and may be on the node.
pub(super) fn may_come(classes: &[Class<'_>], node: &Node) -> u32 {
    let there = classes.iter().filter(|class| class.waiting > 0 && class.placement.allows(node));
    there.map(|class| class.waiting).sum()
}

/// Takes off what nodes of `group` in `by` serve.
pub(super) fn serve(classes: &mut [Class<'_>], group: &Arc<str>, by: &Zones<'_>, pods: u32) {
    let served = classes.iter_mut().filter(|class| class.groups.get(group).is_some_and(|zones| zones.covers(by)));
    take(pods, served.map(|class| &mut class.need));
}
