//! What a configuration will cost, before anything runs: dollars and calls, for sizes that only AWS knows and the caller says.

use std::collections::BTreeMap;
use std::fmt;

use clap::Args;

use crate::aws::{self, Operation, calls_per_minute};
use crate::cloudwatch::cost::{self, Estimate};
use crate::config::{CloudWatch, Config, LeakAction};
use crate::reachability;

/// How large the cluster is. Nothing is asked of AWS here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(super) struct Sizes {
    /// Subnets of the VPC, for the estimate.
    #[arg(long, value_name = "N", default_value = "6")]
    subnets: u32,
    /// Availability zones that they are in.
    #[arg(long, value_name = "N", default_value = "3")]
    azs: u32,
    /// Auto Scaling groups of the cluster.
    #[arg(long, value_name = "N", default_value = "3")]
    groups: u32,
    /// ENIs in the VPC, everybody's.
    #[arg(long, value_name = "N", default_value = "500")]
    enis: u32,
    /// Nodes of the cluster.
    #[arg(long, value_name = "N", default_value = "100")]
    nodes: u32,
}

/// The estimate as comments of YAML, to stand below the configuration.
pub(super) struct Comment<'a> {
    pub(super) config: &'a Config,
    pub(super) sizes: Sizes,
}

impl Comment<'_> {
    fn cost(&self) -> Estimate {
        let Sizes { subnets, azs, groups, .. } = self.sizes;
        let sizes = cost::Sizes { subnets: subnets.into(), azs: azs.into(), groups: groups.into() };
        cost::estimate(sizes, &CloudWatch { enabled: true, ..self.config.cloudwatch.clone() })
    }

    fn calls(&self) -> BTreeMap<Operation, f64> {
        let Sizes { subnets, groups, enis, nodes, .. } = self.sizes;
        let sizes = aws::Sizes { subnets, enis, instances: nodes, groups, ..aws::Sizes::default() };
        let mut calls = calls_per_minute(&self.config.observe, &sizes);
        for (operation, probes) in reachability::calls_per_minute(self.config) {
            *calls.entry(operation).or_default() += probes;
        }
        if self.config.leaks.action != LeakAction::Report {
            // Each ENI is read again before.
            let deletions = f64::from(self.config.leaks.max_per_hour) / 60.0;
            calls.insert(Operation::DeleteNetworkInterface, deletions);
            *calls.entry(Operation::DescribeNetworkInterfaces).or_default() += deletions;
        }
        if self.config.cloudwatch.enabled {
            calls.insert(Operation::PutMetricData, self.cost().calls_per_minute());
        }
        calls
    }
}

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sizes { subnets, azs, groups, enis, nodes } = self.sizes;
        writeln!(
            f,
            "\n# Estimate for {subnets} subnets in {azs} zones, {groups} groups, {enis} ENIs and {nodes} nodes; --subnets, --azs,"
        )?;
        writeln!(f, "# --groups, --enis and --nodes give other sizes.")?;
        let off =
            if self.config.cloudwatch.enabled { "" } else { " nothing, cloudwatch.enabled is false; it would be" };
        writeln!(f, "#\n# CloudWatch:{off} {}.", self.cost())?;
        writeln!(
            f,
            "#\n# Calls of AWS a minute at most, without retries, beside what AWS grants the account in the region, ipamd on every\n# node included:"
        )?;
        for (operation, per_minute) in self.calls() {
            write!(f, "#   {:<27}{per_minute:>7.1}", operation.label())?;
            match operation.quota() {
                Some(quota) => writeln!(f, " of {}", quota.per_sec * 60)?,
                None => writeln!(f, " of a number that AWS does not publish")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use headroom_shell::config::ConfigFile as _;

    use super::*;

    fn comment(text: &str, sizes: Sizes) -> String {
        Comment { config: &Config::parse(text).unwrap(), sizes }.to_string()
    }

    #[test]
    fn a_small_cluster_that_only_looks() {
        let sizes = Sizes { subnets: 6, azs: 3, groups: 3, enis: 500, nodes: 100 };
        assert_eq!(comment("cluster_name: prod\n", sizes), include_str!("estimate/small.txt"));
    }

    #[test]
    fn a_large_cluster_that_publishes_and_deletes() {
        let sizes = Sizes { subnets: 200, azs: 3, groups: 50, enis: 30_000, nodes: 5_000 };
        let text = "cluster_name: prod\nleaks: {action: delete}\ncloudwatch: {enabled: true, cni_metrics_helper_names: true}\n";
        assert_eq!(comment(text, sizes), include_str!("estimate/large.txt"));
    }

    #[test]
    fn the_configuration_with_its_estimate_is_a_configuration() {
        let config = Config::parse("cluster_name: prod\n").unwrap();
        let sizes = Sizes { subnets: 1, azs: 1, groups: 1, enis: 1, nodes: 1 };
        let text = format!("{}{}", config.to_yaml().unwrap(), Comment { config: &config, sizes });
        assert_eq!(Config::parse(&text).unwrap(), config);
    }
}
