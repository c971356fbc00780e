//! A small scheduler for the lab: kube-scheduler's loop (one pod at a time: filter, extender, score, assume, bind) over the
//! Kubernetes API, with its queue and back-off, without its plugins beyond resources and taints.
//!
//! It stands in where kube-scheduler itself would have to be built first. What it sends to the extender and what it does with
//! the answer is kube-scheduler's (`pkg/scheduler/schedule_one.go`, `pkg/scheduler/extender.go`).

mod extender;
mod fit;
mod queue;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{Stream, StreamExt as _};
use headroom_lab::clock::Clock;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use extender::Extender;
use fit::{NodeInfo, Resources, fit_error};
use queue::Queue;

/// How [`run`] schedules.
#[derive(Clone, Debug)]
pub struct Options {
    /// The extender's URL prefix, `http://127.0.0.1:9270/v1`; `None` for plain scheduling.
    pub extender: Option<String>,
    /// The clock of the back-off.
    pub clock: Clock,
}

#[derive(Debug)]
enum Change {
    Pod(Box<Pod>),
    PodGone(Box<Pod>),
    Node(Box<Node>),
    NodeGone(String),
}

/// The scheduler's cache and queue.
struct Scheduler {
    client: Client,
    recorder: Recorder,
    clock: Clock,
    extender: Option<Extender>,
    nodes: BTreeMap<String, NodeInfo>,
    /// Where each bound or assumed pod is, by UID.
    placed: HashMap<String, String>,
    pending: HashMap<String, Pod>,
    queue: Queue,
}

/// Schedules until `stop` ends.
///
/// # Errors
/// When a watch ends for good; a single pod's failure is logged and the pod tried again.
pub async fn run(client: Client, options: Options, stop: impl Future<Output = ()>) -> Result<()> {
    let mut changes = std::pin::pin!(watch(client.clone()));
    let reporter = Reporter { controller: "default-scheduler".to_owned(), instance: None };
    let mut scheduler = Scheduler {
        recorder: Recorder::new(client.clone(), reporter),
        client,
        clock: options.clock,
        extender: options.extender.as_deref().map(Extender::new),
        nodes: BTreeMap::new(),
        placed: HashMap::new(),
        pending: HashMap::new(),
        queue: Queue::default(),
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            change = changes.next() => scheduler.apply(change.context("the pod and node watches ended")?),
            () = scheduler.due() => scheduler.schedule_next().await,
        }
    }
}

fn watch(client: Client) -> impl Stream<Item = Change> {
    let pods = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default()).default_backoff();
    let nodes = watcher(Api::<Node>::all(client), watcher::Config::default()).default_backoff();
    let pods = pods.filter_map(|event| async {
        match event {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => Some(Change::Pod(Box::new(pod))),
            Ok(watcher::Event::Delete(pod)) => Some(Change::PodGone(Box::new(pod))),
            Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
            Err(error) => {
                tracing::warn!(%error, "unable to watch pods");
                None
            }
        }
    });
    let nodes = nodes.filter_map(|event| async {
        match event {
            Ok(watcher::Event::Apply(node) | watcher::Event::InitApply(node)) => Some(Change::Node(Box::new(node))),
            Ok(watcher::Event::Delete(node)) => Some(Change::NodeGone(node.name_any())),
            Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
            Err(error) => {
                tracing::warn!(%error, "unable to watch nodes");
                None
            }
        }
    });
    futures::stream::select(pods, nodes)
}

