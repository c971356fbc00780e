//! Reads AWS into an [`Inventory`], round by round.
//!
//! ```text
//! instances ──> VPC ──┬─> subnets ──> topology
//!     │               └─> ENIs
//!     └──> names of groups ──> groups ──> types that no table knows
//! instance types of the region
//! ```
//! Each part is replaced as a whole, and one that cannot be read to its end stays as it was, with its old time.

mod read;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headroom_capacity::time::Time;

pub use schedule::{JITTER, Part, Tried};

use super::api::Api;
use super::connect::Connection;
use super::error::AwsError;
use super::operation::{CallRecord, Operation};
use crate::config::{self, Config};
use crate::inventory::{InstanceId, Inventory};

/// Who reads, and what it knows so far.
#[derive(Debug)]
pub struct Observer {
    connection: Connection,
    cluster: String,
    observe: config::Observe,
    rng: fastrand::Rng,
    /// `aws.vpc_id`, or that of the cluster's instances once there was one.
    vpc: Option<Arc<str>>,
    tried: BTreeMap<Part, Tried>,
    /// Instance types that EC2 was asked about since the topology was last read: it need not know them.
    asked: BTreeSet<Arc<str>>,
    inventory: Arc<Inventory>,
}

/// What one round brought.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Everything known after it.
    pub inventory: Arc<Inventory>,
    /// The parts that were read.
    pub read: Vec<Part>,
    /// Why others were not.
    pub errors: Vec<AwsError>,
    /// Every call, in the order in which they ended.
    pub calls: Vec<CallRecord>,
}

impl Round {
    /// Calls by operation, failed ones included.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Operation, u32> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            *counts.entry(call.operation).or_insert(0) += 1;
        }
        counts
    }
}

impl Observer {
    /// One that knows nothing yet: every part is due. `rng` draws the jitter.
    #[must_use]
    pub fn new(connection: Connection, config: &Config, rng: fastrand::Rng) -> Observer {
        Observer {
            connection,
            cluster: config.cluster_name.clone(),
            observe: config.observe.clone(),
            rng,
            vpc: config.aws.vpc_id.as_deref().map(Arc::from),
            tried: Part::ALL.map(|part| (part, Tried::default())).into(),
            asked: BTreeSet::new(),
            inventory: Arc::default(),
        }
    }

    /// The same without a part: it is never due.
    #[must_use]
    pub fn without(mut self, part: Part) -> Observer {
        self.tried.remove(&part);
        self
    }

    /// When the next part is due.
    #[must_use]
    pub fn next_due(&self) -> Time {
        self.tried.iter().map(|(part, tried)| tried.due_at(part.every(&self.observe))).min().unwrap_or_default()
    }

    /// Reads every part that is due at `now`. `nodes` are the instances of the cluster's nodes: those without the cluster's tag are
    /// read by their IDs. Every call has its deadline, and each listing an end.
    pub async fn round(&mut self, now: Time, nodes: &BTreeSet<InstanceId>) -> Round {
        let mut due: BTreeSet<Part> = self
            .tried
            .iter()
            .filter(|(part, tried)| tried.due_at(part.every(&self.observe)) <= now)
            .map(|(part, _)| *part)
            .collect();
        if due.is_empty() {
            return Round { inventory: Arc::clone(&self.inventory), ..Round::default() };
        }
        let connection = self.connection.clone();
        let api = Api::new(&connection);
        let mut reading =
            Reading { now, next: Inventory::clone(&self.inventory), read: Vec::new(), failed: Vec::new() };
        if due.contains(&Part::Instances) {
            let instances = api.cluster_instances(&self.cluster, nodes).await;
            reading.take(Part::Instances, instances, |next, rows| {
                if self.vpc.is_none() {
                    self.vpc = read::vpc_of(&rows);
                    // They have waited for it.
                    due.extend(self.vpc.iter().flat_map(|_| Part::ALL).filter(|part| part.is_of_vpc()));
                }
                next.instances = rows.into_iter().map(|row| (row.instance.id.clone(), row.instance)).collect();
                next.read_at.instances = Some(now);
            });
        }
        if self.vpc.is_none() {
            tracing::warn!(
                cluster = self.cluster,
                "no VPC is known: the cluster has no instance yet, or aws.vpc_id is needed"
            );
        }
        self.read_others(&api, &due, &mut reading).await;
        self.read_types(&api, &mut reading).await;
        for part in due {
            let read = reading.read.contains(&part);
            self.tried.entry(part).or_default().ended(now, read, self.rng.f64());
        }
        self.inventory = Arc::new(reading.next);
        Round {
            inventory: Arc::clone(&self.inventory),
            read: reading.read,
            errors: reading.failed,
            calls: api.into_records(),
        }
    }

