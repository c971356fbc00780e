//! Cluster events in.

mod pods;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use headroom_capacity::ids::{PodUid, SubnetId};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_cluster::{Event, Kind, Labels, Node, Placement, Ties};

use super::shared::Shared;
use super::{ClusterState, Declarations, NodeInfo};
use crate::inventory::InstanceId;

/// Keeps a [`ClusterState`] up with the cluster.
#[derive(Debug)]
pub struct State {
    /// Shared with readers: a change that comes while one has it copies all of it.
    cluster: Arc<ClusterState>,
    /// Nodes whose CNINode has the feature `SecurityGroupsForPods`. It may be seen before its node.
    trunks: HashSet<Arc<str>>,
    /// Refusals of pods that are not known yet: each watch has its own pace.
    early: HashMap<PodUid, pods::Early>,
    failing_since: HashMap<Kind, Time>,
    placements: Shared<Placement>,
    ties: Shared<Ties>,
    labels: Shared<Labels>,
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl State {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> State {
        let cluster = ClusterState { missing: Kind::PRESENT.to_vec(), ..ClusterState::default() };
        State {
            cluster: Arc::new(cluster),
            trunks: HashSet::new(),
            early: HashMap::new(),
            failing_since: HashMap::new(),
            placements: Shared::default(),
            ties: Shared::default(),
            labels: Shared::default(),
        }
    }

    /// Takes in one event.
    pub fn apply(&mut self, event: Event, now: Time) {
        match event {
            Event::NodeApplied(node) => self.node_applied(*node),
            Event::NodeDeleted(name) => {
                self.cluster().nodes.remove(&name);
            }
            Event::PodApplied(pod) => self.pod_applied(*pod, now),
            Event::PodDeleted(uid) => self.pod_gone(&uid, now),
            Event::CniNodeApplied(cni) => self.trunk(cni.name, cni.security_groups_for_pods),
            Event::CniNodeDeleted(name) => self.trunk(name, false),
            Event::EniConfigApplied(config) => {
                self.cluster().eni_configs.insert(config.name, config.subnet.map(SubnetId::from));
                self.choose_eni_configs();
            }
            Event::EniConfigDeleted(name) => {
                self.cluster().eni_configs.remove(&name);
                self.choose_eni_configs();
            }
            Event::CsiNodeApplied { name, ebs_volumes: Some(volumes) } => {
                self.cluster().ebs_volumes.insert(name, volumes);
            }
            Event::CsiNodeApplied { name, ebs_volumes: None } | Event::CsiNodeDeleted(name) => {
                self.cluster().ebs_volumes.remove(&name);
            }
            Event::CniSettings { settings, .. } => {
                self.cluster().settings = Arc::from(settings);
                self.choose_eni_configs();
            }
            Event::ControllerSettings(settings) => self.cluster().controller = settings,
            Event::SandboxFailed(failure) => self.sandbox_failed(failure, now),
            Event::DeclaredApplied(declared) => self.declared().apply(declared),
            Event::DeclaredDeleted { kind, name } => self.declared().remove(kind, &name),
            Event::Undecodable { .. } => {}
            Event::Synced { kind, absent } if kind.is_declared() => self.declared().listed(kind, absent),
            Event::Synced { kind, .. } => self.cluster().missing.retain(|missing| *missing != kind),
            Event::WatchFailed { kind, error, .. } => {
                let since = *self.failing_since.entry(kind).or_insert(now);
                if kind.is_declared() {
                    self.declared().failed(kind, &error, now.since(since));
                }
                self.judge_watches();
            }
            Event::WatchRecovered(kind) => {
                self.failing_since.remove(&kind);
                if kind.is_declared() {
                    self.declared().recovered(kind);
                }
                self.judge_watches();
            }
        }
    }

    /// The cluster as of now, without the addresses that have cooled down. Costs nothing while the last view is dropped before the
    /// next event comes; that one copies everything otherwise.
    pub fn view(&mut self, now: Time) -> Arc<ClusterState> {
        self.early.retain(|_, early| !early.is_over(now));
        if self.cluster.cooling.values().any(|until| *until <= now) {
            self.cluster().cooling.retain(|_, until| *until > now);
        }
        Arc::clone(&self.cluster)
    }

    fn cluster(&mut self) -> &mut ClusterState {
        Arc::make_mut(&mut self.cluster)
    }

    fn declared(&mut self) -> &mut Declarations {
        Arc::make_mut(&mut self.cluster().declared)
    }

    fn node_applied(&mut self, node: Node) {
        let info = NodeInfo {
            instance: node.provider_id.as_deref().and_then(InstanceId::of_provider_id),
            security_groups_for_pods: self.trunks.contains(&node.name),
            eni_config_subnet: eni_config_subnet(&node, &self.cluster.settings, &self.cluster.eni_configs),
            node,
        };
        self.cluster().nodes.insert(Arc::clone(&info.node.name), info);
    }

    fn trunk(&mut self, name: Arc<str>, wanted: bool) {
        if let Some(info) = self.cluster().nodes.get_mut(&name) {
            info.security_groups_for_pods = wanted;
        }
        if wanted {
            self.trunks.insert(name);
        } else {
            self.trunks.remove(&name);
        }
    }

    /// The choice of each node anew: ENIConfigs and settings change rarely.
    fn choose_eni_configs(&mut self) {
        let ClusterState { settings, nodes, eni_configs, .. } = self.cluster();
        for info in nodes.values_mut() {
            info.eni_config_subnet = eni_config_subnet(&info.node, settings, eni_configs);
        }
    }

    /// Nodes and pods are what every answer is made of; of the others an old state is as good for a while.
    fn judge_watches(&mut self) {
        let since = [Kind::Node, Kind::Pod].iter().filter_map(|kind| self.failing_since.get(kind)).min().copied();
        self.cluster().failing_since = since;
    }
}

type EniConfigs = BTreeMap<Arc<str>, Option<SubnetId>>;

fn eni_config_subnet(node: &Node, settings: &CniSettings, configs: &EniConfigs) -> Option<SubnetId> {
    configs.get(node.eni_config(settings)?)?.clone()
}

#[cfg(test)]
mod tests;
