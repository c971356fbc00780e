//! The ledger as CloudWatch metrics under Headroom's own names.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::budget::Budget;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::Demand;

use super::catalog::{FIGURES, Figure, Scope, Value};
use super::{Datum, Sample};
use crate::config::Observe;
use crate::headroom::Headroom;
use crate::inventory::Inventory;
use crate::ledger::{Ledger, NodeAccount, Owner, SubnetAccount};
use crate::outlook::{Outlook, SubnetOutlook};
use crate::state::ClusterState;

/// What is told.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The books.
    pub ledger: &'a Ledger,
    /// What Kubernetes says.
    pub state: &'a ClusterState,
    /// What AWS says.
    pub inventory: &'a Inventory,
    /// The room for pods in it.
    pub headroom: &'a Headroom,
    /// What is expected, where that is known and recent.
    pub outlook: Option<&'a Outlook>,
    /// AWS endpoints whose latest probe failed.
    pub endpoints_down: u64,
    /// No node may be removed: AWS is not reached, what was read is too old, or the credentials end.
    pub scale_in_blocked: bool,
    /// The cluster's name.
    pub cluster: &'a str,
    /// How old a source may be: of an older one nothing is told, and an alarm sees missing data instead of a figure that stands
    /// still.
    pub max_age: Duration,
}

/// Three rounds of the slowest reading: one that fails is no reason to fall silent.
#[must_use]
pub fn max_age(observe: &Observe) -> Duration {
    let secs = [observe.subnets_secs, observe.enis_secs, observe.instances_secs, observe.groups_secs];
    Duration::from_secs(3 * secs.into_iter().max().unwrap_or_default())
}

/// Counts over one scope.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) free_ips: u64,
    pub(super) free_prefixes: u64,
    pub(super) in_flight: u64,
    pub(super) leaked_enis: u64,
    pub(super) leaked_ips: u64,
    pub(super) headroom: u64,
    pub(super) demand: u64,
    pub(super) without_ip: u64,
}

/// What the counts are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Cluster,
    Az(Arc<str>),
    Subnet(SubnetId),
    Asg(Arc<str>),
}

impl Place {
    const fn scope(&self) -> Scope {
        match self {
            Place::Cluster => Scope::Cluster,
            Place::Az(_) => Scope::Az,
            Place::Subnet(_) => Scope::Subnet,
            Place::Asg(_) => Scope::Asg,
        }
    }

    fn dimension(&self) -> Option<(&str, &str)> {
        match self {
            Place::Cluster => None,
            Place::Az(az) => Some(("AZ", az)),
            Place::Subnet(id) => Some(("Subnet", id.as_str())),
            Place::Asg(name) => Some(("ASG", name)),
        }
    }
}

/// Every figure of [`FIGURES`] whose source is recent enough, for each place in its scopes.
#[must_use]
pub fn figures(observed: &Observed<'_>, now: Time) -> Vec<Datum> {
    let age = observed.age(now);
    let aws = observed.aws_is_current(now);
    let kubernetes = observed.kubernetes_is_current(now);
    let told = |figure: &&Figure| (aws || !figure.needs_aws) && (kubernetes || !figure.needs_kubernetes);
    let mut data = Vec::new();
    for (place, totals) in &observed.totals() {
        let cluster = [("Cluster", observed.cluster)];
        let dimensions: Vec<(&str, &str)> = cluster.into_iter().chain(place.dimension()).collect();
        for figure in FIGURES.iter().filter(|figure| figure.scopes.contains(&place.scope())).filter(told) {
            let samples = match figure.value {
                Value::Count(count) => vec![one(number(count(totals)))],
                Value::Nodes => distribution(&observed.headroom.nodes),
                Value::Soonest(of) => observed.expected(place, of).reduce(f64::min).map(one).into_iter().collect(),
                Value::Expected(of) => observed.expected(place, of).reduce(|a, b| a + b).map(one).into_iter().collect(),
                Value::Age => age.map(|age| one(age.as_secs_f64())).into_iter().collect(),
                Value::Whole(of) => vec![one(number(of(observed)))],
            };
            if !samples.is_empty() {
                data.push(Datum { samples, ..Datum::new(figure.name, figure.unit, &dimensions, 0.0) });
            }
        }
    }
    data
}

