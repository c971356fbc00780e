//! Which values may be used: ranges and lengths, as the comments of the fields state them.

use std::collections::BTreeMap;

use headroom_shell::config::{ConfigError, ConfigFile, within};

use super::{Config, Expander};
use crate::autoscaler::Version;

impl ConfigFile for Config {
    const BINARY: &'static str = "headroom-advisor";

    fn check(&self) -> Result<(), ConfigError> {
        if self.cluster_name.is_empty() {
            return Err(refused(
                "cluster_name",
                "required: the EKS cluster's name; give a file that has it: --config FILE",
            ));
        }
        for (key, text, max) in lengths(self) {
            let length = text.chars().count();
            if !(1..=max).contains(&length) {
                return Err(refused(key, &format!("{length} characters, must be 1 to {max}")));
            }
        }
        if self.cloudwatch.namespace.starts_with("AWS/") {
            return Err(refused("cloudwatch.namespace", "begins with 'AWS/', which only AWS may use; choose another"));
        }
        let Expander { enabled, cluster_autoscaler_version: version, .. } = &self.expander;
        if let Some(version) = version.as_deref().filter(|version| Version::parse(version).is_none()) {
            let problem = format!("'{version}' is not a version such as 1.34");
            return Err(refused("expander.cluster_autoscaler_version", &problem));
        }
        if *enabled && self.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some()) {
            let problem = "must be null with expander.enabled: Cluster Autoscaler has no certificate of its own";
            return Err(refused("tls.client_ca_file", problem));
        }
        within(ranges(self))
    }
}

impl Config {
    /// What is allowed of each key with bounds, as the documents have it: `1 to 100`, `1 to 100 characters`.
    #[must_use]
    pub fn bounds(&self) -> BTreeMap<&'static str, String> {
        let ranges = ranges(self).into_iter().map(|(key, _, min, max)| (key, format!("{min} to {max}")));
        ranges.chain(lengths(self).map(|(key, _, max)| (key, format!("1 to {max} characters")))).collect()
    }

    /// What will not work although it may be so: sentences.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let plain = self.expander.enabled && self.tls.is_none();
        let warning = "expander.enabled without tls: Cluster Autoscaler speaks TLS only, and will go on as if nobody answered; set tls";
        plain.then_some(warning).into_iter().collect()
    }
}

fn refused(key: &'static str, problem: &str) -> ConfigError {
    ConfigError::Value { key, problem: problem.to_owned() }
}

