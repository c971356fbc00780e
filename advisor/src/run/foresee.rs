//! Remembers what the books say, and looks ahead from time to time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use headroom_capacity::time::Time;
use headroom_forecast::Series;
use tokio::task::{JoinSet, spawn_blocking};

use super::backfill::backfill;
use super::core::Core;
use crate::binding::{Types, binding};
use crate::cloudwatch::figures::max_age;
use crate::history::{History, HistoryError, Kind, Recorded, SeriesKey, Tier};
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::outlook::{Observed, Outlook, demand, foresee, sample, to_come};
use crate::state::ClusterState;

/// How often the books are remembered: the history keeps the largest value of five minutes.
const EVERY: Duration = Duration::from_secs(30);

/// Remembers and looks ahead, for ever. What the file cannot take is said and counted, and the next round tries again.
pub(super) async fn look_ahead(core: Arc<Core>, sdk: SdkConfig) {
    let period = Duration::from_secs(core.config.forecast.period_secs);
    let (mut remembered, mut made) = (None, None::<Time>);
    let mut past = JoinSet::new();
    loop {
        core.clock.sleep(EVERY).await;
        let Some(ledger) = core.ledger.load_full().filter(|ledger| Some(ledger.at) != remembered) else { continue };
        let inventory = Arc::clone(&core.inventory.borrow());
        // Books are made anew from what was read of AWS last, however old: what nobody has seen must not look as if it had stood still.
        let most = max_age(&core.config.observe);
        if Core::read_at(&inventory).is_none_or(|at| ledger.at.since(at) > most) {
            continue;
        }
        if remembered.replace(ledger.at).is_none() {
            past.spawn(backfill(Arc::clone(&core), sdk.clone(), Arc::clone(&ledger)));
        }
        let due = made.is_none_or(|at| ledger.at.since(at) >= period);
        let history = Arc::clone(&core.history);
        // Held only where it is looked at: a change that comes meanwhile copies all of it.
        let cluster = due.then(|| core.cluster(ledger.at));
        let work = move || round(&history, &ledger, &inventory, cluster);
        let Ok(done) = spawn_blocking(work).await else {
            tracing::error!("the forecast could not be made; the former one stays");
            continue;
        };
        match done {
            Ok(Round { recorded, series, outlook, took }) => {
                core.metrics.remembered(recorded, series);
                if let Some(outlook) = outlook {
                    made = Some(outlook.at);
                    core.metrics.foreseen(Arc::clone(&outlook), took);
                    core.outlook.store(Some(outlook));
                }
            }
            Err(error) => {
                core.metrics.history_failed();
                let error = anyhow::Error::from(error);
                tracing::error!(error = format!("{error:#}"), "the history could not be kept; trying again");
            }
        }
    }
}

struct Round {
    recorded: Recorded,
    series: u64,
    outlook: Option<Arc<Outlook>>,
    took: Duration,
}

/// `cluster` where it is time to look ahead too.
fn round(
    history: &History,
    ledger: &Ledger,
    inventory: &Inventory,
    cluster: Option<Arc<ClusterState>>,
) -> Result<Round, HistoryError> {
    let at_secs = ledger.at.as_secs();
    let recorded = history.record(at_secs, &sample(ledger, inventory.groups.keys()))?;
    let started = Instant::now();
    let outlook = cluster.map(|cluster| look(history, ledger, inventory, cluster, at_secs)).transpose()?;
    Ok(Round { recorded, series: history.series_count()?, outlook: outlook.map(Arc::new), took: started.elapsed() })
}

fn look(
    history: &History,
    ledger: &Ledger,
    inventory: &Inventory,
    cluster: Arc<ClusterState>,
    at_secs: u64,
) -> Result<Outlook, HistoryError> {
    let types = Types { limits: &inventory.types, offers: &inventory.offers };
    let binding = binding(ledger, &cluster, &types);
    let mut outlook = Outlook { at: ledger.at, binding, ..Outlook::default() };
    let to_come = to_come(&cluster, ledger);
    let settings = Arc::clone(&cluster.settings);
    // Looking ahead takes a while, and a change of the cluster meanwhile would copy it.
    drop(cluster);
    for id in ledger.subnets.keys() {
        let series = |kind| past(history, kind, id.as_str(), at_secs);
        let (used, pods, others) =
            (series(Kind::SubnetUsedIps)?, series(Kind::SubnetPods)?, series(Kind::SubnetOtherIps)?);
        let (used, pods, others, to_come) = (&used, &pods, &others, &to_come);
        let observed = Observed { id, ledger, settings: &settings, used, pods, others, to_come };
        if let Some(subnet) = foresee(&observed) {
            outlook.subnets.insert(id.clone(), subnet);
        }
    }
    let zones: BTreeSet<Arc<str>> = ledger.subnets.values().map(|subnet| Arc::clone(&subnet.az)).collect();
    for az in zones {
        let pods = past(history, Kind::AzPods, &az, at_secs)?;
        outlook.azs.insert(Arc::clone(&az), demand(ledger, &settings, |node| node.az.as_ref() == Some(&az), &pods));
    }
    for group in inventory.groups.keys() {
        let pods = past(history, Kind::GroupPods, group, at_secs)?;
        let of = demand(ledger, &settings, |node| node.group.as_ref() == Some(group), &pods);
        outlook.groups.insert(Arc::clone(group), of);
    }
    Ok(outlook)
}

/// All that is kept in steps of five minutes, without the empty time before the first of them.
pub(super) fn past(history: &History, kind: Kind, id: &str, at_secs: u64) -> Result<Series, HistoryError> {
    let tier = Tier::FiveMinutes;
    let key = SeriesKey::new(kind, id);
    let mut series = history.series(&key, tier, at_secs.saturating_sub(tier.span_secs()), at_secs + 1)?;
    let empty = series.values.iter().take_while(|value| value.is_none()).count();
    series.values.drain(..empty);
    series.start_secs += empty as u64 * u64::from(series.step_secs);
    Ok(series)
}