impl Observed<'_> {
    /// `None` while a part has never been read.
    fn age(&self, now: Time) -> Option<Duration> {
        let read_at = &self.inventory.read_at;
        let oldest = read_at.subnets?.min(read_at.enis?).min(read_at.instances?).min(read_at.groups?);
        Some(now.since(oldest))
    }

    /// What `of` gives for each subnet of the place.
    fn expected(&self, place: &Place, of: fn(&SubnetOutlook) -> f64) -> impl Iterator<Item = f64> {
        let here = move |id: &SubnetId, subnet: &SubnetOutlook| match place {
            Place::Cluster => true,
            Place::Az(az) => *az == subnet.az,
            Place::Subnet(of) => of == id,
            Place::Asg(_) => false,
        };
        let subnets = self.outlook.into_iter().flat_map(|outlook| &outlook.subnets);
        let told = |id: &SubnetId| self.ledger.subnets.get(id).is_some_and(|account| self.is_drawn_on(id, account));
        subnets.filter(move |(id, subnet)| here(id, subnet) && told(id)).map(move |(_, subnet)| of(subnet))
    }

    /// Whether the cluster takes or may take addresses of it. The others of the VPC are nobody's alarm: EKS advises subnets of 16 addresses for
    /// the control plane's own ENIs (EKS user guide, "Subnet requirements for clusters").
    fn is_drawn_on(&self, id: &SubnetId, account: &SubnetAccount) -> bool {
        let ours = |owner: &Owner| *owner != Owner::Foreign && account.held_by(*owner).get() > 0;
        Owner::ALL.iter().any(ours)
            || self.inventory.groups.values().any(|group| group.subnets.contains(id))
            || self.state.eni_configs.values().flatten().any(|named| named == id)
    }

    pub(super) fn aws_is_current(&self, now: Time) -> bool {
        self.age(now).is_some_and(|age| age <= self.max_age)
    }

    pub(super) fn kubernetes_is_current(&self, now: Time) -> bool {
        let failing = self.state.failing_since.map(|since| now.since(since));
        self.state.missing.is_empty() && failing.is_none_or(|time| time <= self.max_age)
    }

    fn totals(&self) -> BTreeMap<Place, Totals> {
        let mut totals = BTreeMap::from([(Place::Cluster, Totals::default())]);
        let azs: BTreeSet<&Arc<str>> = self.ledger.subnets.values().map(|subnet| &subnet.az).collect();
        totals.extend(azs.into_iter().map(|az| (Place::Az(Arc::clone(az)), Totals::default())));
        totals.extend(self.inventory.groups.keys().map(|name| (Place::Asg(Arc::clone(name)), Totals::default())));
        self.add_subnets(&mut totals);
        self.add_leaks(&mut totals);
        self.add_pods(&mut totals);
        let headroom = self.headroom;
        let by_az = headroom.by_az.iter().map(|(az, pods)| (Place::Az(Arc::clone(az)), *pods));
        let by_group = headroom.by_group.iter().map(|(group, pods)| (Place::Asg(Arc::clone(group)), *pods));
        for (place, pods) in by_az.chain(by_group).chain([(Place::Cluster, headroom.cluster)]) {
            add(&mut totals, [place], |totals| totals.headroom = pods);
        }
        totals
    }

    fn add_subnets(&self, totals: &mut BTreeMap<Place, Totals>) {
        let mut launching: BTreeMap<&SubnetId, BTreeSet<&Arc<str>>> = BTreeMap::new();
        for group in self.inventory.groups.values() {
            for subnet in &group.subnets {
                launching.entry(subnet).or_default().insert(&group.name);
            }
        }
        for (id, subnet) in &self.ledger.subnets {
            if self.is_drawn_on(id, subnet) {
                totals.insert(Place::Subnet(id.clone()), Totals::default());
            }
            let groups = launching.get(id).into_iter().flatten().map(|name| Place::Asg(Arc::clone(name)));
            let places = places(id, subnet).into_iter().chain(groups);
            add(totals, places, |totals| {
                totals.free_ips += u64::from(subnet.free_ips.get());
                totals.free_prefixes += u64::from(subnet.free_prefixes.get());
                totals.in_flight += u64::from(subnet.in_flight_ips.get());
            });
        }
    }

    fn add_leaks(&self, totals: &mut BTreeMap<Place, Totals>) {
        for leak in &self.ledger.leaks {
            let Some(subnet) = self.ledger.subnets.get(&leak.subnet) else { continue };
            add(totals, places(&leak.subnet, subnet), |totals| {
                totals.leaked_enis += 1;
                totals.leaked_ips += u64::from(leak.ips.get());
            });
        }
    }

    fn add_pods(&self, totals: &mut BTreeMap<Place, Totals>) {
        for pod in self.state.pods.values().filter(|pod| !pod.over && pod.demand != Demand::None) {
            let node = pod.node.as_ref().and_then(|name| self.ledger.nodes.get(name));
            if node.is_some_and(|node| matches!(node.budget, Budget::NotManaged(_))) {
                continue;
            }
            let waits = pod.node.is_some() && pod.ip.is_none();
            let places = [Place::Cluster].into_iter().chain(node.into_iter().flat_map(places_of_node));
            add(totals, places, |totals| {
                totals.demand += 1;
                totals.without_ip += u64::from(waits);
            });
        }
        add(totals, [Place::Cluster], |totals| totals.without_ip = u64::from(self.ledger.pods_without_ip));
    }
}

fn places(id: &SubnetId, subnet: &SubnetAccount) -> [Place; 3] {
    [Place::Cluster, Place::Az(Arc::clone(&subnet.az)), Place::Subnet(id.clone())]
}

fn places_of_node(node: &NodeAccount) -> impl Iterator<Item = Place> + use<> {
    let az = node.az.clone().map(Place::Az);
    az.into_iter().chain(node.group.clone().map(Place::Asg))
}

/// Places that are not published are passed over: nothing is known of the subnets of a group that was not read.
fn add(totals: &mut BTreeMap<Place, Totals>, places: impl IntoIterator<Item = Place>, with: impl Fn(&mut Totals)) {
    for place in places {
        if let Some(totals) = totals.get_mut(&place) {
            with(totals);
        }
    }
}

fn distribution(values: &[u32]) -> Vec<Sample> {
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for value in values {
        *counts.entry(*value).or_default() += 1;
    }
    counts.into_iter().map(|(value, count)| Sample { value: f64::from(value), count: number(count) }).collect()
}

const fn one(value: f64) -> Sample {
    Sample { value, count: 1.0 }
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a VPC has fewer than 2^32 addresses")]
pub(super) const fn number(count: u64) -> f64 {
    count as f64
}
