//! What Kubernetes shows of nodes and pods, change by change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use headroom_cluster::drain::{MARK, Mark};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinHandle;

use crate::scaling::is_held;

/// The state, and what there was.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Whether each node is held.
    pub(super) nodes: BTreeMap<String, bool>,
    /// Whether each pod is Ready and not on its way out, by UID.
    pub(super) pods: BTreeMap<String, bool>,
    /// Every scale-in that was begun, in order.
    pub(super) begun: Vec<Mark>,
    /// From when on, and how many pods there must be that are Ready.
    budget: Option<usize>,
    /// The least of them since.
    pub(super) least: Option<usize>,
}

impl State {
    pub(super) fn held(&self) -> Vec<&str> {
        self.nodes.iter().filter(|(_, held)| **held).map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn healthy(&self) -> usize {
        self.pods.values().filter(|healthy| **healthy).count()
    }

    /// From now on at least so many pods must be healthy.
    pub(super) fn guard(&mut self, budget: usize) {
        self.budget = Some(budget);
    }

    /// How many there were where there were too few.
    pub(super) fn broken(&self) -> Option<usize> {
        self.least.filter(|least| self.budget.is_some_and(|budget| *least < budget))
    }

    fn node(&mut self, node: &Node) {
        self.nodes.insert(node.name_any(), is_held(node));
        let mark = node.annotations().get(MARK).and_then(|text| Mark::parse(text));
        let same =
            |other: &Mark, mark: &Mark| (other.began_at_ms, &other.instance) == (mark.began_at_ms, &mark.instance);
        if let Some(mark) = mark.filter(|mark| !self.begun.iter().any(|other| same(other, mark))) {
            self.begun.push(mark);
        }
    }

    fn pod(&mut self, pod: &Pod) {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let ready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True");
        let healthy = ready && pod.metadata.deletion_timestamp.is_none();
        self.pods.insert(pod.uid().unwrap_or_default(), healthy);
        self.count();
    }

    fn count(&mut self) {
        if self.budget.is_some() {
            let healthy = self.healthy();
            self.least = Some(self.least.map_or(healthy, |least| least.min(healthy)));
        }
    }
}

/// Follows the cluster until it is dropped.
#[derive(Debug)]
pub(super) struct Seen {
    state: Arc<Mutex<State>>,
    tasks: [JoinHandle<()>; 2],
}

impl Seen {
    pub(super) fn of(client: &Client) -> Seen {
        let state = Arc::new(Mutex::new(State::default()));
        let (for_nodes, for_pods) = (Arc::clone(&state), Arc::clone(&state));
        let nodes = watcher(Api::<Node>::all(client.clone()), watcher::Config::default()).default_backoff();
        let nodes = nodes.for_each(move |event| {
            let mut state = lock(&for_nodes);
            match event {
                Ok(Event::Apply(node) | Event::InitApply(node)) => state.node(&node),
                Ok(Event::Delete(node)) => drop(state.nodes.remove(&node.name_any())),
                Ok(Event::Init | Event::InitDone) | Err(_) => {}
            }
            std::future::ready(())
        });
        let pods = Api::<Pod>::namespaced(client.clone(), "default");
        let pods = watcher(pods, watcher::Config::default()).default_backoff().for_each(move |event| {
            let mut state = lock(&for_pods);
            match event {
                Ok(Event::Apply(pod) | Event::InitApply(pod)) => state.pod(&pod),
                Ok(Event::Delete(pod)) => {
                    state.pods.remove(&pod.uid().unwrap_or_default());
                    state.count();
                }
                Ok(Event::Init | Event::InitDone) | Err(_) => {}
            }
            std::future::ready(())
        });
        Seen { state, tasks: [tokio::spawn(nodes), tokio::spawn(pods)] }
    }

    pub(super) fn now(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
