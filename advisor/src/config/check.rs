//! Which values may be used: ranges and lengths, as the comments of the fields state them.

use headroom_shell::config::{ConfigError, ConfigFile, within};

use super::Config;

impl ConfigFile for Config {
    const BINARY: &'static str = "headroom-advisor";

    fn check(&self) -> Result<(), ConfigError> {
        if self.cluster_name.is_empty() {
            return Err(refused("cluster_name", "required: the EKS cluster's name"));
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
        within(ranges(self))
    }
}

fn refused(key: &'static str, problem: &str) -> ConfigError {
    ConfigError::Value { key, problem: problem.to_owned() }
}

/// Path of the key, text, most characters; each has at least one.
pub(super) fn lengths(config: &Config) -> [(&'static str, &str, usize); 4] {
    [
        ("cluster_name", &config.cluster_name, 100),
        ("cloudwatch.namespace", &config.cloudwatch.namespace, 255),
        ("leader_election.namespace", &config.leader_election.namespace, 63),
        ("leader_election.name", &config.leader_election.name, 253),
    ]
}

/// Path of the key, value, least and most allowed.
pub(super) fn ranges(config: &Config) -> [(&'static str, u64, u64, u64); 20] {
    let Config { aws, observe, in_flight, leaks, feed, history, forecast, cloudwatch, leader_election, .. } = config;
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
        ("in_flight.deadline_secs", in_flight.deadline_secs, 60, 86_400),
        ("leaks.min_age_secs", leaks.min_age_secs, 300, 86_400),
        ("leaks.max_per_hour", u64::from(leaks.max_per_hour), 1, 1000),
        ("feed.max_clients", u64::from(feed.max_clients), 1, 1000),
        ("feed.history", u64::from(feed.history), 1, 10_000),
        ("history.max_series", history.max_series, 100, 1_000_000),
        ("history.idle_days", u64::from(history.idle_days), 1, 400),
        ("forecast.period_secs", forecast.period_secs, 60, 86_400),
        ("cloudwatch.period_secs", cloudwatch.period_secs, 60, 3600),
        ("cloudwatch.spool_max_points", cloudwatch.spool_max_points, 1000, 10_000_000),
        ("leader_election.lease_secs", leader_election.lease_secs, 5, 300),
    ]
}
