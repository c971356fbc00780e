//! What the pods on each node take.

use std::collections::HashMap;

use headroom_capacity::binding::{Mix, Used, need};
use headroom_capacity::verdict::Demand;

use crate::state::ClusterState;

/// What runs on one node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OnNode {
    /// Pods with an address of their own.
    pub(crate) mix: Mix,
    /// What those on the host's network take: agents for the most part, one of each on every node.
    pub(crate) host: Used,
}

impl OnNode {
    pub(crate) fn used(&self) -> Used {
        let mut used = self.host;
        used.add(self.mix.sum());
        used
    }
}

/// By node.
#[derive(Debug)]
pub(crate) struct Usage<'a>(HashMap<&'a str, OnNode>);

impl<'a> Usage<'a> {
    /// Pods that are bound and not over: kubelet and kube-scheduler count them until then, deleted ones too.
    pub(crate) fn of(state: &'a ClusterState) -> Usage<'a> {
        let mut nodes: HashMap<&str, OnNode> = HashMap::with_capacity(state.nodes.len());
        for pod in state.pods.values().filter(|pod| !pod.over) {
            let Some(name) = pod.node.as_deref() else { continue };
            let on = nodes.entry(name).or_default();
            let need = need(pod.demand, &pod.requests);
            match pod.demand {
                Demand::None => on.host.add(&need),
                Demand::PodIp | Demand::BranchEni | Demand::WindowsIp => on.mix.add(&need),
            }
        }
        Usage(nodes)
    }

    pub(crate) fn on(&self, node: &str) -> OnNode {
        self.0.get(node).copied().unwrap_or_default()
    }
}
