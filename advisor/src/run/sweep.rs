//! Deletes leaked ENIs, where that is asked for: one at a time, each read anew before.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use crate::aws::{Api, AwsError, Connection, Deletion};
use crate::config::LeakAction;
use crate::leaks::{History, next_deletion, still_leaked};
use crate::ledger::{Leak, Policy};

/// From one look at the books to the next.
const EVERY: Duration = Duration::from_secs(30);

/// Looks at the books and deletes what may be deleted, for ever. Only the leader does.
pub(super) async fn sweep(core: Arc<Core>, connection: Connection, policy: Policy) {
    let mut history = History::default();
    loop {
        core.clock.sleep(EVERY).await;
        let ledger = core.ledger.load_full();
        let now = core.clock.now();
        let next = ledger.as_deref().and_then(|books| next_deletion(&books.leaks, &history, &core.config.leaks, now));
        let Some(leak) = next.filter(|_| core.leads()) else { continue };
        history.begin(leak.eni.clone(), now);
        let api = Api::new(&connection);
        let swept = sweep_one(&core, &api, leak, &policy).await;
        core.count(api);
        history.end();
        let (eni, ips) = (&leak.eni, leak.ips.get());
        match swept {
            Ok(outcome) => tracing::info!(%eni, subnet = %leak.subnet, ips, outcome, "leaked ENI"),
            Err(error) => tracing::warn!(%eni, subnet = %leak.subnet, ips, %error, "a leaked ENI was not deleted"),
        }
    }
}

/// What became of it, in words.
async fn sweep_one(core: &Core, api: &Api<'_>, leak: &Leak, policy: &Policy) -> Result<String, AwsError> {
    let Some(fresh) = api.eni(&leak.eni).await? else { return Ok("gone already".to_owned()) };
    let now = core.clock.now();
    let held: HashSet<Ipv4Addr> = core.cluster(now).pods.values().filter_map(|pod| pod.ip).collect();
    if let Err(spared) = still_leaked(leak, &fresh, |ip| held.contains(&ip), policy, now) {
        return Ok(format!("spared: {spared}"));
    }
    // The answer may have taken its time.
    if !core.leads() {
        return Ok("spared: another advisor leads by now".to_owned());
    }
    let dry_run = core.config.leaks.action != LeakAction::Delete;
    let outcome = match api.delete_network_interface(&leak.eni, dry_run).await? {
        Deletion::Deleted => "deleted",
        Deletion::WouldSucceed => "dry run: EC2 would delete it",
        Deletion::Gone => "gone already",
    };
    Ok(outcome.to_owned())
}
