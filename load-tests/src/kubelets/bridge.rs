//! Carries changes between the lab's store and the API server.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::StreamExt as _;
use headroom_lab::clock::Clock;
use headroom_lab::kube::resource::{CNI_NODES, EVENTS, NODES, PODS};
use headroom_lab::kube::selector::Selector;
use headroom_lab::kube::store::ChangeKind;
use headroom_lab::kube::{Object, Part, Resource, Store, object};
use headroom_lab::node::pod::{Network, PodView};
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch_objects};
use kube::{Client, Resource as _};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::lane::{Lanes, What, Write};
use super::{Placements, lock};

/// What the lab writes to the server while it runs; the rest is there from the start.
static CARRIED: [&Resource; 4] = [&NODES, &CNI_NODES, &PODS, &EVENTS];

pub(super) struct Bridge {
    store: Arc<Mutex<Store>>,
    clock: Clock,
    lanes: Lanes,
    placements: Arc<Mutex<Placements>>,
    /// Revision of the store up to which changes were carried.
    carried: u64,
    /// Pods that came from the server: namespace and name, and the UID.
    pods: HashMap<(String, String), String>,
    ready_nodes: HashSet<String>,
    ready: watch::Sender<usize>,
}

impl Bridge {
    pub(super) fn new(
        store: Arc<Mutex<Store>>,
        clock: Clock,
        lanes: Lanes,
        placements: Arc<Mutex<Placements>>,
        ready: watch::Sender<usize>,
    ) -> Bridge {
        let (pods, ready_nodes) = (HashMap::new(), HashSet::new());
        Bridge { store, clock, lanes, placements, carried: 0, pods, ready_nodes, ready }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(mut self, client: Client) {
        let mut changes = lock(&self.store).subscribe();
        self.carry_all();
        let bound = watcher::Config::default().fields("spec.nodeName!=");
        let mut pods = pin!(watch_objects(api(&client, &PODS), bound).default_backoff());
        let mut nodes = pin!(watch_objects(api(&client, &NODES), watcher::Config::default()).default_backoff());
        let mut listed = HashSet::new();
        loop {
            tokio::select! {
                // The world holds the store for as long as this task runs.
                _ = changes.changed() => self.carry(),
                Some(event) = pods.next() => match event {
                    Ok(event) => self.see_pod_event(event, &mut listed),
                    Err(error) => tracing::warn!(%error, "the watch of pods goes on in a moment"),
                },
                Some(event) = nodes.next() => match event {
                    Ok(Event::Apply(node) | Event::InitApply(node)) => self.see_node(node),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "the watch of nodes goes on in a moment"),
                },
            }
        }
    }

    /// Everything that the lab has made so far.
    fn carry_all(&mut self) {
        let store = self.store.clone();
        let store = lock(&store);
        self.carried = store.revision();
        for resource in CARRIED {
            for object in store.list(resource, &Selector::default()) {
                self.carry_one(resource, ChangeKind::Modified, object);
            }
        }
    }

    fn carry(&mut self) {
        let store = self.store.clone();
        if !self.carry_from(&lock(&store)) {
            tracing::warn!("the lab's log was faster than the bridge: all objects are carried again");
            self.carry_all();
        }
    }

    /// Hands what has changed in the lab to the lanes; false when the log does not reach back far enough.
    fn carry_from(&mut self, store: &Store) -> bool {
        let Ok(changes) = store.changes_since(self.carried) else { return false };
        for change in changes {
            self.carry_one(change.resource, change.kind, &change.object);
        }
        self.carried = store.revision();
        true
    }

    fn carry_one(&self, resource: &'static Resource, kind: ChangeKind, object: &Object) {
        let Some(&resource) = CARRIED.iter().find(|carried| **carried == resource) else { return };
        let from_server = *resource == PODS && self.is_from_server(object);
        let what = match (kind, from_server) {
            (ChangeKind::Deleted, true) => What::Delete,
            // A pod that the lab made is the lab's until the server shows it.
            (ChangeKind::Deleted, false) if *resource == PODS => return,
            (ChangeKind::Deleted, false) => What::Delete,
            (_, true) => What::PodStatus,
            (_, false) => What::Put,
        };
        self.lanes.send(Write { resource, what, object: object.clone() });
    }

