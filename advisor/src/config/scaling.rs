//! What the advisor does to Auto Scaling groups and pods, or would do.

use serde::{Deserialize, Serialize};

/// Scaling of the cluster's Auto Scaling groups by what addresses there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scaling {
    /// `observe` (nothing is planned), `advise` (plans are made and published) or `act` (the leader carries them out). Default
    /// observe.
    pub mode: Mode,
    /// Seconds from one plan to the next. 5 to 300, default 10.
    pub period_secs: u64,
    /// Only Auto Scaling groups with a tag of this key are scaled. 1 to 128 characters, default `headroom.dev/scale`.
    pub group_tag: String,
    /// Whether groups that Cluster Autoscaler manages too (tag `k8s.io/cluster-autoscaler/enabled`) are scaled. Two that scale one group
    /// undo each other's work. Default false.
    pub with_cluster_autoscaler: bool,
    /// Adding nodes.
    pub scale_out: ScaleOut,
    /// Removing nodes.
    pub scale_in: ScaleIn,
    /// When no node is removed. Default empty.
    pub blackout: Vec<Window>,
    /// Pods that were bound to a node without an address for them.
    pub stuck_pods: StuckPods,
}

impl Default for Scaling {
    fn default() -> Scaling {
        Scaling {
            mode: Mode::default(),
            period_secs: 10,
            group_tag: "headroom.dev/scale".to_owned(),
            with_cluster_autoscaler: false,
            scale_out: ScaleOut::default(),
            scale_in: ScaleIn::default(),
            blackout: Vec::new(),
            stuck_pods: StuckPods::default(),
        }
    }
}

/// How far the advisor goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Metrics and forecasts only.
    #[default]
    Observe,
    /// Plans too.
    Advise,
    /// Plans are carried out.
    Act,
}

impl Mode {
    /// As in the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Advise => "advise",
            Mode::Act => "act",
        }
    }
}

/// Adding nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScaleOut {
    /// Whether nodes are added. Default true.
    pub enabled: bool,
    /// Most nodes that one plan adds. 1 to 100, default 5.
    pub max_step: u32,
    /// Seconds after nodes were added to a group until more are. 0 to 3600, default 60.
    pub cool_down_secs: u64,
    /// Most nodes added in an hour. 1 to 1000, default 30.
    pub max_per_hour: u32,
    /// How far ahead forecast demand counts: what a node takes to come. 0 (it does not count) to 86400, default 900.
    pub lead_secs: u64,
}

impl Default for ScaleOut {
    fn default() -> ScaleOut {
        ScaleOut { enabled: true, max_step: 5, cool_down_secs: 60, max_per_hour: 30, lead_secs: 900 }
    }
}

/// Removing nodes, one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScaleIn {
    /// Whether nodes are removed. Default true.
    pub enabled: bool,
    /// A node may go while it uses no more of its addresses, CPU and memory, in percent. 0 to 100, default 50, as Cluster Autoscaler's
    /// `--scale-down-utilization-threshold`.
    pub utilisation_percent: u32,
    /// For how long it must have been so, seconds. 0 to 86400, default 600, as `--scale-down-unneeded-time`.
    pub unneeded_secs: u64,
    /// How old an instance must be, seconds. 0 to 86400, default 600.
    pub min_age_secs: u64,
    /// Seconds after nodes were added anywhere until one is removed. 0 to 86400, default 600, as `--scale-down-delay-after-add`.
    pub after_scale_out_secs: u64,
    /// Seconds after a removal, and after one that failed, until the next. 0 to 86400, default 180.
    pub cool_down_secs: u64,
    /// Most nodes removed in an hour. 1 to 1000, default 10.
    pub max_per_hour: u32,
    /// Most nodes removed in an hour, in percent of the cluster's nodes; one may always be. 1 to 100, default 10.
    pub max_share_percent: u32,
    /// Seconds from the taint on until kube-scheduler has seen it and the node is looked at once more. 1 to 300, default 5, as
    /// `--node-delete-delay-after-taint`.
    pub settle_secs: u64,
    /// Seconds within which the pods must be gone, or the node is given back. 30 to 7200, default 600.
    pub drain_secs: u64,
}

impl Default for ScaleIn {
    fn default() -> ScaleIn {
        ScaleIn {
            enabled: true,
            utilisation_percent: 50,
            unneeded_secs: 600,
            min_age_secs: 600,
            after_scale_out_secs: 600,
            cool_down_secs: 180,
            max_per_hour: 10,
            max_share_percent: 10,
            settle_secs: 5,
            drain_secs: 600,
        }
    }
}

/// A time of the week, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it begins, `mon` to `sun`; every day where the key is left out.
    #[serde(default = "Day::every")]
    pub days: Vec<Day>,
    /// `HH:MM`.
    pub from: TimeOfDay,
    /// `HH:MM`; not after `from`, it is on the next day.
    pub to: TimeOfDay,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    fn every() -> Vec<Day> {
        vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun]
    }
}

/// A time of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay {
    /// Minutes since midnight.
    pub minutes: u32,
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<TimeOfDay, String> {
        let parts = text.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2);
        let parts = parts.and_then(|(hours, minutes)| Some((hours.parse().ok()?, minutes.parse().ok()?)));
        match parts {
            Some((hours @ 0..=23, minutes @ 0..=59)) => Ok(TimeOfDay { minutes: hours * 60 + minutes }),
            _ => Err(format!("'{text}' is no time of the day: write HH:MM, 00:00 to 23:59, UTC")),
        }
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        format!("{:02}:{:02}", time.minutes / 60, time.minutes % 60)
    }
}

/// Pods that were bound to a node which has no address for them: they hang in ContainerCreating, and nobody else looks at them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StuckPods {
    /// Whether they are evicted in mode `act`, where something makes them anew and another node has an address. Default false.
    pub evict: bool,
    /// Seconds without an address, the CNI having refused one, before a pod counts as stuck. 30 to 3600, default 120.
    pub grace_secs: u64,
    /// Most evictions in a minute. 1 to 100, default 5.
    pub max_per_minute: u32,
}

impl Default for StuckPods {
    fn default() -> StuckPods {
        StuckPods { evict: false, grace_secs: 120, max_per_minute: 5 }
    }
}
