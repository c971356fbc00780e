//! What Prometheus sees. Label values come from closed sets, and their series exist from the start with 0; those that name a
//! subnet, a zone or a group come from the latest ledger and go with it.

mod books;
pub mod expander;
mod label;
mod outlook;
mod plan;
mod reach;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_cluster::{ErrorClass as WatchErrorClass, Event, Kind, Tally};
use headroom_reach::Ladder;
use headroom_shell::metrics::Served;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::aws::{CallRecord, ErrorClass, Operation, Part};
use crate::cloudwatch::Loss;
use crate::cloudwatch::ipamd::Outcome;
use crate::feed;
use crate::headroom::Headroom;
use crate::history::Recorded;
use crate::inventory::ReadAt;
use crate::ledger::Ledger;
use crate::outlook::Outlook;
use crate::plan::ScalingPlan;
use books::Books;
pub(crate) use label::labels;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type FloatGauge = Gauge<f64, AtomicU64>;
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// Metric label of the gRPC listener.
pub const GRPC: &str = "grpc";
/// Metric label of the admin listener.
pub const ADMIN: &str = "admin";

/// Handles to all metrics; the registry encodes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Connections and certificates.
    pub served: Served,
    books: Arc<Books>,
    aws_requests: Family<Labels<2>, Counter>,
    aws_seconds: Histograms,
    round_seconds: Histogram,
    observed: Family<Labels<1>, FloatGauge>,
    ledger_made: FloatGauge,
    heartbeat: FloatGauge,
    watch_events: Family<Labels<2>, Counter>,
    watch_errors: Family<Labels<2>, Counter>,
    leader: Gauge<i64, AtomicI64>,
    feed_clients: Gauge<i64, AtomicI64>,
    feed_refused: Counter,
    feed_updates: Counter,
    feed_whole_states: Counter,
    feed_lagged: Counter,
    /// Points that CloudWatch acknowledged.
    pub points_sent: Counter,
    /// Points in calls that failed; they are kept and sent again.
    pub points_failed: Counter,
    points_dropped: Family<Labels<1>, Counter>,
    points_spooled: Gauge<i64, AtomicI64>,
    ipamd_scrapes: Family<Labels<1>, Counter>,
    /// Answers to Cluster Autoscaler.
    pub expander: expander::Expander,
    outlook: Arc<outlook::Latest>,
    plans: plan::Plans,
    forecast_seconds: Histogram,
    history_series: Gauge<i64, AtomicI64>,
    reach: reach::Reach,
    history_refused: Counter,
    history_errors: Counter,
    /// Failures of the spool's file.
    pub spool_errors: Counter,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

/// 1 ms to 65 s: attempts end after 10 s, calls after 30 s.
fn call_seconds() -> Histogram {
    Histogram::new(exponential_buckets(1e-3, 2.0, 17))
}

impl Metrics {
    /// All metrics, registered and at 0.
    #[must_use]
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("headroom_advisor");
        let metrics = Metrics {
            served: Served::new(&[GRPC], &[ADMIN]),
            books: Arc::default(),
            aws_requests: Family::default(),
            aws_seconds: Family::new_with_constructor(call_seconds),
            round_seconds: Histogram::new(exponential_buckets(10e-3, 2.0, 17)),
            observed: Family::default(),
            ledger_made: FloatGauge::default(),
            heartbeat: FloatGauge::default(),
            watch_events: Family::default(),
            watch_errors: Family::default(),
            leader: Gauge::default(),
            feed_clients: Gauge::default(),
            feed_refused: Counter::default(),
            feed_updates: Counter::default(),
            feed_whole_states: Counter::default(),
            feed_lagged: Counter::default(),
            points_sent: Counter::default(),
            points_failed: Counter::default(),
            points_dropped: Family::default(),
            points_spooled: Gauge::default(),
            ipamd_scrapes: Family::default(),
            expander: expander::Expander::default(),
            outlook: Arc::default(),
            plans: plan::Plans::new(),
            forecast_seconds: Histogram::new(exponential_buckets(10e-3, 2.0, 15)),
            history_series: Gauge::default(),
            reach: reach::Reach::default(),
            history_refused: Counter::default(),
            history_errors: Counter::default(),
            spool_errors: Counter::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        metrics.preset();
        Metrics { registry, ..metrics }
    }

