//! The state of a lab in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use super::{Node, World, lock};
use crate::aws::{InstanceId, SubnetView, Vpc};
use crate::node::kubelet::Kubelet;
use crate::node::object::Readiness;
use crate::node::pod::Network;

/// A lab at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lab time since the start.
    pub elapsed: Duration,
    /// Registered nodes, by name.
    pub nodes: Vec<NodeReport>,
    /// Subnets, in the scenario's order.
    pub subnets: Vec<SubnetReport>,
    /// Sums over all pods that need an address of their own.
    pub totals: Totals,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its instance type.
    pub instance_type: String,
    /// Whether its Ready condition is true.
    pub ready: bool,
    /// kubelet's max-pods.
    pub max_pods: u32,
    /// Pods bound here that have not ended, host-network ones included: what max-pods counts.
    pub pods_bound: u32,
    /// Those that have an address of their own.
    pub pods_with_ip: u32,
    /// Addresses for pods that are attached.
    pub ips_total: Ips,
    /// Held by pods.
    pub ips_assigned: Ips,
    /// Released, not yet usable.
    pub ips_cooling: Ips,
    /// ENIs attached.
    pub enis_attached: Enis,
    /// ENIs that the instance type allows.
    pub enis_max: Enis,
    /// Pods that asked for an address and did not get one yet, by namespace and name.
    pub waiting: Vec<WaitingPod>,
}

/// A pod that is bound and has no address, although kubelet has asked for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// CNI ADDs that failed.
    pub failed_adds: u32,
    /// kubelet's last message.
    pub last_message: String,
}

/// One subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetReport {
    /// Its name in the scenario.
    pub name: String,
    /// Its ID.
    pub id: String,
    /// Free addresses.
    pub free_ips: Ips,
    /// Free aligned /28 blocks.
    pub free_prefixes: Prefixes,
}

/// Sums over all pods that need an address of their own and have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bound to a node.
    pub bound: u32,
    /// Of the bound ones, those with an address.
    pub with_ip: u32,
    /// Of the bound ones, those without an address that at least one CNI ADD failed for.
    pub hanging: u32,
    /// Not bound to a node.
    pub unbound: u32,
    /// CNI ADDs that failed for want of an address, since the start, of ended pods too.
    pub failed_adds: u64,
    /// Pods with an address of their own that ran on a node when its instance ended, since the start: nobody had drained it.
    pub lost: u32,
}

impl World {
    /// The state now.
    #[must_use]
    pub fn report(&self) -> Report {
        let (mut nodes, subnets) = {
            let vpc = lock(&self.vpc);
            let enis = |id: &InstanceId| Enis(count(vpc.enis_of(id)));
            let nodes: Vec<NodeReport> = self.nodes.iter().map(|(id, node)| self.node_report(node, enis(id))).collect();
            (nodes, self.subnet_reports(&vpc))
        };
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Report { elapsed: self.now.since(self.started), nodes, subnets, totals: self.totals() }
    }

    fn node_report(&self, node: &Node, enis_attached: Enis) -> NodeReport {
        let (identity, kubelet) = (&node.agent.identity, node.agent.kubelet_state());
        let pool = node.agent.pool(self.now);
        let budget = node.agent.ipamd().map(|ipamd| ipamd.config().budget);
        let waiting = kubelet.waiting().map(|waiting| WaitingPod {
            namespace: waiting.pod.namespace.clone(),
            name: waiting.pod.name.clone(),
            failed_adds: waiting.failed_adds,
            last_message: waiting.message.to_owned(),
        });
        let mut waiting: Vec<WaitingPod> = waiting.collect();
        waiting.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        NodeReport {
            name: identity.name.clone(),
            instance_type: identity.instance_type.clone(),
            ready: node.agent.readiness == Readiness::Ready,
            max_pods: identity.max_pods,
            pods_bound: kubelet.active(),
            pods_with_ip: count(kubelet.addresses().filter(|(_, ip)| ip.is_some())),
            ips_total: pool.total,
            ips_assigned: pool.assigned,
            ips_cooling: pool.cooling,
            enis_attached,
            enis_max: budget.map_or(Enis::ZERO, |budget| budget.max_enis),
            waiting,
        }
    }

    fn subnet_reports(&self, vpc: &Vpc) -> Vec<SubnetReport> {
        let views: BTreeMap<SubnetId, SubnetView> = vpc.subnets(self.now).map(|view| (view.id.clone(), view)).collect();
        let in_order = self.scenario.subnets.iter().filter_map(|spec| {
            let view = views.get(self.subnets.get(&spec.name)?)?;
            Some(SubnetReport {
                name: spec.name.clone(),
                id: view.id.to_string(),
                free_ips: view.free_ips,
                free_prefixes: view.free_prefixes,
            })
        });
        in_order.collect()
    }

    fn totals(&self) -> Totals {
        let live = self.pods.values().filter(|pod| pod.network != Network::Host && !pod.ended);
        let (bound, unbound): (Vec<_>, Vec<_>) = live.partition(|pod| pod.node.is_some());
        let kubelets = || self.nodes.values().map(|node| node.agent.kubelet_state());
        Totals {
            bound: count(bound.iter()),
            with_ip: kubelets().map(|one| count(one.addresses().filter(|(_, ip)| ip.is_some()))).sum(),
            hanging: kubelets().map(|one| count(one.waiting())).sum(),
            unbound: count(unbound.iter()),
            failed_adds: self.failed_adds_of_gone_nodes + kubelets().map(Kubelet::failed_adds).sum::<u64>(),
            lost: self.lost,
        }
    }
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