impl Scheduler {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Pod(pod) => self.apply_pod(*pod),
            Change::PodGone(pod) => {
                self.forget(&pod.uid().unwrap_or_default());
                self.queue.wake();
            }
            Change::Node(node) => {
                if self.nodes.entry(node.name_any()).or_default().update(&node) {
                    self.queue.wake();
                }
            }
            Change::NodeGone(name) => {
                self.nodes.remove(&name);
            }
        }
    }

    fn apply_pod(&mut self, pod: Pod) {
        let uid = pod.uid().unwrap_or_default();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            self.forget(&uid);
            self.queue.wake();
        } else if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
            self.pending.remove(&uid);
            self.queue.remove(&uid);
            self.place(&uid, node, Resources::of_pod(&pod));
            self.queue.wake();
        } else if pod.metadata.deletion_timestamp.is_some() {
            self.forget(&uid);
        } else if !self.placed.contains_key(&uid) {
            self.queue.add(&uid);
            let annotations = pod.metadata.annotations.clone();
            let before = self.pending.insert(uid.clone(), pod);
            if before.is_some_and(|before| before.metadata.annotations != annotations) {
                self.queue.wake_pod(&uid);
            }
        }
    }

    fn place(&mut self, uid: &str, node: String, request: Resources) {
        self.unplace(uid);
        self.nodes.entry(node.clone()).or_default().add(uid.to_owned(), request);
        self.placed.insert(uid.to_owned(), node);
    }

    fn unplace(&mut self, uid: &str) {
        if let Some(info) = self.placed.remove(uid).and_then(|node| self.nodes.get_mut(&node)) {
            info.remove(uid);
        }
    }

    fn forget(&mut self, uid: &str) {
        self.unplace(uid);
        self.pending.remove(uid);
        self.queue.remove(uid);
    }

    /// Ends when a pod may be tried; never while none waits.
    async fn due(&self) {
        let now = self.clock.now();
        match self.queue.next_due(now) {
            // A manual clock moves only by somebody else's hand: look again soon.
            Some(due) => tokio::time::sleep(self.clock.real(due.since(now)).min(Duration::from_millis(50))).await,
            None => std::future::pending().await,
        }
    }

    async fn schedule_next(&mut self) {
        let now = self.clock.now();
        let Some(uid) = self.queue.pop(now) else { return };
        let Some(pod) = self.pending.get(&uid).cloned() else {
            self.queue.remove(&uid);
            return;
        };
        match self.schedule(&uid, &pod).await {
            Ok(None) => {}
            Ok(Some(message)) => {
                self.queue.failed(&uid, now, false);
                self.report_unschedulable(&uid, &pod, &message).await;
            }
            Err(error) => {
                tracing::warn!(pod = pod.name_any(), error = format!("{error:#}"), "unable to schedule");
                self.queue.failed(&uid, now, true);
            }
        }
    }

    /// Binds the pod, or says why no node fits.
    async fn schedule(&mut self, uid: &str, pod: &Pod) -> Result<Option<String>> {
        let request = Resources::of_pod(pod);
        let mut reasons = Vec::new();
        let mut fitting = Vec::new();
        for (name, info) in &self.nodes {
            match info.reject(pod, request) {
                Some(reason) => reasons.push(reason),
                None => fitting.push(name.clone()),
            }
        }
        if let Some(extender) = self.extender.as_ref().filter(|_| !fitting.is_empty()) {
            let filtered = extender.filter(pod, &fitting).await?;
            reasons.extend(filtered.reasons.into_values());
            fitting = filtered.passed;
        }
        let best =
            fitting.into_iter().max_by_key(|name| (self.nodes[name].score(request), std::cmp::Reverse(name.clone())));
        let Some(node) = best else { return Ok(Some(fit_error(self.nodes.len(), reasons))) };
        self.bind(pod, &node).await?;
        self.pending.remove(uid);
        self.queue.remove(uid);
        self.place(uid, node, request);
        Ok(None)
    }

    async fn bind(&self, pod: &Pod, node: &str) -> Result<()> {
        let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": pod.uid()},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let pods = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        pods.create_subresource::<Value, Value>("binding", &name, &PostParams::default(), &binding)
            .await
            .with_context(|| format!("failed to bind pod {namespace}/{name} to node {node}"))?;
        Ok(())
    }

    /// PodScheduled=False and a FailedScheduling event with the message, only when it changed, as `handleSchedulingFailure` does.
    async fn report_unschedulable(&mut self, uid: &str, pod: &Pod, message: &str) {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let mut shown = conditions.filter(|condition| condition.type_ == "PodScheduled");
        if shown.any(|condition| condition.status == "False" && condition.message.as_deref() == Some(message)) {
            return;
        }
        let event = Event {
            type_: EventType::Warning,
            reason: "FailedScheduling".to_owned(),
            note: Some(message.to_owned()),
            action: "Scheduling".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &pod.object_ref(&())).await {
            tracing::warn!(pod = pod.name_any(), %error, "unable to write an event");
        }
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        let patch = json!({"status": {"conditions": [condition]}});
        let pods = Api::<Pod>::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        match pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&patch)).await {
            Ok(patched) => {
                self.pending.insert(uid.to_owned(), patched);
            }
            Err(error) => tracing::warn!(pod = pod.name_any(), %error, "unable to patch PodScheduled"),
        }
    }
}
