//! Looks from time to time which Cluster Autoscaler runs and how it was started.

use std::sync::Arc;
use std::time::Duration;

use headroom_cluster::{Client, autoscaler_pods};

use super::core::Core;
use crate::autoscaler::AutoscalerSeen;

/// From one look to the next: it is started anew when its flags change.
const EVERY: Duration = Duration::from_secs(600);
/// After a look that failed.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks for ever. What was seen stays where a look fails.
pub(super) async fn look(core: Arc<Core>, client: Client) {
    loop {
        let pause = match autoscaler_pods(&client).await {
            Ok(pods) => {
                let seen = AutoscalerSeen::of(&pods);
                core.metrics.expander.seen(&seen);
                let known = core.autoscaler.swap(Some(Arc::new(seen.clone())));
                if known.as_deref() != Some(&seen) {
                    say(&seen, core.config.expander.enabled);
                }
                EVERY
            }
            Err(error) => {
                tracing::warn!(error, "Cluster Autoscaler could not be looked for");
                AGAIN
            }
        };
        core.clock.sleep(pause).await;
    }
}

fn say(seen: &AutoscalerSeen, enabled: bool) {
    let AutoscalerSeen { present, version, balance_similar, expander } = seen;
    let version = version.map(|version| version.to_string());
    tracing::info!(present, version, balance_similar, expander, "Cluster Autoscaler");
    if !enabled || !present {
        return;
    }
    if !seen.asks() {
        tracing::warn!(
            expander,
            "expander.enabled, and Cluster Autoscaler's --expander does not name grpc: nobody asks"
        );
    }
    if *balance_similar {
        tracing::warn!(
            "Cluster Autoscaler runs with --balance-similar-node-groups: it spreads nodes over groups that it does not ask about, empty \
             subnets or not; see docs/expander.md"
        );
    }
}
