//! What one round of the advisor costs in a large cluster: AWS read over HTTP, the books, and what is told of them.
//!
//! ```text
//! headroom-bench vpc ──HTTP──> Observer ──> ledger ──> headroom ──> feed, CloudWatch     this process: the advisor's code alone
//! (pages in memory)            State <── events, made one by one
//! ```

pub mod meter;
pub mod report;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_credential_types::Credentials;
use headroom_advisor::aws::{Connection, Observer, Part, Round};
use headroom_advisor::cloudwatch;
use headroom_advisor::cloudwatch::figures::{Observed, max_age};
use headroom_advisor::config::Config;
use headroom_advisor::feed::{self, Feed};
use headroom_advisor::headroom::{Headroom, headroom};
use headroom_advisor::inventory::{InstanceId, Inventory};
use headroom_advisor::ledger::{self, Ledger, Owner, Policy};
use headroom_advisor::state::{ClusterState, State};
use headroom_capacity::time::Time;

use super::vpc::{self, Size, kubernetes};
use meter::{Cost, Meter};
use report::{Report, Stage};

/// When the first round begins.
const START: Time = Time::from_secs(1_796_000_000);

/// What the advisor keeps from one round to the next.
struct Books {
    _inventory: Arc<Inventory>,
    _headroom: Headroom,
    ledger: Ledger,
}

struct Bench {
    size: Size,
    config: Config,
    policy: Policy,
    observer: Observer,
    state: State,
    feed: Feed,
    nodes: BTreeSet<InstanceId>,
    books: Option<Books>,
}

/// Measures `rounds` rounds of everything, the first one included, with a VPC that `vpc` serves.
///
/// # Errors
/// When a part is not read or is not what is served.
pub async fn run(vpc: SocketAddr, size: Size, rounds: u32) -> anyhow::Result<Report> {
    let mut config = Config { cluster_name: vpc::CLUSTER.to_owned(), ..Config::default() };
    config.aws.region = Some(vpc::REGION.to_owned());
    config.cloudwatch.enabled = true;
    let credentials = Credentials::new("AKID", "secret", None, None, "bench");
    let connection = Connection::at(&config.aws, &format!("http://{vpc}"), credentials).await?;
    let observer = Observer::new(connection, &config, fastrand::Rng::with_seed(1));
    let before = Meter::start()?.stop()?.resident_kib;
    let mut bench = Bench {
        size,
        policy: Policy::from(&config),
        feed: Feed::new("bench", &config.feed),
        config,
        observer,
        state: State::new(),
        nodes: BTreeSet::new(),
        books: None,
    };
    let loaded = bench.load()?;
    let mut calls = Vec::new();
    let mut measured = Vec::new();
    for n in 0..rounds {
        // Every part but the offers is due again.
        let now = START + Duration::from_secs(bench.config.observe.topology_secs) * n;
        let (costs, round) = bench.round(now).await?;
        calls.push(round.counts());
        measured.push(costs);
    }
    Ok(Report { size, config: bench.config, before, loaded, calls, rounds: measured })
}

impl Bench {
    /// Kubernetes first: the advisor waits for it.
    fn load(&mut self) -> anyhow::Result<Cost> {
        let meter = Meter::start()?;
        for event in kubernetes::events(self.size) {
            self.state.apply(event, START);
        }
        let cost = meter.stop()?;
        self.nodes = self.state.view(START).nodes.values().filter_map(|node| node.instance.clone()).collect();
        Ok(cost)
    }

    async fn round(&mut self, now: Time) -> anyhow::Result<([Cost; Stage::ALL.len()], Round)> {
        let meter = Meter::start()?;
        let round = self.observer.round(now, &self.nodes).await;
        let read = meter.stop()?;
        self.check_round(&round)?;
        let (inventory, cluster) = (Arc::clone(&round.inventory), self.state.view(now));

        let meter = Meter::start()?;
        let ledger = ledger::build(&inventory, &cluster, &self.policy, now);
        let built = meter.stop()?;
        self.check_ledger(&ledger)?;

        let meter = Meter::start()?;
        let headroom = headroom(&ledger, &cluster, now);
        let counted = meter.stop()?;

        let meter = Meter::start()?;
        self.feed.publish(feed::view(&ledger, &inventory.types), now);
        let fed = meter.stop()?;

        let meter = Meter::start()?;
        ensure!(!self.figures(&ledger, &cluster, &inventory, &headroom, now).is_empty(), "no figures for CloudWatch");
        let published = meter.stop()?;

        // The books are being made from it meanwhile.
        let meter = Meter::start()?;
        self.state.apply(kubernetes::pod_applied(self.size, 0), now);
        let changed = meter.stop()?;
        drop(cluster);
        self.books = Some(Books { _inventory: inventory, _headroom: headroom, ledger });
        Ok(([read, built, counted, fed, published, changed], round))
    }

    fn figures(
        &self,
        ledger: &Ledger,
        state: &ClusterState,
        inventory: &Inventory,
        headroom: &Headroom,
        now: Time,
    ) -> Vec<(String, Vec<cloudwatch::Datum>)> {
        let max_age = max_age(&self.config.observe);
        let observed = Observed {
            ledger,
            state,
            inventory,
            headroom,
            outlook: None,
            endpoints_down: 0,
            scale_in_blocked: false,
            cluster: vpc::CLUSTER,
            max_age,
        };
        cloudwatch::round(&observed, None, &self.config.cloudwatch, now)
    }

    fn check_round(&self, round: &Round) -> anyhow::Result<()> {
        if let Some(error) = round.errors.first() {
            return Err(error.clone()).context("AWS was not read");
        }
        // Offers are read once a day.
        let mut due = Part::ALL.into_iter().filter(|part| *part != Part::Offers);
        ensure!(due.all(|part| round.read.contains(&part)), "only {:?} was read", round.read);
        let (enis, instances) = (round.inventory.enis.len(), round.inventory.instances.len());
        let served = (self.size.enis as usize, self.size.nodes as usize);
        ensure!((enis, instances) == served, "{enis} ENIs and {instances} instances were read");
        Ok(())
    }

    fn check_ledger(&self, ledger: &Ledger) -> anyhow::Result<()> {
        let pods: u32 = ledger.subnets.values().map(|subnet| subnet.held_by(Owner::Pod).get()).sum();
        ensure!(pods == self.size.pods, "{pods} addresses are pods', not {}", self.size.pods);
        if let Some(books) = &self.books {
            ensure!(books.ledger.nodes == ledger.nodes, "the nodes of two rounds differ, and nothing has changed");
        }
        Ok(())
    }
}
