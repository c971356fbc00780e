//! Writes to the API server over several connections: those of one object in order, a later state instead of the earlier ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use headroom_lab::kube::resource::{NODES, PODS};
use headroom_lab::kube::{Object, Resource, object};
use http::Request;
use kube::Client;
use kube::api::{DeleteParams, PostParams, Preconditions, Request as Paths};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// Connections. A write takes a few milliseconds, most of them etcd's.
const LANES: u64 = 16;
/// What a lane takes at once: in a burst the states of one object fall together.
const BATCH: usize = 256;
/// Before a write that the server could not take is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// Taints that follow a node's condition and cordon; others are not the lab's.
const TAINTS: &str = "node.kubernetes.io/";

/// One change to carry.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) resource: &'static Resource,
    pub(super) what: What,
    /// The object as it is now, or was last.
    pub(super) object: Object,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Create it, or bring it up to date.
    Put,
    /// Write the status of a pod that came from the server.
    PodStatus,
    /// Delete it.
    Delete,
}

type Key = (&'static Resource, String, String);

impl Write {
    fn key(&self) -> Key {
        (self.resource, object::namespace(&self.object).to_owned(), object::name(&self.object).to_owned())
    }
}

/// All lanes.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    senders: Arc<Vec<UnboundedSender<Write>>>,
    refused: Arc<AtomicU64>,
}

impl Lanes {
    /// Starts them. `owners` are UIDs in the lab with those on the server.
    pub(super) fn start(client: &Client, owners: &Arc<HashMap<String, String>>, tasks: &mut JoinSet<()>) -> Lanes {
        let refused = Arc::<AtomicU64>::default();
        let senders = (0..LANES).map(|_| {
            let (sender, receiver) = unbounded_channel();
            let lane = Lane {
                client: client.clone(),
                owners: owners.clone(),
                written: BTreeMap::new(),
                refused: refused.clone(),
            };
            tasks.spawn(lane.run(receiver));
            sender
        });
        Lanes { senders: Arc::new(senders.collect()), refused }
    }

