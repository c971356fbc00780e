//! What Prometheus sees. Label values come from closed sets, and every series exists from the start with 0.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_capacity::verdict::Reason;
use headroom_cluster::{ErrorClass, Event, Tally};
use headroom_shell::metrics::Served;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::config::OnUnknown;
use crate::feed::FeedError;
use crate::filter::Counts;
use crate::index::KINDS;
use crate::snapshot::Snapshot;
use crate::wire::RequestError;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type FloatGauge = Gauge<f64, AtomicU64>;

/// Handles to all metrics; the registry encodes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    filter_seconds: Histogram,
    filter_nodes: Family<Labels<2>, Counter>,
    policy_uses: Family<Labels<2>, Counter>,
    watch_events: Family<Labels<2>, Counter>,
    watch_errors: Family<Labels<2>, Counter>,
    /// Requests being answered.
    pub in_flight: Gauge<i64, AtomicI64>,
    /// Connections and certificates.
    pub served: Served,
    /// Like the next without a series until there is a feed.
    feed_up: Family<Labels<0>, Gauge<i64, AtomicI64>>,
    feed_observed: Family<Labels<0>, FloatGauge>,
    feed_errors: Family<Labels<1>, Counter>,
    snapshot_nodes: Gauge<i64, AtomicI64>,
    snapshot_published: FloatGauge,
    claims: Gauge<i64, AtomicI64>,
    claims_expired: Counter,
    waiting_pods: Gauge<i64, AtomicI64>,
    /// Waiting pods whose annotation was written.
    pub woken_pods: Counter,
    /// Annotations that could not be written.
    pub wake_errors: Counter,
}

/// What is asked, by HTTP or gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `POST /v1/filter` and gRPC `Filter`.
    Filter,
    /// `POST /v1/prioritize` and gRPC `Prioritize`.
    Prioritize,
    /// gRPC `Explain`.
    Explain,
}

impl Verb {
    const ALL: [Verb; 3] = [Verb::Filter, Verb::Prioritize, Verb::Explain];

    const fn label(self) -> &'static str {
        match self {
            Verb::Filter => "filter",
            Verb::Prioritize => "prioritize",
            Verb::Explain => "explain",
        }
    }
}

/// Who connects where: kube-scheduler keeps one connection open, probes and scrapers come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// What kube-scheduler calls.
    Extender,
    /// `/livez`, `/readyz`, `/metrics`.
    Admin,
    /// gRPC.
    Grpc,
}

impl Listener {
    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Listener::Extender => "extender",
            Listener::Admin => "admin",
            Listener::Grpc => "grpc",
        }
    }
}

/// A configured choice that was made for want of knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyUse {
    /// `failure.on_unknown_node`.
    UnknownNode,
    /// `failure.on_unknown_capacity`.
    UnknownCapacity,
    /// `failure.on_stale_state`.
    StaleState,
}

impl PolicyUse {
    const ALL: [PolicyUse; 3] = [PolicyUse::UnknownNode, PolicyUse::UnknownCapacity, PolicyUse::StaleState];

    const fn label(self) -> &'static str {
        match self {
            PolicyUse::UnknownNode => "on_unknown_node",
            PolicyUse::UnknownCapacity => "on_unknown_capacity",
            PolicyUse::StaleState => "on_stale_state",
        }
    }
}

