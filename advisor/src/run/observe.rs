//! Reads AWS, round by round.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_cluster::Kind;

use super::core::Core;
use crate::aws::{Observer, Round};
use crate::inventory::InstanceId;

/// A round that finds nothing due is not repeated at once.
const LEAST_PAUSE: Duration = Duration::from_millis(200);

/// How long the list of nodes is waited for: instances without the cluster's tag are known by their nodes only.
const NODES_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Reads what is due, for ever.
pub(super) async fn observe(core: Arc<Core>, mut observer: Observer) {
    let listed = async {
        while core.cluster(core.clock.now()).missing.contains(&Kind::Node) {
            tokio::time::sleep(POLL).await;
        }
    };
    // Whether it came in time or not, the first round finds out what there is.
    tokio::time::timeout(NODES_WITHIN, listed).await.ok();
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
