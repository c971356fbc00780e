//! The journal where the next leader finds it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use headroom_capacity::time::Time;
use headroom_cluster::{Client, Note};
use tokio::sync::Mutex;

use crate::plan::{Deed, Journal, Launch};

/// The key in the ConfigMap.
const KEY: &str = "journal.json";
/// The API server answers within it or not at all.
const WITHIN: Duration = Duration::from_secs(10);

/// Keeps the journal in memory and in a ConfigMap.
pub(super) struct Keeper {
    client: Client,
    note: Note,
    current: ArcSwap<Journal>,
    /// One write after the other: each replaces the whole text. Whether what the last leader wrote was read.
    loaded: Mutex<bool>,
}

impl Keeper {
    pub(super) fn new(client: &Client, namespace: &str, name: &str) -> Keeper {
        let note = Note { namespace: namespace.to_owned(), name: name.to_owned(), key: KEY };
        Keeper { client: client.clone(), note, current: ArcSwap::default(), loaded: Mutex::new(false) }
    }

    /// Where it is kept.
    pub(super) const fn note(&self) -> &Note {
        &self.note
    }

    pub(super) fn get(&self) -> Arc<Journal> {
        self.current.load_full()
    }

    /// Takes up what the last leader wrote. A text that is none of ours counts as none.
    pub(super) async fn load(&self) -> anyhow::Result<()> {
        let mut loaded = self.loaded.lock().await;
        let text = tokio::time::timeout(WITHIN, self.note.read(&self.client)).await??;
        let journal = text.map(|text| serde_json::from_str(&text)).transpose().unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal cannot be read; cool-downs and budgets begin anew");
            None
        });
        self.current.store(Arc::new(journal.unwrap_or_default()));
        *loaded = true;
        Ok(())
    }

    /// Another leads: what it writes has to be read before anything is written again.
    pub(super) async fn forget(&self) {
        *self.loaded.lock().await = false;
    }

    /// Notes what is about to be done. It must not be done where this fails: the next leader would not know of it.
    pub(super) async fn intend(&self, deed: Deed, group: &str, count: u32, now: Time) -> anyhow::Result<()> {
        self.write(|journal| journal.add(deed, group, count, now)).await
    }

    /// Likewise, of nodes that are about to be asked for.
    pub(super) async fn intend_launch(&self, launch: &Launch) -> anyhow::Result<()> {
        self.write(|journal| journal.launch(launch.clone())).await
    }

    /// Notes what has happened, in memory at least.
    pub(super) async fn record(&self, deed: Deed, group: &str, count: u32, now: Time) {
        self.keep(|journal| journal.add(deed, group, count, now)).await;
    }

    /// Notes that a launch need not be followed any more, in memory at least.
    pub(super) async fn settle(&self, launch: &Launch) {
        self.keep(|journal| journal.settle(launch)).await;
    }

    /// Notes that no more than `nodes` come of a launch, which are followed on, in memory at least.
    pub(super) async fn came_short(&self, launch: &Launch, nodes: u32, now: Time) {
        self.keep(|journal| journal.came_short(launch, nodes, now)).await;
    }

    async fn keep(&self, change: impl Fn(&mut Journal)) {
        if let Err(error) = self.write(&change).await {
            tracing::warn!(error = format!("{error:#}"), "the journal could not be written");
            let mut journal = Journal::clone(&self.current.load());
            change(&mut journal);
            self.current.store(Arc::new(journal));
        }
    }

    async fn write(&self, change: impl Fn(&mut Journal)) -> anyhow::Result<()> {
        let loaded = self.loaded.lock().await;
        // What is not known must not be written over.
        anyhow::ensure!(*loaded, "the journal has not been read yet");
        let mut journal = Journal::clone(&self.current.load());
        change(&mut journal);
        let text = serde_json::to_string(&journal)?;
        tokio::time::timeout(WITHIN, self.note.write(&self.client, &text)).await??;
        self.current.store(Arc::new(journal));
        Ok(())
    }
}
