//! The two sources, indexed: who is a member of the cluster, which addresses its pods have, what the subnets' tags say.

mod member;

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use headroom_capacity::budget::NodeKind;
use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::instance::{self, InstanceLimits};
use headroom_capacity::ipamd::{SubnetInfo, discovery};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;

use super::Policy;
use crate::inventory::{EniKind, InstanceId, Inventory, Subnet};
use crate::state::{ClusterState, NodeInfo};
pub(super) use member::Gives;
pub(crate) use member::Member;

/// Sums over all pods.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PodCounts {
    pub(super) without_ip: u32,
    pub(super) refused: u32,
}

pub(crate) struct Known<'a> {
    inventory: &'a Inventory,
    cluster: &'a ClusterState,
    policy: &'a Policy,
    now: Time,
    members: Vec<Member<'a>>,
    places: HashMap<&'a InstanceId, usize>,
    /// Places of the subnets, in the order of the inventory.
    subnets: HashMap<&'a SubnetId, usize>,
    ids: Vec<&'a SubnetId>,
    excluded: Vec<bool>,
    /// For a primary ENI in each subnet: where discovery makes further ENIs.
    discovered: Vec<Vec<SubnetId>>,
    /// Trunk ENIs, with the member that they are attached to.
    trunks: HashMap<&'a EniId, Option<usize>>,
    /// Addresses that cool at `now`, ascending.
    cooling: Vec<Ipv4Addr>,
    fargate_ips: HashMap<Ipv4Addr, usize>,
    pod_counts: PodCounts,
}

impl<'a> Known<'a> {
    pub(crate) fn new(inventory: &'a Inventory, cluster: &'a ClusterState, policy: &'a Policy, now: Time) -> Known<'a> {
        let name = cluster.settings.cluster_name.as_deref();
        let infos: Vec<SubnetInfo> = inventory.subnets.values().map(info).collect();
        let mut known = Known {
            inventory,
            cluster,
            policy,
            now,
            members: Vec::with_capacity(inventory.instances.len()),
            places: HashMap::with_capacity(inventory.instances.len()),
            subnets: inventory.subnets.keys().enumerate().map(|(at, id)| (id, at)).collect(),
            ids: inventory.subnets.keys().collect(),
            excluded: infos.iter().map(|info| discovery::is_excluded(info, name)).collect(),
            discovered: discovered(inventory, infos, name),
            trunks: HashMap::new(),
            cooling: cluster.cooling.iter().filter(|(_, until)| now < **until).map(|(ip, _)| *ip).collect(),
            fargate_ips: HashMap::new(),
            pod_counts: PodCounts::default(),
        };
        known.cooling.sort_unstable();
        known.find_members();
        known.find_pods();
        known
    }

    /// Instances with the cluster's tag, those of nodes, and those whose attached ENIs carry the cluster's name: the three lists
    /// are not read at the same time.
    fn find_members(&mut self) {
        for instance in self.inventory.instances.values().filter(|instance| instance.of_cluster) {
            self.add_member(Some(&instance.id), None);
        }
        for node in self.cluster.nodes.values() {
            self.add_member(node.instance.as_ref(), Some(node));
        }
        for eni in &self.inventory.enis {
            let Some(id) = eni.attachment.as_ref().and_then(|attachment| attachment.instance.as_ref()) else {
                continue;
            };
            if eni.tags.cluster.as_ref() == Some(&self.policy.cluster) && !self.places.contains_key(id) {
                self.add_member(Some(id), None);
            }
        }
        let trunks = self.inventory.enis.iter().filter(|eni| eni.kind == EniKind::Trunk);
        let attached = trunks.filter_map(|eni| Some((&eni.id, eni.attachment.as_ref()?.instance.as_ref()?)));
        self.trunks = attached.map(|(eni, instance)| (eni, self.places.get(instance).copied())).collect();
    }

    fn add_member(&mut self, id: Option<&'a InstanceId>, node: Option<&'a NodeInfo>) {
        if let Some(place) = id.and_then(|id| self.places.get(id).copied()) {
            // Of two nodes on one instance the first stays: kubelet was registered anew under another name.
            if self.members[place].node.is_none() {
                self.members[place] = self.member(id, node);
            } else {
                self.members.push(self.member(None, node));
            }
            return;
        }
        if let Some(id) = id {
            self.places.insert(id, self.members.len());
        }
        self.members.push(self.member(id, node));
    }

    fn member(&self, id: Option<&'a InstanceId>, node: Option<&'a NodeInfo>) -> Member<'a> {
        let instance = id.and_then(|id| self.inventory.instances.get(id));
        let by_node = node.and_then(|node| node.node.instance_type.as_ref());
        let instance_type = instance.map(|instance| &instance.instance_type).or(by_node);
        let limits = instance_type.and_then(|name| self.limits(name));
        let kind = node.map_or(NodeKind::Linux, |node| node.node.kind);
        let gives = Gives::new(kind, limits.as_ref(), &self.cluster.settings);
        Member { id, instance, node, limits, gives, pod_ips: Vec::new(), pods: 0, waiting: 0 }
    }

