//! Lists and watches in protobuf: the encoding that kube-scheduler, kubelet and the controllers ask for.
//!
//! kube-apiserver encodes a watch event once per encoding and shares the bytes among all watchers of it (k/k
//! `storage/cacher/caching_object.go`). Nobody else watches Pods as JSON, so a JSON watcher has every event encoded for itself
//! alone, and needs several times as long to decode it. kube-rs knows JSON only; this is its `watcher` over again for protobuf,
//! with the same steps and the same errors, on kube's client. A server that answers in JSON is left to kube-rs.

mod exchange;
mod frame;
mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::mem;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use kube::runtime::watcher::{self, Error};
use kube::{Api, Client, Resource};
use prost::Message;
use serde::de::DeserializeOwned;

use crate::object::{Guard, Object};
use exchange::{Answer, list, watch};
use frame::{Change, Changes};

/// How much longer than the server's timeout a silent watch is waited for (kube-runtime `WATCH_IDLE_TIMEOUT_MARGIN`).
const IDLE_MARGIN: Duration = Duration::from_secs(5);

type Item<S, T> = watcher::Result<watcher::Event<Guard<Object<S, T>>>>;

/// A spec or a status, to be had in both encodings.
pub(crate) trait Part: Message + Default + DeserializeOwned + Clone + Debug + 'static {}
impl<P: Message + Default + DeserializeOwned + Clone + Debug + 'static> Part for P {}

/// As kube's `watcher`, of which it has the events, the errors and the recovery.
pub(crate) fn watcher<S: Part, T: Part>(
    api: Api<Guard<Object<S, T>>>,
    config: watcher::Config,
) -> impl Stream<Item = Item<S, T>> + Send {
    let watcher = Watcher { client: api.clone().into_client(), api, config, state: State::Start };
    stream::unfold(watcher, |mut watcher| async move { Some((watcher.next().await, watcher)) })
}

struct Watcher<S: Part, T: Part> {
    client: Client,
    api: Api<Guard<Object<S, T>>>,
    config: watcher::Config,
    state: State<S, T>,
}

enum State<S: Part, T: Part> {
    /// Nothing is known: list next.
    Start,
    /// In the middle of a list.
    Paging { page: VecDeque<Guard<Object<S, T>>>, next: Next },
    /// The watch is to start, or to be resumed, at this resource version.
    Listed { version: String },
    /// The watch runs.
    Watching { version: String, changes: Changes<S, T> },
    /// The server does not speak protobuf.
    Json(BoxStream<'static, Item<S, T>>),
}

/// What follows the objects of a page.
enum Next {
    /// The first page, or the one with this `continue` token.
    Page(Option<String>),
    /// Nothing: the list is complete as of this resource version.
    End(String),
}

impl<S: Part, T: Part> Watcher<S, T> {
    async fn next(&mut self) -> Item<S, T> {
        loop {
            // What fails without saying how to go on starts over.
            let item = match mem::replace(&mut self.state, State::Start) {
                State::Start => {
                    self.state = State::Paging { page: VecDeque::new(), next: Next::Page(None) };
                    Some(Ok(watcher::Event::Init))
                }
                State::Paging { page, next } => self.page(page, next).await,
                State::Listed { version } => self.start(version).await,
                State::Watching { version, changes } => self.change(version, changes).await,
                State::Json(mut stream) => {
                    let item = stream.next().await;
                    self.state = State::Json(stream);
                    item
                }
            };
            if let Some(item) = item {
                return item;
            }
        }
    }

    async fn page(&mut self, mut page: VecDeque<Guard<Object<S, T>>>, next: Next) -> Option<Item<S, T>> {
        if let Some(object) = page.pop_front() {
            self.state = State::Paging { page, next };
            return Some(Ok(watcher::Event::InitApply(object)));
        }
        let token = match next {
            Next::Page(token) => token,
            Next::End(version) => {
                self.state = State::Listed { version };
                return Some(Ok(watcher::Event::InitDone));
            }
        };
        match list(&self.client, self.api.resource_url(), &self.config, token).await {
            Ok(Answer::Protobuf(list)) => {
                let next = match (list.token, list.version) {
                    (Some(token), _) => Next::Page(Some(token)),
                    (None, Some(version)) => Next::End(version),
                    (None, None) => return Some(Err(Error::NoResourceVersion)),
                };
                self.state = State::Paging { page: list.objects.into(), next };
                None
            }
            Ok(Answer::Other) => {
                self.fall_back();
                None
            }
            Err(error) => Some(Err(Error::InitialListFailed(error))),
        }
    }

    async fn start(&mut self, version: String) -> Option<Item<S, T>> {
        match watch(&self.client, self.api.resource_url(), &self.config, &version).await {
            Ok(Answer::Protobuf(changes)) => {
                self.state = State::Watching { version, changes };
                None
            }
            Ok(Answer::Other) => {
                self.fall_back();
                None
            }
            Err(error) => {
                self.state = State::Listed { version };
                Some(Err(Error::WatchStartFailed(error)))
            }
        }
    }

    async fn change(&mut self, version: String, mut changes: Changes<S, T>) -> Option<Item<S, T>> {
        let idle = self.config.timeout.map_or(Duration::MAX, |secs| Duration::from_secs(secs.into()) + IDLE_MARGIN);
        let Ok(Some(change)) = tokio::time::timeout(idle, changes.next()).await else {
            self.state = State::Listed { version };
            return None;
        };
        let (item, version) = match change {
            Ok(Change::Bookmark(version)) => (None, Some(version)),
            Ok(Change::Applied(object)) => {
                let version = object.meta().resource_version.clone();
                (Some(Ok(watcher::Event::Apply(object))), version)
            }
            Ok(Change::Deleted(object)) => {
                let version = object.meta().resource_version.clone();
                (Some(Ok(watcher::Event::Delete(object))), version)
            }
            // The server's log no longer goes back so far.
            Ok(Change::Error(status)) if status.code == 410 => return Some(Err(Error::WatchError(status))),
            Ok(Change::Error(status)) => (Some(Err(Error::WatchError(status))), Some(version)),
            Err(error) => (Some(Err(Error::WatchFailed(error))), Some(version)),
        };
        let Some(version) = version else { return Some(Err(Error::NoResourceVersion)) };
        self.state = State::Watching { version, changes };
        item
    }

    /// The next item comes from kube-rs, `Init` once more: a list that has broken off.
    fn fall_back(&mut self) {
        tracing::debug!(url = self.api.resource_url(), "no protobuf from this API server, watching in JSON");
        self.state = State::Json(watcher::watcher(self.api.clone(), self.config.clone()).boxed());
    }
}
