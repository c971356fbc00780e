//! The configuration file: what the extender decides by. Process knobs (addresses, log format) are flags.

mod feed;

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_capacity::floor::STEP;
use headroom_capacity::time::Time;
use headroom_shell::config::within;
pub use headroom_shell::config::{ConfigError, ConfigFile};
pub use headroom_shell::tls::Tls;
use serde::{Deserialize, Serialize};

pub use feed::Feed;

/// Everything in the file; each key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which nodes are offered: `now` only those with an IP at hand, `soon` also those whose pool can still grow.
    pub policy: Policy,
    /// How long an answer may be.
    pub answer: Answer,
    /// How long an answered pod keeps its IPs on the nodes it was offered.
    pub claims: Claims,
    /// What happens where the answer is not known.
    pub failure: Failure,
    /// How fast a node's pool is taken to grow.
    pub pool: Pool,
    /// What is made of kubelet's `FailedCreatePodSandBox`.
    pub evidence: Evidence,
    /// How waiting pods are tried again when IPs come back.
    pub wake_up: WakeUp,
    /// Where what EC2 shows comes from.
    pub feed: Feed,
    /// Limits of the HTTP server; the gRPC server has the same, counted apart.
    pub http: Http,
    /// TLS for kube-scheduler and gRPC; null, the default, speaks plain text. The admin address always does.
    pub tls: Option<Tls>,
}

/// Which nodes are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Only nodes with an attached, free, cooled-down IP: a pod's first CNI ADD succeeds. From Kubernetes alone, that is what pods
    /// prove and what ipamd has had the time to attach, see [`Pool`].
    Now,
    /// Also nodes to which ipamd attaches IPs in the next step: kubelet may try a second or third time.
    #[default]
    Soon,
}

/// What to do where it is not known whether a node has an IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Let kube-scheduler decide as it would without us.
    Pass,
    /// Keep the pod waiting.
    Reject,
}

impl OnUnknown {
    /// Both.
    pub const ALL: [OnUnknown; 2] = [OnUnknown::Pass, OnUnknown::Reject];

    /// The spelling in the file and in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            OnUnknown::Pass => "pass",
            OnUnknown::Reject => "reject",
        }
    }
}

/// How long an answer may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// Most nodes in one answer, those with the most free IPs first. A short answer is what keeps kube-scheduler fast: it
    /// decodes and scores every name that it gets back. 1 to 100000, default 50.
    pub max_nodes: u32,
    /// The same for a pod that says where it would rather be (preferred affinity or anti-affinity, topology spread with
    /// `ScheduleAnyway`): kube-scheduler weighs such wishes only among the nodes that it gets back. 1 to 100000, default 1000: all
    /// that it names by default in clusters of up to 16,000 nodes.
    pub max_nodes_preferring: u32,
    /// Pods that may be on their way at once. Each of them holds a claim on every node it was offered, so when IPs are scarce
    /// an answer shrinks until this many more pods find nodes that are not claimed. 1 to 100000, default 16: about what
    /// kube-scheduler has in flight at 300 pods/s with 50 ms until a bind is seen.
    pub pods_in_flight: u32,
}

impl Default for Answer {
    fn default() -> Answer {
        Answer { max_nodes: 50, max_nodes_preferring: 1000, pods_in_flight: 16 }
    }
}

/// How long an answered pod keeps its IPs on the nodes it was offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    /// The last resort: a claim ends after so long if nothing was seen of the pod. 1 to 3600, default 60: kube-scheduler's own
    /// client binds 50 pods/s by default, so a bind can be queued behind a burst of 3,000; a second attempt for the same pod
    /// replaces the claim long before.
    pub deadline_secs: u64,
    /// A failed attempt that is seen this soon after the answer may be the attempt before it; the claim then lasts until so
    /// long after the answer. 0 to 60, default 2.
    pub failure_grace_secs: u64,
}

impl Default for Claims {
    fn default() -> Claims {
        Claims { deadline_secs: 60, failure_grace_secs: 2 }
    }
}

