//! Objects by resource, namespace and name under one increasing revision, as in etcd behind an apiserver.

mod binding;
mod create;
mod delete;
mod eviction;
mod log;
mod mirror;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::time::Time;
use serde_json::Value;
use tokio::sync::watch;

use super::error::ApiError;
use super::object;
use super::resource::{NAMESPACES, Resource};
use super::selector::Selector;
use log::Log;

pub use delete::{DeleteOptions, Deletion};
pub use log::{Batch, Change, ChangeKind};
pub use update::Part;

/// An object as it was at its `metadata.resourceVersion`.
pub type Object = Arc<Value>;

/// Changes that the log keeps unless [`Store::set_log_capacity`] says otherwise: more than a client of the lab misses
/// while it reconnects.
const LOG_CAPACITY: usize = 16_384;

/// Namespaces that are there from the start, as in every cluster.
const NAMESPACES_AT_START: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// How far the store is; what [`Store::subscribe`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Revision of the newest change.
    pub revision: u64,
    /// Counts [`Store::break_watches`].
    pub watch_epoch: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    name: String,
}

impl Key {
    fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn of(object: &Value) -> Self {
        Self::new(object::namespace(object), object::name(object))
    }
}

/// The objects and what became of them. One writer at a time; everything that is handed out is immutable.
#[derive(Debug)]
pub struct Store {
    objects: BTreeMap<&'static Resource, BTreeMap<Key, Object>>,
    log: Log,
    /// Makes UIDs and generated names: the same requests give the same ones.
    rng: fastrand::Rng,
    progress: watch::Sender<Progress>,
}

impl Store {
    /// A cluster with the usual namespaces and nothing in them. `seed` decides UIDs and generated names.
    #[must_use]
    pub fn new(seed: u64, now: Time) -> Self {
        let mut store = Self {
            objects: BTreeMap::new(),
            log: Log::new(LOG_CAPACITY),
            rng: fastrand::Rng::with_seed(seed),
            progress: watch::Sender::default(),
        };
        for name in NAMESPACES_AT_START {
            let namespace = serde_json::json!({ "metadata": { "name": name } });
            store.create(&NAMESPACES, namespace, now).expect("the names are valid and taken once");
        }
        store
    }

    /// Revision of the newest change, and of everything that a list shows now.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.log.revision()
    }

    /// Wakes whenever the revision moves on or watches are broken. Changes are read with [`Store::changes_since`].
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The object as it is now. `namespace` is empty for resources of the cluster.
    #[must_use]
    pub fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<&Object> {
        self.objects.get(resource)?.get(&Key::new(namespace, name))
    }

    fn existing(&self, resource: &'static Resource, namespace: &str, name: &str) -> Result<Object, ApiError> {
        self.get(resource, namespace, name).cloned().ok_or_else(|| ApiError::not_found(resource, name))
    }

    /// The objects that `selector` means, by namespace and name.
    pub fn list<'a>(
        &'a self,
        resource: &'static Resource,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a Object> + use<'a> {
        let first = Key::new(selector.namespace.as_deref().unwrap_or_default(), "");
        let objects = self.objects.get(resource).map(|objects| objects.range(first..));
        let in_scope = |key: &Key| selector.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace);
        let objects = objects.into_iter().flatten().take_while(move |(key, _)| in_scope(key));
        objects.map(|(_, object)| object).filter(|object| selector.matches(object))
    }

    /// All objects of a resource as they were at `revision`, by namespace and name.
    ///
    /// # Errors
    /// 410 when the log does not reach back to it.
    pub fn list_at(&self, resource: &'static Resource, revision: u64) -> Result<Vec<Object>, ApiError> {
        let mut then: BTreeMap<Key, Option<&Object>> = BTreeMap::new();
        for change in self.log.since(revision)?.filter(|change| change.resource == resource) {
            // The first change after `revision` knows the object as it was then.
            then.entry(Key::of(&change.object)).or_insert(change.previous.as_ref());
        }
        let now = self.objects.get(resource).into_iter().flatten();
        let same = now.filter(|(key, _)| !then.contains_key(key)).map(|(_, object)| object);
        let mut objects: Vec<Object> = same.chain(then.values().copied().flatten()).cloned().collect();
        objects.sort_by(|a, b| object::order(a).cmp(&object::order(b)));
        Ok(objects)
    }

    /// The changes after `revision`, oldest first. [`Store::revision`] is where to go on from.
    ///
    /// # Errors
    /// 410 when the log does not reach back to `revision` any more: list again and go on from the revision then.
    pub fn changes_since(&self, revision: u64) -> Result<impl DoubleEndedIterator<Item = &Change>, ApiError> {
        self.log.since(revision)
    }

    /// As [`Store::changes_since`], for a watch: of one resource, and only those that the delay lets through by `now`.
    ///
    /// # Errors
    /// As [`Store::changes_since`].
    pub fn watch_since(&self, resource: &'static Resource, revision: u64, now: Time) -> Result<Batch, ApiError> {
        self.log.batch(resource, revision, now)
    }

    /// Fault: ends every watch stream that is open.
    pub fn break_watches(&mut self) {
        self.progress.send_modify(|progress| progress.watch_epoch += 1);
    }

    /// Fault: forgets every change, so that whoever is not up to date gets a 410 and must list again.
    pub fn compact(&mut self) {
        self.log.compact();
    }

    /// Fault: watches see changes `delay` later than they happen. Lists are not delayed.
    pub fn delay_watches(&mut self, delay: Duration) {
        self.log.delay = delay;
    }

    /// Keeps only the newest `changes` changes from now on.
    pub fn set_log_capacity(&mut self, changes: usize) {
        self.log.set_capacity(changes);
    }

    /// Makes `object` the current one, in place of the one with its name if there is one.
    fn put(&mut self, resource: &'static Resource, mut object: Value, now: Time) -> Object {
        let key = Key::of(&object);
        self.stamp(&mut object);
        let object = Arc::new(object);
        let previous = self.objects.entry(resource).or_default().insert(key, object.clone());
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.record(Change {
            revision: self.revision() + 1,
            at: now,
            resource,
            kind,
            object: object.clone(),
            previous,
        });
        object
    }

    /// Takes `object` out; what is left of it is its last state under the revision of the deletion.
    fn remove(&mut self, resource: &'static Resource, object: &Object, now: Time) -> Object {
        let previous = self.objects.get_mut(resource).and_then(|objects| objects.remove(&Key::of(object)));
        let mut last = Value::clone(object);
        self.stamp(&mut last);
        let last = Arc::new(last);
        let kind = ChangeKind::Deleted;
        self.record(Change { revision: self.revision() + 1, at: now, resource, kind, object: last.clone(), previous });
        last
    }

    fn stamp(&self, object: &mut Value) {
        let revision = (self.revision() + 1).to_string();
        object::metadata(object).insert("resourceVersion".to_owned(), revision.into());
    }

    fn record(&mut self, change: Change) {
        let revision = change.revision;
        self.log.push(change);
        self.progress.send_modify(|progress| progress.revision = revision);
    }
}
