//! The configuration file: what the advisor observes and publishes. Process knobs (addresses, log format) are flags.

mod check;
mod scaling;

use std::path::PathBuf;
use std::time::Duration;

pub use headroom_shell::tls::Tls;
pub use scaling::{Day, Mode, ScaleIn, ScaleOut, Scaling, StuckPods, TimeOfDay, Window};
use serde::{Deserialize, Serialize};

/// Everything in the file; each key may be left out but `cluster_name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The EKS cluster's name, as in the tag `kubernetes.io/cluster/<name>`. Required, 1 to 100 characters.
    pub cluster_name: String,
    /// How AWS is called.
    pub aws: Aws,
    /// How often AWS is read.
    pub observe: Observe,
    /// What counts as on its way.
    pub in_flight: InFlight,
    /// ENIs that nobody uses any more.
    pub leaks: Leaks,
    /// The stream of capacity to the extenders.
    pub feed: Feed,
    /// What was observed over weeks.
    pub history: History,
    /// What is expected.
    pub forecast: Forecast,
    /// What is done to Auto Scaling groups.
    pub scaling: Scaling,
    /// Answers to Cluster Autoscaler.
    pub expander: Expander,
    /// Whether AWS can be reached.
    pub reachability: Reachability,
    /// Metrics in CloudWatch.
    pub cloudwatch: CloudWatch,
    /// Which of several advisors publishes and acts.
    pub leader_election: LeaderElection,
    /// TLS for gRPC; null, the default, speaks plain text. The admin address always does.
    pub tls: Option<Tls>,
}

/// How AWS is called. Credentials are found as the AWS SDKs do: environment, profile, web identity (IRSA), container (Pod
/// Identity), instance metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aws {
    /// The region. Default null: from the environment, the profile or instance metadata.
    pub region: Option<String>,
    /// The cluster's VPC. Default null: that of the cluster's nodes.
    pub vpc_id: Option<String>,
    /// Longest time to a connection, DNS and TLS included. 100 to 60000, default 3100, as the AWS SDKs have it.
    pub connect_timeout_ms: u64,
    /// Longest time of one attempt. 500 to 120000, default 10000.
    pub attempt_timeout_ms: u64,
    /// Longest time of a call with all its attempts, of one page where there are several. 1000 to 600000, default 30000.
    pub call_timeout_ms: u64,
    /// Attempts of a call. 1 to 10, default 3.
    pub max_attempts: u32,
}

impl Default for Aws {
    fn default() -> Aws {
        Aws {
            region: None,
            vpc_id: None,
            connect_timeout_ms: 3100,
            attempt_timeout_ms: 10_000,
            call_timeout_ms: 30_000,
            max_attempts: 3,
        }
    }
}

/// How often AWS is read. EC2 grants an account 20 reads a second in a region after a burst of 100, and ipamd on every node draws
/// on the same (EC2 developer guide, "Request throttling").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observe {
    /// Seconds from one reading of subnets to the next: one call for 1,000 of them. 5 to 3600, default 30.
    pub subnets_secs: u64,
    /// The same for ENIs: one call for 1,000 of them. 10 to 3600, default 60.
    pub enis_secs: u64,
    /// The same for instances: one call for 1,000 of them. 10 to 3600, default 60.
    pub instances_secs: u64,
    /// The same for Auto Scaling groups: one call for 100 of them. 10 to 3600, default 60.
    pub groups_secs: u64,
    /// The same for what seldom changes, that is CIDR reservations (one call for each subnet), VPC blocks and endpoints. 60 to
    /// 86400, default 600.
    pub topology_secs: u64,
    /// The same for the instance types of the region: one call for 100 of 1,400. 3600 to 604800, default 86400.
    pub offers_secs: u64,
}

impl Default for Observe {
    fn default() -> Observe {
        Observe {
            subnets_secs: 30,
            enis_secs: 60,
            instances_secs: 60,
            groups_secs: 60,
            topology_secs: 600,
            offers_secs: 86_400,
        }
    }
}

