//! An outlook for readers: what `/forecast` serves as JSON, `headroom-advisor forecast` prints and gRPC answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_forecast::{LEVELS, Point, Series};
use serde::{Deserialize, Serialize};

use super::{Demand, Driver, HORIZON_SECS, Outlook, SubnetOutlook, Upper};

/// Everything, the subnets that run out first coming first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Unix time at which it was made.
    pub made_at_secs: u64,
    /// How far it looks.
    pub horizon_secs: u64,
    /// Levels of the quantiles, in the order of [`Expected::ips`].
    pub levels: Vec<f64>,
    /// The subnets.
    pub subnets: Vec<Row>,
    /// What zones will ask for, by name.
    pub azs: BTreeMap<String, Asked>,
    /// The same of Auto Scaling groups.
    pub groups: BTreeMap<String, Asked>,
}

/// What a zone or a group will ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Nodes now.
    pub nodes: u32,
    /// Pods that have or need an address now.
    pub pods: u32,
    /// Addresses that the nodes hold now.
    pub ips: u32,
    /// Pods to come.
    pub expected_pods: Vec<Quantiles>,
    /// Addresses that the nodes will hold for them.
    pub expected_ips: Vec<Quantiles>,
}

/// Quantiles at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Seconds from the forecast.
    pub horizon_secs: u64,
    /// The quantiles.
    pub values: Vec<f64>,
}

/// One subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its ID.
    pub subnet: String,
    /// Its availability zone.
    pub az: String,
    /// Addresses that can be held at all.
    pub usable_ips: u32,
    /// Addresses that someone holds.
    pub used_ips: u32,
    /// Of the free ones, those that nodes and ENIs that are coming will take.
    pub in_flight_ips: u32,
    /// Free aligned /28 blocks.
    pub free_prefixes: u32,
    /// What the next node takes: with fewer addresses the subnet counts as exhausted.
    pub reserve_ips: u32,
    /// Held addresses with which it counts as exhausted.
    pub limit_ips: f64,
    /// Seconds until then, early (10 %), as likely as not, and late (90 %); null for not within the horizon.
    pub exhausted_in_secs: [Option<u64>; 3],
    /// Label of the model with the most weight.
    pub model: String,
    /// Label of what drives the forecast.
    pub assumption: String,
    /// Whether pods were forecast and their addresses follow from ipamd's rules.
    pub by_pods: bool,
    /// Label of what helps.
    pub advice: String,
    /// The same for people.
    pub advice_text: String,
    /// Addresses that it brings.
    pub advice_ips: u32,
    /// The most that may be held at once, by what is declared.
    pub upper: UpperRow,
    /// Addresses that someone will hold.
    pub expected: Vec<Expected>,
    /// What was observed, where it was asked for: when its first step begins, Unix time.
    pub history_start_secs: u64,
    /// Length of its steps.
    pub history_step_secs: u32,
    /// The largest value of each step; null where nothing was observed.
    pub history_ips: Vec<Option<f64>>,
}

/// The scenario in which all that is declared comes at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpperRow {
    /// Addresses held then; null where it is not known.
    pub ips: Option<u32>,
    /// Of these, those that are missing.
    pub short_ips: u32,
    /// Pods that come.
    pub pods: u32,
    /// Whose they are, most pods first; the first few of them.
    pub drivers: Vec<DriverRow>,
    /// How many more workloads there are.
    pub more_drivers: u32,
    /// Why it is not known; empty where it is.
    pub unknown: String,
}

/// A workload that may ask for more pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverRow {
    /// Label of the reason.
    pub cause: String,
    /// Its kind, `Pod` where whose pods they are is not known.
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// So many of them in the subnet, as a share.
    pub pods: f64,
}

/// What will be held at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Seconds from the forecast.
    pub horizon_secs: u64,
    /// Quantiles.
    pub ips: Vec<f64>,
}

impl Report {
    /// Of `outlook`; `history` gives what was observed of a subnet, by its ID.
    #[must_use]
    pub fn new(outlook: &Outlook, history: impl Fn(&str) -> Option<Series>) -> Report {
        let rows = outlook.subnets.iter().map(|(id, subnet)| Row::new(id.as_str(), subnet, history(id.as_str())));
        let mut subnets: Vec<Row> = rows.collect();
        subnets.sort_by_key(Row::urgency);
        Report {
            made_at_secs: outlook.at.as_secs(),
            horizon_secs: HORIZON_SECS,
            levels: LEVELS.to_vec(),
            subnets,
            azs: asked(&outlook.azs),
            groups: asked(&outlook.groups),
        }
    }
}

impl Row {
    fn new(id: &str, of: &SubnetOutlook, history: Option<Series>) -> Row {
        let history = history.unwrap_or(Series { start_secs: 0, step_secs: 300, values: Vec::new() });
        let expected = of.points.iter().map(|point| Expected { horizon_secs: point.horizon_secs, ips: rounded(point) });
        Row {
            subnet: id.to_owned(),
            az: of.az.to_string(),
            usable_ips: of.usable.get(),
            used_ips: of.used.get(),
            in_flight_ips: of.in_flight.get(),
            free_prefixes: of.free_prefixes.get(),
            reserve_ips: of.reserve.get(),
            limit_ips: of.limit,
            exhausted_in_secs: [of.exhaustion.p10_secs, of.exhaustion.p50_secs, of.exhaustion.p90_secs],
            model: of.model.label().to_owned(),
            assumption: of.assumption.label().to_owned(),
            by_pods: of.by_pods,
            advice: of.advice.remedy.label().to_owned(),
            advice_text: of.advice_text(),
            advice_ips: of.advice.brings.get(),
            upper: UpperRow::new(&of.upper),
            expected: expected.collect(),
            history_start_secs: history.start_secs,
            history_step_secs: history.step_secs,
            history_ips: history.values,
        }
    }

    /// The soonest first; of those that do not run out, the fullest.
    fn urgency(&self) -> ([u64; 3], u64) {
        let free = u64::from(self.usable_ips.saturating_sub(self.used_ips));
        (self.exhausted_in_secs.map(|secs| secs.unwrap_or(u64::MAX)), free)
    }
}

impl UpperRow {
    fn new(of: &Result<Upper, Arc<str>>) -> UpperRow {
        let upper = match of {
            Ok(upper) => upper,
            Err(why) => return UpperRow { unknown: why.to_string(), ..UpperRow::default() },
        };
        let driver = |driver: &Driver| DriverRow {
            cause: driver.cause.label().to_owned(),
            kind: driver.kind.to_string(),
            name: driver.name.to_string(),
            pods: tenths(driver.pods),
        };
        UpperRow {
            ips: Some(upper.ips.get()),
            short_ips: upper.short.get(),
            pods: upper.pods,
            drivers: upper.drivers.iter().map(driver).collect(),
            more_drivers: upper.unnamed,
            unknown: String::new(),
        }
    }
}

fn asked(of: &BTreeMap<Arc<str>, Demand>) -> BTreeMap<String, Asked> {
    let quantiles = |points: &[Point]| {
        let points = points.iter().map(|point| Quantiles { horizon_secs: point.horizon_secs, values: rounded(point) });
        points.collect()
    };
    let asked = |demand: &Demand| Asked {
        nodes: demand.nodes,
        pods: demand.pods,
        ips: demand.ips.get(),
        expected_pods: quantiles(&demand.expected_pods),
        expected_ips: quantiles(&demand.expected_ips),
    };
    of.iter().map(|(name, demand)| (name.to_string(), asked(demand))).collect()
}

fn rounded(point: &Point) -> Vec<f64> {
    point.values.iter().copied().map(tenths).collect()
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
