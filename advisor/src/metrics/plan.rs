//! What plans ask for and refuse, and what was done.

use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::Labels;
use crate::plan::{Refusal, ScalingPlan, What};

/// Each action with its outcomes.
const OUTCOMES: [(&str, &[&str]); 3] = [
    ("scale_out", &["raised", "arrived", "launch_failed", "refused", "group_changed", "not_leading", "failed"]),
    ("scale_in", &["gone", "given_back", "left", "ips_returned", "enis_left"]),
    ("evict", &["evicted", "gone", "has_ip", "disruption_budget", "not_replicated", "not_leading", "failed"]),
];

#[derive(Debug)]
pub(super) struct Plans {
    need: Gauge,
    nodes: Family<Labels<1>, Gauge>,
    refused: Family<Labels<2>, Gauge>,
    /// What was refused last: the others are 0 again.
    last: Mutex<Vec<(What, Refusal)>>,
    acted: Family<Labels<2>, Counter>,
    lateness: Histogram,
}

impl Plans {
    pub(super) fn new() -> Plans {
        Plans {
            need: Gauge::default(),
            nodes: Family::default(),
            refused: Family::default(),
            last: Mutex::default(),
            acted: Family::default(),
            lateness: Histogram::new(exponential_buckets(1e-3, 2.0, 17)),
        }
    }

    pub(super) fn register(&self, to: &mut Registry) {
        to.register("plan_pods_needing_nodes", "Pods that no node has or will have an address for", self.need.clone());
        to.register("plan_nodes", "Nodes that the latest plan adds or removes", self.nodes.clone());
        let help = "What the latest plan does not do by reason: groups, nodes or pods";
        to.register("plan_refused", help, self.refused.clone());
        to.register("actions", "What was done by how that ended", self.acted.clone());
        let help = "How much later than due a plan was begun";
        to.register_with_unit("plan_lateness", help, Unit::Seconds, self.lateness.clone());
        for (action, outcomes) in OUTCOMES {
            for outcome in outcomes {
                self.acted.get_or_create(&[("action", action), ("outcome", outcome)]).inc_by(0);
            }
        }
        for what in What::ALL {
            for refusal in Refusal::ALL {
                self.refused.get_or_create(&[("action", what.label()), ("reason", refusal.label())]).set(0);
            }
        }
        for what in [What::ScaleOut, What::ScaleIn] {
            self.nodes.get_or_create(&[("action", what.label())]).set(0);
        }
    }

    pub(super) fn late(&self, by: Duration) {
        self.lateness.observe(by.as_secs_f64());
    }

    pub(super) fn acted(&self, action: &'static str, outcome: &'static str) {
        self.acted.get_or_create(&[("action", action), ("outcome", outcome)]).inc();
    }

    pub(super) fn planned(&self, plan: &ScalingPlan) {
        self.need.set(plan.shortage.need.into());
        let added: u32 = plan.scale_out.iter().map(|step| step.to - step.from).sum();
        self.nodes.get_or_create(&[("action", What::ScaleOut.label())]).set(added.into());
        self.nodes.get_or_create(&[("action", What::ScaleIn.label())]).set(plan.scale_in.is_some().into());
        let refusals = plan.refusals();
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (what, refusal) in last.drain(..) {
            self.refused.get_or_create(&[("action", what.label()), ("reason", refusal.label())]).set(0);
        }
        for ((what, refusal), count) in refusals {
            self.refused.get_or_create(&[("action", what.label()), ("reason", refusal.label())]).set(count.into());
            last.push((what, refusal));
        }
    }
}
