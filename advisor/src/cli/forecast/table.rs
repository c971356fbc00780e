//! The table for people.

use crate::outlook::report::{Asked, Quantiles, Report, Row};

const HEAD: [&str; 9] =
    ["SUBNET", "ZONE", "USED", "FREE", "24 H P50", "24 H P90", "UPPER", "RUNS OUT IN (P10 / P50 / P90)", "DRIVEN BY"];
const ASKED: [&str; 6] =
    ["ZONE OR GROUP", "NODES", "PODS", "ADDRESSES", "PODS 24 H P50 / P90", "ADDRESSES 24 H P50 / P90"];
const DAY_SECS: u64 = 86_400;

/// A row for each subnet, the most urgent first, below what to do, and what zones and groups will ask for.
pub(super) fn table(report: &Report) -> String {
    let mut text = aligned(HEAD, report.subnets.iter().map(|row| cells(report, row)));
    let short = |row: &&Row| row.exhausted_in_secs[0].is_some() || row.upper.short_ips > 0;
    for row in report.subnets.iter().filter(short) {
        text.push_str(&format!("\n{}: {}.\n", row.subnet, row.advice_text));
    }
    if let Some(row) = report.subnets.iter().find(|row| row.upper.ips.is_none()) {
        text.push_str(&format!("\nNo upper scenario: {}.\n", row.upper.unknown));
    }
    let asked = report.azs.iter().chain(&report.groups);
    text.push('\n');
    text.push_str(&aligned(ASKED, asked.map(|(name, asked)| demand(report, name, asked))));
    text
}

fn aligned<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn demand(report: &Report, name: &str, asked: &Asked) -> [String; ASKED.len()] {
    let day = |quantiles: &[Quantiles]| {
        let at = quantiles.iter().find(|at| at.horizon_secs >= DAY_SECS).or(quantiles.last());
        let values = at.map_or(&[][..], |at| &at.values);
        format!("{} / {}", level(report, values, 0.5), level(report, values, 0.9))
    };
    [
        name.to_owned(),
        asked.nodes.to_string(),
        asked.pods.to_string(),
        asked.ips.to_string(),
        day(&asked.expected_pods),
        day(&asked.expected_ips),
    ]
}

fn level(report: &Report, values: &[f64], level: f64) -> String {
    let index = report.levels.iter().position(|known| (known - level).abs() < 1e-9);
    index.and_then(|index| values.get(index)).map_or_else(|| "?".to_owned(), |value| format!("{value:.0}"))
}

fn cells(report: &Report, row: &Row) -> [String; HEAD.len()] {
    let day = row.expected.iter().find(|at| at.horizon_secs >= DAY_SECS).or(row.expected.last());
    let at = |wanted: f64| level(report, day.map_or(&[], |at| &at.ips), wanted);
    let drive = if row.by_pods { format!("{}, by pods", row.assumption) } else { row.assumption.clone() };
    [
        row.subnet.clone(),
        row.az.clone(),
        format!("{} of {}", row.used_ips, row.usable_ips),
        (row.usable_ips - row.used_ips.min(row.usable_ips)).to_string(),
        at(0.5),
        at(0.9),
        row.upper.ips.map_or_else(|| "?".to_owned(), |ips| ips.to_string()),
        row.exhausted_in_secs.map(|secs| time(secs, report.horizon_secs)).join(" / "),
        drive,
    ]
}

/// Two parts at most: `now`, `40 min`, `5 h 10 min`, `3 d 4 h`.
fn time(secs: Option<u64>, horizon_secs: u64) -> String {
    let Some(secs) = secs else { return format!("> {} d", horizon_secs / DAY_SECS) };
    let (days, hours, minutes) = (secs / DAY_SECS, secs % DAY_SECS / 3600, secs % 3600 / 60);
    match (days, hours) {
        (0, 0) if minutes == 0 => "now".to_owned(),
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::outlook::report::{Expected, UpperRow};

    #[test]
    fn the_most_urgent_first_with_what_to_do() {
        let known = UpperRow { ips: Some(240), ..UpperRow::default() };
        let unknown = UpperRow { unknown: "cronjob: forbidden".to_owned(), ..UpperRow::default() };
        let row = |subnet: &str, exhausted_in_secs, advice_text: &str| Row {
            subnet: subnet.to_owned(),
            az: "us-west-2a".to_owned(),
            usable_ips: 251,
            used_ips: 200,
            in_flight_ips: 0,
            free_prefixes: 1,
            reserve_ips: 20,
            limit_ips: 231.0,
            exhausted_in_secs,
            model: "theil-sen".to_owned(),
            assumption: "trend".to_owned(),
            by_pods: subnet == "subnet-a",
            advice: String::new(),
            advice_text: advice_text.to_owned(),
            advice_ips: 0,
            upper: if subnet == "subnet-a" { known.clone() } else { unknown.clone() },
            expected: vec![Expected { horizon_secs: 86_400, ips: vec![205.0, 240.4] }],
            history_start_secs: 0,
            history_step_secs: 300,
            history_ips: vec![],
        };
        let asked = Asked {
            nodes: 3,
            pods: 20,
            ips: 60,
            expected_pods: vec![Quantiles { horizon_secs: 86_400, values: vec![22.4, 30.0] }],
            expected_ips: vec![],
        };
        let report = Report {
            made_at_secs: 0,
            horizon_secs: 7 * 86_400,
            levels: vec![0.5, 0.9],
            subnets: vec![
                row("subnet-a", [Some(17_999), Some(300_000), None], "add a subnet of /25 in the zone"),
                row("subnet-b", [None; 3], "nothing to do"),
            ],
            azs: BTreeMap::new(),
            groups: BTreeMap::from([("workers".to_owned(), asked)]),
        };
        assert_eq!(
            table(&report),
            "SUBNET    ZONE        USED        FREE  24 H P50  24 H P90  UPPER  RUNS OUT IN (P10 / P50 / P90)  DRIVEN BY
subnet-a  us-west-2a  200 of 251  51    205       240       240    4 h 59 min / 3 d 11 h / > 7 d  trend, by pods
subnet-b  us-west-2a  200 of 251  51    205       240       ?      > 7 d / > 7 d / > 7 d          trend

subnet-a: add a subnet of /25 in the zone.

No upper scenario: cronjob: forbidden.

ZONE OR GROUP  NODES  PODS  ADDRESSES  PODS 24 H P50 / P90  ADDRESSES 24 H P50 / P90
workers        3      20    60         22 / 30              ? / ?
"
        );
    }

    #[test]
    fn times_are_short() {
        let times = [0, 59, 60, 3600, 90_000].map(|secs| time(Some(secs), 0));
        assert_eq!(times, ["now", "now", "1 min", "1 h 0 min", "1 d 1 h"]);
    }
}
