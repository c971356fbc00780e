//! Makes the books anew whenever AWS was read or some time has passed, and tells everybody.

use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::time::Time;
use tokio::task::spawn_blocking;

use super::core::Core;
use super::turns::Turns;
use crate::cloudwatch::figures::{Observed, max_age};
use crate::cloudwatch::{self, Publisher, cni_helper};
use crate::expander::{Rooms, rooms};
use crate::feed;
use crate::headroom::{Headroom, headroom};
use crate::inventory::Inventory;
use crate::ledger::{self, Known, Ledger, Policy};
use crate::state::ClusterState;

/// Pods come and go between two readings of AWS.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often what is missing for the first books is said.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// One set of books with what it was made from.
struct Books {
    ledger: Arc<Ledger>,
    headroom: Arc<Headroom>,
    cluster: Arc<ClusterState>,
    inventory: Arc<Inventory>,
    rooms: Option<Rooms>,
}

/// Keeps the books, for ever. `publisher` takes the figures for CloudWatch.
pub(super) async fn keep(core: Arc<Core>, publisher: Option<Arc<Publisher>>) {
    let policy = Arc::new(policy(&core));
    let mut readings = core.inventory.subscribe();
    let mut turns = Turns::default();
    let period = Duration::from_secs(core.config.cloudwatch.period_secs);
    let (mut said_at, mut other_name) = (None, OtherName::default());
    loop {
        tokio::select! {
            // The sender is in the core, which is ours.
            _ = readings.changed() => {}
            () = core.clock.sleep(LONGEST_PAUSE) => {}
        }
        let now = core.clock.now();
        core.metrics.beat(now);
        let inventory = Arc::clone(&readings.borrow_and_update());
        let cluster = core.cluster(now);
        let missing = core.missing(&cluster, &inventory);
        if !missing.is_empty() {
            if said_at.is_none_or(|at| now.since(at) >= SAY_AGAIN) {
                said_at = Some(now);
                tracing::info!(missing = missing.join(", "), "waiting for the first complete observation");
            }
            continue;
        }
        let work = {
            let (core, policy) = (Arc::clone(&core), Arc::clone(&policy));
            move || make(&core, cluster, inventory, &policy, now)
        };
        // Up to half a second of work on a large cluster.
        let Ok(mut books) = spawn_blocking(work).await else {
            tracing::error!("the books could not be made; the former ones stay");
            continue;
        };
        tell(&core, &mut books);
        let theirs = books.cluster.settings.cluster_name.as_deref();
        if let Some(theirs) = other_name.news(&core.config.cluster_name, theirs) {
            tracing::warn!(
                cluster_name = core.config.cluster_name,
                aws_node = theirs,
                "aws-node's CLUSTER_NAME is another than cluster_name of the configuration: correct the one that is wrong"
            );
        }
        if let Some(publisher) = &publisher
            && turns.take(core.term(), now, period)
        {
            publish(&core, publisher, &books, now).await;
        }
    }
}

/// What the books go by.
pub(super) fn policy(core: &Core) -> Policy {
    Policy {
        cluster: core.config.cluster_name.as_str().into(),
        leak_min_age: Duration::from_secs(core.config.leaks.min_age_secs),
        in_flight_deadline: Duration::from_secs(core.config.in_flight.deadline_secs),
    }
}

fn make(core: &Core, cluster: Arc<ClusterState>, inventory: Arc<Inventory>, policy: &Policy, now: Time) -> Books {
    let ledger = Arc::new(ledger::build(&inventory, &cluster, policy, now));
    let headroom = Arc::new(headroom(&ledger, &cluster, now));
    let rooms = core.config.expander.enabled.then(|| {
        let known = Known::new(&inventory, &cluster, policy, now);
        rooms(&known, &ledger, core.outlook.load().as_deref(), Core::read_at(&inventory).unwrap_or_default())
    });
    Books { ledger, headroom, cluster, inventory, rooms }
}

fn tell(core: &Core, books: &mut Books) {
    core.metrics.published(Arc::clone(&books.ledger), Arc::clone(&books.headroom), &books.inventory.read_at);
    if let Some(read_at) = books.inventory.read_at.enis {
        core.feed.publish(feed::view(&books.ledger, &books.inventory.types), read_at);
    }
    if let Some(rooms) = books.rooms.take() {
        core.rooms.store(Some(Arc::new(rooms)));
    }
    core.headroom.store(Some(Arc::clone(&books.headroom)));
    core.ledger.store(Some(Arc::clone(&books.ledger)));
    // Only the first time is news: who follows it tells gRPC's health anew.
    if core.ready.send_if_modified(|ready| !std::mem::replace(ready, true)) {
        let (nodes, subnets) = (books.ledger.nodes.len(), books.ledger.subnets.len());
        tracing::info!(nodes, subnets, "ready");
    }
}

/// The name that aws-node was last seen to have for the cluster, where it is not ours. A misspelt one goes unnoticed otherwise: instances
/// that have no node yet, and ENIs, count as another cluster's.
#[derive(Default)]
struct OtherName(Option<String>);

impl OtherName {
    /// Another name than ours that was not told yet.
    fn news<'a>(&mut self, ours: &str, theirs: Option<&'a str>) -> Option<&'a str> {
        let other = theirs.filter(|theirs| *theirs != ours);
        let news = other.filter(|other| self.0.as_deref() != Some(*other));
        self.0 = other.map(str::to_owned);
        news
    }
}

async fn publish(core: &Core, publisher: &Publisher, books: &Books, now: Time) {
    // Three missed looks ahead, as with what is read of AWS.
    let recent = Duration::from_secs(3 * core.config.forecast.period_secs);
    let outlook = core.outlook.load_full().filter(|outlook| now.since(outlook.at) <= recent);
    let endpoints_down = core.reached.load().ladders.values().filter(|ladder| !ladder.passed()).count() as u64;
    let observed = Observed {
        outlook: outlook.as_deref(),
        ledger: &books.ledger,
        state: &books.cluster,
        inventory: &books.inventory,
        headroom: &books.headroom,
        endpoints_down,
        scale_in_blocked: core.scale_in_blocked(now),
        cluster: &core.config.cluster_name,
        max_age: max_age(&core.config.observe),
    };
    let ipamd = core.ipamd.take();
    let sets = cloudwatch::round(&observed, ipamd.as_ref(), &core.config.cloudwatch, now);
    // While what was observed is old the helper's metrics are left out, and counters go into the next ones.
    if let Some(sums) = ipamd.filter(|_| sets.iter().all(|(namespace, _)| namespace != cni_helper::NAMESPACE)) {
        core.ipamd.put(sums);
    }
    publisher.publish(now, sets, now).await;
    core.ipamd.published();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_is_told_once_and_again_after_it_was_right() {
        let mut seen = OtherName::default();
        let told = [None, Some("prod"), Some("prd"), Some("prd"), Some("test"), Some("prod"), Some("test")];
        let told = told.map(|theirs| seen.news("prod", theirs));
        assert_eq!(told, [None, None, Some("prd"), None, Some("test"), None, Some("test")]);
    }
}
