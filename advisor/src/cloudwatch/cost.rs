//! What publishing to CloudWatch costs.

use std::fmt;

use super::batch::MAX_DATA;
use super::catalog::{FIGURES, Scope};
use super::cni_helper::HELPER_FIGURES;
use crate::config::CloudWatch;

/// How large a cluster is, as far as its metrics are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Subnets in scope.
    pub subnets: u64,
    /// Availability zones that they are in.
    pub azs: u64,
    /// Auto Scaling groups of the cluster.
    pub groups: u64,
}

/// An estimate for a month of 730 hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Metrics, of all namespaces.
    pub metrics: u64,
    /// PutMetricData calls.
    pub calls: u64,
    /// US dollars, both together.
    pub dollars: f64,
}

/// Dollars for a metric and month in us-east-1, with the number of metrics of the account up to which the price holds (Amazon
/// CloudWatch pricing, "Paid tier", as it stood in 2025). Other regions have other prices, and metrics that others publish in
/// the account use up the first tier too. The free tier is not counted.
const TIERS: [(u64, f64); 4] = [(10_000, 0.30), (250_000, 0.10), (1_000_000, 0.05), (u64::MAX, 0.02)];
/// Dollars for 1,000 PutMetricData calls, likewise.
const PER_1000_CALLS: f64 = 0.01;
const MONTH_MINUTES: u32 = 730 * 60;

/// What `config` costs in a month; nothing where it publishes nothing. A metric is paid for by the hour, so that one of a subnet
/// that is deleted costs no more.
#[must_use]
pub fn estimate(sizes: Sizes, config: &CloudWatch) -> Estimate {
    if !config.enabled {
        return Estimate { metrics: 0, calls: 0, dollars: 0.0 };
    }
    let own: u64 = FIGURES.iter().flat_map(|figure| figure.scopes).map(|scope| sizes.of(*scope)).sum();
    let helper = if config.cni_metrics_helper_names { HELPER_FIGURES.len() as u64 } else { 0 };
    let requests = own.div_ceil(MAX_DATA as u64) + helper.div_ceil(MAX_DATA as u64);
    let calls = requests * (u64::from(MONTH_MINUTES) * 60 / config.period_secs.max(1));
    let metrics = own + helper;
    let dollars = price(metrics) + super::figures::number(calls) / 1000.0 * PER_1000_CALLS;
    Estimate { metrics, calls, dollars }
}

impl Estimate {
    /// PutMetricData calls a minute.
    #[must_use]
    pub fn calls_per_minute(&self) -> f64 {
        super::figures::number(self.calls) / f64::from(MONTH_MINUTES)
    }
}

impl Sizes {
    const fn of(self, scope: Scope) -> u64 {
        match scope {
            Scope::Cluster => 1,
            Scope::Az => self.azs,
            Scope::Subnet => self.subnets,
            Scope::Asg => self.groups,
        }
    }
}

fn price(metrics: u64) -> f64 {
    let mut from = 0;
    let mut dollars = 0.0;
    for (until, each) in TIERS {
        dollars += super::figures::number(metrics.min(until).saturating_sub(from)) * each;
        from = until;
    }
    dollars
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { metrics, calls, dollars } = self;
        write!(
            f,
            "{metrics} metrics and {calls} PutMetricData calls a month, about ${dollars:.2} at us-east-1's prices"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tier_has_its_price() {
        let cents = |metrics| (price(metrics) * 100.0).round();
        assert_eq!([0, 1, 10_000, 10_001, 250_000].map(cents), [0.0, 30.0, 300_000.0, 300_010.0, 2_700_000.0]);
        assert_eq!([1_000_000, 1_000_100].map(cents), [6_450_000.0, 6_450_200.0]);
    }

    #[test]
    fn a_small_cluster_costs_tens_of_dollars() {
        let sizes = Sizes { subnets: 6, azs: 3, groups: 2 };
        let off = CloudWatch::default();
        let on = CloudWatch { enabled: true, ..CloudWatch::default() };
        let both = CloudWatch { cni_metrics_helper_names: true, ..on.clone() };
        assert_eq!(estimate(sizes, &off).dollars, 0.0);
        assert_eq!(
            estimate(sizes, &on).to_string(),
            "104 metrics and 43800 PutMetricData calls a month, about $31.64 at us-east-1's prices"
        );
        assert_eq!((estimate(sizes, &both).metrics, estimate(sizes, &both).calls), (104 + 19, 87_600));
    }
}
