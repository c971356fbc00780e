//! Watches: one JSON line for every change that the client's selector lets it see.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::encode::Encoding;
use super::query::Start;
use super::{Api, Request};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::selector::Selector;
use crate::kube::store::{Batch, Change, ChangeKind, Progress, Store};

/// How long a watch without `timeoutSeconds` lives (kube-apiserver `--min-request-timeout`).
const TIMEOUT: Duration = Duration::from_secs(1800);

/// Time between bookmarks (k/k `staging/src/k8s.io/apiserver/pkg/storage/cacher/cacher.go`,
/// `defaultBookmarkFrequency`).
const BOOKMARKS: Duration = Duration::from_secs(60);

/// Shortest wait for a change that is held back: a manual clock does not tell how long that really is.
const HELD_BACK: Duration = Duration::from_millis(10);

struct Watch {
    api: Api,
    encoding: Encoding,
    selector: Selector,
    /// Everything up to here has been sent or was not for this client.
    revision: u64,
    progress: Receiver<Progress>,
    epoch: u64,
    ends: Instant,
    bookmark: Option<Instant>,
    /// Sent before anything else.
    initial: Vec<u8>,
    ended: bool,
}

pub(super) fn open(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let watch = Watch::start(api, request)?;
    let lines = stream::unfold(watch, |mut watch| async {
        let chunk = watch.next().await?;
        Some((Ok::<_, Infallible>(chunk), watch))
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}

impl Watch {
    fn start(api: &Api, request: &Request) -> Result<Watch, ApiError> {
        let params = &request.params;
        let selector = params.selector(request.target.resource, request.target.namespace.as_deref())?;
        let (start, send, bookmarks) = (params.start()?, params.send_initial_events()?, params.bookmarks()?);
        let opened = Instant::now();
        let store = api.store();
        let mut progress = store.subscribe();
        let epoch = progress.borrow_and_update().watch_epoch;
        let mut watch = Watch {
            api: api.clone(),
            encoding: request.encoding,
            selector,
            revision: store.revision(),
            progress,
            epoch,
            ends: opened + params.timeout()?.unwrap_or(TIMEOUT),
            bookmark: bookmarks.then_some(opened + BOOKMARKS),
            initial: Vec::new(),
            ended: false,
        };
        match start {
            Start::Revision(revision) if send != Some(true) => watch.revision = revision,
            _ if send != Some(false) => watch.begin(&store, send == Some(true) && bookmarks),
            _ => {}
        }
        Ok(watch)
    }

    /// Begins with the objects that are there, and says where they end if it was asked for.
    fn begin(&mut self, store: &Store, mark_end: bool) {
        for object in store.list(self.encoding.stored(), &self.selector) {
            line(&mut self.initial, "ADDED", &self.encoding.encode(object));
        }
        if mark_end {
            let annotations = json!({ "k8s.io/initial-events-end": "true" });
            let mut initial = std::mem::take(&mut self.initial);
            self.bookmark_line(&mut initial, &annotations);
            self.initial = initial;
        }
    }

    /// The next lines, `None` at the end of the stream.
    async fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = std::mem::take(&mut self.initial);
        while chunk.is_empty() {
            if self.ended || self.progress.borrow_and_update().watch_epoch != self.epoch {
                return None;
            }
            let now = self.api.clock.now();
            let batch = self.api.store().watch_since(self.encoding.stored(), self.revision, now);
            match batch {
                Ok(batch) => {
                    self.take(&batch, &mut chunk);
                    if chunk.is_empty() {
                        self.wait(batch.held_for, &mut chunk).await;
                    }
                }
                Err(error) => {
                    line(&mut chunk, "ERROR", &error.status());
                    self.ended = true;
                }
            }
        }
        Some(chunk)
    }

    fn take(&mut self, batch: &Batch, chunk: &mut Vec<u8>) {
        self.revision = batch.revision;
        for change in &batch.changes {
            if let Some((kind, object)) = seen(change, &self.selector) {
                line(chunk, kind, &self.encoding.encode(&object));
            }
        }
    }

    /// Until there may be something to send. A bookmark goes out when it is due and at the end.
    async fn wait(&mut self, held_for: Option<Duration>, chunk: &mut Vec<u8>) {
        let held = held_for.map(|lab_time| Instant::now() + self.api.clock.real(lab_time).max(HELD_BACK));
        let until = [held, self.bookmark].into_iter().flatten().fold(self.ends, Instant::min);
        tokio::select! {
            changed = self.progress.changed() => {
                // The sender is gone with its store: there is nothing more to come.
                self.ended = changed.is_err();
                return;
            }
            () = tokio::time::sleep_until(until) => {}
        }
        let now = Instant::now();
        self.ended = now >= self.ends;
        if self.bookmark.is_some_and(|due| due <= now || self.ended) {
            self.bookmark = Some(now + BOOKMARKS);
            self.bookmark_line(chunk, &Value::Null);
        }
    }

    fn bookmark_line(&self, chunk: &mut Vec<u8>, annotations: &Value) {
        let (api_version, kind) = self.encoding.types();
        let mut metadata = json!({ "resourceVersion": self.revision.to_string(), "creationTimestamp": null });
        if !annotations.is_null() {
            metadata["annotations"] = annotations.clone();
        }
        line(chunk, "BOOKMARK", &json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata }));
    }
}

/// What a client that sees only what `selector` means makes of a change: an object may enter and leave its sight.
fn seen<'a>(change: &'a Change, selector: &Selector) -> Option<(&'static str, Cow<'a, Value>)> {
    let before = change.previous.as_deref().filter(|previous| selector.matches(previous));
    let after = Some(&*change.object).filter(|object| change.kind != ChangeKind::Deleted && selector.matches(object));
    match (before, after) {
        (None, None) => None,
        (None, Some(object)) => Some(("ADDED", Cow::Borrowed(object))),
        (Some(_), Some(object)) => Some(("MODIFIED", Cow::Borrowed(object))),
        (Some(_), None) if change.kind == ChangeKind::Deleted => Some(("DELETED", Cow::Borrowed(&*change.object))),
        (Some(previous), None) => {
            let mut last = previous.clone();
            let revision = change.revision.to_string();
            object::metadata(&mut last).insert("resourceVersion".to_owned(), revision.into());
            Some(("DELETED", Cow::Owned(last)))
        }
    }
}

fn line(chunk: &mut Vec<u8>, kind: &str, object: &Value) {
    chunk.extend_from_slice(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").as_bytes());
}
