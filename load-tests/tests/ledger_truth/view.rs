//! What the advisor sees: EC2's answers and the Kubernetes watch, in the advisor's own types.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use headroom_advisor::inventory::{InstanceId, Inventory, Reservation};
use headroom_advisor::state::{ClusterState, NodeInfo, PodInfo};
use headroom_capacity::budget::NodeKind;
use headroom_capacity::ids::{PodUid, SubnetId};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;
use headroom_cluster::Node;
use headroom_lab::aws::{self, Vpc};
use headroom_lab::kube::resource::{NODES, PODS};
use headroom_lab::kube::store::ChangeKind;
use headroom_lab::kube::{Change, Store, object};
use headroom_lab::node::pod::POD_ENI;
use headroom_load_tests::seen::{eni, group, instance, subnet};
use serde_json::Value;

pub(crate) fn inventory(vpc: &Vpc, cluster: &str, now: Time) -> Inventory {
    let mut inventory = Inventory { vpc: Some(vpc.id().into()), ..Inventory::default() };
    for view in vpc.subnets(now) {
        let reservations = vpc.reservations(&view.id).unwrap().iter();
        let reservations = reservations.map(|one| Reservation { cidr: one.cidr, kind: one.kind });
        inventory.reservations.insert(view.id.clone(), reservations.collect());
        inventory.subnets.insert(view.id.clone(), subnet(vpc, view));
    }
    inventory.enis = vpc.enis().map(eni).collect();
    let instances = vpc.instances().filter(|one| one.state != aws::InstanceState::Terminated);
    inventory.instances = instances.map(|one| instance(one, cluster)).map(|one| (one.id.clone(), one)).collect();
    inventory.groups = vpc.groups().map(group).map(|one| (one.name.clone(), one)).collect();
    inventory
}

/// Follows nodes and pods as watches would, each change at its own time.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: u64,
    state: ClusterState,
    /// When each address was given back by a pod that had shown it.
    pub(crate) released: BTreeMap<Ipv4Addr, Time>,
}

impl Watch {
    pub(crate) fn new(settings: CniSettings, eni_configs: BTreeMap<Arc<str>, Option<SubnetId>>) -> Watch {
        let state = ClusterState { settings: Arc::new(settings), eni_configs, ..ClusterState::default() };
        Watch { state, ..Watch::default() }
    }

    pub(crate) fn state(&self) -> &ClusterState {
        &self.state
    }

    pub(crate) fn follow(&mut self, store: &Store) {
        for change in store.changes_since(self.seen).expect("the log is longer than a run between two looks") {
            match change.resource {
                kind if *kind == NODES => self.node(change),
                kind if *kind == PODS => self.pod(change),
                _ => {}
            }
        }
        self.seen = store.revision();
    }

    fn node(&mut self, change: &Change) {
        let name: Arc<str> = object::name(&change.object).into();
        if change.kind == ChangeKind::Deleted {
            self.state.nodes.remove(&name);
            return;
        }
        let label = |key: &str| change.object["metadata"]["labels"][key].as_str().map(Arc::<str>::from);
        let settings = &self.state.settings;
        let config = label(&settings.eni_config_label).filter(|_| settings.custom_networking);
        let provider_id = object::text(&change.object, "/spec/providerID");
        let node = Node {
            instance_type: label("node.kubernetes.io/instance-type"),
            zone: label("topology.kubernetes.io/zone"),
            provider_id: Some(provider_id.into()),
            unschedulable: change.object["spec"]["unschedulable"] == true,
            ..Node::ready(
                &name,
                NodeKind::Linux,
                object::text(&change.object, "/status/capacity/pods").parse().unwrap_or(0),
            )
        };
        let info = NodeInfo {
            node,
            instance: InstanceId::of_provider_id(provider_id),
            security_groups_for_pods: false,
            eni_config_subnet: config.and_then(|name| self.state.eni_configs.get(&name).cloned().flatten()),
        };
        self.state.nodes.insert(name, info);
    }

    fn pod(&mut self, change: &Change) {
        let uid = PodUid::from(object::uid(&change.object));
        let old = self.state.pods.remove(&uid);
        let new = pod(&change.object, change.at).filter(|_| change.kind != ChangeKind::Deleted);
        let holds = |pod: &Option<PodInfo>| pod.as_ref().and_then(|pod| pod.ip);
        if let (Some(ip), None) = (holds(&old), holds(&new)) {
            // With its node the data store is gone that would hold it back.
            let node = old.and_then(|pod| pod.node).filter(|node| self.state.nodes.contains_key(node));
            if node.is_some() {
                self.released.insert(ip, change.at);
                // ipamd bars the last instant of the period too.
                let until = change.at + self.state.settings.ip_cooldown + Duration::from_millis(1);
                self.state.cooling.insert(ip, until);
            }
        }
        if let Some(new) = new {
            self.state.pods.insert(uid, new);
        }
    }
}

fn pod(pod: &Value, at: Time) -> Option<PodInfo> {
    let host = pod["spec"]["hostNetwork"] == true;
    let branch = !pod["spec"]["containers"][0]["resources"]["limits"][POD_ENI].is_null();
    let over = matches!(object::text(pod, "/status/phase"), "Succeeded" | "Failed");
    let ip = object::text(pod, "/status/podIP").parse().ok().filter(|_| !over && !host);
    let node = Some(object::text(pod, "/spec/nodeName")).filter(|name| !name.is_empty()).map(Arc::from);
    let demand = match (host, branch) {
        (true, _) => Demand::None,
        (_, true) => Demand::BranchEni,
        _ => Demand::PodIp,
    };
    let waiting_since = (node.is_some() && ip.is_none() && !over && !host).then_some(at);
    Some(PodInfo {
        name: object::name(pod).into(),
        node,
        demand,
        requests: Default::default(),
        scheduling: Default::default(),
        ip,
        over,
        shortage: None,
        refused_at: None,
        waiting_since,
    })
}