    fn register(&self, to: &mut Registry) {
        self.served.register(to);
        to.register("aws_requests", "Calls of AWS by how they ended", self.aws_requests.clone());
        let seconds = "Time of a call of AWS with all its attempts";
        to.register_with_unit("aws_request_duration", seconds, Unit::Seconds, self.aws_seconds.clone());
        let seconds = "Time of one round of reading what is due of AWS";
        to.register_with_unit("observe_duration", seconds, Unit::Seconds, self.round_seconds.clone());
        let read = "When the part was read completely for the last time, Unix time; 0 for never";
        to.register_with_unit("observed_timestamp", read, Unit::Seconds, self.observed.clone());
        let made = "When the ledger was made, Unix time; 0 for never";
        to.register_with_unit("ledger_timestamp", made, Unit::Seconds, self.ledger_made.clone());
        let beat = "When the main loop last came round, Unix time";
        to.register_with_unit("heartbeat_timestamp", beat, Unit::Seconds, self.heartbeat.clone());
        to.register("watch_events", "Events received from Kubernetes by kind", self.watch_events.clone());
        to.register("watch_errors", "Watch errors by kind", self.watch_errors.clone());
        to.register("leader", "1 on the advisor that publishes and acts", self.leader.clone());
        to.register("feed_clients", "Clients of the capacity feed", self.feed_clients.clone());
        let refused = "Clients of the feed turned away: too many, or before the first books";
        to.register("feed_clients_refused", refused, self.feed_refused.clone());
        to.register("feed_updates", "Changes sent to the feed's clients", self.feed_updates.clone());
        to.register("feed_whole_states", "Whole states sent to the feed's clients", self.feed_whole_states.clone());
        to.register("feed_lagged", "Times that a client of the feed fell behind", self.feed_lagged.clone());
        to.register("cloudwatch_points_sent", "Points that CloudWatch acknowledged", self.points_sent.clone());
        let failed = "Points in calls that failed; they are kept and sent again";
        to.register("cloudwatch_points_failed", failed, self.points_failed.clone());
        let dropped = "Points that CloudWatch never gets by reason";
        to.register("cloudwatch_points_dropped", dropped, self.points_dropped.clone());
        to.register("cloudwatch_points_spooled", "Points that wait to be sent", self.points_spooled.clone());
        let spool = "Failures of the spool's file; from then on points are kept in memory";
        to.register("cloudwatch_spool_errors", spool, self.spool_errors.clone());
        let scrapes = "Times that an ipamd was to be read for the CNI Metrics Helper's names by how that ended";
        to.register("ipamd_scrapes", scrapes, self.ipamd_scrapes.clone());
        self.expander.register(to);
        let seconds = "Time of one look ahead over all subnets";
        to.register_with_unit("forecast_duration", seconds, Unit::Seconds, self.forecast_seconds.clone());
        to.register("history_series", "Series in the history", self.history_series.clone());
        let refused = "Values that the history did not take: of a series too many, or no number";
        to.register("history_refused", refused, self.history_refused.clone());
        let errors = "Failures of the history's file; what it should have kept is missing";
        to.register("history_errors", errors, self.history_errors.clone());
        self.plans.register(to);
        self.reach.register(to);
        to.register("build", "Version of the binary", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        to.register_collector(Box::new(Arc::clone(&self.books)));
        to.register_collector(Box::new(Arc::clone(&self.outlook)));
    }

    fn preset(&self) {
        for operation in Operation::ALL.into_iter().filter(|operation| !operation.is_of_doctor()) {
            let operation = ("operation", operation.label());
            drop(self.aws_seconds.get_or_create(&[operation]));
            for outcome in ErrorClass::ALL.map(ErrorClass::label).into_iter().chain([CallRecord::OK]) {
                self.aws_requests.get_or_create(&[operation, ("outcome", outcome)]).inc_by(0);
            }
        }
        for part in Part::ALL {
            self.observed.get_or_create(&[("part", part.label())]).set(0.0);
        }
        for kind in Kind::ALL {
            for event in Tally::EVENTS {
                self.watch_events.get_or_create(&[("kind", kind.label()), ("event", event)]).inc_by(0);
            }
            for class in WatchErrorClass::ALL {
                self.watch_errors.get_or_create(&[("kind", kind.label()), ("error", class.label())]).inc_by(0);
            }
        }
        for loss in Loss::ALL {
            self.points_dropped.get_or_create(&[("reason", loss.label())]).inc_by(0);
        }
        for outcome in Outcome::ALL {
            self.ipamd_scraped(*outcome, 0);
        }
    }

    /// A call of AWS ended.
    pub fn aws_called(&self, call: &CallRecord) {
        let operation = ("operation", call.operation.label());
        self.aws_requests.get_or_create(&[operation, ("outcome", call.outcome())]).inc();
        self.aws_seconds.get_or_create(&[operation]).observe(call.seconds);
    }

    /// A round of reading took so long.
    pub fn observed(&self, time: Duration) {
        self.round_seconds.observe(time.as_secs_f64());
    }

    /// What the latest ledger and its figures say, with when each part of AWS was read.
    pub fn published(&self, ledger: Arc<Ledger>, headroom: Arc<Headroom>, read_at: &ReadAt) {
        self.ledger_made.set(unix_secs(ledger.at));
        for part in Part::ALL {
            if let Some(at) = part.read_at(read_at) {
                self.observed.get_or_create(&[("part", part.label())]).set(unix_secs(at));
            }
        }
        self.books.publish(ledger, headroom);
    }

    /// What the history took of one round, and how many series it has.
    pub fn remembered(&self, recorded: Recorded, series: u64) {
        self.history_refused.inc_by(recorded.over_limit + recorded.invalid);
        self.history_series.set(i64::try_from(series).unwrap_or(i64::MAX));
    }

    /// The history's file did not do it.
    pub fn history_failed(&self) {
        self.history_errors.inc();
    }

    /// The latest look ahead, and how long it took.
    pub fn foreseen(&self, outlook: Arc<Outlook>, took: Duration) {
        self.forecast_seconds.observe(took.as_secs_f64());
        self.outlook.publish(outlook);
    }

    /// A plan is begun, so much later than it was due.
    pub fn planning(&self, late: Duration) {
        self.plans.late(late);
    }

    /// The latest plan.
    pub fn planned(&self, plan: &ScalingPlan) {
        self.plans.planned(plan);
    }

    /// Something was done, and ended so.
    pub fn acted(&self, action: &'static str, outcome: &'static str) {
        self.plans.acted(action, outcome);
    }

    /// What was found of an endpoint.
    pub fn probed(&self, ladder: &Ladder) {
        self.reach.probed(ladder);
    }

    /// The main loop is alive.
    pub fn beat(&self, now: Time) {
        self.heartbeat.set(unix_secs(now));
    }

    /// Whether this advisor holds the Lease.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// What the feed counts.
    pub fn feed(&self, counters: &feed::Counters) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.feed_clients.set(i64::try_from(read(&counters.clients)).unwrap_or(i64::MAX));
        for (total, counter) in [
            (&counters.refused, &self.feed_refused),
            (&counters.updates_sent, &self.feed_updates),
            (&counters.whole_sent, &self.feed_whole_states),
            (&counters.lagged, &self.feed_lagged),
        ] {
            counter.inc_by(read(total).saturating_sub(counter.get()));
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

    /// So many points are lost to CloudWatch.
    pub fn points_dropped(&self, reason: Loss, points: u64) {
        self.points_dropped.get_or_create(&[("reason", reason.label())]).inc_by(points);
    }

    /// So many ipamds were read, or not.
    pub fn ipamd_scraped(&self, outcome: Outcome, times: u64) {
        self.ipamd_scrapes.get_or_create(&[("outcome", outcome.label())]).inc_by(times);
    }

    /// So many points wait to be sent.
    pub fn points_spooled(&self, points: u64) {
        self.points_spooled.set(i64::try_from(points).unwrap_or(i64::MAX));
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// When the encoder fails, which writing to memory does not.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

pub(crate) fn unix_secs(time: Time) -> f64 {
    Duration::from_millis(time.as_millis()).as_secs_f64()
}