    /// What each pod means for the node that it is bound to.
    fn find_pods(&mut self) {
        let names = self.members.iter().enumerate();
        let names: HashMap<&str, usize> =
            names.filter_map(|(place, member)| Some((&*member.node?.node.name, place))).collect();
        for pod in self.cluster.pods.values().filter(|pod| !pod.over) {
            let Some(node) = &pod.node else { continue };
            let waits = pod.ip.is_none() && pod.waiting_since.is_some() && pod.demand != Demand::None;
            self.pod_counts.without_ip += u32::from(waits);
            self.pod_counts.refused += u32::from(waits && pod.refused_at.is_some());
            let Some(&place) = names.get(&**node) else { continue };
            let member = &mut self.members[place];
            if matches!(pod.demand, Demand::PodIp | Demand::WindowsIp) {
                member.pods += 1;
                member.waiting += u32::from(waits);
            }
            if let Some(ip) = pod.ip {
                member.pod_ips.push(ip);
                if member.kind() == NodeKind::Fargate {
                    self.fargate_ips.insert(ip, place);
                }
            }
        }
        self.members.iter_mut().for_each(|member| member.pod_ips.sort_unstable());
    }

    pub(crate) fn inventory(&self) -> &'a Inventory {
        self.inventory
    }

    pub(crate) fn cluster(&self) -> &'a ClusterState {
        self.cluster
    }

    pub(crate) fn settings(&self) -> &'a CniSettings {
        &self.cluster.settings
    }

    pub(crate) fn policy(&self) -> &'a Policy {
        self.policy
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    pub(crate) fn place(&self, instance: &InstanceId) -> Option<usize> {
        self.places.get(instance).copied()
    }

    pub(super) fn pod_counts(&self) -> PodCounts {
        self.pod_counts
    }

    /// A trunk's member, `Some(None)` where it is on an instance that is none.
    pub(super) fn trunk(&self, eni: &EniId) -> Option<Option<usize>> {
        self.trunks.get(eni).copied()
    }

    pub(super) fn fargate(&self, ip: Ipv4Addr) -> Option<usize> {
        self.fargate_ips.get(&ip).copied()
    }

    /// Whether a pod of this member has the address.
    pub(super) fn has_pod(&self, place: usize, ip: Ipv4Addr) -> bool {
        self.members[place].pod_ips.binary_search(&ip).is_ok()
    }

    /// Whether a pod has just given the address up.
    pub(super) fn cools(&self, ip: Ipv4Addr) -> bool {
        self.cooling.binary_search(&ip).is_ok()
    }

    /// The subnet at a place.
    pub(super) fn subnet_at(&self, at: usize) -> &SubnetId {
        self.ids[at]
    }

    /// A subnet's place, the same as in the inventory's order.
    pub(crate) fn subnet(&self, id: &SubnetId) -> Option<usize> {
        self.subnets.get(id).copied()
    }

    /// Whether ENIs in the subnet give no addresses to pods, discovery being on.
    pub(crate) fn is_excluded(&self, id: &SubnetId) -> bool {
        self.subnet(id).is_some_and(|at| self.excluded[at])
    }

    /// Limits of an instance type, where a table or EC2 knows it.
    pub(crate) fn limits(&self, instance_type: &Arc<str>) -> Option<InstanceLimits> {
        instance::lookup(instance_type).or_else(|| self.inventory.types.get(instance_type)).copied()
    }

    /// Subnets that ipamd makes a new ENI in, in the order in which it tries them, on a node whose primary ENI is in `primary`
    /// and whose ENIConfig names `eni_config` (CNI `createENI`).
    pub(crate) fn new_eni_subnets(&self, primary: Option<&SubnetId>, eni_config: Option<&SubnetId>) -> Vec<SubnetId> {
        let settings = self.settings();
        if settings.custom_networking {
            return eni_config.cloned().into_iter().collect();
        }
        match primary.and_then(|id| Some((id, self.subnet(id)?))) {
            Some((_, at)) if settings.subnet_discovery => self.discovered[at].clone(),
            Some((id, at)) if !self.excluded[at] => vec![id.clone()],
            _ => Vec::new(),
        }
    }
}

/// ipamd asks for the subnets of its VPC and zone (CNI `GetVpcSubnets`).
fn discovered(inventory: &Inventory, infos: Vec<SubnetInfo>, cluster: Option<&str>) -> Vec<Vec<SubnetId>> {
    let mut near: BTreeMap<_, Vec<SubnetInfo>> = BTreeMap::new();
    for (subnet, info) in inventory.subnets.values().zip(infos) {
        near.entry((&subnet.vpc, &subnet.az)).or_default().push(info);
    }
    let primaries = inventory.subnets.values();
    primaries.map(|subnet| discovery::candidates(&near[&(&subnet.vpc, &subnet.az)], &subnet.id, cluster)).collect()
}

fn info(subnet: &Subnet) -> SubnetInfo {
    let tags = subnet.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    SubnetInfo { id: subnet.id.clone(), available_ips: subnet.available_ips, tags }
}
