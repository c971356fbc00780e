//! How good a placement is, from where the pods ended up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::workload::{CACHE, DATABASE, Member, Rule};

/// What counts of a node.
#[derive(Clone, Copy, Debug)]
pub struct NodeFacts {
    /// Zone.
    pub zone: &'static str,
    /// Allocatable millicores.
    pub cpu_millis: u32,
    /// Addresses for pods by the instance type's limit.
    pub ips: u32,
    /// Whether it has a local disk.
    pub disk: bool,
}

/// Figures of one placement. Shares are of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Pods of the workload.
    pub pods: usize,
    /// Pods that got a node.
    pub bound: usize,
    /// Nodes with a pod.
    pub nodes_used: usize,
    /// Standard deviation over nodes of the pods on one.
    pub pods_per_node_stdev: f64,
    /// Most pods on one node.
    pub pods_per_node_max: u32,
    /// Pods in the fullest zone less those in the emptiest.
    pub zone_skew: u32,
    /// Standard deviation over nodes of the share of CPU that is requested.
    pub cpu_stdev: f64,
    /// Largest share of CPU that is requested on a node.
    pub cpu_max: f64,
    /// Worst zone skew of an app with a required spread; 1 is the most allowed.
    pub spread_zone_skew: u32,
    /// Share of the pods with a preferred spread over hostnames that share a node with none of their own.
    pub spread_hosts: f64,
    /// Share of the pods with preferred anti-affinity that share a node with none of their own.
    pub prefer_apart: f64,
    /// Share of the pods with preferred affinity that are on a node with a pod that they want to be near.
    pub prefer_near: f64,
    /// Share of the pods with preferred node affinity that are on such a node.
    pub prefer_disk: f64,
    /// Bound pods whose required rule is broken.
    pub broken_rules: usize,
    /// Fewest addresses left on a node.
    pub ips_left_min: u32,
    /// Addresses left on the node at the tenth percentile.
    pub ips_left_p10: u32,
    /// Smallest share of its addresses that a node has left.
    pub ips_left_share_min: f64,
}

/// Judges where `members` went: positions in `nodes`.
#[must_use]
pub fn quality(members: &[Member], placed: &[Option<usize>], nodes: &[NodeFacts]) -> Quality {
    let placement = Placement { members, placed, nodes };
    let pods = placement.sum(|_| 1);
    let cpu: Vec<f64> = placement
        .sum(|member| member.cpu_millis)
        .iter()
        .zip(nodes)
        .map(|(used, node)| share(*used, node.cpu_millis))
        .collect();
    let zones = placement.zones(|_| true);
    let mut left: Vec<u32> = pods.iter().zip(nodes).map(|(used, node)| node.ips.saturating_sub(*used)).collect();
    left.sort_unstable();
    let left_share = pods.iter().zip(nodes).map(|(used, node)| 1.0 - share(*used, node.ips));
    Quality {
        pods: members.len(),
        bound: placed.iter().flatten().count(),
        nodes_used: pods.iter().filter(|pods| **pods > 0).count(),
        pods_per_node_stdev: stdev(&pods.iter().copied().map(f64::from).collect::<Vec<_>>()),
        pods_per_node_max: pods.iter().copied().max().unwrap_or(0),
        zone_skew: skew(&zones),
        cpu_stdev: stdev(&cpu),
        cpu_max: cpu.iter().copied().fold(0.0, f64::max),
        spread_zone_skew: placement.worst_zone_skew(),
        spread_hosts: placement.satisfied(Rule::Spread),
        prefer_apart: placement.satisfied(Rule::PreferApart),
        prefer_near: placement.satisfied(Rule::PreferNear),
        prefer_disk: placement.satisfied(Rule::PreferDisk),
        broken_rules: placement.broken(),
        ips_left_min: left.first().copied().unwrap_or(0),
        ips_left_p10: left.get(left.len() / 10).copied().unwrap_or(0),
        ips_left_share_min: left_share.fold(1.0, f64::min),
    }
}

struct Placement<'a> {
    members: &'a [Member],
    placed: &'a [Option<usize>],
    nodes: &'a [NodeFacts],
}

impl<'a> Placement<'a> {
    fn bound(&self) -> impl Iterator<Item = (&'a Member, usize)> {
        self.members.iter().zip(self.placed).filter_map(|(member, node)| Some((member, (*node)?)))
    }

    fn sum(&self, of: impl Fn(&Member) -> u32) -> Vec<u32> {
        let mut sums = vec![0; self.nodes.len()];
        for (member, node) in self.bound() {
            sums[node] += of(member);
        }
        sums
    }

