//! Reads AWS, round by round.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use crate::aws::{Observer, Round};
use crate::inventory::InstanceId;

/// A round that finds nothing due is not repeated at once.
const LEAST_PAUSE: Duration = Duration::from_millis(200);

/// Reads what is due, for ever.
pub(super) async fn observe(core: Arc<Core>, mut observer: Observer) {
    loop {
        let now = core.clock.now();
        let nodes: BTreeSet<InstanceId> =
            core.cluster(now).nodes.values().filter_map(|node| node.instance.clone()).collect();
        let began = Instant::now();
        let round = observer.round(now, &nodes).await;
        core.metrics.observed(began.elapsed());
        count(&core, &round);
        if !round.read.is_empty() {
            core.inventory.send_replace(round.inventory);
        }
        let pause = observer.next_due().since(core.clock.now());
        core.clock.sleep(pause.max(LEAST_PAUSE)).await;
    }
}

fn count(core: &Core, round: &Round) {
    for call in &round.calls {
        core.metrics.aws_called(call);
    }
}