    pub(super) fn send(&self, write: Write) {
        let hash = BuildHasherDefault::<DefaultHasher>::default()
            .hash_one((object::namespace(&write.object), object::name(&write.object)));
        let lane = usize::try_from(hash % LANES).unwrap_or_default();
        // Lanes end only when everything does.
        self.senders[lane].send(write).ok();
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

struct Lane {
    client: Client,
    owners: Arc<HashMap<String, String>>,
    /// What the server has of objects that the lab makes.
    written: BTreeMap<Key, Object>,
    refused: Arc<AtomicU64>,
}

impl Lane {
    async fn run(mut self, mut writes: UnboundedReceiver<Write>) {
        let mut batch = Vec::with_capacity(BATCH);
        while writes.recv_many(&mut batch, BATCH).await > 0 {
            for write in newest(std::mem::take(&mut batch)) {
                while let Err(error) = self.write(&write).await {
                    let (kind, name) = (write.resource.kind, object::name(&write.object));
                    if is_refusal(&error) {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                        tracing::error!(kind, name, "the API server refused a write of the lab's nodes: {error:#}");
                        break;
                    }
                    tracing::warn!(kind, name, "a write of the lab's nodes is tried again: {error:#}");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn write(&mut self, write: &Write) -> Result<()> {
        let Write { resource, what, object } = write;
        match what {
            What::PodStatus => {
                let patch = json!({ "metadata": { "uid": object::uid(object) }, "status": object["status"] });
                // Another pod of that name, or none: the lab's kubelet will hear of it too.
                patch_object(&self.client, resource, object, Some("status"), &patch).await?;
            }
            What::Delete => {
                delete(&self.client, resource, object).await?;
                self.written.remove(&write.key());
            }
            What::Put => {
                match self.written.get(&write.key()) {
                    Some(before) => self.update(resource, before, object).await?,
                    None => {
                        create(&self.client, resource, &self.for_server(object)).await?;
                    }
                }
                self.written.insert(write.key(), object.clone());
            }
        }
        Ok(())
    }

    async fn update(&self, resource: &'static Resource, before: &Value, now: &Value) -> Result<()> {
        if before["status"] != now["status"] && resource.has_status() && *resource != PODS {
            let patch = json!({ "status": now["status"] });
            patch_object(&self.client, resource, now, Some("status"), &patch).await?;
        }
        if *resource == NODES {
            return self.taint(before, now).await;
        }
        let mut patch = now.clone();
        if let Some(fields) = patch.as_object_mut() {
            fields.retain(|key, value| key != "metadata" && key != "status" && before[key] != *value);
            if !fields.is_empty() {
                patch_object(&self.client, resource, now, None, &patch).await?;
            }
        }
        Ok(())
    }

    /// Read, change, write back while nobody else has written: what a node carries beside ours stays.
    async fn taint(&self, before: &Value, now: &Value) -> Result<()> {
        let ours = |node: &Value| -> Vec<Value> {
            let taints = object::items(node, "/spec/taints").iter();
            taints.filter(|taint| object::text(taint, "/key").starts_with(TAINTS)).cloned().collect()
        };
        if ours(before) == ours(now) {
            return Ok(());
        }
        loop {
            let Outcome::Done(current) = get(&self.client, &NODES, now).await? else { return Ok(()) };
            let mut taints = object::items(&current, "/spec/taints").to_vec();
            taints.retain(|taint| !object::text(taint, "/key").starts_with(TAINTS));
            taints.extend(ours(now));
            let version = &current["metadata"]["resourceVersion"];
            let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "taints": taints } });
            match patch_object(&self.client, &NODES, now, None, &patch).await? {
                Outcome::Conflict => {}
                Outcome::Done(_) | Outcome::Missing => return Ok(()),
            }
        }
    }

    /// Its owners by the UIDs that they have on the server.
    fn for_server(&self, object: &Value) -> Value {
        let mut object = object.clone();
        for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
            if let Some(uid) = self.owners.get(object::text(owner, "/uid")) {
                owner["uid"] = json!(uid);
            }
        }
        object
    }
}

/// The writes without those that a later one of the same object makes needless.
fn newest(writes: Vec<Write>) -> Vec<Write> {
    let mut later = BTreeSet::new();
    let mut kept: Vec<Write> =
        writes.into_iter().rev().filter(|write| later.insert((write.key(), write.what))).collect();
    kept.reverse();
    kept
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The object that the server answered with.
    Done(Value),
    /// 404: it is not there, or what it lies in is not.
    Missing,
    /// 409: it is there already, has changed, or is another one.
    Conflict,
}

/// Without what only the lab's store gave the object.
pub(super) async fn create(client: &Client, resource: &Resource, object: &Value) -> Result<Outcome> {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        let own = ["uid", "resourceVersion", "creationTimestamp", "generation"];
        metadata.retain(|key, _| !own.contains(&key.as_str()));
    }
    let paths = paths(resource, object::namespace(&object));
    send(client, paths.create(&PostParams::default(), serde_json::to_vec(&object)?)?).await
}

async fn get(client: &Client, resource: &Resource, object: &Value) -> Result<Outcome> {
    let request =
        paths(resource, object::namespace(object)).get(object::name(object), &kube::api::GetParams::default())?;
    send(client, request).await
}

/// A pod without a grace period and only if it is this one, as kubelet does in the end.
pub(super) async fn delete(client: &Client, resource: &Resource, object: &Value) -> Result<Outcome> {
    let mut params = DeleteParams::default();
    if *resource == PODS {
        let uid = Some(object::uid(object).to_owned());
        params = params.grace_period(0).preconditions(Preconditions { uid, resource_version: None });
    }
    let request = paths(resource, object::namespace(object)).delete(object::name(object), &params)?;
    send(client, request).await
}

/// A strategic merge patch, as kubelet sends it; a merge patch to what has none.
async fn patch_object(
    client: &Client,
    resource: &Resource,
    object: &Value,
    subresource: Option<&str>,
    patch: &Value,
) -> Result<Outcome> {
    let paths = paths(resource, object::namespace(object));
    let mut path = format!("{}/{}", paths.url_path, object::name(object));
    if let Some(subresource) = subresource {
        path = format!("{path}/{subresource}");
    }
    let kind = if resource.custom { "merge-patch" } else { "strategic-merge-patch" };
    let request = Request::patch(path).header(http::header::CONTENT_TYPE, format!("application/{kind}+json"));
    send(client, request.body(serde_json::to_vec(patch)?)?).await
}

fn paths(resource: &Resource, namespace: &str) -> Paths {
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let namespace = if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
    Paths::new(format!("{root}/{}{namespace}/{}", resource.api_version(), resource.plural))
}

async fn send(client: &Client, request: Request<Vec<u8>>) -> Result<Outcome> {
    match client.request::<Value>(request).await {
        Ok(object) => Ok(Outcome::Done(object)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Outcome::Missing),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Conflict),
        Err(error) => Err(error).context("request failed"),
    }
}

/// Whether trying again is of no use.
fn is_refusal(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => (400..500).contains(&status.code) && status.code != 429,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use headroom_lab::kube::resource::EVENTS;

    use super::*;

    fn write(resource: &'static Resource, name: &str, count: u32, what: What) -> Write {
        Write { resource, what, object: Arc::new(json!({ "metadata": { "name": name }, "count": count })) }
    }

    #[test]
    fn a_later_state_makes_earlier_ones_needless() {
        let all = vec![
            write(&EVENTS, "a", 1, What::Put),
            write(&PODS, "a", 2, What::PodStatus),
            write(&EVENTS, "a", 3, What::Put),
            write(&PODS, "a", 4, What::Delete),
        ];
        let counts: Vec<u64> = newest(all).iter().filter_map(|write| write.object["count"].as_u64()).collect();
        assert_eq!(counts, [2, 3, 4]);
    }
}
