//! Pods: what kubelets do to them, and the workloads that make them.

use std::collections::VecDeque;

use headroom_capacity::ids::PodUid;
use serde_json::{Value, json};

use super::workload::Running;
use super::{Due, Owner, World, lock};
use crate::aws::InstanceId;
use crate::kube::resource::{EVENTS, PODS};
use crate::kube::{DeleteOptions, Part, object as fields};
use crate::node::agent::Act;
use crate::node::correlator::Record;
use crate::node::kubelet::{Input, Status};
use crate::node::pod::PodView;
use crate::node::{status, timestamp};

/// How long a controller takes to replace a pod.
const REPLACE: std::time::Duration = std::time::Duration::from_millis(500);

impl World {
    /// Gives kubelet its input and does what it wants.
    pub(super) fn kubelet(&mut self, id: &InstanceId, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(node) = self.nodes.get_mut(id).filter(|node| node.alive) else { return };
            for act in node.agent.kubelet(input, self.now, &mut self.rng) {
                match act {
                    Act::After(time, timer) => self.queue.push(self.now + time, Due::Kubelet(id.clone(), timer)),
                    Act::BranchAdd(uid) => inputs.push_back(self.branch_add(id, &uid)),
                    Act::BranchDel(uid) => self.branch_release(id, &uid),
                    Act::Status(pod, status) => self.write_status(id, &pod, &status),
                    Act::Event(pod, reason, record) => self.write_event(id, &pod, reason, &record),
                    Act::Remove(pod) => self.remove(&pod),
                }
            }
        }
    }

    fn branch_release(&mut self, id: &InstanceId, uid: &PodUid) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.agent.branch.release(uid, self.now);
        }
    }

    fn write_status(&self, id: &InstanceId, pod: &PodView, wanted: &Status) {
        let Some(node) = self.nodes.get(id) else { return };
        let mut store = lock(&self.store);
        let current = store.get(&PODS, &pod.namespace, &pod.name).filter(|now| fields::uid(now) == pod.uid.as_str());
        let Some(mut next) = current.map(|current| Value::clone(current)) else { return };
        status::write(&mut next, pod, wanted, node.agent.identity.ip, self.now);
        if let Err(error) = store.update(&PODS, next, Part::Status, self.now) {
            tracing::warn!(pod = %pod.name, %error, "the pod's status was not written");
        }
    }

    /// An event as kubelet's recorder writes it: the same object for as long as its series goes on.
    fn write_event(&self, id: &InstanceId, pod: &PodView, reason: &str, record: &Record) {
        let Some(node) = self.nodes.get(id) else { return };
        let name = format!("{}.{:x}{:02x}", pod.name, record.first.as_millis(), record.series);
        let (first, last) = (timestamp(record.first), timestamp(record.last));
        let host = &node.agent.identity.name;
        let mut store = lock(&self.store);
        let written = if let Some(current) = store.get(&EVENTS, &pod.namespace, &name) {
            let mut next = Value::clone(current);
            next["count"] = json!(record.count);
            next["message"] = json!(record.message);
            next["lastTimestamp"] = json!(last);
            store.update(&EVENTS, next, Part::Main, self.now)
        } else {
            let event = json!({
                "metadata": { "name": name, "namespace": pod.namespace },
                "involvedObject": {
                    "apiVersion": "v1", "kind": "Pod",
                    "namespace": pod.namespace, "name": pod.name, "uid": pod.uid.as_str(),
                },
                "type": "Warning", "reason": reason, "message": record.message, "count": record.count,
                "firstTimestamp": first, "lastTimestamp": last, "eventTime": null,
                "source": { "component": "kubelet", "host": host },
                "reportingComponent": "kubelet", "reportingInstance": host,
            });
            store.create(&EVENTS, event, self.now)
        };
        if let Err(error) = written {
            tracing::warn!(pod = %pod.name, %error, "the event was not written");
        }
    }

    /// The pod's name may be another's by now: its UID must match.
    fn remove(&self, pod: &PodView) {
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(pod.uid.as_str().to_owned()),
            ..DeleteOptions::default()
        };
        if let Err(error) = lock(&self.store).delete(&PODS, &pod.namespace, &pod.name, &options, self.now) {
            tracing::debug!(%error, "the pod is gone already");
        }
    }

    /// A workload's controller makes one more pod.
    pub(super) fn create_pod(&mut self, index: usize) {
        let Some(workload) = self.workloads.get_mut(index).filter(|workload| !workload.over) else { return };
        let mut store = lock(&self.store);
        if workload.owner_uid.is_empty() {
            let owner = Running::owner(&workload.spec, &workload.namespace);
            match store.create(Running::owner_resource(&workload.spec), owner, self.now) {
                Ok(owner) => workload.owner_uid = fields::uid(&owner).to_owned(),
                Err(error) => tracing::warn!(workload = %workload.spec.name, %error, "the owner was not created"),
            }
        }
        match store.create(&PODS, workload.pod(), self.now) {
            Ok(pod) => {
                let owner = Owner { workload: index, replaced: false };
                self.owners.insert(PodUid::from(fields::uid(&pod)), owner);
            }
            Err(error) => tracing::warn!(workload = %workload.spec.name, %error, "the pod was not created"),
        }
    }

    /// The workload is scaled to nothing and its owner deleted.
    pub(super) fn delete_all(&mut self, index: usize) {
        let Some(workload) = self.workloads.get_mut(index) else { return };
        workload.over = true;
        let mine = |pod: &&PodView| self.owners.get(&pod.uid).is_some_and(|owner| owner.workload == index);
        let mut store = lock(&self.store);
        for pod in self.pods.values().filter(mine) {
            let deleted = store.delete(&PODS, &pod.namespace, &pod.name, &DeleteOptions::default(), self.now);
            if let Err(error) = deleted {
                tracing::debug!(%error, "the pod is gone already");
            }
        }
        let owner = Running::owner_resource(&workload.spec);
        if let Err(error) = store.delete_now(owner, &workload.namespace, &workload.spec.name, self.now) {
            tracing::debug!(%error, "the owner is gone already");
        }
    }

    /// A pod has failed or is gone: its workload makes another, once, if it is one that does.
    pub(super) fn replace(&mut self, uid: &PodUid) {
        let ended_well = self.pods.get(uid).is_some_and(|pod| pod.ended && pod.run_for.is_some());
        let Some(owner) = self.owners.get_mut(uid).filter(|owner| !owner.replaced && !ended_well) else { return };
        if self.workloads.get(owner.workload).is_some_and(|workload| workload.spec.replace && !workload.over) {
            owner.replaced = true;
            self.queue.push(self.now + REPLACE, Due::Create(owner.workload));
        }
    }
}
