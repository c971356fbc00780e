//! What the tasks share.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use headroom_capacity::time::Time;
use headroom_cluster::{Event, Leadership};
use headroom_shell::admin::Status;
use tokio::sync::{mpsc, watch};

use super::clock::Clock;
use super::scrape::Ipamd;
use crate::autoscaler::AutoscalerSeen;
use crate::aws::{Api, Part};
use crate::config::{Config, Mode};
use crate::expander::{Held, Rooms};
use crate::feed::Feed;
use crate::headroom::Headroom;
use crate::history::History;
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::outlook::Outlook;
use crate::plan::{Because, Refusal, ScalingPlan};
use crate::reachability::Reached;
use crate::state::{ClusterState, State};

/// Without these there are no books. Groups and topology only add to them.
const PARTS: [(&str, Part); 3] =
    [("AWS subnets", Part::Subnets), ("AWS enis", Part::Enis), ("AWS instances", Part::Instances)];

pub(super) struct Core {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) feed: Feed,
    /// Held for one event or one look, never across an await.
    state: Mutex<State>,
    /// What was read of AWS last.
    pub(super) inventory: watch::Sender<Arc<Inventory>>,
    /// The latest books.
    pub(super) ledger: ArcSwapOption<Ledger>,
    /// Their figures.
    pub(super) headroom: ArcSwapOption<Headroom>,
    /// What the books said, over weeks.
    pub(super) history: Arc<History>,
    /// The latest look ahead.
    pub(super) outlook: ArcSwapOption<Outlook>,
    /// The latest plan.
    pub(super) plan: ArcSwapOption<ScalingPlan>,
    /// Whether a scale-in that was begun may go on.
    pub(super) gate: ArcSwap<Gate>,
    /// What the groups can take by the latest books; only with `expander.enabled`.
    pub(super) rooms: ArcSwapOption<Rooms>,
    /// What was promised to Cluster Autoscaler. Held for one answer, never across an await.
    pub(super) held: Mutex<Held>,
    /// What was seen of Cluster Autoscaler; `None` before the first look.
    pub(super) autoscaler: ArcSwapOption<AutoscalerSeen>,
    /// What the probes of AWS's endpoints found.
    pub(super) reached: ArcSwap<Reached>,
    /// What the ipamds told and is not published yet.
    pub(super) ipamd: Ipamd,
    /// Whether there were books once.
    pub(super) ready: watch::Sender<bool>,
    leadership: Option<watch::Receiver<Leadership>>,
}

/// A gate that nobody has renewed for so many periods is shut.
const GATE_PERIODS: u32 = 3;

/// What the planning loop said last of scale-ins.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) at: Time,
    pub(super) may: Result<(), Because>,
}

impl Core {
    /// `leadership` is `None` where this advisor is the only one.
    pub(super) fn new(
        config: Config,
        clock: Clock,
        epoch: &str,
        leadership: Option<watch::Receiver<Leadership>>,
        history: History,
    ) -> Core {
        let feed = Feed::new(epoch, &config.feed);
        Core {
            config,
            clock,
            metrics: Arc::new(Metrics::new()),
            feed,
            state: Mutex::new(State::new()),
            inventory: watch::Sender::new(Arc::default()),
            ledger: ArcSwapOption::empty(),
            headroom: ArcSwapOption::empty(),
            history: Arc::new(history),
            outlook: ArcSwapOption::empty(),
            plan: ArcSwapOption::empty(),
            gate: ArcSwap::from_pointee(Gate { at: Time::ZERO, may: Err(Refusal::StaleBooks.into()) }),
            rooms: ArcSwapOption::empty(),
            held: Mutex::default(),
            autoscaler: ArcSwapOption::empty(),
            reached: ArcSwap::default(),
            ipamd: Ipamd::default(),
            ready: watch::Sender::new(false),
            leadership,
        }
    }

    /// The cluster as of `now`. To be dropped soon: a change that comes meanwhile copies all of it.
    pub(super) fn cluster(&self, now: Time) -> Arc<ClusterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).view(now)
    }

    /// The fencing token of the term in which this advisor may publish and act at this moment; `None` while it may not. Where it is
    /// the only one its term is the first.
    pub(super) fn term(&self) -> Option<u32> {
        let term = self.leadership.as_ref().map_or(Some(0), |leadership| leadership.borrow().token(Instant::now()));
        self.metrics.leads(term.is_some());
        term
    }

    /// Whether it may.
    pub(super) fn leads(&self) -> bool {
        self.term().is_some()
    }

    /// Whether a scale-in may go on, by what the planning loop said last, while it says something.
    pub(super) fn may_go_on(&self, now: Time) -> Result<(), Because> {
        let gate = self.gate.load_full();
        let most = Duration::from_secs(self.config.scaling.period_secs) * GATE_PERIODS;
        if now.since(gate.at) > most {
            return Err(Because::new(Refusal::StaleBooks, format!("no plan for {} s", now.since(gate.at).as_secs())));
        }
        gate.may.clone()
    }

    /// Whether no node may be removed though the advisor plans: for want of AWS, not because pods need nodes.
    pub(super) fn scale_in_blocked(&self, now: Time) -> bool {
        let plans = self.config.scaling.mode != Mode::Observe;
        plans && self.may_go_on(now).is_err_and(|why| why.refusal != Refusal::NodesWanted)
    }

    /// Whether Cluster Autoscaler runs; `None` where nobody knows.
    pub(super) fn autoscaler_runs(&self) -> Option<bool> {
        self.autoscaler.load_full().map(|seen| seen.present)
    }

    /// Counts the calls that were made.
    pub(super) fn count(&self, api: Api<'_>) {
        for call in &api.into_records() {
            self.metrics.aws_called(call);
        }
    }

    /// When the part was read that the books need and that was read longest ago; `None` while one never was.
    pub(super) fn read_at(inventory: &Inventory) -> Option<Time> {
        // What was never read is before everything.
        PARTS.iter().map(|(_, part)| part.read_at(&inventory.read_at)).min().flatten()
    }

    /// What the books still wait for, by name.
    pub(super) fn missing(&self, cluster: &ClusterState, inventory: &Inventory) -> Vec<&'static str> {
        let kinds = cluster.missing.iter().map(|kind| kind.label());
        let unread = PARTS.into_iter().filter(|(_, part)| part.read_at(&inventory.read_at).is_none());
        kinds.chain(unread.map(|(name, _)| name)).collect()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("config", &self.config).field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Status for Core {
    fn missing(&self) -> Vec<&'static str> {
        if *self.ready.borrow() {
            return Vec::new();
        }
        let missing = self.missing(&self.cluster(self.clock.now()), &self.inventory.borrow());
        if missing.is_empty() { vec!["books"] } else { missing }
    }

    fn metrics_text(&self) -> Result<String, fmt::Error> {
        self.leads();
        self.metrics.feed(self.feed.counters());
        self.metrics.encode()
    }
}

/// Takes in what the cluster tells, until the watches are gone.
pub(super) async fn follow(mut events: mpsc::Receiver<Event>, core: Arc<Core>) {
    while let Some(event) = events.recv().await {
        core.metrics.event(&event);
        core.state.lock().unwrap_or_else(PoisonError::into_inner).apply(event, core.clock.now());
    }
}