/// What counts as on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InFlight {
    /// How long an instance may take from its launch until its pool is as large as its settings ask for; what is missing then is
    /// not expected any more. 60 to 86400, default 900, Cluster Autoscaler's `--max-node-provision-time`.
    pub deadline_secs: u64,
}

impl Default for InFlight {
    fn default() -> InFlight {
        InFlight { deadline_secs: 900 }
    }
}

/// ENIs that nobody uses any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leaks {
    /// How old an unattached ENI of the CNI must be to count as leaked. 300 to 86400, default 900: ipamd attaches one within seconds
    /// of making it, and its own cleaner waits for 5 minutes (CNI `pkg/awsutils`, `eniDeleteCooldownTime`).
    pub min_age_secs: u64,
    /// What is done about them: `report`, `dry_run` (each is checked again and EC2 is asked whether it would delete it) or
    /// `delete`. Default report.
    pub action: LeakAction,
    /// Most deletions, dry runs included, in an hour. 1 to 1000, default 20; one at a time.
    pub max_per_hour: u32,
}

impl Default for Leaks {
    fn default() -> Leaks {
        Leaks { min_age_secs: 900, action: LeakAction::default(), max_per_hour: 20 }
    }
}

/// What is done about leaked ENIs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakAction {
    /// They are counted and named.
    #[default]
    Report,
    /// Each is read again, and EC2 is asked with `DryRun` whether it would delete it.
    DryRun,
    /// Each is read again and deleted.
    Delete,
}

/// The stream of capacity to the extenders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feed {
    /// Clients at once; more are refused. 1 to 1000, default 64.
    pub max_clients: u32,
    /// Updates that a client may lag behind before it is sent the whole state instead. 1 to 10000, default 64.
    pub history: u32,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed { max_clients: 64, history: 64 }
    }
}

/// What was observed over weeks: forecasts are made from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// Where it is kept, a file; it is made. Default null: in memory, and forecasts begin anew when the process ends.
    pub path: Option<PathBuf>,
    /// Most series; there are five of a subnet, two of a zone and two of a group. 100 to 1000000, default 10000.
    pub max_series: u64,
    /// Days on which the advisor ran after which a series that had no value on them is forgotten. 1 to 400, default 56.
    pub idle_days: u32,
    /// Where the time before the first start is read from, once after each start. What was observed is never replaced.
    pub backfill: Backfill,
}

impl Default for History {
    fn default() -> History {
        History { path: None, max_series: 10_000, idle_days: 56, backfill: Backfill::default() }
    }
}

/// Who else remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backfill {
    /// CloudWatch, where an advisor published to `cloudwatch.namespace` before. Needs `cloudwatch:GetMetricData`; about a cent for 1,000
    /// metrics. Default false.
    pub cloudwatch: bool,
    /// Host and port of a Prometheus that scrapes the advisor, such as `prometheus.monitoring:9090`; plain HTTP. Default null.
    pub prometheus: Option<String>,
}

/// What is expected of each subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forecast {
    /// Seconds from one look ahead to the next. 60 to 86400, default 300.
    pub period_secs: u64,
}

impl Default for Forecast {
    fn default() -> Forecast {
        Forecast { period_secs: 300 }
    }
}

/// Answers to Cluster Autoscaler, which asks with `--expander=grpc` which group to grow. It speaks TLS only, so that `tls` must be set, and
/// has no certificate of its own, so that `tls.client_ca_file` must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expander {
    /// Whether it is served. Default false.
    pub enabled: bool,
    /// Cluster Autoscaler's version, such as `1.34`. From 1.32 on an answer without any group means that no node is added; before, all
    /// groups go on, so that the one with most room is named instead. Default null: that of its pods, where they can be seen; else no
    /// answer is empty.
    pub cluster_autoscaler_version: Option<String>,
    /// Addresses that must stay free in each subnet. 1 to 4096, default 16.
    pub spare_ips: u32,
    /// How much less room a group may be left with than the best one, in percent, to be named beside it. 1 to 100, default 50.
    pub tolerance_percent: u32,
    /// Seconds for which what was promised is not promised again, unless the nodes are seen sooner. 10 to 3600, default 300.
    pub hold_secs: u64,
}