/// What happens where the answer is not known. Every use is counted in `headroom_extender_policy_uses_total`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Failure {
    /// A node that kube-scheduler names and we have not seen yet, default pass.
    pub on_unknown_node: OnUnknown,
    /// A node whose limits are not known, or which may grow and nobody has looked at its subnets, default pass: the instance
    /// type's limit still holds, and evidence of a failed CNI ADD still closes the node.
    pub on_unknown_capacity: OnUnknown,
    /// State older than `stale_after_secs`: `pass` decides by the last known state, `reject` answers with an error, which
    /// kube-scheduler retries. Default pass: a broken watch must not stop scheduling.
    pub on_stale_state: OnUnknown,
    /// How long the watch of nodes or pods may be failing before the state counts as stale. 1 to 86400, default 60.
    pub stale_after_secs: u64,
}

impl Default for Failure {
    fn default() -> Failure {
        Failure {
            on_unknown_node: OnUnknown::Pass,
            on_unknown_capacity: OnUnknown::Pass,
            on_stale_state: OnUnknown::Pass,
            stale_after_secs: 60,
        }
    }
}

/// How fast a node's pool is taken to grow: Kubernetes does not show what is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// How long ipamd may take for one step, an ENI's worth of IPs: policy `now` counts on a step only after so long, policy `soon`
    /// on one step ahead. Longer where EC2 is slow or throttles; 0 counts on all that ipamd's rules lead to, at once. 0 to 600000,
    /// default 20000 (`headroom_capacity::floor::STEP`).
    pub step_ms: u64,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool { step_ms: u64::try_from(STEP.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl Pool {
    /// As a duration.
    #[must_use]
    pub const fn step(&self) -> Duration {
        Duration::from_millis(self.step_ms)
    }
}

/// What is made of kubelet's `FailedCreatePodSandBox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// A node where the CNI had no IP for a pod gets no further pod until that pod has one or is gone, or until so long passed
    /// without another failure. 0 (off) to 3600, default 120: as long as ipamd backs off when a subnet is full (CNI
    /// `pkg/ipamd/ipamd.go`, `insufficientCidrErrorCooldown`).
    pub hold_secs: u64,
}

impl Default for Evidence {
    fn default() -> Evidence {
        Evidence { hold_secs: 120 }
    }
}

/// How waiting pods are tried again when IPs come back. kube-scheduler does so only on a cluster event, or after five minutes; an
/// IP that has cooled down is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WakeUp {
    /// Whether the annotation `headroom.dev/retry-at` is written on waiting pods, which takes the RBAC verb `patch` on `pods`.
    /// Default true.
    pub enabled: bool,
    /// Most pods woken at once, five times a second, and never more than there are free IPs. 1 to 100, default 4: the first of
    /// them that is bound makes kube-scheduler retry the others by itself.
    pub max_pods: u32,
}

impl Default for WakeUp {
    fn default() -> WakeUp {
        WakeUp { enabled: true, max_pods: 4 }
    }
}

/// Limits of the HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Largest request body. 4096 to 1073741824, default 8388608: with `nodeCacheCapable: true` 15,000 nodes make 1 MiB.
    pub max_body_bytes: usize,
    /// Requests answered at once; more get an error at once. 1 to 10000, default 16: a kube-scheduler has one in flight.
    pub max_in_flight: usize,
    /// How long open requests may take to finish on shutdown. 0 to 300, default 5.
    pub drain_secs: u64,
}

impl Default for Http {
    fn default() -> Http {
        Http { max_body_bytes: 8 << 20, max_in_flight: 16, drain_secs: 5 }
    }
}

impl ConfigFile for Config {
    const BINARY: &'static str = "headroom-extender";

    fn check(&self) -> Result<(), ConfigError> {
        within(self.ranges())?;
        self.feed.check()
    }
}

