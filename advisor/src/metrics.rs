//! What Prometheus sees. Label values come from closed sets, and their series exist from the start with 0; those that name a
//! subnet, a zone or a group come from the latest ledger and go with it.

mod books;
mod label;
#[cfg(test)]
mod tests;
mod watches;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_cluster::{ErrorClass, Event, Kind};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::cloudwatch::Loss;
use crate::headroom::Headroom;
use crate::inventory::ReadAt;
use crate::ledger::Ledger;
use books::Books;
pub(crate) use label::labels;
pub use label::{AwsOperation, AwsOutcome, Part};

type Labels<const N: usize> = [(&'static str, &'static str); N];
type FloatGauge = Gauge<f64, AtomicU64>;
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// Handles to all metrics; the registry encodes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    books: Arc<Books>,
    aws_requests: Family<Labels<2>, Counter>,
    aws_seconds: Histograms,
    observe_seconds: Histograms,
    observed: Family<Labels<1>, FloatGauge>,
    ledger_made: FloatGauge,
    heartbeat: FloatGauge,
    watch_events: Family<Labels<2>, Counter>,
    watch_errors: Family<Labels<2>, Counter>,
    leader: Gauge<i64, AtomicI64>,
    /// Clients of the capacity feed.
    pub feed_clients: Gauge<i64, AtomicI64>,
    /// Clients of the feed that were turned away because there were too many.
    pub feed_refused: Counter,
    /// Points that CloudWatch acknowledged.
    pub points_sent: Counter,
    /// Points in calls that failed; they are kept and sent again.
    pub points_failed: Counter,
    points_dropped: Family<Labels<1>, Counter>,
    points_spooled: Gauge<i64, AtomicI64>,
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

/// 10 ms to 11 min: hundreds of pages at the pace that EC2 grants.
fn round_seconds() -> Histogram {
    Histogram::new(exponential_buckets(10e-3, 2.0, 17))
}

impl Metrics {
    /// All metrics, registered and at 0.
    #[must_use]
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("headroom_advisor");
        let metrics = Metrics {
            books: Arc::default(),
            aws_requests: Family::default(),
            aws_seconds: Family::new_with_constructor(call_seconds),
            observe_seconds: Family::new_with_constructor(round_seconds),
            observed: Family::default(),
            ledger_made: FloatGauge::default(),
            heartbeat: FloatGauge::default(),
            watch_events: Family::default(),
            watch_errors: Family::default(),
            leader: Gauge::default(),
            feed_clients: Gauge::default(),
            feed_refused: Counter::default(),
            points_sent: Counter::default(),
            points_failed: Counter::default(),
            points_dropped: Family::default(),
            points_spooled: Gauge::default(),
            spool_errors: Counter::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        metrics.preset();
        Metrics { registry, ..metrics }
    }

    fn register(&self, to: &mut Registry) {
        to.register("aws_requests", "Calls of AWS by how they ended", self.aws_requests.clone());
        let seconds = "Time of a call of AWS with all its attempts";
        to.register_with_unit("aws_request_duration", seconds, Unit::Seconds, self.aws_seconds.clone());
        let seconds = "Time to read one part of AWS with all its pages";
        to.register_with_unit("observe_duration", seconds, Unit::Seconds, self.observe_seconds.clone());
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
        let refused = "Clients of the feed turned away because there were too many";
        to.register("feed_clients_refused", refused, self.feed_refused.clone());
        to.register("cloudwatch_points_sent", "Points that CloudWatch acknowledged", self.points_sent.clone());
        let failed = "Points in calls that failed; they are kept and sent again";
        to.register("cloudwatch_points_failed", failed, self.points_failed.clone());
        let dropped = "Points that CloudWatch never gets by reason";
        to.register("cloudwatch_points_dropped", dropped, self.points_dropped.clone());
        to.register("cloudwatch_points_spooled", "Points that wait to be sent", self.points_spooled.clone());
        let spool = "Failures of the spool's file; from then on points are kept in memory";
        to.register("cloudwatch_spool_errors", spool, self.spool_errors.clone());
        to.register("build", "Version of the binary", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        to.register_collector(Box::new(Arc::clone(&self.books)));
    }

    fn preset(&self) {
        for operation in AwsOperation::ALL {
            let operation = ("operation", operation.label());
            drop(self.aws_seconds.get_or_create(&[operation]));
            for outcome in AwsOutcome::ALL {
                self.aws_requests.get_or_create(&[operation, ("outcome", outcome.label())]).inc_by(0);
            }
        }
        for part in Part::ALL {
            drop(self.observe_seconds.get_or_create(&[("part", part.label())]));
            self.observed.get_or_create(&[("part", part.label())]).set(0.0);
        }
        for kind in Kind::ALL {
            for event in watches::EVENTS {
                self.watch_events.get_or_create(&[("kind", kind.label()), ("event", event)]).inc_by(0);
            }
            for class in ErrorClass::ALL {
                self.watch_errors.get_or_create(&[("kind", kind.label()), ("error", class.label())]).inc_by(0);
            }
        }
        for loss in Loss::ALL {
            self.points_dropped.get_or_create(&[("reason", loss.label())]).inc_by(0);
        }
    }

    /// A call of AWS ended, after `time` with all its attempts.
    pub fn aws_called(&self, operation: AwsOperation, outcome: AwsOutcome, time: Duration) {
        let operation = ("operation", operation.label());
        self.aws_requests.get_or_create(&[operation, ("outcome", outcome.label())]).inc();
        self.aws_seconds.get_or_create(&[operation]).observe(time.as_secs_f64());
    }

    /// One part of AWS was read, completely or not, in `time`.
    pub fn observed(&self, part: Part, time: Duration) {
        self.observe_seconds.get_or_create(&[("part", part.label())]).observe(time.as_secs_f64());
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

    /// The main loop is alive.
    pub fn beat(&self, now: Time) {
        self.heartbeat.set(unix_secs(now));
    }

    /// Whether this advisor holds the Lease.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// An event arrived.
    pub fn event(&self, event: &Event) {
        match watches::class(event) {
            watches::Class::Event(kind, what) => {
                self.watch_events.get_or_create(&[("kind", kind.label()), ("event", what)]).inc();
            }
            watches::Class::Error(kind, class) => {
                self.watch_errors.get_or_create(&[("kind", kind.label()), ("error", class.label())]).inc();
            }
            watches::Class::Quiet => {}
        }
    }

    /// So many points are lost to CloudWatch.
    pub fn points_dropped(&self, reason: Loss, points: u64) {
        self.points_dropped.get_or_create(&[("reason", reason.label())]).inc_by(points);
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

fn unix_secs(time: Time) -> f64 {
    Duration::from_millis(time.as_millis()).as_secs_f64()
}