/// Path of the key, text, most characters; each has at least one.
pub(super) fn lengths(config: &Config) -> [(&'static str, &str, usize); 5] {
    [
        ("cluster_name", &config.cluster_name, 100),
        ("scaling.group_tag", &config.scaling.group_tag, 128),
        ("cloudwatch.namespace", &config.cloudwatch.namespace, 255),
        ("leader_election.namespace", &config.leader_election.namespace, 63),
        ("leader_election.name", &config.leader_election.name, 253),
    ]
}

/// Path of the key, value, least and most allowed.
pub(super) fn ranges(config: &Config) -> [(&'static str, u64, u64, u64); 49] {
    let Config {
        aws,
        observe,
        in_flight,
        leaks,
        feed,
        history,
        forecast,
        scaling,
        expander,
        reachability,
        cloudwatch,
        leader_election,
        ..
    } = config;
    let (out, scale_in, stuck) = (&scaling.scale_out, &scaling.scale_in, &scaling.stuck_pods);
    [
        ("aws.connect_timeout_ms", aws.connect_timeout_ms, 100, 60_000),
        ("aws.attempt_timeout_ms", aws.attempt_timeout_ms, 500, 120_000),
        ("aws.call_timeout_ms", aws.call_timeout_ms, 1000, 600_000),
        ("aws.max_attempts", u64::from(aws.max_attempts), 1, 10),
        ("observe.subnets_secs", observe.subnets_secs, 5, 3600),
        ("observe.enis_secs", observe.enis_secs, 10, 3600),
        ("observe.instances_secs", observe.instances_secs, 10, 3600),
        ("observe.groups_secs", observe.groups_secs, 10, 3600),
        ("observe.topology_secs", observe.topology_secs, 60, 86_400),
        ("observe.offers_secs", observe.offers_secs, 3600, 604_800),
        ("in_flight.deadline_secs", in_flight.deadline_secs, 60, 86_400),
        ("leaks.min_age_secs", leaks.min_age_secs, 300, 86_400),
        ("leaks.max_per_hour", u64::from(leaks.max_per_hour), 1, 1000),
        ("feed.max_clients", u64::from(feed.max_clients), 1, 1000),
        ("feed.history", u64::from(feed.history), 1, 10_000),
        ("history.max_series", history.max_series, 100, 1_000_000),
        ("history.idle_days", u64::from(history.idle_days), 1, 400),
        ("forecast.period_secs", forecast.period_secs, 60, 86_400),
        ("scaling.period_secs", scaling.period_secs, 5, 300),
        ("scaling.scale_out.max_step", u64::from(out.max_step), 1, 100),
        ("scaling.scale_out.cool_down_secs", out.cool_down_secs, 0, 3600),
        ("scaling.scale_out.max_per_hour", u64::from(out.max_per_hour), 1, 1000),
        ("scaling.scale_out.lead_secs", out.lead_secs, 0, 86_400),
        ("scaling.scale_in.utilisation_percent", u64::from(scale_in.utilisation_percent), 0, 100),
        ("scaling.scale_in.unneeded_secs", scale_in.unneeded_secs, 0, 86_400),
        ("scaling.scale_in.min_age_secs", scale_in.min_age_secs, 0, 86_400),
        ("scaling.scale_in.after_scale_out_secs", scale_in.after_scale_out_secs, 0, 86_400),
        ("scaling.scale_in.cool_down_secs", scale_in.cool_down_secs, 0, 86_400),
        ("scaling.scale_in.max_per_hour", u64::from(scale_in.max_per_hour), 1, 1000),
        ("scaling.scale_in.max_share_percent", u64::from(scale_in.max_share_percent), 1, 100),
        ("scaling.scale_in.settle_secs", scale_in.settle_secs, 1, 300),
        ("scaling.scale_in.drain_secs", scale_in.drain_secs, 30, 7200),
        ("scaling.stuck_pods.grace_secs", stuck.grace_secs, 30, 3600),
        ("scaling.stuck_pods.max_per_minute", u64::from(stuck.max_per_minute), 1, 100),
        ("expander.spare_ips", u64::from(expander.spare_ips), 1, 4096),
        ("expander.tolerance_percent", u64::from(expander.tolerance_percent), 1, 100),
        ("expander.hold_secs", expander.hold_secs, 10, 3600),
        ("reachability.period_secs", reachability.period_secs, 5, 600),
        ("reachability.passes", u64::from(reachability.passes), 1, 20),
        ("reachability.dns_timeout_ms", reachability.dns_timeout_ms, 100, 30_000),
        ("reachability.slow_dns_ms", reachability.slow_dns_ms, 10, 30_000),
        ("reachability.resolver_timeout_ms", reachability.resolver_timeout_ms, 100, 60_000),
        ("reachability.tcp_timeout_ms", reachability.tcp_timeout_ms, 100, 30_000),
        ("reachability.tls_timeout_ms", reachability.tls_timeout_ms, 100, 30_000),
        ("reachability.http_timeout_ms", reachability.http_timeout_ms, 100, 60_000),
        ("reachability.signed_timeout_ms", reachability.signed_timeout_ms, 500, 120_000),
        ("cloudwatch.period_secs", cloudwatch.period_secs, 60, 3600),
        ("cloudwatch.spool_max_points", cloudwatch.spool_max_points, 1000, 10_000_000),
        ("leader_election.lease_secs", leader_election.lease_secs, 5, 300),
    ]
}
