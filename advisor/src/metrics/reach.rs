//! The endpoints of AWS, stage by stage.

use std::time::Duration;

use headroom_reach::{Ladder, Stage};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{FloatGauge, Labels};

/// Series of an endpoint begin with its first probe: one that is not probed is neither up nor down.
#[derive(Debug, Default)]
pub(super) struct Reach {
    up: Family<Labels<2>, Gauge>,
    seconds: Family<Labels<2>, FloatGauge>,
    probes: Family<Labels<2>, Counter>,
}

impl Reach {
    pub(super) fn register(&self, to: &mut Registry) {
        let up = "1 while the stage of the endpoint's latest probe passed or was not needed, 0 while it failed or was not reached";
        to.register("endpoint_up", up, self.up.clone());
        let seconds = "Time of the slowest step of the stage in the endpoint's latest probe";
        to.register_with_unit("endpoint_stage_duration", seconds, Unit::Seconds, self.seconds.clone());
        to.register("endpoint_probes", "Probes of the endpoint by how they ended", self.probes.clone());
    }

    pub(super) fn probed(&self, ladder: &Ladder) {
        let endpoint = ("endpoint", ladder.endpoint.service.label());
        for stage in Stage::ALL {
            let labels = [endpoint, ("stage", stage.label())];
            self.up.get_or_create(&labels).set(i64::from(!ladder.stops_at(stage)));
            let slowest = ladder.at(stage).map(|step| step.took).max().unwrap_or(Duration::ZERO);
            self.seconds.get_or_create(&labels).set(slowest.as_secs_f64());
        }
        for (outcome, times) in [("passed", u64::from(ladder.passed())), ("failed", u64::from(!ladder.passed()))] {
            self.probes.get_or_create(&[endpoint, ("outcome", outcome)]).inc_by(times);
        }
    }
}
