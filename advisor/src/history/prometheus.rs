//! What Prometheus has: `query_range`, asked and read. The GET itself is the caller's.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Deserialize;
use thiserror::Error;

use super::tier::{MAX_SECS, Tier};
use super::window::{Window, windows};
use super::{Kind, Points, SeriesKey};

/// Steps asked for at once: a week of five minutes. Prometheus refuses more than 11,000, and holds at most 50 million values for
/// a query (`--query.max-samples`): a thousand series stay far below.
const STEPS: u32 = 2016;
/// The metric of this advisor that tells who holds a subnet's addresses.
const HELD: &str = "headroom_advisor_subnet_held_ips";

/// Why an answer is of no use.
#[derive(Debug, Error)]
pub enum PrometheusError<E> {
    /// It was not asked, or did not answer.
    #[error("failed to ask Prometheus")]
    Get(#[source] E),
    /// It refused the query.
    #[error("Prometheus refuses the query ({kind}): {message}")]
    Refused {
        /// `errorType`.
        kind: String,
        /// `error`.
        message: String,
    },
    /// Not an answer of `query_range`.
    #[error("the answer is none of Prometheus' query_range: does the address end before /api/v1?")]
    Malformed(#[source] serde_json::Error),
    /// The query takes away the label that names the series.
    #[error("the query's series have no label '{0}': keep it with 'by ({0})', or name another")]
    NoLabel(String),
}

/// What tells of the past: an expression whose series carry the ID in a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it counts.
    pub kind: Kind,
    /// A PromQL expression that gives an instant vector, one series for each ID.
    pub query: String,
    /// The label with the ID.
    pub label: String,
}

impl Source {
    /// The addresses held in each subnet, as an earlier advisor told them: all, those of pods, and those that do not come and go
    /// with pods. Where several advisors did, each told of all subnets.
    #[must_use]
    pub fn held_ips() -> [Source; 3] {
        [
            (Kind::SubnetUsedIps, ""),
            (Kind::SubnetPods, "{owner=~\"pod|cooling\"}"),
            (Kind::SubnetOtherIps, "{owner=~\"foreign|leaked|branch\"}"),
        ]
        .map(|(kind, owners)| {
            let query = format!("max by (subnet) (sum by (subnet, instance) ({HELD}{owners}))");
            Source { kind, query, label: "subnet".to_owned() }
        })
    }

    /// The requests that together ask for all that may be of use, the newest first. No step is in two of them.
    #[must_use]
    pub fn requests(&self, now_secs: u64) -> Vec<Request<'_>> {
        let parts = windows(now_secs).into_iter().flat_map(|window| window.parts(STEPS));
        parts.map(|window| Request { source: self, window }).collect()
    }
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    source: &'a Source,
    window: Window,
}

impl Request<'_> {
    /// Path and query below Prometheus' own address, without a leading slash.
    ///
    /// It asks at each step's end for the largest value in it: the expression's values at the ends alone would miss what came and
    /// went between.
    #[must_use]
    pub fn path(&self) -> String {
        let Window { from_secs, to_secs, tier } = self.window;
        let step = tier.step_secs();
        let resolution = match tier {
            Tier::FiveMinutes => 60,
            Tier::Hour => 300,
        };
        let query = format!("max_over_time(({})[{step}s:{resolution}s])", self.source.query);
        let first = from_secs + u64::from(step);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", &query)
            .append_pair("start", &first.to_string())
            .append_pair("end", &to_secs.to_string())
            .append_pair("step", &step.to_string())
            .finish();
        format!("api/v1/query_range?{form}")
    }

    /// Asks with `get`, which is given [`path`](Request::path), and reads the answer.
    ///
    /// # Errors
    /// When `get` fails, or the answer is of no use.
    pub async fn fetch<E>(
        &self,
        get: impl AsyncFnOnce(String) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<Points>, PrometheusError<E>> {
        let body = get(self.path()).await.map_err(PrometheusError::Get)?;
        self.decode(&body)
    }

    /// The points in an answer's body. NaN and infinities are passed over.
    ///
    /// # Errors
    /// When it is an error answer, none of Prometheus, or a series has no ID.
    pub fn decode<E>(&self, body: &[u8]) -> Result<Vec<Points>, PrometheusError<E>> {
        let answer: Answer = serde_json::from_slice(body).map_err(PrometheusError::Malformed)?;
        let data = match answer {
            Answer::Success { data } => data,
            Answer::Error { kind, message } => return Err(PrometheusError::Refused { kind, message }),
        };
        let Source { kind, label, .. } = self.source;
        let points = data.result.into_iter().map(|found| {
            let id = found.metric.get(label).ok_or_else(|| PrometheusError::NoLabel(label.clone()))?;
            let values = found.values.iter().filter_map(|(at, value)| self.point(*at, value));
            Ok((SeriesKey::new(*kind, id), values.collect()))
        });
        points.collect()
    }

    /// Of a step's end, which is the time that Prometheus says, the step's beginning.
    fn point(&self, at: f64, value: &str) -> Option<(u64, f64)> {
        let value = value.parse().ok().filter(|value: &f64| value.is_finite())?;
        if !(0.0..MAX_SECS as f64).contains(&at) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "it was asked for in whole seconds")]
        let at = at.round() as u64;
        Some((at.checked_sub(u64::from(self.window.tier.step_secs()))?, value))
    }
}

/// As Prometheus answers (HTTP API, "Format overview").
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Success {
        data: Matrix,
    },
    Error {
        #[serde(rename = "errorType")]
        kind: String,
        #[serde(rename = "error")]
        message: String,
    },
}

/// `resultType` is always `matrix` here.
#[derive(Deserialize)]
struct Matrix {
    result: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    metric: HashMap<String, String>,
    /// Unix time and the value as text.
    #[serde(default)]
    values: Vec<(f64, String)>,
}