    /// Pods per zone, empty ones included.
    fn zones(&self, wanted: impl Fn(&Member) -> bool) -> BTreeMap<&'static str, u32> {
        let mut zones: BTreeMap<&str, u32> = self.nodes.iter().map(|node| (node.zone, 0)).collect();
        for (_, node) in self.bound().filter(|(member, _)| wanted(member)) {
            *zones.entry(self.nodes[node].zone).or_default() += 1;
        }
        zones
    }

    fn apps(&self, rule: Rule) -> BTreeSet<&'a str> {
        self.members.iter().filter(|member| member.rule == rule).map(|member| member.app.as_str()).collect()
    }

    fn worst_zone_skew(&self) -> u32 {
        let apps = self.apps(Rule::Spread);
        apps.into_iter().map(|app| skew(&self.zones(|member| member.app == app))).max().unwrap_or(0)
    }

    /// Pods of each app on each node.
    fn together(&self) -> BTreeMap<(&'a str, usize), u32> {
        let mut together = BTreeMap::new();
        for (member, node) in self.bound() {
            *together.entry((member.app.as_str(), node)).or_default() += 1;
        }
        together
    }

    /// Share of the bound pods with this rule that have what they prefer; 1 where there is none.
    fn satisfied(&self, rule: Rule) -> f64 {
        let together = self.together();
        let on = |app: &str, node| together.get(&(app, node)).copied().unwrap_or(0);
        let (mut pods, mut happy) = (0_u32, 0_u32);
        for (member, node) in self.bound().filter(|(member, _)| member.rule == rule) {
            pods += 1;
            happy += u32::from(match rule {
                Rule::PreferNear => on(CACHE, node) > 0,
                Rule::PreferDisk => self.nodes[node].disk,
                _ => on(&member.app, node) == 1,
            });
        }
        if pods == 0 { 1.0 } else { share(happy, pods) }
    }

    fn broken(&self) -> usize {
        let together = self.together();
        let databases = self.zones(|member| member.app == DATABASE);
        let broken = self.bound().filter(|(member, node)| match member.rule {
            Rule::Apart => together.get(&(member.app.as_str(), *node)).is_some_and(|pods| *pods > 1),
            Rule::Near => databases.get(self.nodes[*node].zone).is_none_or(|pods| *pods == 0),
            Rule::OneNode => member.node != Some(*node),
            Rule::Plain | Rule::Spread | Rule::PreferApart | Rule::PreferNear | Rule::PreferDisk => false,
        });
        broken.count()
    }
}

fn skew(counts: &BTreeMap<&str, u32>) -> u32 {
    counts.values().max().unwrap_or(&0) - counts.values().min().unwrap_or(&0)
}

fn share(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole.max(1))
}

/// Of all values, not of a sample.
fn stdev(values: &[f64]) -> f64 {
    let count = u32::try_from(values.len()).map_or(f64::INFINITY, f64::from);
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<NodeFacts> {
        ["a", "b", "a"].map(|zone| NodeFacts { zone, cpu_millis: 1000, ips: 10, disk: zone == "b" }).to_vec()
    }

    fn member(app: &str, rule: Rule) -> Member {
        Member { app: app.to_owned(), rule, cpu_millis: 500, node: (rule == Rule::OneNode).then_some(1) }
    }

    fn judge(placed: &[(&str, Rule, Option<usize>)]) -> Quality {
        let members: Vec<Member> = placed.iter().map(|(app, rule, _)| member(app, *rule)).collect();
        let at: Vec<Option<usize>> = placed.iter().map(|(_, _, node)| *node).collect();
        quality(&members, &at, &nodes())
    }

    #[test]
    fn spread_and_room() {
        let plain = |node| ("x", Rule::Plain, node);
        let found = judge(&[plain(Some(0)), plain(Some(0)), plain(Some(1)), plain(None)]);
        assert_eq!((found.pods, found.bound, found.nodes_used), (4, 3, 2));
        assert_eq!((found.pods_per_node_max, found.zone_skew), (2, 1));
        // 2, 1 and 0 pods of 500 millicores: mean 0.5.
        assert!((found.cpu_stdev - (0.5_f64 / 3.0).sqrt()).abs() < 1e-9, "{}", found.cpu_stdev);
        assert!((found.pods_per_node_stdev - (2.0_f64 / 3.0).sqrt()).abs() < 1e-9);
        assert!((found.cpu_max - 1.0).abs() < 1e-9);
        assert_eq!((found.ips_left_min, found.ips_left_p10), (8, 8));
        assert!((found.ips_left_share_min - 0.8).abs() < 1e-9);
    }

    #[test]
    fn preferences() {
        let half = judge(&[
            ("p", Rule::PreferApart, Some(0)),
            ("p", Rule::PreferApart, Some(0)),
            ("p", Rule::PreferApart, Some(1)),
            ("q", Rule::PreferApart, Some(1)),
            (CACHE, Rule::Plain, Some(2)),
            ("n", Rule::PreferNear, Some(2)),
            ("n", Rule::PreferNear, Some(0)),
            ("d", Rule::PreferDisk, Some(1)),
            ("d", Rule::PreferDisk, Some(2)),
            ("s", Rule::Spread, Some(0)),
            ("s", Rule::Spread, Some(2)),
        ]);
        for (share, name) in [(half.prefer_apart, "apart"), (half.prefer_near, "near"), (half.prefer_disk, "disk")] {
            assert!((share - 0.5).abs() < 1e-9, "{name}: {share}");
        }
        assert!((half.spread_hosts - 1.0).abs() < 1e-9);
        assert_eq!(half.spread_zone_skew, 2, "both in zone a");
    }

    #[test]
    fn required_rules() {
        let kept = judge(&[
            ("a", Rule::Apart, Some(0)),
            ("a", Rule::Apart, Some(1)),
            (DATABASE, Rule::Plain, Some(2)),
            ("n", Rule::Near, Some(0)),
            ("o", Rule::OneNode, Some(1)),
        ]);
        assert_eq!(kept.broken_rules, 0);
        let broken = judge(&[
            ("a", Rule::Apart, Some(0)),
            ("a", Rule::Apart, Some(0)),
            (DATABASE, Rule::Plain, Some(2)),
            ("n", Rule::Near, Some(1)),
            ("o", Rule::OneNode, Some(0)),
        ]);
        assert_eq!(broken.broken_rules, 4);
    }
}