/// Outcomes of a request beside the error labels.
const ANSWERS: [&str; 3] = ["all", "some", "none"];

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// All metrics, registered and at 0.
    #[must_use]
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("headroom_extender");
        let metrics = Metrics {
            requests: Family::default(),
            // 10 us to 1.3 s: kube-scheduler's own share is above 100 us, its default timeout 5 s.
            filter_seconds: Histogram::new(exponential_buckets(10e-6, 2.0, 18)),
            filter_nodes: Family::default(),
            policy_uses: Family::default(),
            watch_events: Family::default(),
            watch_errors: Family::default(),
            in_flight: Gauge::default(),
            served: Served::new(&[Listener::Extender.label(), Listener::Grpc.label()], &[Listener::Admin.label()]),
            feed_up: Family::default(),
            feed_observed: Family::default(),
            feed_errors: Family::default(),
            snapshot_nodes: Gauge::default(),
            snapshot_published: FloatGauge::default(),
            claims: Gauge::default(),
            claims_expired: Counter::default(),
            waiting_pods: Gauge::default(),
            woken_pods: Counter::default(),
            wake_errors: Counter::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        metrics.preset();
        Metrics { registry, ..metrics }
    }

    fn register(&self, to: &mut Registry) {
        to.register("requests", "Requests by verb and answer", self.requests.clone());
        to.register_with_unit(
            "filter_duration",
            "Time to answer a filter call",
            Unit::Seconds,
            self.filter_seconds.clone(),
        );
        to.register("filter_nodes", "Nodes looked at in filter calls by verdict and reason", self.filter_nodes.clone());
        to.register("policy_uses", "Choices made by policy for want of knowledge", self.policy_uses.clone());
        to.register("watch_events", "Events received by kind", self.watch_events.clone());
        to.register("watch_errors", "Watch errors by kind", self.watch_errors.clone());
        to.register("requests_in_flight", "Requests being answered", self.in_flight.clone());
        self.served.register(to);
        to.register("feed_up", "Whether the advisor tells what EC2 shows", self.feed_up.clone());
        let observed = "When EC2 was read for what the advisor told last, Unix time";
        to.register_with_unit("feed_observed_timestamp", observed, Unit::Seconds, self.feed_observed.clone());
        to.register("feed_errors", "Ends of the advisor's feed by cause", self.feed_errors.clone());
        to.register("snapshot_nodes", "Nodes in the snapshot", self.snapshot_nodes.clone());
        let published = "When the snapshot was published, Unix time";
        to.register_with_unit(
            "snapshot_published_timestamp",
            published,
            Unit::Seconds,
            self.snapshot_published.clone(),
        );
        to.register("claims", "Pods that hold a claim", self.claims.clone());
        to.register("claims_expired", "Claims that ended by the deadline", self.claims_expired.clone());
        to.register("waiting_pods", "Rejected pods to wake when IPs come back", self.waiting_pods.clone());
        to.register("woken_pods", "Waiting pods that kube-scheduler was made to try again", self.woken_pods.clone());
        to.register("wake_errors", "Waiting pods that could not be patched", self.wake_errors.clone());
        to.register("build", "Version of the binary", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }

    fn preset(&self) {
        for verb in Verb::ALL {
            for answer in ANSWERS.into_iter().chain(RequestError::LABELS) {
                self.requests.get_or_create(&[("verb", verb.label()), ("answer", answer)]).inc_by(0);
            }
        }
        for error in FeedError::ALL {
            self.feed_errors.get_or_create(&[("error", error.label())]).inc_by(0);
        }
        for labels in ["now", "soon", "open"].map(|verdict| [("verdict", verdict), ("reason", "")]) {
            self.filter_nodes.get_or_create(&labels).inc_by(0);
        }
        for reason in Reason::ALL {
            for verdict in ["unknown", "never"] {
                self.filter_nodes.get_or_create(&[("verdict", verdict), ("reason", reason.label())]).inc_by(0);
            }
        }
        for policy in PolicyUse::ALL {
            for choice in OnUnknown::ALL {
                self.policy_uses.get_or_create(&[("policy", policy.label()), ("choice", choice.label())]).inc_by(0);
            }
        }
        for kind in KINDS {
            for event in Tally::EVENTS {
                self.watch_events.get_or_create(&[("kind", kind.label()), ("event", event)]).inc_by(0);
            }
            for class in ErrorClass::ALL {
                self.watch_errors.get_or_create(&[("kind", kind.label()), ("error", class.label())]).inc_by(0);
            }
        }
    }

    /// A request was answered: `all`, `some`, `none`, or an error's label.
    pub fn request(&self, verb: Verb, answer: &'static str) {
        self.requests.get_or_create(&[("verb", verb.label()), ("answer", answer)]).inc();
    }

    /// A filter call took so long.
    pub fn filter_took(&self, time: Duration) {
        self.filter_seconds.observe(time.as_secs_f64());
    }

    /// What the named nodes offered.
    pub fn nodes(&self, counts: &Counts) {
        let plain = [("now", counts.now), ("soon", counts.soon), ("open", counts.open)];
        let plain = plain.into_iter().filter(|(_, nodes)| *nodes > 0).map(|(verdict, nodes)| (verdict, "", nodes));
        let unknown = counts.unknown().map(|(reason, nodes)| ("unknown", reason.label(), nodes));
        let never = counts.never().map(|(reason, nodes)| ("never", reason.label(), nodes));
        for (verdict, reason, nodes) in plain.chain(unknown).chain(never) {
            let labels = [("verdict", verdict), ("reason", reason)];
            self.filter_nodes.get_or_create(&labels).inc_by(u64::from(nodes));
        }
    }

    /// A policy decided, so many times.
    pub fn policy(&self, policy: PolicyUse, choice: OnUnknown, times: u32) {
        if times > 0 {
            self.policy_uses
                .get_or_create(&[("policy", policy.label()), ("choice", choice.label())])
                .inc_by(u64::from(times));
        }
    }

    /// An event arrived.
    pub fn event(&self, event: &Event) {
        match Tally::of(event) {
            Tally::Event(kind, what) => {
                self.watch_events.get_or_create(&[("kind", kind.label()), ("event", what)]).inc();
            }
            Tally::Error(kind, class) => {
                self.watch_errors.get_or_create(&[("kind", kind.label()), ("error", class.label())]).inc();
            }
            Tally::Quiet => {}
        }
    }

    /// The advisor told what EC2 showed at `observed_at`, Unix time.
    pub fn feed_told(&self, observed_at: Time) {
        self.feed_up.get_or_create(&[]).set(1);
        self.feed_observed.get_or_create(&[]).set(Duration::from_millis(observed_at.as_millis()).as_secs_f64());
    }

    /// The advisor tells nothing for now.
    pub fn feed_failed(&self, error: FeedError) {
        self.feed_up.get_or_create(&[]).set(0);
        self.feed_errors.get_or_create(&[("error", error.label())]).inc();
    }

    /// A snapshot was published at `now`, Unix time.
    pub fn published(&self, snapshot: &Snapshot, now: Time) {
        self.snapshot_nodes.set(i64::try_from(snapshot.nodes.len()).unwrap_or(i64::MAX));
        self.snapshot_published.set(Duration::from_millis(now.as_millis()).as_secs_f64());
    }

    /// The text of `/metrics`, with the claims and waiting pods as they are now.
    ///
    /// # Errors
    /// When the encoder fails, which writing to memory does not.
    pub fn encode(&self, claims: usize, expired_total: u64, waiting: usize) -> Result<String, std::fmt::Error> {
        self.claims.set(i64::try_from(claims).unwrap_or(i64::MAX));
        self.waiting_pods.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.claims_expired.inc_by(expired_total.saturating_sub(self.claims_expired.get()));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
