//! The CNI Metrics Helper's metrics under its names, so that dashboards and alarms on them go on working without it.
//!
//! Sums over the cluster in namespace `Kubernetes` with the one dimension `CLUSTER_ID` (CNI `cmd/cni-metrics-helper`,
//! `InterestingCNIMetrics`). What it reads from each ipamd is here what EC2 and Kubernetes show of the same; counters that only
//! ipamd has come in through [`ipamd`](super::ipamd). `awsAPILatency` is left out: it is the 0.99 quantile of a summary that has
//! none any more, and the helper publishes 0.

use headroom_capacity::budget::{Budget, Ipv4Budget};

use super::figures::number;
use super::ipamd::Sums;
use super::{Datum, Unit};
use crate::ledger::{Ledger, NodeAccount};

/// The helper's namespace.
pub const NAMESPACE: &str = "Kubernetes";
/// Its only dimension.
pub const DIMENSION: &str = "CLUSTER_ID";

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct HelperFigure {
    /// `MetricName`.
    pub name: &'static str,
    /// ipamd's own metric that the helper sums up.
    pub ipamd: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// `None` where only ipamd knows.
    value: Option<fn(&NodeAccount, &Ipv4Budget) -> u32>,
}

impl HelperFigure {
    const fn seen(
        name: &'static str,
        ipamd: &'static str,
        meaning: &'static str,
        value: fn(&NodeAccount, &Ipv4Budget) -> u32,
    ) -> HelperFigure {
        HelperFigure { name, ipamd, meaning, value: Some(value) }
    }

    const fn told(name: &'static str, ipamd: &'static str, meaning: &'static str) -> HelperFigure {
        HelperFigure { name, ipamd, meaning, value: None }
    }

    /// Only ipamd knows it.
    #[must_use]
    pub const fn needs_ipamd(&self) -> bool {
        self.value.is_none()
    }
}

/// All of them, each with unit Count, as the helper has it.
pub const HELPER_FIGURES: [HelperFigure; 19] = [
    HelperFigure::seen("assignIPAddresses", "awscni_assigned_ip_addresses", "Addresses that pods have", |node, _| {
        node.assigned.get()
    }),
    HelperFigure::seen("totalIPAddresses", "awscni_total_ip_addresses", "Addresses attached for pods", |node, _| {
        node.attached.get()
    }),
    HelperFigure::seen("totalIPv4Prefixes", "awscni_total_ipv4_prefixes", "Prefixes attached", |node, _| {
        node.prefixes.get()
    }),
    HelperFigure::seen(
        "totalAssignedIPv4sPerCidr",
        "awscni_assigned_ip_per_cidr",
        "Addresses that pods have, counted by prefix and summed up again",
        |node, _| node.assigned.get(),
    ),
    HelperFigure::seen("eniAllocated", "awscni_eni_allocated", "ENIs that ipamd manages", |node, _| {
        node.enis.saturating_sub(node.unmanaged).get()
    }),
    HelperFigure::seen("eniMaxAvailable", "awscni_eni_max", "ENIs that ipamd could manage", |node, budget| {
        max_enis(node, budget)
    }),
    HelperFigure::seen(
        "maxIPAddresses",
        "awscni_ip_max",
        "Addresses that these could hold; above what pods can have where an ENI is a trunk, excluded or kept from pods",
        |node, budget| max_enis(node, budget) * budget.slots_per_eni * budget.mode.ips_per_slot(),
    ),
    HelperFigure::told("addReqCount", "awscni_add_ip_req_count", "Requests for an address"),
    HelperFigure::told("delReqCount", "awscni_del_ip_req_count", "Releases of one"),
    HelperFigure::told("awsAPIErr", "awscni_aws_api_error_count", "Failed calls of AWS"),
    HelperFigure::told("awsUtilErr", "awscni_aws_utils_error_count", "Failures around such calls"),
    HelperFigure::told("ipamdErr", "awscni_ipamd_error_count", "Failures of ipamd"),
    HelperFigure::told("ipamdActionInProgress", "awscni_ipamd_action_inprogress", "Actions of ipamd that run"),
    HelperFigure::told("reconcileCount", "awscni_reconcile_count", "Addresses and ENIs that ipamd reconciled"),
    HelperFigure::told(
        "forceRemoveENI",
        "awscni_force_removed_enis",
        "ENIs removed although pods had addresses on them",
    ),
    HelperFigure::told("forceRemoveIPs", "awscni_force_removed_ips", "Addresses removed although pods had them"),
    HelperFigure::told("podENIErr", "awscni_pod_eni_error_count", "Failures with branch ENIs"),
    HelperFigure::told("ec2ApiReqCount", "awscni_ec2api_req_count", "Calls of EC2"),
    HelperFigure::told("ec2ApiErrCount", "awscni_ec2api_error_count", "Failed calls of EC2"),
];