impl Config {
    /// What is allowed of each key with bounds, as the documents have it: `1 to 100`.
    #[must_use]
    pub fn bounds(&self) -> BTreeMap<&'static str, String> {
        self.ranges().into_iter().map(|(key, _, min, max)| (key, format!("{min} to {max}"))).collect()
    }

    /// Key, value, lowest and highest allowed.
    fn ranges(&self) -> [(&'static str, u64, u64, u64); 13] {
        let size = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        [
            ("answer.max_nodes", u64::from(self.answer.max_nodes), 1, 100_000),
            ("answer.max_nodes_preferring", u64::from(self.answer.max_nodes_preferring), 1, 100_000),
            ("answer.pods_in_flight", u64::from(self.answer.pods_in_flight), 1, 100_000),
            ("pool.step_ms", self.pool.step_ms, 0, 600_000),
            ("claims.deadline_secs", self.claims.deadline_secs, 1, 3600),
            ("claims.failure_grace_secs", self.claims.failure_grace_secs, 0, 60),
            ("failure.stale_after_secs", self.failure.stale_after_secs, 1, 86_400),
            ("evidence.hold_secs", self.evidence.hold_secs, 0, 3600),
            ("feed.stale_after_secs", self.feed.stale_after_secs, 30, 86_400),
            ("wake_up.max_pods", u64::from(self.wake_up.max_pods), 1, 100),
            ("http.max_body_bytes", size(self.http.max_body_bytes), 4096, 1 << 30),
            ("http.max_in_flight", size(self.http.max_in_flight), 1, 10_000),
            ("http.drain_secs", self.http.drain_secs, 0, 300),
        ]
    }
}

impl Failure {
    /// Whether state that has been failing since `since` is stale at `now`.
    #[must_use]
    pub fn is_stale(&self, since: Option<Time>, now: Time) -> bool {
        since.is_some_and(|since| now.since(since) > Duration::from_secs(self.stale_after_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults_and_what_is_printed_reads_back() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
        assert_eq!(Config::parse("# nothing\n").unwrap(), Config::default());
        let config = Config::parse("policy: now\nanswer:\n  max_nodes: 7\n").unwrap();
        assert_eq!((config.policy, config.answer.max_nodes, config.answer.pods_in_flight), (Policy::Now, 7, 16));
        assert_eq!(Config::parse(&config.to_yaml().unwrap()).unwrap(), config);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let error = Config::parse("answer:\n  max_node: 7\n").unwrap_err().to_string();
        assert!(error.contains("max_node") && error.contains("did you mean 'max_nodes'"), "{error}");
        let error = Config::parse("policy: later\n").unwrap_err().to_string();
        assert!(error.contains("later") && error.contains("now") && error.contains("soon"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_key() {
        for (text, key) in [("answer:\n  max_nodes: lots\n", "answer.max_nodes"), ("answer:\n", "answer")] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("config: {key}: ")) && error.contains("check-config"), "{error}");
        }
    }

    #[test]
    fn tls_is_off_unless_both_files_are_named() {
        assert_eq!(Config::default().tls, None);
        let config = Config::parse("tls: {cert_file: a.crt, key_file: a.key}").unwrap();
        assert_eq!(Config::parse(&config.to_yaml().unwrap()).unwrap(), config);
        assert_eq!(config.tls.unwrap().client_ca_file, None);
        let error = Config::parse("tls: {cert_file: a.crt}").unwrap_err().to_string();
        assert!(error.starts_with("config: tls") && error.contains("key_file"), "{error}");
        let error = Config::parse("tls: {cert_file: a, key_file: b, ca_file: c}").unwrap_err().to_string();
        assert!(error.contains("ca_file") && error.contains("did you mean"), "{error}");
    }

    #[test]
    fn a_value_out_of_range_names_key_value_and_range() {
        let error = Config::parse("answer: {max_nodes: 0}").unwrap_err().to_string();
        assert_eq!(error, "config: answer.max_nodes: 0 is not in 1..=100000");
    }
}