    fn is_from_server(&self, pod: &Value) -> bool {
        let key = (object::namespace(pod).to_owned(), object::name(pod).to_owned());
        self.pods.get(&key).is_some_and(|uid| uid == object::uid(pod))
    }

    /// Changes the lab's store without carrying that back.
    fn change<T>(&mut self, change: impl FnOnce(&mut Store, headroom_capacity::time::Time) -> T) -> T {
        let store = self.store.clone();
        let mut store = lock(&store);
        if !self.carry_from(&store) {
            drop(store);
            self.carry();
            return self.change(change);
        }
        let result = change(&mut store, self.clock.now());
        self.carried = store.revision();
        result
    }

    fn see_pod_event(&mut self, event: Event<DynamicObject>, listed: &mut HashSet<(String, String)>) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(pod) => {
                let pod = value(pod);
                listed.insert((object::namespace(&pod).to_owned(), object::name(&pod).to_owned()));
                self.see_pod(pod);
            }
            Event::InitDone => {
                let gone: Vec<_> = self.pods.keys().filter(|key| !listed.contains(*key)).cloned().collect();
                for key in gone {
                    self.pod_gone(&key);
                }
            }
            Event::Apply(pod) => self.see_pod(value(pod)),
            Event::Delete(pod) => {
                let meta = pod.meta();
                self.pod_gone(&(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default()));
            }
        }
    }

    fn see_pod(&mut self, pod: Value) {
        let Some(view) = PodView::from_object(&pod) else { return };
        let uid = view.uid.as_str().to_owned();
        let old = self.pods.insert((view.namespace, view.name), uid.clone()).filter(|old| *old != uid);
        let has_ip = !object::text(&pod, "/status/podIP").is_empty();
        {
            let mut placements = lock(&self.placements);
            if let Some(old) = old {
                placements.gone(&old);
            }
            match view.node {
                Some(node) if view.network == Network::Pool && !view.ended => {
                    placements.see(&uid, &node, has_ip, Instant::now())
                }
                _ => placements.gone(&uid),
            }
        }
        if let Err(error) = self.change(|store, now| store.mirror(&PODS, pod, now).map(drop)) {
            tracing::error!(%error, "the lab did not take a pod of the API server");
        }
    }

    fn pod_gone(&mut self, key: &(String, String)) {
        let Some(uid) = self.pods.remove(key) else { return };
        lock(&self.placements).gone(&uid);
        self.change(|store, now| store.mirror_gone(&PODS, &key.0, &key.1, &uid, now));
    }

    /// Cordoning is what others do to a node; and whether it takes pods is what the caller waits for.
    fn see_node(&mut self, node: DynamicObject) {
        let node = value(node);
        let name = object::name(&node).to_owned();
        let tainted =
            object::items(&node, "/spec/taints").iter().any(|taint| taint["key"] == "node.kubernetes.io/not-ready");
        if object::condition(&node, "Ready") == "True" && !tainted && self.ready_nodes.insert(name.clone()) {
            self.ready.send_replace(self.ready_nodes.len());
        }
        let cordoned = node["spec"]["unschedulable"] == json!(true);
        let result = self.change(|store, now| {
            let current =
                store.get(&NODES, "", &name).filter(|node| (node["spec"]["unschedulable"] == json!(true)) != cordoned);
            let Some(mut next) = current.map(|node| Value::clone(node)) else { return Ok(()) };
            next["spec"]["unschedulable"] = json!(cordoned);
            store.update(&NODES, next, Part::Main, now).map(drop)
        });
        if let Err(error) = result {
            tracing::error!(%error, node = name, "the lab did not take a node's cordon");
        }
    }
}

fn api(client: &Client, resource: &Resource) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: resource.group.to_owned(),
        version: resource.version.to_owned(),
        api_version: resource.api_version(),
        kind: resource.kind.to_owned(),
        plural: resource.plural.to_owned(),
    };
    Api::all_with(client.clone(), &resource)
}

/// As the lab keeps objects, without the record of who wrote which field.
fn value(object: DynamicObject) -> Value {
    let DynamicObject { mut metadata, data: mut value, .. } = object;
    metadata.managed_fields = None;
    value["metadata"] = json!(metadata);
    value
}