/// ENIs of the type less those that ipamd leaves alone (CNI `pkg/ipamd`, `eniMax` and `ipMax`).
fn max_enis(node: &NodeAccount, budget: &Ipv4Budget) -> u32 {
    budget.max_enis.saturating_sub(node.unmanaged).get()
}

/// What the helper would publish, over the nodes on which ipamd hands out IPv4 addresses. Without `ipamd`, only what can be seen
/// from outside.
#[must_use]
pub fn helper_figures(ledger: &Ledger, ipamd: Option<&Sums>, cluster: &str) -> Vec<Datum> {
    let nodes = || {
        ledger.nodes.values().filter_map(|node| match &node.budget {
            Budget::Ipv4(budget) => Some((node, budget)),
            _ => None,
        })
    };
    let value = |figure: &HelperFigure| match figure.value {
        Some(of) => Some(number(nodes().map(|(node, budget)| u64::from(of(node, budget))).sum())),
        None => ipamd?.get(figure.ipamd),
    };
    let datum =
        |figure: &HelperFigure| Some(Datum::new(figure.name, Unit::Count, &[(DIMENSION, cluster)], value(figure)?));
    HELPER_FIGURES.iter().filter_map(datum).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::sync::Arc;

    use headroom_capacity::budget::NodeKind;
    use headroom_capacity::settings::CniSettings;
    use headroom_capacity::units::{Enis, Prefixes};

    use super::*;
    use crate::cloudwatch::ipamd::{Counters, Scrape};
    use crate::headroom::fixtures::{ledger, node, subnet};

    fn values(data: &[Datum]) -> BTreeMap<&str, f64> {
        data.iter().map(|datum| (datum.name.as_str(), datum.samples[0].value)).collect()
    }

    #[test]
    fn sums_the_nodes_as_each_ipamd_counts() {
        let plain = CniSettings::default();
        let prefix = CniSettings { prefix_delegation: true, ..CniSettings::default() };
        let nodes = [
            ("secondary", NodeAccount { unmanaged: Enis(1), enis: Enis(2), ..node(&plain, 5) }),
            (
                "prefix",
                NodeAccount { attached: headroom_capacity::units::Ips(32), prefixes: Prefixes(2), ..node(&prefix, 3) },
            ),
            ("fargate", NodeAccount { budget: Budget::NotManaged(NodeKind::Fargate), ..node(&plain, 9) }),
        ];
        let ledger = ledger(subnet(9, 0), &nodes);
        let data = helper_figures(&ledger, None, "prod");
        assert!(data.iter().all(|datum| datum.dimensions == [(DIMENSION.to_owned(), "prod".to_owned())]));
        let want = [
            ("assignIPAddresses", 8.0),
            ("eniAllocated", 2.0),
            ("eniMaxAvailable", 5.0),
            ("maxIPAddresses", 2.0 * 9.0 + 3.0 * 9.0 * 16.0),
            ("totalAssignedIPv4sPerCidr", 8.0),
            ("totalIPAddresses", 41.0),
            ("totalIPv4Prefixes", 2.0),
        ];
        assert_eq!(values(&data), BTreeMap::from(want));

        let pods = HashSet::from([Arc::from("a")]);
        let mut counters = Counters::default();
        let mut read = |count: u32| {
            let text = format!("awscni_ipamd_error_count{{fn=\"x\"}} {count}\n");
            counters.advance(HashMap::from([(Arc::from("a"), Scrape::parse(&text))]), &pods)
        };
        read(5);
        let sums = read(7);
        let data = helper_figures(&ledger, Some(&sums), "prod");
        assert_eq!(data.len(), HELPER_FIGURES.len());
        assert_eq!((values(&data)["ipamdErr"], values(&data)["awsAPIErr"]), (2.0, 0.0));
    }
}
