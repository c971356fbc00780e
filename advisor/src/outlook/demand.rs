//! What a zone or a node group will ask for, whichever subnets give it.

use headroom_capacity::budget::Ipv4Budget;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::Ips;
use headroom_forecast::{Point, Question, Series, forecast};

use super::HORIZON_SECS;
use super::subnet::fleet;
use crate::ledger::{Ledger, NodeAccount};

/// Pods, and the addresses that their nodes hold for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// Nodes now.
    pub nodes: u32,
    /// Pods that have or need an address now.
    pub pods: u32,
    /// Addresses that the nodes hold now, their own and their pools'.
    pub ips: Ips,
    /// For how long the pods have been counted.
    pub observed_secs: u64,
    /// Pods to come.
    pub expected_pods: Vec<Point>,
    /// Addresses that the nodes will hold by ipamd's rules, with as many pods on a node as now on the fuller ones. Empty where no node
    /// shows what a node holds.
    pub expected_ips: Vec<Point>,
}

/// Of the nodes that `member` picks; `pods` is what they ran.
#[must_use]
pub fn demand(ledger: &Ledger, settings: &CniSettings, member: impl Fn(&NodeAccount) -> bool, pods: &Series) -> Demand {
    let members = || ledger.nodes.values().filter(|node| member(node));
    let counted: Vec<(&NodeAccount, Ipv4Budget)> = members().filter_map(|node| Some((node, node.ipv4()?))).collect();
    let now = members().map(|node| node.pods()).sum();
    let held = counted.iter().map(|(node, _)| node.attached.get() + node.enis.get()).sum();
    let expected_pods =
        forecast(&Question { series: pods, horizon_secs: HORIZON_SECS, capacity: f64::INFINITY }).points;
    let fleet = fleet(&counted, settings, now, held);
    let expected_ips = fleet.map(|fleet| expected_pods.iter().map(|point| fleet.expect(point)).collect());
    Demand {
        nodes: u32::try_from(members().count()).unwrap_or(u32::MAX),
        pods: now,
        ips: Ips(held),
        observed_secs: pods.values.len() as u64 * u64::from(pods.step_secs),
        expected_ips: expected_ips.unwrap_or_default(),
        expected_pods,
    }
}
