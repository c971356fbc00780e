//! One task per kind: list, watch, back off, resume.

mod failure;
mod known;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use headroom_capacity::settings::ControllerSettings;
use k8s_openapi::api::apps::v1::{self as apps, DaemonSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1::CSINode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::connect::Client;
use crate::event::Event;
use crate::kind::Kind;
use crate::object::{Guard, Object, full_name};
use crate::protobuf::{self, Part};
use crate::{cni, csi, declared, node, pod, sandbox};
pub(crate) use failure::chain;
use failure::{class, must_relist, status};
use known::Known;

/// Enough for a page of a list (500 objects) of each kind; a full channel makes the watches wait, never lose.
const CHANNEL_EVENTS: usize = 4096;
/// How long an API server that does not serve a kind, or does not show one of [`Kind::DECLARED`], is left alone before it is asked
/// again: CRDs come with add-ons, rarely.
const ABSENT_RETRY: Duration = Duration::from_secs(60);
/// The API server ends a watch after so long, and kube takes one that is silent for 5 s more for dead (kube-runtime `watcher.rs`,
/// `next_with_idle_timeout`): a connection that breaks without a sign is known within about a minute. Its default is 290 s.
const WATCH_SECS: u32 = 55;
/// A resumed watch says nothing until something changes. Longer than the connect timeout, so that silence means success.
const RECOVERED_AFTER: Duration = Duration::from_secs(10);

/// Running watches: where their events arrive, and the futures that must be polled for it, one per kind. None of them ends
/// before the receiver is dropped.
#[allow(missing_debug_implementations, reason = "futures have nothing to show")]
pub struct Watch {
    /// Events of all kinds; the order within a kind is the API server's.
    pub events: mpsc::Receiver<Event>,
    /// One task per kind, for the caller to spawn and supervise.
    pub tasks: Vec<(Kind, BoxFuture<'static, ()>)>,
}

/// Watches everything that bears on pod IPs: [`Kind::ALL`].
#[must_use]
pub fn watch(client: &Client) -> Watch {
    watch_kinds(client, &Kind::ALL)
}

/// Watches some kinds only.
#[must_use]
pub fn watch_kinds(client: &Client, kinds: &[Kind]) -> Watch {
    let (sender, events) = mpsc::channel(CHANNEL_EVENTS);
    let tasks = kinds.iter().map(|kind| (*kind, task(*kind, client.clone(), sender.clone()))).collect();
    Watch { events, tasks }
}

fn task(kind: Kind, client: Client, out: mpsc::Sender<Event>) -> BoxFuture<'static, ()> {
    let task = Task { kind, out };
    let all = watcher::Config::default().timeout(WATCH_SECS);
    let none: fn(Arc<str>) -> Option<Event> = |_| None;
    match kind {
        Kind::Node => {
            let nodes = Api::all_with(client, &ApiResource::erase::<core::Node>(&()));
            task.run(protobuf(nodes, all), node::applied, |name| Some(Event::NodeDeleted(name))).boxed()
        }
        Kind::Pod => {
            let pods = Api::all_with(client, &ApiResource::erase::<core::Pod>(&()));
            task.run(protobuf(pods, all), pod::applied, |uid| Some(Event::PodDeleted(uid.into()))).boxed()
        }
        Kind::CniNode => {
            let cni_nodes = Api::all_with(client, &cni::cni_node_resource());
            task.run(json(cni_nodes, all), cni::cni_node, |name| Some(Event::CniNodeDeleted(name))).boxed()
        }
        Kind::EniConfig => {
            let eni_configs = Api::all_with(client, &cni::eni_config_resource());
            task.run(json(eni_configs, all), cni::eni_config, |name| Some(Event::EniConfigDeleted(name))).boxed()
        }
        Kind::AwsNode => {
            let daemon_sets = Api::<Guard<DaemonSet>>::namespaced(client, "kube-system");
            task.run(json(daemon_sets, all.fields("metadata.name=aws-node")), cni::settings, none).boxed()
        }
        Kind::SandboxEvent => {
            let reported = Api::<Guard<core::Event>>::all(client);
            task.run(json(reported, all.fields("reason=FailedCreatePodSandBox")), sandbox::applied, none).boxed()
        }
        Kind::CsiNode => {
            let csi_nodes = Api::all_with(client, &ApiResource::erase::<CSINode>(&()));
            task.run(json(csi_nodes, all), csi::applied, |name| Some(Event::CsiNodeDeleted(name))).boxed()
        }
        Kind::AmazonVpcCni => {
            let maps = Api::<Guard<core::ConfigMap>>::namespaced(client, "kube-system");
            let gone = |_| Some(Event::ControllerSettings(ControllerSettings::default()));
            task.run(json(maps, all.fields("metadata.name=amazon-vpc-cni")), cni::controller_settings, gone).boxed()
        }
        Kind::Deployment => task.declared::<apps::Deployment, _, _>(client, declared::deployment),
        Kind::StatefulSet => task.declared::<apps::StatefulSet, _, _>(client, declared::stateful_set),
        Kind::DaemonSet => task.declared::<DaemonSet, _, _>(client, declared::daemon_set),
        Kind::HorizontalPodAutoscaler => task.declared::<HorizontalPodAutoscaler, _, _>(client, declared::autoscaler),
        Kind::CronJob => task.declared::<CronJob, _, _>(client, declared::cron_job),
    }
}

/// What a watch says of itself, one event or error after the other.
type Source<K> = BoxStream<'static, watcher::Result<watcher::Event<Guard<K>>>>;

/// Starts sources in JSON: custom resources come in nothing else.
fn json<K>(api: Api<Guard<K>>, config: watcher::Config) -> impl Fn() -> Source<K> + Send
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Clone,
{
    move || watcher(api.clone(), config.clone()).boxed()
}

/// Starts sources in protobuf, for the kinds with many objects and changes.
fn protobuf<S: Part, T: Part>(
    api: Api<Guard<Object<S, T>>>,
    config: watcher::Config,
) -> impl Fn() -> Source<Object<S, T>> + Send {
    move || protobuf::watcher(api.clone(), config.clone()).boxed()
}

/// The receiver is gone: nobody wants events any more.
struct Closed;

struct Task {
    kind: Kind,
    out: mpsc::Sender<Event>,
}

impl Task {
    /// In JSON, of all namespaces: there are few of them beside pods, and they change seldom.
    fn declared<K, S, T>(self, client: Client, applied: fn(Object<S, T>) -> Option<Event>) -> BoxFuture<'static, ()>
    where
        K: Resource<DynamicType = ()>,
        S: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        T: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let kind = self.kind;
        let objects = Api::all_with(client, &ApiResource::erase::<K>(&()));
        let source = json(objects, watcher::Config::default().timeout(WATCH_SECS));
        self.run(source, applied, move |name| Some(Event::DeclaredDeleted { kind, name })).boxed()
    }

    async fn run<K: Resource>(
        self,
        source: impl Fn() -> Source<K>,
        applied: fn(K) -> Option<Event>,
        gone: impl Fn(Arc<str>) -> Option<Event>,
    ) {
        let mut backoff = DefaultBackoff::default();
        let mut known = Known::default();
        let mut failing = false;
        let mut stream = source();
        loop {
            let quiet = if failing && !known.listing() { RECOVERED_AFTER } else { Duration::MAX };
            let step = match tokio::time::timeout(quiet, stream.next()).await {
                Err(_quiet) => {
                    failing = false;
                    self.send(Event::WatchRecovered(self.kind)).await
                }
                Ok(Some(Ok(event))) => {
                    // `Init` is only the intention to list.
                    if failing && !matches!(event, watcher::Event::Init) {
                        failing = false;
                        backoff.reset();
                        if self.send(Event::WatchRecovered(self.kind)).await.is_err() {
                            return;
                        }
                    }
                    self.forward(event, &mut known, applied, &gone).await
                }
                Ok(Some(Err(error))) => {
                    if must_relist(&error) {
                        stream = source();
                    }
                    let absent = self.kind.is_optional() && status(&error) == Some(404);
                    let again = std::mem::replace(&mut failing, !absent);
                    if absent { self.absent().await } else { self.failed(&error, again, &mut backoff).await }
                }
                Ok(None) => return,
            };
            if step.is_err() {
                return;
            }
        }
    }

    async fn forward<K: Resource>(
        &self,
        event: watcher::Event<Guard<K>>,
        known: &mut Known,
        applied: fn(K) -> Option<Event>,
        gone: &impl Fn(Arc<str>) -> Option<Event>,
    ) -> Result<(), Closed> {
        match event {
            watcher::Event::Init => known.begin(),
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                if let Some(key) = self.key(object.meta()) {
                    known.insert(key);
                }
                self.apply(object, applied).await?;
            }
            watcher::Event::Delete(object) => {
                if let Some(key) = self.key(object.meta()) {
                    known.remove(&key);
                    self.send_some(gone(key)).await?;
                }
            }
            watcher::Event::InitDone => {
                for key in known.finish() {
                    self.send_some(gone(key)).await?;
                }
                self.send(Event::Synced { kind: self.kind, absent: false }).await?;
            }
        }
        Ok(())
    }

    async fn apply<K: Resource>(&self, object: Guard<K>, applied: fn(K) -> Option<Event>) -> Result<(), Closed> {
        match object.0 {
            Ok(object) => self.send_some(applied(object)).await,
            Err(invalid) => {
                let name = invalid.metadata.name.unwrap_or_default();
                let object = invalid.metadata.namespace.map_or_else(|| name.clone(), |space| format!("{space}/{name}"));
                tracing::warn!(kind = self.kind.label(), %object, error = %invalid.error, "object skipped: not decodable");
                self.send(Event::Undecodable { kind: self.kind, object, error: invalid.error }).await
            }
        }
    }

    async fn absent(&self) -> Result<(), Closed> {
        tracing::debug!(kind = self.kind.label(), "kind not served by this API server");
        self.send(Event::Synced { kind: self.kind, absent: true }).await?;
        tokio::time::sleep(ABSENT_RETRY).await;
        Ok(())
    }

    /// Reports the failure and waits out the pause. A refusal that is allowed to last is logged the first time only: `again` says
    /// that it is not.
    async fn failed(&self, error: &watcher::Error, again: bool, backoff: &mut DefaultBackoff) -> Result<(), Closed> {
        let refused = self.kind.may_be_refused() && status(error) == Some(403);
        let pause = if refused { ABSENT_RETRY } else { backoff.next().unwrap_or(ABSENT_RETRY) };
        let cause = chain(error);
        if !(refused && again) {
            tracing::warn!(kind = self.kind.label(), error = %cause, retry_secs = pause.as_secs_f64(), "watch failed");
        }
        let failed = Event::WatchFailed { kind: self.kind, class: class(error), error: cause };
        self.send(failed).await?;
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Pods go by UID, which a successor of the same name does not share; the rest by name, where there are several namespaces with
    /// theirs.
    fn key(&self, meta: &ObjectMeta) -> Option<Arc<str>> {
        if self.kind.is_declared() {
            return Some(full_name(meta.namespace.as_deref(), meta.name.as_deref()?));
        }
        let key = if self.kind == Kind::Pod { &meta.uid } else { &meta.name };
        key.as_deref().map(Arc::from)
    }

    async fn send_some(&self, event: Option<Event>) -> Result<(), Closed> {
        match event {
            Some(event) => self.send(event).await,
            None => Ok(()),
        }
    }

    async fn send(&self, event: Event) -> Result<(), Closed> {
        self.out.send(event).await.map_err(|_| Closed)
    }
}
