//! Every metric that is published to CloudWatch under Headroom's own names: the table behind `figures`, `cost` and the docs.

use headroom_forecast::quantiles::P90;

use super::Unit;
use super::figures::{Observed, Totals, number};
use crate::metrics::labels;
use crate::outlook::{HORIZON_SECS, SubnetOutlook};

labels! {
    /// What a metric is about: its dimensions.
    Scope {
        /// The whole cluster.
        Cluster = "Cluster",
        /// The cluster in one availability zone.
        Az = "Cluster, AZ",
        /// One subnet.
        Subnet = "Cluster, Subnet",
        /// One Auto Scaling group: its nodes, and the subnets that it launches in.
        Asg = "Cluster, ASG",
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// `MetricName`.
    pub name: &'static str,
    /// `Unit`.
    pub unit: Unit,
    /// The sets of dimensions in which it is published.
    pub scopes: &'static [Scope],
    /// What it says.
    pub meaning: &'static str,
    /// It comes from what AWS says; left out while that is too old.
    pub(super) needs_aws: bool,
    /// It comes from what Kubernetes says; left out while the watches fail.
    pub(super) needs_kubernetes: bool,
    pub(super) value: Value,
}

/// Where a figure's value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// A count.
    Count(fn(&Totals) -> u64),
    /// The headroom of each node, as a distribution.
    Nodes,
    /// What is expected of a subnet; of several the least, which is the first to run out.
    Soonest(fn(&SubnetOutlook) -> f64),
    /// What is expected of a subnet, added up over several.
    Expected(fn(&SubnetOutlook) -> f64),
    /// How old what AWS says is.
    Age,
    /// A figure of the cluster alone.
    Whole(fn(&Observed<'_>) -> u64),
}

const EVERYWHERE: &[Scope] = &[Scope::Cluster, Scope::Az, Scope::Subnet, Scope::Asg];
const OF_PODS: &[Scope] = &[Scope::Cluster, Scope::Az, Scope::Asg];
const OF_ENIS: &[Scope] = &[Scope::Cluster, Scope::Az, Scope::Subnet];
const OF_SUBNETS: &[Scope] = &[Scope::Cluster, Scope::Subnet];
const CLUSTER: &[Scope] = &[Scope::Cluster];
/// What is told where nothing runs out within the horizon: CloudWatch has no infinity, and an alarm needs a value.
const LONGEST_HOURS: f64 = HORIZON_SECS as f64 / 3600.0;

/// All of them. A node may draw on several subnets, so pods are not counted by subnet; an ENI that leaked belongs to no group
/// any more.
pub const FIGURES: [Figure; 17] = [
    Figure {
        name: "SubnetFreeIPs",
        meaning: "Free addresses that EC2 may choose, those that are on their way to nodes included",
        value: Value::Count(|totals| totals.free_ips),
        ..of_aws(EVERYWHERE)
    },
    Figure {
        name: "SubnetFreePrefixes",
        meaning: "Free aligned /28 blocks that EC2 may choose: what prefix delegation can use",
        value: Value::Count(|totals| totals.free_prefixes),
        ..of_aws(EVERYWHERE)
    },
    Figure {
        name: "InFlightReservedIPs",
        meaning: "Of the free addresses, those that nodes and ENIs that are coming will take",
        value: Value::Count(|totals| totals.in_flight),
        ..of_aws(EVERYWHERE)
    },
    Figure {
        name: "LeakedENIs",
        meaning: "ENIs that the CNI made and that nothing uses any more",
        value: Value::Count(|totals| totals.leaked_enis),
        ..of_aws(OF_ENIS)
    },
    Figure {
        name: "LeakedIPs",
        meaning: "Addresses that these ENIs hold",
        value: Value::Count(|totals| totals.leaked_ips),
        ..of_aws(OF_ENIS)
    },
    Figure {
        name: "HeadroomPods",
        meaning: "Pods that the nodes can still give an address, each subnet's addresses counted once",
        value: Value::Count(|totals| totals.headroom),
        needs_kubernetes: true,
        ..of_aws(OF_PODS)
    },
    Figure {
        name: "NodeHeadroomPods",
        meaning: "The same of each node that takes pods, as a distribution: percentiles and the minimum tell how it is spread",
        value: Value::Nodes,
        needs_kubernetes: true,
        ..of_aws(CLUSTER)
    },
    Figure {
        name: "PodIPDemand",
        meaning: "Pods that have or need an address; in the cluster's figure also those that are not scheduled yet",
        value: Value::Count(|totals| totals.demand),
        ..of_kubernetes(OF_PODS)
    },
    Figure {
        name: "PodsWithoutIP",
        meaning: "Pods that are bound to a node, need an address and have none",
        value: Value::Count(|totals| totals.without_ip),
        ..of_kubernetes(OF_PODS)
    },
    Figure {
        name: "PodsRefused",
        meaning: "Of these, those for which the CNI had no address: they hang, where the others may just be starting",
        value: Value::Whole(|observed| observed.ledger.pods_refused.into()),
        ..of_kubernetes(CLUSTER)
    },
    Figure {
        name: "TimeToExhaustionHoursP10",
        unit: Unit::None,
        meaning: "Hours until a subnet has no room for another node, one chance in ten that it is sooner; 168 where that is not \
                  expected within a week. Of several subnets the soonest",
        value: Value::Soonest(|subnet| hours(subnet.exhaustion.p10_secs)),
        ..of_aws(OF_ENIS)
    },
    Figure {
        name: "TimeToExhaustionHoursP50",
        unit: Unit::None,
        meaning: "The same, as likely sooner as later",
        value: Value::Soonest(|subnet| hours(subnet.exhaustion.p50_secs)),
        ..of_aws(OF_SUBNETS)
    },
    Figure {
        name: "ForecastUsedIPsP90",
        meaning: "Addresses that will be held a day ahead, one chance in ten that it is more; of several subnets the sum",
        value: Value::Expected(|subnet| subnet.at(24 * 3600)[P90]),
        ..of_aws(OF_SUBNETS)
    },
    Figure {
        name: "ObservationAge",
        unit: Unit::Seconds,
        meaning: "Time since the part of AWS was read that was read longest ago",
        value: Value::Age,
        ..of_nothing()
    },
    Figure {
        name: "EndpointsDown",
        meaning: "AWS endpoints that the advisor depends on and that its latest probe did not get through to",
        value: Value::Whole(|observed| observed.endpoints_down),
        ..of_nothing()
    },
    Figure {
        name: "ScaleInBlocked",
        meaning: "1 while no node may be removed because AWS is not reached, what was read is too old or the credentials end; \
                  0 in mode observe",
        value: Value::Whole(|observed| observed.scale_in_blocked.into()),
        ..of_nothing()
    },
    Figure {
        name: "AdvisorHeartbeat",
        meaning: "1 with every publication: an alarm on missing data tells that nobody observes any more",
        value: Value::Whole(|_| 1),
        ..of_nothing()
    },
];

fn hours(secs: Option<u64>) -> f64 {
    secs.map_or(LONGEST_HOURS, |secs| (number(secs) / 3600.0).min(LONGEST_HOURS))
}

const fn of_nothing() -> Figure {
    Figure {
        name: "",
        unit: Unit::Count,
        scopes: CLUSTER,
        meaning: "",
        needs_aws: false,
        needs_kubernetes: false,
        value: Value::Whole(|_| 0),
    }
}

const fn of_aws(scopes: &'static [Scope]) -> Figure {
    Figure { scopes, needs_aws: true, ..of_nothing() }
}

const fn of_kubernetes(scopes: &'static [Scope]) -> Figure {
    Figure { scopes, needs_kubernetes: true, ..of_nothing() }
}
