//! What was measured, as Markdown.

use std::collections::BTreeMap;
use std::fmt;

use headroom_advisor::aws::{Operation, Sizes, calls_per_minute};
use headroom_advisor::config::Config;

use super::meter::Cost;
use crate::bench::machine::Machine;
use crate::bench::vpc::Size;

/// A part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `Observer::round`.
    Read,
    /// `ledger::build`.
    Ledger,
    /// `headroom::headroom`.
    Headroom,
    /// `feed::view` and `Feed::publish`.
    Feed,
    /// `cloudwatch::round`.
    Figures,
    /// `State::apply` while the books are made, which copies the cluster.
    Event,
}

impl Stage {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Stage; 6] =
        [Stage::Read, Stage::Ledger, Stage::Headroom, Stage::Feed, Stage::Figures, Stage::Event];

    const fn label(self) -> &'static str {
        match self {
            Stage::Read => "AWS read, all parts",
            Stage::Ledger => "ledger",
            Stage::Headroom => "headroom",
            Stage::Feed => "feed",
            Stage::Figures => "CloudWatch figures",
            Stage::Event => "a pod's event meanwhile",
        }
    }
}

/// Everything that one run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The cluster.
    pub size: Size,
    /// The advisor's configuration.
    pub config: Config,
    /// Resident memory before anything was read, KiB.
    pub before: u64,
    /// What Kubernetes told.
    pub loaded: Cost,
    /// Calls of each round.
    pub calls: Vec<BTreeMap<Operation, u32>>,
    /// Costs of each round, by [`Stage::ALL`].
    pub rounds: Vec<[Cost; Stage::ALL.len()]>,
}

impl Report {
    /// The round that is in the middle of all but the first by its processor time.
    fn steady(&self) -> Option<&[Cost; Stage::ALL.len()]> {
        let mut rounds: Vec<_> = self.rounds.iter().skip(1).collect();
        rounds.sort_by_key(|round| sum(*round).cpu);
        rounds.get(rounds.len() / 2).copied()
    }

    fn sizes(&self) -> Sizes {
        let Size { nodes, subnets, enis, .. } = self.size;
        Sizes { subnets, enis, instances: nodes, groups: self.size.groups(), ..Sizes::default() }
    }

    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds: Vec<_> = self.rounds.first().into_iter().chain(self.steady()).collect();
        writeln!(
            f,
            "| | first: CPU s | wall s | peak MiB | steady: CPU s | wall s | peak MiB |\n|---|---|---|---|---|---|---|"
        )?;
        writeln!(f, "| Kubernetes' lists applied | {} | | | |", cells(&self.loaded))?;
        for (at, stage) in Stage::ALL.into_iter().enumerate() {
            row(f, stage.label(), rounds.iter().map(|round| round[at]))?;
        }
        row(f, "**round**", rounds.iter().map(|round| sum(*round)))
    }

    fn calls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| operation | calls a round | a minute, at most | granted a minute | share |\n|---|---|---|---|---|"
        )?;
        let of = |round: Option<&BTreeMap<Operation, u32>>, operation| {
            round.and_then(|round| round.get(&operation)).copied()
        };
        for (operation, per_minute) in calls_per_minute(&self.config.observe, &self.sizes()) {
            let calls = of(self.calls.last(), operation).unwrap_or(0);
            let granted = operation.quota().map(|quota| f64::from(quota.per_sec) * 60.0);
            let (granted, share) = match granted {
                Some(granted) => (format!("{granted:.0}"), format!("{:.1} %", per_minute / granted * 100.0)),
                None => ("not published".to_owned(), String::new()),
            };
            writeln!(f, "| {operation} | {calls} | {per_minute:.1} | {granted} | {share} |")?;
        }
        Ok(())
    }
}

/// Times together, memory at most.
fn sum(round: &[Cost]) -> Cost {
    round.iter().fold(Cost::default(), |sum, cost| Cost {
        cpu: sum.cpu + cost.cpu,
        wall: sum.wall + cost.wall,
        peak_kib: sum.peak_kib.max(cost.peak_kib),
        resident_kib: cost.resident_kib,
    })
}

fn cells(cost: &Cost) -> String {
    format!("{:.3} | {:.3} | {}", cost.cpu.as_secs_f64(), cost.wall.as_secs_f64(), cost.peak_kib.div_ceil(1024))
}

fn row(f: &mut fmt::Formatter<'_>, label: &str, costs: impl Iterator<Item = Cost>) -> fmt::Result {
    let costs: Vec<String> = costs.map(|cost| cells(&cost)).collect();
    writeln!(f, "| {label} | {} |", costs.join(" | "))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { nodes, subnets, enis, pods, addresses, prefixes } = self.size;
        writeln!(
            f,
            "{nodes} nodes, {subnets} subnets, {enis} ENIs of {addresses} addresses and {prefixes} prefixes, {pods} pods;"
        )?;
        writeln!(f, "{}.", Machine::this())?;
        let (rounds, before) = (self.rounds.len(), self.before.div_ceil(1024));
        writeln!(
            f,
            "{rounds} rounds; steady is the median of those after the first. {before} MiB before anything was read.\n"
        )?;
        self.costs(f)?;
        writeln!(f)?;
        self.calls(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn steady_is_the_median_round_after_the_first() {
        let round = |millis: u64, mib: u64| {
            let cpu = Duration::from_millis(millis);
            [Cost { cpu, wall: cpu * 2, peak_kib: mib * 1024, resident_kib: 0 }; Stage::ALL.len()]
        };
        let size = Size { nodes: 5000, subnets: 200, enis: 30_000, pods: 100_000, addresses: 15, prefixes: 0 };
        let report = Report {
            size,
            config: Config::default(),
            before: 1024,
            loaded: Cost::default(),
            calls: vec![BTreeMap::from([(Operation::DescribeNetworkInterfaces, 30)])],
            rounds: vec![round(900, 200), round(100, 210), round(300, 230), round(200, 220)],
        };
        let text = report.to_string();
        assert!(text.contains("| **round** | 5.400 | 10.800 | 200 | 1.200 | 2.400 | 220 |"), "{text}");
        assert!(text.contains("| DescribeNetworkInterfaces | 30 | 33.3 | 1200 | 2.8 % |"), "{text}");
        assert!(text.contains("| DescribeAutoScalingGroups | 0 | 1.1 | not published |  |"), "{text}");
    }
}
