//! One subnet.

use std::sync::Arc;

use headroom_capacity::budget::{Ipv4Budget, Mode};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::steady;
use headroom_capacity::units::{IPS_PER_PREFIX, Ips, Prefixes};
use headroom_forecast::quantiles::running;
use headroom_forecast::{
    Assumption, Exhaustion, Forecast, LEVELS, Model, Point, Question, Series, exhaustion, forecast,
};

use super::advice::{Advice, advise};
use super::footprint::Fleet;
use super::upper::{Now, ToCome, Upper};
use super::{HORIZON_SECS, sample};
use crate::ledger::{Ledger, NodeAccount, SubnetAccount};

/// A node's own share at most of what is kept for it, as a part of the subnet: in a small subnet a whole node is most of it.
const RESERVE_PART: u32 = 10;
/// Going by pods must promise a loss so much smaller than going by addresses: the steps between the two are not in the first.
const WORTH: f64 = 0.8;

/// Before a subnet has been seen for so long it is not known what a day brings.
const A_DAY_SECS: u64 = 86_400;

/// What is known of a subnet.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Its ID.
    pub id: &'a SubnetId,
    /// The books.
    pub ledger: &'a Ledger,
    /// aws-node's settings.
    pub settings: &'a CniSettings,
    /// Addresses that were held.
    pub used: &'a Series,
    /// Pods that had one.
    pub pods: &'a Series,
    /// Of the addresses held, those that do not come and go with pods.
    pub others: &'a Series,
    /// Pods that may come by what is declared.
    pub to_come: &'a ToCome,
}

/// What a subnet comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct SubnetOutlook {
    /// Its availability zone.
    pub az: Arc<str>,
    /// Addresses that can be held at all.
    pub usable: Ips,
    /// Addresses that someone holds.
    pub used: Ips,
    /// Of the free ones, those that nodes and ENIs that are coming will take.
    pub in_flight: Ips,
    /// Free aligned /28 blocks.
    pub free_prefixes: Prefixes,
    /// What the next node takes when it starts: with fewer addresses the subnet counts as exhausted. At most a tenth of it.
    pub reserve: Ips,
    /// Held addresses with which it counts as exhausted.
    pub limit: f64,
    /// The candidate with the most weight.
    pub model: Model,
    /// What drives it.
    pub assumption: Assumption,
    /// It is pods that were forecast, and what their nodes hold follows from ipamd's rules.
    pub by_pods: bool,
    /// Held addresses to come.
    pub points: Vec<Point>,
    /// The most of them until then: a subnet runs out at the first step that is full.
    pub peaks: Vec<Point>,
    /// When that reaches the limit.
    pub exhaustion: Exhaustion,
    /// What to do.
    pub advice: Advice,
    /// The most that may be held at once, by what is declared; or why that is not known.
    pub upper: Result<Upper, Arc<str>>,
}

impl SubnetOutlook {
    /// The most that is expected within the horizon at one of [`LEVELS`].
    #[must_use]
    pub fn peak(&self, level: usize) -> f64 {
        self.peaks.last().map_or(0.0, |point| point.values[level]).max(f64::from(self.used.get()))
    }

    /// Held addresses at a horizon, at each of [`LEVELS`]: those of the first point that is as far ahead, and what is held now where
    /// nothing is forecast.
    #[must_use]
    pub fn at(&self, horizon_secs: u64) -> [f64; LEVELS.len()] {
        let point = self.points.iter().find(|point| point.horizon_secs >= horizon_secs).or(self.points.last());
        point.map_or([f64::from(self.used.get()); LEVELS.len()], |point| point.values)
    }

    /// What to do, for people, with what is declared where that is more than the past tells.
    #[must_use]
    pub fn advice_text(&self) -> String {
        match &self.upper {
            Ok(upper) if upper.short > self.advice.short => format!("{}; {upper}", self.advice),
            _ => self.advice.to_string(),
        }
    }
}

/// Looks ahead; `None` for a subnet that is not in the books.
#[must_use]
pub fn foresee(observed: &Observed<'_>) -> Option<SubnetOutlook> {
    let account = observed.ledger.subnets.get(observed.id)?;
    let nodes = drawing_on(observed.ledger, observed.id);
    let held = account.used().saturating_sub(sample::others(account));
    let fleet = fleet(&nodes, observed.settings, sample::pods(account).get(), held.get());
    let room = Room::of(account, fleet.map(|fleet| fleet.budget.mode));
    let usable = account.usable();
    let reserve = fleet.map_or(Ips::ZERO, |fleet| {
        let fresh = steady(observed.settings, &fleet.budget, 0).subnet_ips;
        Ips(fresh.get().min(usable.get() / RESERVE_PART))
    });
    let used = f64::from(account.used().get());
    let limit = used + f64::from(room.ips.get()) - f64::from(room.in_flight.get()) - f64::from(reserve.get());
    let now = Now {
        used: account.used(),
        in_flight: room.in_flight,
        most: limit + f64::from(room.in_flight.get()),
        waiting: nodes.iter().map(|(node, _)| node.waiting).sum(),
        fleet: fleet.as_ref(),
    };
    let upper = observed.to_come.upper(observed.id, &now);
    let (by_pods, Forecast { model, points, peaks, assumption, .. }) = expect(observed, fleet.as_ref());
    let exhaustion = if used >= limit {
        Exhaustion { p10_secs: Some(0), p50_secs: Some(0), p90_secs: Some(0), horizon_secs: HORIZON_SECS }
    } else {
        exhaustion(&peaks, limit)
    };
    let mut outlook = SubnetOutlook {
        az: Arc::clone(&account.az),
        usable,
        used: account.used(),
        in_flight: account.in_flight_ips,
        free_prefixes: account.free_prefixes,
        reserve,
        limit,
        model,
        assumption,
        by_pods,
        points,
        peaks,
        exhaustion,
        advice: Advice::nothing(),
        upper,
    };
    let seen_secs = observed.used.values.len() as u64 * u64::from(observed.used.step_secs);
    let young = seen_secs < A_DAY_SECS;
    outlook.advice = advise(&outlook, young, account, &nodes, observed.settings);
    // What is wanted beyond the subnet counts for the advice, and cannot be held.
    for point in outlook.points.iter_mut().chain(&mut outlook.peaks) {
        point.values = point.values.map(|value| value.min(f64::from(usable.get())));
    }
    Some(outlook)
}

