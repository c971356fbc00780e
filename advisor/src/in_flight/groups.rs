//! Instances that Auto Scaling groups want and EC2 does not show yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headroom_capacity::budget::{Budget, Ipv4Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_cluster::ZONE_LABEL;

use super::{Likeness, Pool, add, of_pool};
use crate::inventory::{Group, InstanceId, Member};
use crate::ledger::{InFlight, Known};

/// The tag by which Cluster Autoscaler is told a label that a node of a group without one will have, here of its type.
const TYPE_TAG: &str = "k8s.io/cluster-autoscaler/node-template/label/node.kubernetes.io/instance-type";

/// What the instances will take that groups want beyond those that EC2 shows, spread evenly over each group's subnets: nothing
/// is known of the one that Auto Scaling will choose. It goes down as instances are shown, which are then counted themselves.
/// Of a group that does not launch nothing is expected.
pub(crate) fn of_groups(known: &Known<'_>) -> Vec<InFlight> {
    let mut coming = Vec::new();
    for group in known.inventory().groups.values() {
        let instances = to_come(group, |id| known.inventory().instances.contains_key(id));
        let here: Vec<&SubnetId> = group.subnets.iter().collect();
        let Ok(subnets) = u32::try_from(here.len()) else { continue };
        if instances == 0 || subnets == 0 {
            continue;
        }
        for (nth, subnet) in (0..subnets).zip(here) {
            let count = instances / subnets + u32::from(nth < instances % subnets);
            if count > 0 {
                add(&mut coming, footprint(known, group, subnet).into_iter().map(|one| times(one, count)));
            }
        }
    }
    coming
}

/// Instances that `group` has not got yet, and those of its own for which `is_shown` is not.
pub(crate) fn to_come(group: &Group, is_shown: impl Fn(&InstanceId) -> bool) -> u32 {
    let active: Vec<&Member> = group.members.iter().filter(|member| counts(&member.lifecycle)).collect();
    let unseen = active.iter().filter(|member| !is_shown(&member.instance)).count();
    let active = u32::try_from(active.len()).unwrap_or(u32::MAX);
    let launches = !group.suspended.iter().any(|process| process == "Launch");
    let missing = if launches { group.desired.saturating_sub(active) } else { 0 };
    missing.saturating_add(u32::try_from(unseen).unwrap_or(u32::MAX))
}

/// Whether a member in this state counts against the desired capacity (Auto Scaling user guide, "Lifecycle of an instance").
pub(crate) fn counts(lifecycle: &str) -> bool {
    !["Terminat", "Detach", "Warmed", "Standby"].iter().any(|gone| lifecycle.starts_with(gone))
}

/// One instance's with nothing on it: that of the largest of the group's types, one address where none is known.
pub(crate) fn footprint(known: &Known<'_>, group: &Group, subnet: &SubnetId) -> Vec<InFlight> {
    of_node_to_come(known, group, subnet, 0)
}

/// What a node of the group in `subnet` takes once `pods` pods run on it and its pool has come to rest: that of the type that takes most
/// among those of the group, one address where none is known.
pub(crate) fn of_node_to_come(known: &Known<'_>, group: &Group, subnet: &SubnetId, pods: u32) -> Vec<InFlight> {
    let new_eni = known.new_eni_subnets(Some(subnet), eni_config_of(known, Some(group), Some(subnet)));
    let excluded = known.settings().subnet_discovery && known.is_excluded(subnet);
    let node = NewNode { subnet, excluded, new_eni: new_eni.first() };
    let pools = budgets(known, group, subnet).map(|budget| of_new_node(known.settings(), &budget, &node, pods));
    let largest = pools.max_by_key(|coming| coming.iter().map(|one| one.ips + one.prefixes.ips()).sum::<Ips>());
    let mut coming = vec![InFlight { subnet: subnet.clone(), ips: Ips(1), prefixes: Prefixes::ZERO }];
    add(&mut coming, largest.unwrap_or_default());
    coming
}

/// What new nodes of the group can hold, one for each of its types that is known.
pub(crate) fn budgets(known: &Known<'_>, group: &Group, subnet: &SubnetId) -> impl Iterator<Item = Ipv4Budget> {
    types(group).into_iter().filter_map(move |name| of_type(known, &name, &known.limits(&name)?, subnet))
}

