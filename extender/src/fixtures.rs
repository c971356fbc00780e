//! Builders for tests.

use std::net::Ipv4Addr;
use std::sync::Arc;

use headroom_capacity::budget::NodeKind;
use headroom_capacity::ids::PodUid;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;
use headroom_cluster::{Event, Node, Pod, SandboxFailure};

use crate::claims::Claimant;
use crate::config::{Config, Pool};
use crate::filter::Candidate;
use crate::index::{Index, KINDS};
use crate::snapshot::{NodeView, Snapshot};

pub(crate) fn node(name: &str, instance_type: &str) -> Node {
    Node {
        instance_type: Some(instance_type.into()),
        zone: Some("eu-west-1a".into()),
        ..Node::ready(name, NodeKind::Linux, 110)
    }
}

/// A pending pod that needs a pod IP.
pub(crate) fn pod(uid: &str) -> Pod {
    Pod {
        uid: uid.into(),
        namespace: "default".into(),
        name: uid.into(),
        resource_version: 1,
        node: None,
        nominated_node: None,
        priority: 0,
        demand: Demand::PodIp,
        requests: Default::default(),
        ip: None,
        terminal: false,
        deleting: false,
        schedule_failure: None,
        shortage: None,
        placement: Default::default(),
        ties: Default::default(),
        labels: Default::default(),
    }
}

pub(crate) fn waiting(uid: &str, node: &str) -> Pod {
    Pod { node: Some(node.into()), ..pod(uid) }
}

pub(crate) fn running(uid: &str, node: &str) -> Pod {
    Pod { ip: Some(Ipv4Addr::new(10, 0, 0, 4).into()), ..waiting(uid, node) }
}

pub(crate) fn candidate(uid: &str) -> Candidate {
    let claimant = Claimant { uid: uid.into(), demand: Demand::PodIp, resource_version: 1, failure: None };
    Candidate { claimant, priority: 0, prefers: false }
}

/// An index and a time that only goes forward.
pub(crate) struct World {
    pub(crate) index: Index,
    pub(crate) now: Time,
}

impl World {
    /// Synced, with these nodes and the CNI's default settings.
    pub(crate) fn with(nodes: &[(&str, &str)]) -> World {
        let mut world =
            World { index: Index::new(Config::default().evidence, &Pool { step_ms: 0 }), now: Time::from_secs(1000) };
        for kind in KINDS {
            world.apply(Event::Synced { kind, absent: false });
        }
        for (name, instance_type) in nodes {
            world.node(node(name, instance_type));
        }
        world
    }

    pub(crate) fn apply(&mut self, event: Event) {
        self.index.apply(event, self.now);
    }

    pub(crate) fn node(&mut self, node: Node) {
        self.apply(Event::NodeApplied(Box::new(node)));
    }

    pub(crate) fn pod(&mut self, pod: Pod) {
        self.apply(Event::PodApplied(Box::new(pod)));
    }

    pub(crate) fn gone(&mut self, uid: &str) {
        self.apply(Event::PodDeleted(uid.into()));
    }

    pub(crate) fn settings(&mut self, settings: CniSettings) {
        self.apply(Event::CniSettings { settings: Box::new(settings), problems: Vec::new() });
    }

    pub(crate) fn no_ip(&mut self, uid: &str) {
        self.no_ip_at(uid, self.now);
    }

    pub(crate) fn no_ip_at(&mut self, uid: &str, at: Time) {
        let pod = PodUid::from(uid);
        self.apply(Event::SandboxFailed(SandboxFailure { pod, node: None, at, ip_cause: true, message: "".into() }));
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.now = self.now + std::time::Duration::from_secs(secs);
    }

    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.index.freeze(self.now)
    }

    pub(crate) fn view(&mut self, name: &str) -> Arc<NodeView> {
        Arc::clone(self.snapshot().nodes.get(name).unwrap())
    }

    /// Pods that still fit by the instance type's limit, whatever the subnets hold.
    pub(crate) fn room(&mut self, name: &str) -> u32 {
        let slots = self.view(name).pod_ip;
        slots.now + slots.soon + slots.unproven
    }
}
