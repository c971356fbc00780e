//! What CloudWatch has: `GetMetricData`, asked and read. The call is in `call`.

mod call;
#[cfg(test)]
mod tests;

pub use call::page;

use super::tier::Tier;
use super::window::{Window, windows};
use super::{Kind, Points, SeriesKey};
use crate::metrics::labels;

/// Most metrics in a call (CloudWatch API reference, `GetMetricData`).
const QUERIES: usize = 500;

labels! {
    /// `Stat`. A point that was sent twice counts twice in sums and averages, and not in these.
    Statistic {
        /// The least of a period.
        Minimum = "Minimum",
        /// The largest.
        Maximum = "Maximum",
    }
}

/// A metric that tells of a series' past.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The series.
    pub key: SeriesKey,
    /// `Namespace`.
    pub namespace: String,
    /// `MetricName`.
    pub metric: &'static str,
    /// `Dimensions`, name and value.
    pub dimensions: Vec<(&'static str, String)>,
    /// `Stat`.
    pub statistic: Statistic,
    /// The metric tells what is left of so many; `None` where it is the figure itself.
    pub left_of: Option<f64>,
}

impl Source {
    /// Where the past of a series is told: by an earlier advisor of `cluster` in `namespace`, or by Auto Scaling, which does where
    /// the group's metrics are turned on. `capacity` is how many addresses of a subnet can be held: free ones are told, held ones
    /// are what is left. `None` where nothing tells.
    #[must_use]
    pub fn of(key: &SeriesKey, cluster: &str, namespace: &str, capacity: Option<f64>) -> Option<Source> {
        let ours = |metric, dimension| Source {
            key: key.clone(),
            namespace: namespace.to_owned(),
            metric,
            dimensions: vec![("Cluster", cluster.to_owned()), (dimension, key.id.clone())],
            statistic: Statistic::Maximum,
            left_of: None,
        };
        Some(match key.kind {
            Kind::SubnetUsedIps => {
                let left_of = Some(capacity?);
                Source { statistic: Statistic::Minimum, left_of, ..ours("SubnetFreeIPs", "Subnet") }
            }
            Kind::AzPods => ours("PodIPDemand", "AZ"),
            Kind::GroupPods => ours("PodIPDemand", "ASG"),
            Kind::GroupNodes => Source {
                namespace: "AWS/AutoScaling".to_owned(),
                dimensions: vec![("AutoScalingGroupName", key.id.clone())],
                ..ours("GroupInServiceInstances", "ASG")
            },
            Kind::SubnetCapacityIps
            | Kind::SubnetUnusableIps
            | Kind::SubnetPods
            | Kind::SubnetOtherIps
            | Kind::AzNodes => return None,
        })
    }
}

/// One request, to be made until a page has no next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request<'a> {
    /// What is asked for, the query `q<index>` for each.
    pub sources: &'a [Source],
    /// When. Its ends are whole periods, for which CloudWatch answers fastest.
    pub window: Window,
}

/// The requests that together ask for all that may be of use, the newest first.
#[must_use]
pub fn requests(sources: &[Source], now_secs: u64) -> Vec<Request<'_>> {
    let of_window = |window| sources.chunks(QUERIES).map(move |sources| Request { sources, window });
    windows(now_secs).into_iter().flat_map(of_window).collect()
}

/// What one query got in a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The query's `Id`.
    pub id: String,
    /// The beginnings of periods in Unix seconds, and values.
    pub points: Vec<(u64, f64)>,
    /// `StatusCode` is neither `Complete` nor `PartialData`.
    pub failed: bool,
}

/// A page of answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// One for each query that this page tells of.
    pub answers: Vec<Answer>,
    /// What the next page is asked for with.
    pub next: Option<String>,
}

/// What a page tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// What was seen.
    pub points: Vec<Points>,
    /// Series that CloudWatch failed to tell of, wholly or in part.
    pub failed: Vec<SeriesKey>,
}

impl Request<'_> {
    /// `Period` in seconds: a step. CloudWatch has minutes for 15 days, five minutes for 63 and hours for 455 (CloudWatch user
    /// guide, "Metrics retention"). Minutes are not asked for: the largest of five is what is kept, and it tells that itself.
    #[must_use]
    pub const fn period_secs(&self) -> i32 {
        match self.window.tier {
            Tier::FiveMinutes => 300,
            Tier::Hour => 3600,
        }
    }

    /// Reads a page. No step is in two pages: CloudWatch gives one point for each.
    #[must_use]
    pub fn decode(&self, page: &Page) -> Told {
        let mut told = Told::default();
        for answer in &page.answers {
            let index = answer.id.strip_prefix('q').and_then(|index| index.parse::<usize>().ok());
            let Some(source) = index.and_then(|index| self.sources.get(index)) else { continue };
            if answer.failed {
                told.failed.push(source.key.clone());
            }
            let figure = |value: f64| source.left_of.map_or(value, |all| (all - value).max(0.0));
            let points = answer.points.iter().map(|(at, value)| (*at, figure(*value)));
            told.points.push((source.key.clone(), points.collect()));
        }
        told
    }
}
