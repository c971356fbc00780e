//! What of the books is remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::units::Ips;

use crate::history::{Kind, SeriesKey};
use crate::ledger::{Ledger, NodeAccount, Owner, SubnetAccount};

/// One value of each series that the books tell; `groups` are the Auto Scaling groups, also those without a node.
#[must_use]
pub fn sample<'a>(ledger: &'a Ledger, groups: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<(SeriesKey, f64)> {
    let mut values = Vec::new();
    for (id, subnet) in &ledger.subnets {
        let of_subnet = [
            (Kind::SubnetUsedIps, subnet.used()),
            (Kind::SubnetCapacityIps, subnet.usable()),
            (Kind::SubnetUnusableIps, subnet.reserved + subnet.cidr_reserved),
            (Kind::SubnetPods, pods(subnet)),
            (Kind::SubnetOtherIps, others(subnet)),
        ];
        values.extend(of_subnet.map(|(kind, ips)| (SeriesKey::new(kind, id.as_str()), f64::from(ips.get()))));
    }
    let mut of_nodes = |nodes: Kind, pods: Kind, totals: BTreeMap<&str, Total>| {
        for (id, total) in totals {
            values.push((SeriesKey::new(nodes, id), f64::from(total.nodes)));
            values.push((SeriesKey::new(pods, id), f64::from(total.pods)));
        }
    };
    let zones = ledger.subnets.values().map(|subnet| &subnet.az);
    of_nodes(Kind::AzNodes, Kind::AzPods, by(ledger, zones, |node| node.az.as_ref()));
    of_nodes(Kind::GroupNodes, Kind::GroupPods, by(ledger, groups, |node| node.group.as_ref()));
    values
}

/// Addresses that pods have, or have given up so lately that nobody else can have them.
pub(super) fn pods(subnet: &SubnetAccount) -> Ips {
    subnet.held_by(Owner::Pod) + subnet.held_by(Owner::Cooling)
}

/// Addresses that do not come and go with the pods of the nodes' pools.
pub(super) fn others(subnet: &SubnetAccount) -> Ips {
    [Owner::Foreign, Owner::Leaked, Owner::Branch].into_iter().fold(Ips::ZERO, |sum, owner| sum + subnet.held_by(owner))
}

#[derive(Default)]
struct Total {
    nodes: u32,
    pods: u32,
}

/// `known` have no node perhaps, and that is a number too.
fn by<'a>(
    ledger: &'a Ledger,
    known: impl IntoIterator<Item = &'a Arc<str>>,
    key: fn(&NodeAccount) -> Option<&Arc<str>>,
) -> BTreeMap<&'a str, Total> {
    let mut totals: BTreeMap<&str, Total> = known.into_iter().map(|name| (&**name, Total::default())).collect();
    for node in ledger.nodes.values() {
        let Some(id) = key(node) else { continue };
        let total = totals.entry(id).or_default();
        total.nodes += 1;
        total.pods += node.pods();
    }
    totals
}