/// What can still be taken.
struct Room {
    ips: Ips,
    in_flight: Ips,
}

impl Room {
    /// Under prefix delegation single free addresses between others are no room.
    fn of(account: &SubnetAccount, mode: Option<Mode>) -> Room {
        match mode {
            Some(Mode::Prefix) => {
                Room { ips: account.free_prefixes.ips(), in_flight: account.in_flight_prefixes.ips() }
            }
            _ => Room { ips: account.free_ips, in_flight: account.in_flight_ips },
        }
    }
}

/// Whether the node's next pods may take their addresses from the subnet: with subnet discovery a node has several to choose from.
fn draws_on(node: &NodeAccount, subnet: &SubnetId) -> bool {
    node.new_eni_subnets.contains(subnet) || node.free_slots.contains_key(subnet)
}

/// The nodes that draw on the subnet, with what each can hold.
fn drawing_on<'a>(ledger: &'a Ledger, subnet: &SubnetId) -> Vec<(&'a NodeAccount, Ipv4Budget)> {
    let nodes = ledger.nodes.values().filter(|node| draws_on(node, subnet));
    nodes.filter_map(|node| Some((node, node.ipv4()?))).collect()
}

/// The nodes as so many of the kind that is most frequent, with so many pods and holding so many addresses together.
pub(super) fn fleet<'a>(
    nodes: &[(&NodeAccount, Ipv4Budget)],
    settings: &'a CniSettings,
    pods: u32,
    held: u32,
) -> Option<Fleet<'a>> {
    let count = |budget: &Ipv4Budget| nodes.iter().filter(|(_, other)| other == budget).count();
    let mut kinds: Vec<Ipv4Budget> = Vec::new();
    for (_, budget) in nodes {
        if !kinds.contains(budget) {
            kinds.push(*budget);
        }
    }
    let budget = kinds.into_iter().rev().max_by_key(count)?;
    let mut loads: Vec<u32> = nodes.iter().map(|(node, _)| node.pods()).collect();
    loads.sort_unstable();
    // The fuller nodes show with how many pods a node counts as full; the newest are still empty.
    let density = loads.get(loads.len() * 3 / 4).copied().unwrap_or_default();
    Some(Fleet {
        settings,
        budget,
        nodes: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
        pods,
        held,
        pods_per_node: f64::from(density.max(1)),
    })
}

/// By addresses, or by pods where these can be told so much better.
fn expect(observed: &Observed<'_>, fleet: Option<&Fleet<'_>>) -> (bool, Forecast) {
    let ask = |series: &Series| forecast(&Question { series, horizon_secs: HORIZON_SECS, capacity: f64::INFINITY });
    let direct = ask(observed.used);
    // A loss over hours is smaller than one over weeks and says less.
    let as_long = |series: &Series| series.values.len() * 10 >= observed.used.values.len() * 9;
    let Some(fleet) = fleet.filter(|_| as_long(observed.pods) && as_long(observed.others)) else {
        return (false, direct);
    };
    let (pods, others) = (ask(observed.pods), ask(observed.others));
    let (Some(direct_loss), Some(pods_loss)) = (direct.combined_score, pods.combined_score) else {
        return (false, direct);
    };
    // Far enough to be over several steps.
    let now = f64::from(fleet.pods);
    let step = now.max(f64::from(IPS_PER_PREFIX));
    let per_pod = ((fleet.ips(now + step) - fleet.ips(now)) / step).max(0.0);
    let loss = pods_loss * per_pod + others.combined_score.unwrap_or_default();
    if loss >= WORTH * direct_loss || others.points.len() != pods.points.len() {
        return (false, direct);
    }
    let both = |pods: &[Point], others: &[Point]| {
        let sum = pods.iter().zip(others).map(|(pods, others)| {
            let ips = fleet.expect(pods);
            Point { values: std::array::from_fn(|level| ips.values[level] + others.values[level]), ..ips }
        });
        sum.collect()
    };
    let (points, mut peaks): (Vec<Point>, Vec<Point>) =
        (both(&pods.points, &others.points), both(&pods.peaks, &others.peaks));
    // Where one pod more needs a node more, all nodes may hold less together: the most is not below what is passed on the way.
    for (peak, point) in peaks.iter_mut().zip(&points) {
        peak.values = std::array::from_fn(|level| peak.values[level].max(point.values[level]));
    }
    let peaks = running(&peaks);
    (true, Forecast { points, peaks, ..pods })
}
