//! Climbs the ladders of AWS's endpoints, again and again. Nobody waits for it: who acts looks at what was found last.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use crate::aws::JITTER;
use crate::reachability::{Change, Prober};

/// Probes for ever.
pub(super) async fn probe(core: Arc<Core>, prober: Prober) {
    let period = Duration::from_secs(core.config.reachability.period_secs);
    let mut rng = fastrand::Rng::new();
    loop {
        let inventory = Arc::clone(&core.inventory.borrow());
        let (ladders, calls) = prober.round(&inventory).await;
        for call in &calls {
            core.metrics.aws_called(call);
        }
        for ladder in &ladders {
            core.metrics.probed(ladder);
        }
        let (reached, changes) = core.reached.load().with(core.clock.now(), ladders);
        core.reached.store(Arc::new(reached));
        changes.iter().for_each(tell);
        // Several advisors drift apart, and so do probes and what else calls at fixed times.
        core.clock.sleep(period.mul_f64(1.0 - JITTER * rng.f64())).await;
    }
}

fn tell(change: &Change) {
    match change {
        Change::Reached(endpoint) => tracing::info!(%endpoint, "the endpoint can be reached"),
        Change::Lost(endpoint, said) => tracing::error!(
            %endpoint,
            stage = said.stage.label(),
            cause = said.cause.label(),
            found = said.found,
            remedy = said.remedy,
            "the endpoint cannot be reached"
        ),
    }
}
