//! From pods to addresses, by ipamd's rules: a subnet's use moves in steps of ENIs and prefixes, while what moves it is pods.

use headroom_capacity::budget::Ipv4Budget;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::steady;
use headroom_forecast::{LEVELS, Point};

/// The nodes that draw on a subnet, as so many of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet<'a> {
    /// aws-node's settings.
    pub settings: &'a CniSettings,
    /// What most of them can hold.
    pub budget: Ipv4Budget,
    /// Nodes now.
    pub nodes: u32,
    /// Pods with an address of the subnet now.
    pub pods: u32,
    /// Addresses of the subnet that the nodes hold now, their own and their pools' together.
    pub held: u32,
    /// Pods on a node when further nodes are added: the density that the cluster has come to.
    pub pods_per_node: f64,
}

impl Fleet<'_> {
    /// Addresses that the nodes will hold with `pods` pods, once their pools have come to rest.
    ///
    /// As many nodes as the density asks for, pods spread evenly. What the nodes hold now beyond that (pools seldom give back what
    /// they grew by) stays with them.
    #[must_use]
    pub fn ips(&self, pods: f64) -> f64 {
        let excess = f64::from(self.held) - self.at_rest(f64::from(self.pods));
        let nodes = self.nodes_for(pods);
        let kept = if self.nodes == 0 { 0.0 } else { excess * (nodes / f64::from(self.nodes)).min(1.0) };
        (self.at_rest(pods) + kept).max(0.0)
    }

    /// The same of each quantile of pods. Kept in order: where one pod more needs a node more, all nodes may hold less together.
    #[must_use]
    pub fn expect(&self, pods: &Point) -> Point {
        let mut values = pods.values.map(|pods| self.ips(pods));
        for level in 1..LEVELS.len() {
            values[level] = values[level].max(values[level - 1]);
        }
        Point { values, ..*pods }
    }

    fn at_rest(&self, pods: f64) -> f64 {
        let nodes = self.nodes_for(pods);
        if nodes <= 0.0 { 0.0 } else { nodes * self.of_one(pods / nodes) }
    }

    /// At least those that are there while pods grow in number: the first of them fill up what is there.
    fn nodes_for(&self, pods: f64) -> f64 {
        let wanted = (pods / self.pods_per_node.max(1.0)).ceil();
        if pods >= f64::from(self.pods) { wanted.max(f64::from(self.nodes)) } else { wanted.min(f64::from(self.nodes)) }
    }

    /// Between two whole numbers of pods, some nodes have the one and some the other.
    fn of_one(&self, pods: f64) -> f64 {
        let below = pods.floor().max(0.0);
        let at = |pods: f64| {
            // Whole, and a node's pods fit.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a few hundred")]
            let pods = pods.min(f64::from(u16::MAX)) as u32;
            let rest = steady(self.settings, &self.budget, pods);
            f64::from(rest.subnet_ips.get())
        };
        let (low, high) = (at(below), at(below + 1.0));
        low + (pods - below) * (high - low)
    }
}