    /// Everything but instances, side by side: each is a listing that has to be read page after page.
    async fn read_others(&self, api: &Api<'_>, due: &BTreeSet<Part>, reading: &mut Reading) {
        let (now, former) = (reading.now, &reading.next);
        let vpc_if = |part| self.vpc.as_deref().filter(|_| due.contains(&part));
        let subnets_and_topology = async {
            let subnets = read::maybe(vpc_if(Part::Subnets), |vpc| api.subnets(vpc)).await;
            let ids = match &subnets {
                Some(Ok(subnets)) => subnets.iter().map(|subnet| subnet.id.clone()).collect(),
                _ => former.subnets.keys().cloned().collect(),
            };
            (subnets, read::maybe(vpc_if(Part::Topology), |vpc| api.topology(vpc, ids)).await)
        };
        let enis = read::maybe(vpc_if(Part::Enis), |vpc| api.enis(vpc));
        let groups = read::maybe(due.contains(&Part::Groups).then_some(()), |()| {
            api.cluster_groups(&self.cluster, read::group_names(&former.instances))
        });
        let offers = read::maybe(due.contains(&Part::Offers).then_some(()), |()| api.offers());
        let ((subnets, topology), enis, groups, offers) = futures::join!(subnets_and_topology, enis, groups, offers);
        reading.maybe_take(Part::Subnets, subnets, |next, subnets| {
            next.vpc = self.vpc.clone().filter(|_| !subnets.is_empty());
            next.subnets = subnets.into_iter().map(|subnet| (subnet.id.clone(), subnet)).collect();
            next.read_at.subnets = Some(now);
        });
        reading.maybe_take(Part::Enis, enis, |next, enis| {
            next.enis = enis;
            next.read_at.enis = Some(now);
        });
        reading.maybe_take(Part::Groups, groups, |next, groups| {
            next.groups = groups.into_iter().map(|group| (Arc::clone(&group.name), group)).collect();
            next.read_at.groups = Some(now);
        });
        reading.maybe_take(Part::Topology, topology, |next, topology| {
            next.vpc_cidrs = topology.vpc_cidrs;
            next.endpoints = topology.endpoints;
            next.reservations = topology.reservations;
            next.read_at.endpoints = Some(now);
        });
        reading.maybe_take(Part::Offers, offers, |next, offers| {
            read::learn(next, offers, true);
            next.read_at.offers = Some(now);
        });
    }

    /// Types that came after the offers were read are asked about when they are first seen, and again with the topology where EC2 did
    /// not know them.
    async fn read_types(&mut self, api: &Api<'_>, reading: &mut Reading) {
        if reading.read.contains(&Part::Topology) {
            self.asked.clear();
        }
        if !reading.read.iter().any(|part| matches!(part, Part::Instances | Part::Groups)) {
            return;
        }
        read::learn(&mut reading.next, Vec::new(), false);
        let unknown: Vec<Arc<str>> = read::unknown_types(&reading.next).difference(&self.asked).cloned().collect();
        match api.offers_by_name(&unknown).await {
            Ok(offers) => {
                read::learn(&mut reading.next, offers, false);
                self.asked.extend(unknown);
            }
            Err(error) => reading.failed.push(error),
        }
    }
}

/// An inventory in the making.
struct Reading {
    now: Time,
    next: Inventory,
    read: Vec<Part>,
    failed: Vec<AwsError>,
}

impl Reading {
    /// Puts a part in its place, or leaves the former one there.
    fn take<T>(&mut self, part: Part, result: Result<T, AwsError>, put: impl FnOnce(&mut Inventory, T)) {
        match result {
            Ok(value) => {
                put(&mut self.next, value);
                self.read.push(part);
            }
            Err(error) => {
                tracing::warn!(part = part.label(), %error, "AWS was not read");
                self.failed.push(error);
            }
        }
    }

    /// The same for a part that was perhaps not due.
    fn maybe_take<T>(&mut self, part: Part, result: Option<Result<T, AwsError>>, put: impl FnOnce(&mut Inventory, T)) {
        if let Some(result) = result {
            self.take(part, result, put);
        }
    }
}
