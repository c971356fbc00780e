//! Evicts stuck pods.

use std::sync::Arc;

use headroom_cluster::About;
use headroom_cluster::drain::{self, Evicted, Owner};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{CALL_WITHIN, Means, News, beside};
use crate::plan::{Deed, Eviction, ScalingPlan};

/// The outcome of a pod that nothing would make anew on another node.
const NOT_REPLICATED: &str = "not_replicated";

pub(super) fn begin(means: &Arc<Means>, tell: &mpsc::Sender<News>, plan: &Arc<ScalingPlan>) {
    let (means, plan) = (Arc::clone(means), Arc::clone(plan));
    beside(tell, News::Evicted(Vec::new()), async move {
        let mut unmovable = Vec::new();
        for one in &plan.evictions {
            match evict(&means, one).await {
                Ok(outcome) => {
                    if outcome == NOT_REPLICATED {
                        unmovable.push(one.uid.clone());
                    }
                    means.core.metrics.acted("evict", outcome);
                    tracing::info!(pod = %one.name, node = %one.node, outcome, "stuck pod");
                }
                Err(error) => {
                    means.core.metrics.acted("evict", "failed");
                    tracing::warn!(pod = %one.name, error = format!("{error:#}"), "a stuck pod was not evicted");
                }
            }
        }
        News::Evicted(unmovable)
    });
}

async fn evict(means: &Means, one: &Eviction) -> anyhow::Result<&'static str> {
    let tenants = timeout(CALL_WITHIN, drain::tenants(&means.client, &one.node)).await??;
    let Some(pod) = tenants.into_iter().find(|pod| pod.uid == one.uid && !pod.deleting) else { return Ok("gone") };
    if pod.has_ip {
        return Ok("has_ip");
    }
    // A DaemonSet's pod would come back to the same node, and what nothing makes anew would be lost.
    if pod.owner != Owner::Controller {
        return Ok(NOT_REPLICATED);
    }
    if !means.may_act() {
        return Ok("not_leading");
    }
    means.journal.intend(Deed::Evict, "", 1, means.core.clock.now()).await?;
    let outcome = match timeout(CALL_WITHIN, drain::evict(&means.client, &pod)).await?? {
        Evicted::Yes => "evicted",
        Evicted::Gone => "gone",
        Evicted::NotNow(_) => "disruption_budget",
    };
    let about = About::Pod { name: Arc::clone(&one.name), uid: one.uid.as_str().into() };
    let note = format!("no address on {} for {} s: {outcome}", one.node, one.waiting.as_secs());
    means.tell(about, true, "StuckWithoutIP", "Evict", &note).await;
    Ok(outcome)
}
