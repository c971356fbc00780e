//! Serial calls, as kube-scheduler makes them, to several extenders in turns.

use std::net::SocketAddr;

use anyhow::bail;

use super::churn::{self, Churn};
use super::driver::{Block, Driver, Outcome};
use super::fixture::Wish;
use super::latency::Latencies;
use super::open_loop::{self, Load};
use super::target::{Headroom, Peer};

/// Watch events a second beside the calls.
pub const CHURN_PER_SEC: u32 = 200;

/// The client whose connections are counted.
const CLIENT: &str = "kube-scheduler";

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The byte-splicing floor, with answers as long as Headroom's.
    Floor,
    /// headroom-extender.
    Headroom,
    /// The plain Go extender, which passes every node.
    PlainGo,
}

impl Target {
    /// All, in the order of tables.
    pub const ALL: [Target; 3] = [Target::Floor, Target::Headroom, Target::PlainGo];

    /// Its name in reports and HDR logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Target::Floor => "floor",
            Target::Headroom => "headroom",
            Target::PlainGo => "plain-go",
        }
    }
}

/// What to measure in one row of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The pod that is asked about.
    pub pod: Wish,
    /// Whether the extender has only just started, and counts on no more than the first ENI of a node.
    pub fresh: bool,
    /// Nodes of the cluster.
    pub nodes: u32,
    /// Of them in one call.
    pub names: u32,
    /// Calls to one target before it is the next one's turn.
    pub block: u64,
    /// Turns of each, after one that does not count.
    pub rounds: u32,
}

impl Row {
    /// The pod, and what is special about the extender; without blanks.
    #[must_use]
    pub fn label(self) -> String {
        format!("{}{}", self.pod.label(), if self.fresh { "-fresh" } else { "" })
    }
}

/// One target's part of a row.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Latencies.
    pub latencies: Latencies,
    /// Names in the shortest and the longest answer.
    pub names_back: Option<(u32, u32)>,
}

impl Measured {
    fn add(&mut self, outcome: &Outcome) {
        self.latencies.add_round(&outcome.nanos);
        let (shortest, longest) = self.names_back.unwrap_or((u32::MAX, 0));
        self.names_back = Some((shortest.min(outcome.shortest), longest.max(outcome.longest)));
    }
}

/// The driver and the peers that every row needs.
#[derive(Debug)]
pub struct Serial {
    driver: Driver,
    floor: Peer,
    plain_go: Peer,
    next_pod: u64,
    /// Length of Headroom's last answers, for the floor's to be as long.
    keep: u32,
}

impl Serial {
    /// With these.
    #[must_use]
    pub fn new(driver: Driver, floor: Peer, plain_go: Peer) -> Serial {
        Serial { driver, floor, plain_go, next_pod: 0, keep: 0 }
    }

    /// Measures a row: every target once a round, each round in another order.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn row(&mut self, row: Row, headroom: &Headroom) -> anyhow::Result<[Measured; 3]> {
        let mut measured: [Measured; 3] = Default::default();
        self.probe(row, headroom).await?;
        for round in 0..=row.rounds {
            for turn in 0..Target::ALL.len() {
                let at = (turn + round as usize) % Target::ALL.len();
                let outcome = match Target::ALL[at] {
                    Target::Headroom => self.headroom(row, headroom, row.block).await?,
                    peer => {
                        let (addr, path) = self.address(peer, headroom);
                        self.block(row, format!("http://{addr}{path}"), row.block).await?.0
                    }
                };
                if round > 0 {
                    measured[at].add(&outcome);
                }
            }
        }
        self.even(&measured[Target::Headroom as usize])?;
        Ok(measured)
    }

    /// Measures Headroom with and without [`CHURN_PER_SEC`] watch events in turns, without first. Also tells how many events
    /// were sent.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn churn(&mut self, row: Row, headroom: &Headroom) -> anyhow::Result<([Measured; 2], u64)> {
        let mut churn = Churn::new(headroom.api.clone(), CHURN_PER_SEC);
        let mut measured: [Measured; 2] = Default::default();
        let mut events = 0;
        self.probe(row, headroom).await?;
        for round in 0..=row.rounds {
            for turn in 0..2_u32 {
                let with = (turn + round) % 2 == 1;
                let outcome = if with {
                    let (outcome, sent) = churn.beside(self.headroom(row, headroom, row.block)).await;
                    events += sent;
                    outcome?
                } else {
                    self.headroom(row, headroom, row.block).await?
                };
                if round > 0 {
                    measured[usize::from(with)].add(&outcome);
                }
            }
        }
        for of in &measured {
            self.even(of)?;
        }
        Ok((measured, events))
    }

    /// Finds out how long Headroom's answers are, so that the floor's can be as long.
    async fn probe(&mut self, row: Row, headroom: &Headroom) -> anyhow::Result<()> {
        self.keep = self.headroom(row, headroom, 1).await?.longest;
        Ok(())
    }

    /// Short answers are cheaper: a comparison holds only while all of Headroom's are as long as the floor's.
    fn even(&self, headroom: &Measured) -> anyhow::Result<()> {
        match headroom.names_back {
            Some((shortest, longest)) if (shortest, longest) != (self.keep, self.keep) => bail!(
                "Headroom answered with {shortest} to {longest} names instead of {}: nodes filled up within a block, make it shorter",
                self.keep
            ),
            _ => Ok(()),
        }
    }

    /// Calls Headroom, and ends the claims of the pods that were asked about: no node may fill up from one block to the next.
    async fn headroom(&mut self, row: Row, headroom: &Headroom, calls: u64) -> anyhow::Result<Outcome> {
        let (outcome, pods) = self.block(row, format!("http://{}/v1", headroom.addr), calls).await?;
        churn::calls_over(&headroom.api, pods);
        headroom.settled().await?;
        Ok(outcome)
    }

    /// Calls a target at a given rate.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn open_loop(
        &mut self,
        target: Target,
        load: Load,
        headroom: &Headroom,
    ) -> anyhow::Result<open_loop::Outcome> {
        let nodes = headroom.api.fixture().size().nodes;
        self.probe(Row { pod: Wish::Plain, fresh: false, nodes, names: load.names, block: 1, rounds: 1 }, headroom)
            .await?;
        let first_pod = self.next_pod;
        self.next_pod += load.calls as u64;
        let (addr, path) = self.address(target, headroom);
        let calls =
            tokio::task::spawn_blocking(move || open_loop::run(addr, &format!("{path}/filter"), &load, first_pod));
        let outcome = calls.await??;
        churn::calls_over(&headroom.api, first_pod..self.next_pod);
        headroom.settled().await?;
        Ok(outcome)
    }

    fn address(&self, target: Target, headroom: &Headroom) -> (SocketAddr, String) {
        match target {
            Target::Floor => (self.floor.addr, format!("/keep/{}", self.keep)),
            Target::Headroom => (headroom.addr, "/v1".to_owned()),
            Target::PlainGo => (self.plain_go.addr, "/v1".to_owned()),
        }
    }

    async fn block(
        &mut self,
        row: Row,
        url_prefix: String,
        calls: u64,
    ) -> anyhow::Result<(Outcome, std::ops::Range<u64>)> {
        let first_pod = self.next_pod;
        self.next_pod += calls;
        let block =
            Block { url_prefix, client: CLIENT, pod: row.pod, cluster: row.nodes, names: row.names, calls, first_pod };
        Ok((self.driver.run(&block).await?, first_pod..self.next_pod))
    }
}
