//! Pods that DaemonSets put on each node, those to come too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use headroom_capacity::verdict::Demand;
use headroom_cluster::{Kind, Placement};

use super::Likeness;
use crate::inventory::Group;
use crate::ledger::{Known, Member};
use crate::state::ClusterState;

/// With fewer nodes than these, pods that stand once on each need not be a DaemonSet's.
const ENOUGH_NODES: usize = 3;

/// Pods of DaemonSets on one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OnEach {
    /// With an address of their own.
    pub(crate) with_ip: u32,
    /// On the host's network: of these kubelet's limit alone knows.
    pub(crate) on_host: u32,
}

impl OnEach {
    fn add(&mut self, on_host: bool, pods: u32) {
        let count = if on_host { &mut self.on_host } else { &mut self.with_ip };
        *count += pods;
    }
}

/// What DaemonSets put on a node of each group: each one whose node selector, affinity and tolerations let it on such a node, or, where
/// DaemonSets may not be listed, what looks like one on the nodes that are there. Where that is known of no group's nodes, of all.
pub(crate) struct Daemons<'a> {
    known: &'a Known<'a>,
    seen: Option<Seen<'a>>,
}

impl<'a> Daemons<'a> {
    pub(crate) fn of(known: &'a Known<'a>) -> Daemons<'a> {
        let listed = !known.cluster().declared.unknown().any(|(kind, _)| kind == Kind::DaemonSet);
        Daemons { known, seen: (!listed).then(|| seen(known)) }
    }

    /// On a node of the group.
    pub(crate) fn on_each(&self, group: &Group) -> OnEach {
        if let Some(seen) = &self.seen {
            return seen.groups.get(&group.name).copied().unwrap_or(seen.everywhere);
        }
        let (inventory, cluster) = (self.known.inventory(), self.known.cluster());
        let like = Likeness::of(self.known, group);
        let azs = group.subnets.iter().filter_map(|id| inventory.subnets.get(id)).map(|subnet| &*subnet.az);
        let azs: BTreeSet<&str> = azs.collect();
        let mut on_each = OnEach::default();
        for workload in cluster.declared.workloads.values() {
            // In the zone that it needs, if it needs one.
            let there = |placement: &Placement| azs.iter().any(|az| placement.allows(&like.in_zone(az)));
            if workload.placement.as_ref().is_some_and(there) {
                on_each.add(workload.host_network, 1);
            }
        }
        on_each
    }
}

struct Seen<'a> {
    groups: BTreeMap<&'a Arc<str>, OnEach>,
    everywhere: OnEach,
}

/// The nodes that pods of one name stand on, and how many pods they are.
type Stands<'a> = (BTreeSet<&'a Arc<str>>, usize);

/// A pod's name is made of a DaemonSet's and five characters (k/k `pkg/controller/controller_utils.go`, `GetPodFromTemplate`). A name that
/// has exactly one pod on each ready node of a group counts as a DaemonSet's; a Deployment spread as evenly makes a new node seem to
/// take one more.
fn seen<'a>(known: &'a Known<'a>) -> Seen<'a> {
    let cluster: &'a ClusterState = known.cluster();
    let groups: HashMap<&str, &'a Arc<str>> = known.members().iter().filter_map(group_of).collect();
    let ready = cluster.nodes.iter().filter(|(_, info)| info.node.ready).map(|(name, _)| name);
    let mut members: BTreeMap<Option<&Arc<str>>, BTreeSet<&Arc<str>>> = BTreeMap::new();
    for name in ready {
        members.entry(None).or_default().insert(name);
        if let Some(&group) = groups.get(&**name) {
            members.entry(Some(group)).or_default().insert(name);
        }
    }
    // Nodes and pods by set of nodes and name.
    let mut found: HashMap<(Option<&Arc<str>>, &str, bool), Stands<'_>> = HashMap::new();
    for pod in cluster.pods.values().filter(|pod| !pod.over) {
        let Some(node) = &pod.node else { continue };
        let Some((set, _)) = pod.name.rsplit_once('-') else { continue };
        for group in std::iter::once(None).chain(groups.get(&**node).map(|group| Some(*group))) {
            if members.get(&group).is_some_and(|members| members.contains(node)) {
                let (nodes, pods) = found.entry((group, set, pod.demand == Demand::None)).or_default();
                nodes.insert(node);
                *pods += 1;
            }
        }
    }
    let mut counts: BTreeMap<Option<&Arc<str>>, OnEach> = BTreeMap::new();
    for ((group, _, on_host), (nodes, pods)) in found {
        let all = members.get(&group).map_or(0, BTreeSet::len);
        counts.entry(group).or_default().add(on_host, u32::from(nodes.len() == all && pods == all));
    }
    let enough = members.iter().filter(|(_, members)| members.len() >= ENOUGH_NODES);
    let mut on_each: BTreeMap<Option<&'a Arc<str>>, OnEach> =
        enough.map(|(group, _)| (*group, counts.get(group).copied().unwrap_or_default())).collect();
    let everywhere = on_each.remove(&None).unwrap_or_default();
    Seen { groups: on_each.into_iter().filter_map(|(group, pods)| Some((group?, pods))).collect(), everywhere }
}

/// A node and its group.
fn group_of<'a>(member: &Member<'a>) -> Option<(&'a str, &'a Arc<str>)> {
    Some((&*member.node?.node.name, member.instance?.group.as_ref()?))
}
