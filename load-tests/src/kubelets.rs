//! The lab's nodes in a cluster whose API server is the real one.
//!
//! ```text
//!                    watch: bound pods, cordoned nodes
//!  kube-apiserver ────────────────────────────────────> Store of the lab <──> World: kubelet, ipamd, EC2
//!        ^                                                    │ log
//!        └──── lanes: Node, CNINode, pod status, Event, ──────┘
//!              DELETE of pods that have stopped
//! ```
//! The lab is driven as it always is, by its own store; a bridge carries changes both ways. A pod keeps the UID that the
//! real API server gave it. The pods of aws-node and kube-proxy, which the lab makes with a node, are created there and come
//! back as that server's.
//!
//! The lab's AWS APIs are served beside, for who wants to look at the same VPC. In real time only: kube-apiserver has no other clock.

mod bridge;
mod lane;
mod placement;
mod setup;

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use headroom_lab::aws;
use headroom_lab::clock::Clock;
use headroom_lab::scenario::Scenario;
use headroom_lab::world::{Report, World, driver};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use bridge::Bridge;
use lane::Lanes;
pub use placement::{Placement, Placements};

/// How long nodes may take to register and get ready. Measured: 1,000 of them take a quarter of a minute on two cores.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// A lab's nodes, running. They stop when it is dropped; what they wrote to the API server stays.
pub struct Kubelets {
    nodes: usize,
    clock: Clock,
    aws_url: String,
    reports: watch::Receiver<Arc<Report>>,
    ready: watch::Receiver<usize>,
    placements: Arc<Mutex<Placements>>,
    lanes: Lanes,
    /// Held for its drop: the world steps until then.
    _stop: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl fmt::Debug for Kubelets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubelets")
            .field("nodes", &self.nodes)
            .field("ready", &*self.ready.borrow())
            .finish_non_exhaustive()
    }
}

impl Kubelets {
    /// Starts the nodes of `scenario` in the cluster of `client`, whose user must be allowed everything. Writes the CRDs of the
    /// VPC CNI, the DaemonSets and the ENIConfigs; nodes then register by themselves, see [`Kubelets::ready`].
    ///
    /// # Errors
    /// When the scenario does not fit together or the API server refuses what every cluster has.
    pub async fn start(scenario: Scenario, client: Client) -> Result<Kubelets> {
        let nodes = scenario.node_groups.iter().map(|group| group.sizes().1 as usize).sum();
        let clock = Clock::running(1.0);
        let world = World::new(scenario, clock.now())?;
        let store = world.store();
        let aws_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let aws_url = format!("http://{}", aws_listener.local_addr()?);
        let aws = aws::router(world.vpc(), clock.clone());
        let owners =
            setup::write(&client, &store).await.context("failed to prepare the cluster for the lab's nodes")?;

        let mut tasks = JoinSet::new();
        let (stop, stopped) = watch::channel(false);
        let (publish, reports) = watch::channel(Arc::new(world.report()));
        let placements = Arc::<Mutex<Placements>>::default();
        let lanes = Lanes::start(&client, &Arc::new(owners), &mut tasks);
        let (seen_ready, ready) = watch::channel(0);
        let bridge = Bridge::new(store, clock.clone(), lanes.clone(), placements.clone(), seen_ready);
        tasks.spawn(bridge.run(client));
        tasks.spawn(async move {
            if let Err(error) = axum::serve(aws_listener, aws).await {
                tracing::error!(%error, "the lab's AWS APIs have stopped");
            }
        });
        tasks.spawn(driver::run(world, clock.clone(), publish, stopped));
        Ok(Kubelets { nodes, clock, aws_url, reports, ready, placements, lanes, _stop: stop, _tasks: tasks })
    }

    /// Waits until every node of the scenario's start is Ready at the API server and takes pods.
    ///
    /// # Errors
    /// When that takes more than three minutes.
    pub async fn ready(&self) -> Result<()> {
        let mut ready = self.ready.clone();
        let all = ready.wait_for(|count| *count >= self.nodes);
        let waited = tokio::time::timeout(READY_WITHIN, all).await;
        waited.with_context(|| format!("{} of {} nodes are ready", *self.ready.borrow(), self.nodes))??;
        Ok(())
    }

    /// Base URL of the lab's AWS APIs, `http://127.0.0.1:port`.
    #[must_use]
    pub fn aws_url(&self) -> &str {
        &self.aws_url
    }

    /// The lab's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The lab's state as of at most a tenth of a second ago.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.reports.borrow().clone()
    }

    /// Where pods went and when they got their address, as the API server's watches tell.
    ///
    /// The bridge waits while it is held.
    pub fn placements(&self) -> MutexGuard<'_, Placements> {
        lock(&self.placements)
    }

    /// Writes that the API server refused for good. There should be none; each is logged.
    #[must_use]
    pub fn refused_writes(&self) -> u64 {
        self.lanes.refused()
    }
}

/// Both sides write in single steps, so a panic of another holder left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