/// The instance types of the group's members; where it has none, those that its policy names, or its tag for Cluster Autoscaler.
pub(super) fn types(group: &Group) -> BTreeSet<Arc<str>> {
    let of_members: BTreeSet<Arc<str>> = group.members.iter().map(|one| Arc::clone(&one.instance_type)).collect();
    if !of_members.is_empty() {
        return of_members;
    }
    match &group.types[..] {
        [] => group.tags.get(TYPE_TAG).map(|name| Arc::from(name.as_str())).into_iter().collect(),
        named => named.iter().cloned().collect(),
    }
}

fn of_type(known: &Known<'_>, name: &Arc<str>, limits: &InstanceLimits, subnet: &SubnetId) -> Option<Ipv4Budget> {
    let settings = known.settings();
    // As many as kubelet was told on the nodes of the type that run; a group's own setting goes before EKS's default.
    let nodes = known.cluster().nodes.values().map(|info| &info.node);
    let told = nodes.filter(|node| node.instance_type.as_ref() == Some(name)).map(|node| node.max_pods).max();
    let facts = NodeFacts {
        kind: NodeKind::Linux,
        limits: Some(limits),
        settings,
        max_pods: told.filter(|most| *most > 0).unwrap_or_else(|| limits.default_max_pods()),
        unmanaged: Enis::ZERO,
        excluded: Enis(u32::from(settings.subnet_discovery && known.is_excluded(subnet))),
        trunk_attached: false,
        windows_prefix_delegation: false,
    };
    match budget(&facts) {
        Budget::Ipv4(budget) => Some(budget),
        _ => None,
    }
}

/// Where an instance that does not exist yet gets its addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewNode<'a> {
    /// Of its primary ENI.
    pub(crate) subnet: &'a SubnetId,
    /// That gives no addresses to pods.
    pub(crate) excluded: bool,
    /// Of its further ENIs.
    pub(crate) new_eni: Option<&'a SubnetId>,
}

/// What the pool of a node attaches from its start until `pods` pods have an address, the node's own not among it.
pub(crate) fn of_new_node(settings: &CniSettings, budget: &Ipv4Budget, node: &NewNode<'_>, pods: u32) -> Vec<InFlight> {
    let primary_gives = !settings.custom_networking && !node.excluded;
    let primary = primary_gives.then(|| (node.subnet.clone(), budget.slots_per_eni));
    of_pool(&Pool {
        settings,
        budget,
        attached: Ips::ZERO,
        available: Ips::ZERO,
        pods,
        waiting: 0,
        pod_enis: Enis(u32::from(primary_gives)),
        free_slots: &BTreeMap::from_iter(primary),
        new_eni: node.new_eni,
        overdue: false,
    })
}

/// The ENIConfig's subnet of a node that is not there yet, `None` where it has none: by its labels and annotations, as far as they are
/// known, and by its zone, which is known before it is.
pub(crate) fn eni_config_to_come<'a, 'n>(
    settings: &CniSettings,
    configs: &'a BTreeMap<Arc<str>, Option<SubnetId>>,
    az: Option<&'n str>,
    label: impl Fn(&str) -> Option<&'n str>,
    annotation: impl Fn(&str) -> Option<&'n str>,
) -> Option<&'a SubnetId> {
    // The zone is known before the node is.
    let label = |key: &str| if key == ZONE_LABEL { az } else { label(key) };
    configs.get(settings.eni_config(label, annotation)?)?.as_ref()
}

/// The same of an instance in `subnet` that has not registered as a node, or of one of `group` to come: what the group's nodes have alike
/// is taken to be on it.
pub(crate) fn eni_config_of<'a>(
    known: &Known<'a>,
    group: Option<&Group>,
    subnet: Option<&SubnetId>,
) -> Option<&'a SubnetId> {
    let settings = known.settings();
    if !settings.custom_networking {
        return None;
    }
    let like = group.map(|group| Likeness::of(known, group)).unwrap_or_default();
    let az = subnet.and_then(|id| known.inventory().subnets.get(id)).map(|subnet| &*subnet.az);
    let configs = &known.cluster().eni_configs;
    eni_config_to_come(settings, configs, az, |key| like.label(key), |key| like.annotation(key))
}

fn times(one: InFlight, count: u32) -> InFlight {
    InFlight {
        subnet: one.subnet,
        ips: Ips(one.ips.get().saturating_mul(count)),
        prefixes: Prefixes(one.prefixes.get().saturating_mul(count)),
    }
}
