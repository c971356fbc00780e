//! Answers to Cluster Autoscaler.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::Labels;
use super::label::labels;
use crate::autoscaler::AutoscalerSeen;
use crate::expander::{Outcome, Reason};

labels! {
    /// Why every group goes on although nobody looked at it.
    Unjudged {
        /// AWS or the cluster was not read yet.
        NoBooks = "no_books",
        /// AWS was read too long ago.
        Stale = "stale",
    }
}

labels! {
    /// Why a call was not answered: Cluster Autoscaler goes on as if all groups had been named.
    Unanswered {
        /// Its message cannot be decoded, or is too large.
        Malformed = "malformed",
        /// Others are being answered.
        Busy = "busy",
    }
}

/// Handles to the metrics of the expander.
#[derive(Debug)]
pub struct Expander {
    answers: Family<Labels<1>, Counter>,
    groups: Family<Labels<1>, Counter>,
    unanswered: Family<Labels<1>, Counter>,
    seconds: Histogram,
    held: Gauge<i64, AtomicI64>,
    present: Gauge<i64, AtomicI64>,
    asks: Gauge<i64, AtomicI64>,
    balances: Gauge<i64, AtomicI64>,
}

impl Default for Expander {
    fn default() -> Expander {
        let expander = Expander {
            answers: Family::default(),
            groups: Family::default(),
            unanswered: Family::default(),
            // 0.25 ms to 0.5 s: Cluster Autoscaler waits for 5 s.
            seconds: Histogram::new(exponential_buckets(0.25e-3, 2.0, 12)),
            held: Gauge::default(),
            present: Gauge::default(),
            asks: Gauge::default(),
            balances: Gauge::default(),
        };
        let unjudged = Unjudged::ALL.iter().map(|unjudged| unjudged.label());
        for label in Outcome::ALL.iter().map(|outcome| outcome.label()).chain(unjudged) {
            expander.answers.get_or_create(&[("outcome", label)]).inc_by(0);
        }
        for reason in Reason::ALL {
            expander.groups.get_or_create(&[("reason", reason.label())]).inc_by(0);
        }
        for unanswered in Unanswered::ALL {
            expander.unanswered.get_or_create(&[("reason", unanswered.label())]).inc_by(0);
        }
        expander
    }
}

impl Expander {
    pub(super) fn register(&self, to: &mut Registry) {
        let answers = "Answers to Cluster Autoscaler by what they come to";
        to.register("expander_answers", answers, self.answers.clone());
        let groups = "Groups that Cluster Autoscaler asked for by what they come to";
        to.register("expander_groups", groups, self.groups.clone());
        let unanswered =
            "Calls of Cluster Autoscaler that were not answered: it goes on as if all groups had been named";
        to.register("expander_unanswered", unanswered, self.unanswered.clone());
        let seconds = "Time from a decoded request of Cluster Autoscaler to the answer";
        to.register_with_unit("expander_duration", seconds, Unit::Seconds, self.seconds.clone());
        let held = "Addresses that answers to Cluster Autoscaler promise and the books do not count yet";
        to.register("expander_held_ips", held, self.held.clone());
        to.register("autoscaler_present", "1 where Cluster Autoscaler's pods were seen", self.present.clone());
        to.register("autoscaler_asks", "1 where its --expander names grpc", self.asks.clone());
        let balances =
            "1 where its --balance-similar-node-groups spreads nodes over groups that no expander was asked about";
        to.register("autoscaler_balances", balances, self.balances.clone());
    }

    /// A request was judged, group by group.
    pub fn answered(&self, outcome: Outcome, reasons: impl Iterator<Item = Reason>, took: Duration) {
        self.answers.get_or_create(&[("outcome", outcome.label())]).inc();
        for reason in reasons {
            self.groups.get_or_create(&[("reason", reason.label())]).inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }

    /// A request was answered with all its groups.
    pub fn passed(&self, why: Unjudged, took: Duration) {
        self.answers.get_or_create(&[("outcome", why.label())]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// A call ended with an error.
    pub fn unanswered(&self, why: Unanswered) {
        self.unanswered.get_or_create(&[("reason", why.label())]).inc();
    }

    /// So many addresses are held.
    pub fn held(&self, ips: u64) {
        self.held.set(i64::try_from(ips).unwrap_or(i64::MAX));
    }

    /// What was seen of Cluster Autoscaler.
    pub fn seen(&self, seen: &AutoscalerSeen) {
        self.present.set(i64::from(seen.present));
        self.asks.set(i64::from(seen.asks()));
        self.balances.set(i64::from(seen.balance_similar));
    }
}
