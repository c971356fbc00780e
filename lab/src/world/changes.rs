//! What clients and the world itself wrote to the store.

use std::collections::BTreeSet;

use headroom_capacity::ids::PodUid;
use serde_json::{Value, json};

use super::{World, lock};
use crate::kube::resource::{NODES, POD_DISRUPTION_BUDGETS, PODS};
use crate::kube::selector::Selector;
use crate::kube::store::ChangeKind;
use crate::kube::{Object, Part, object};
use crate::node::kubelet::Input;
use crate::node::pod::PodView;

const CORDON_TAINT: &str = "node.kubernetes.io/unschedulable";

enum Seen {
    Pod(Object),
    PodGone(Object),
    Node(Object),
}

impl World {
    /// Acts on every change since the last call, until there is none: acting makes new ones.
    pub(super) fn see_changes(&mut self) {
        loop {
            let Some(changes) = self.read_changes() else {
                self.list_again();
                continue;
            };
            if changes.is_empty() {
                return;
            }
            for change in changes {
                match change {
                    Seen::Pod(pod) => self.see_pod(&pod),
                    Seen::PodGone(pod) => self.pod_gone(&PodUid::from(object::uid(&pod))),
                    Seen::Node(node) => self.see_node(&node),
                }
            }
        }
    }

    /// `None` when the log does not reach back far enough. Budgets of pods that have changed are counted anew.
    fn read_changes(&mut self) -> Option<Vec<Seen>> {
        let mut store = lock(&self.store);
        let (mut seen, mut budgets) = (Vec::new(), BTreeSet::new());
        for change in store.changes_since(self.seen).ok()? {
            let object = change.object.clone();
            if change.resource == &PODS || change.resource == &POD_DISRUPTION_BUDGETS {
                budgets.insert(object::namespace(&object).to_owned());
            }
            match (change.resource == &PODS, change.kind) {
                (true, ChangeKind::Deleted) => seen.push(Seen::PodGone(object)),
                (true, _) => seen.push(Seen::Pod(object)),
                (false, ChangeKind::Added | ChangeKind::Modified) if change.resource == &NODES => {
                    seen.push(Seen::Node(object));
                }
                _ => {}
            }
        }
        self.seen = store.revision();
        budgets.iter().for_each(|namespace| store.sync_disruption_budgets(namespace, self.now));
        Some(seen)
    }

    fn list_again(&mut self) {
        let (pods, nodes): (Vec<Object>, Vec<Object>) = {
            let store = lock(&self.store);
            self.seen = store.revision();
            let all = Selector::default();
            (store.list(&PODS, &all).cloned().collect(), store.list(&NODES, &all).cloned().collect())
        };
        let mut gone: Vec<PodUid> = self.pods.keys().cloned().collect();
        gone.retain(|uid| !pods.iter().any(|pod| object::uid(pod) == uid.as_str()));
        gone.iter().for_each(|uid| self.pod_gone(uid));
        pods.iter().for_each(|pod| self.see_pod(pod));
        nodes.iter().for_each(|node| self.see_node(node));
    }

    fn see_pod(&mut self, pod: &Value) {
        let Some(view) = PodView::from_object(pod) else { return };
        if object::text(pod, "/status/phase") == "Failed" {
            self.replace(&view.uid);
        }
        let node = view.node.as_ref().and_then(|name| self.by_name.get(name)).cloned();
        self.pods.insert(view.uid.clone(), view.clone());
        if let Some(id) = node {
            self.kubelet(&id, Input::Seen(view));
        }
    }

    fn pod_gone(&mut self, uid: &PodUid) {
        self.replace(uid);
        self.owners.remove(uid);
        let Some(view) = self.pods.remove(uid) else { return };
        if let Some(id) = view.node.as_ref().and_then(|name| self.by_name.get(name)).cloned() {
            self.kubelet(&id, Input::Gone(uid.clone()));
        }
    }

    /// Cordoning reaches ipamd, and the taint follows `spec.unschedulable` (k/k `pkg/controller/nodelifecycle`).
    fn see_node(&mut self, node: &Value) {
        let cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
        let Some(id) = self.by_name.get(object::name(node)) else { return };
        if let Some(known) = self.nodes.get_mut(id) {
            known.agent.cordon(cordoned, self.now, &mut self.rng);
        }
        let tainted = object::items(node, "/spec/taints").iter().any(|taint| taint["key"] == CORDON_TAINT);
        if tainted == cordoned {
            return;
        }
        let mut node = node.clone();
        let mut taints = object::items(&node, "/spec/taints").to_vec();
        taints.retain(|taint| taint["key"] != CORDON_TAINT);
        if cordoned {
            taints
                .push(json!({ "key": CORDON_TAINT, "effect": "NoSchedule", "timeAdded": object::timestamp(self.now) }));
        }
        node["spec"]["taints"] = Value::Array(taints);
        if let Err(error) = lock(&self.store).update(&NODES, node, Part::Main, self.now) {
            tracing::debug!(%error, "the node has changed again; its next change is seen too");
        }
    }
}