impl Default for Expander {
    fn default() -> Expander {
        Expander {
            enabled: false,
            cluster_autoscaler_version: None,
            spare_ips: 16,
            tolerance_percent: 50,
            hold_secs: 300,
        }
    }
}

/// Whether AWS can be reached: each endpoint is probed stage by stage, in the background.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reachability {
    /// Seconds from one probe to the next. 5 to 600, default 30.
    pub period_secs: u64,
    /// Full passes in a row that it takes before anything is scaled in, none of them older than twice as many periods. 1 to 20, default 3.
    pub passes: u32,
    /// Longest time for a nameserver's answer, its search list included. 100 to 30000, default 3000.
    pub dns_timeout_ms: u64,
    /// A name that takes longer is too slow. 10 to 30000, default 1500, half of what the SDKs give a connection with its lookup.
    pub slow_dns_ms: u64,
    /// Longest time for the system resolver. 100 to 60000, default 5000.
    pub resolver_timeout_ms: u64,
    /// Longest time to a connection. 100 to 30000, default 3000.
    pub tcp_timeout_ms: u64,
    /// Longest time for a TLS handshake. 100 to 30000, default 3000.
    pub tls_timeout_ms: u64,
    /// Longest time for an unsigned request. 100 to 60000, default 5000.
    pub http_timeout_ms: u64,
    /// Longest time for a signed read with all its attempts. 500 to 120000, default 10000.
    pub signed_timeout_ms: u64,
}

impl Reachability {
    /// How old a pass may be that counts: passes that nobody follows up go stale.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(2 * u64::from(self.passes) * self.period_secs)
    }
}

impl Default for Reachability {
    fn default() -> Reachability {
        Reachability {
            period_secs: 30,
            passes: 3,
            dns_timeout_ms: 3000,
            slow_dns_ms: 1500,
            resolver_timeout_ms: 5000,
            tcp_timeout_ms: 3000,
            tls_timeout_ms: 3000,
            http_timeout_ms: 5000,
            signed_timeout_ms: 10_000,
        }
    }
}

/// Metrics in CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudWatch {
    /// Whether anything is published. Each metric costs money: `check-config` prints how much. Default false.
    pub enabled: bool,
    /// Namespace. 1 to 255 characters, not beginning with `AWS/`; default Headroom.
    pub namespace: String,
    /// Seconds from one publication to the next. 60 to 3600, default 60.
    pub period_secs: u64,
    /// Whether the metrics of the CNI Metrics Helper are published too, under its names, in namespace `Kubernetes` with the
    /// dimension CLUSTER_ID. Turn the helper itself off then. Default false.
    pub cni_metrics_helper_names: bool,
    /// Where points are kept while CloudWatch cannot be reached, a file; it is made. Default null: they are kept in memory, and
    /// are gone when the process ends.
    pub spool_file: Option<PathBuf>,
    /// Most points that are kept; the oldest go first. 1000 to 10000000, default 1000000.
    pub spool_max_points: u64,
}

impl Default for CloudWatch {
    fn default() -> CloudWatch {
        CloudWatch {
            enabled: false,
            namespace: "Headroom".to_owned(),
            period_secs: 60,
            cni_metrics_helper_names: false,
            spool_file: None,
            spool_max_points: 1_000_000,
        }
    }
}

/// Which of several advisors publishes and acts: the holder of a Lease. The others observe and serve the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LeaderElection {
    /// Whether there may be several. Default true.
    pub enabled: bool,
    /// The Lease's namespace. 1 to 63 characters, default kube-system.
    pub namespace: String,
    /// The Lease's name. 1 to 253 characters, default headroom-advisor.
    pub name: String,
    /// How long the Lease lasts without being renewed. 5 to 300, default 15; it is renewed three times in that time.
    pub lease_secs: u64,
}

impl Default for LeaderElection {
    fn default() -> LeaderElection {
        LeaderElection {
            enabled: true,
            namespace: "kube-system".to_owned(),
            name: "headroom-advisor".to_owned(),
            lease_secs: 15,
        }
    }
}

#[cfg(test)]
mod tests;
