//! Asks who else remembers, once: the time before the first start.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use aws_config::SdkConfig;
use headroom_shell::page::{self, PageError};
use tokio::task::spawn_blocking;

use super::core::Core;
use crate::aws::{AwsError, CallRecord, Operation};
use crate::history::{Backfilled, Points, SeriesKey, cloudwatch, prometheus};
use crate::ledger::Ledger;
use crate::outlook::sample;

/// Fills what the history lacks, from where the configuration says. What cannot be had is said, and nothing else comes of it: the next
/// start asks again.
pub(super) async fn backfill(core: Arc<Core>, sdk: SdkConfig, ledger: Arc<Ledger>) {
    let config = &core.config.history.backfill;
    if config.cloudwatch {
        match from_cloudwatch(&core, &sdk, &ledger).await {
            Ok(told) => say("CloudWatch", &told),
            Err(error) => tracing::warn!(%error, "the history could not be filled from CloudWatch"),
        }
    }
    if let Some(addr) = &config.prometheus {
        match from_prometheus(&core, addr, &ledger).await {
            Ok(told) => say("Prometheus", &told),
            Err(error) => tracing::warn!(addr, error, "the history could not be filled from Prometheus"),
        }
    }
}

fn say(from: &str, told: &Backfilled) {
    tracing::info!(from, filled = told.filled, invalid = told.invalid, over_limit = told.over_limit, "history filled");
}

async fn from_cloudwatch(core: &Arc<Core>, sdk: &SdkConfig, ledger: &Ledger) -> Result<Backfilled, AwsError> {
    let client = aws_sdk_cloudwatch::Client::new(sdk);
    let (cluster, namespace) = (&core.config.cluster_name, &core.config.cloudwatch.namespace);
    let capacity = |key: &SeriesKey| {
        let subnet = ledger.subnets.iter().find(|(id, _)| id.as_str() == key.id)?.1;
        Some(f64::from(subnet.usable().get()))
    };
    let inventory = Arc::clone(&core.inventory.borrow());
    let keys = sample(ledger, inventory.groups.keys()).into_iter().map(|(key, _)| key);
    let sources: Vec<cloudwatch::Source> =
        keys.filter_map(|key| cloudwatch::Source::of(&key, cluster, namespace, capacity(&key))).collect();
    let mut total = Backfilled::default();
    for request in cloudwatch::requests(&sources, core.clock.now().as_secs()) {
        let mut next = None;
        loop {
            let started = Instant::now();
            let page = cloudwatch::page(&client, &request, next).await;
            let page = page.map_err(|error| AwsError::of(Operation::GetMetricData, &*error, SystemTime::now()));
            let (operation, error) = (Operation::GetMetricData, page.as_ref().err().map(|error| error.class));
            let seconds = started.elapsed().as_secs_f64();
            core.metrics.aws_called(&CallRecord { operation, error, seconds });
            let page = page?;
            let told = request.decode(&page);
            if !told.failed.is_empty() {
                tracing::warn!(series = told.failed.len(), "CloudWatch failed to tell of some series");
            }
            fill(core, told.points, &mut total).await;
            match page.next {
                Some(token) => next = Some(token),
                None => break,
            }
        }
    }
    Ok(total)
}

async fn from_prometheus(core: &Arc<Core>, addr: &str, ledger: &Ledger) -> Result<Backfilled, String> {
    let shown = |error: prometheus::PrometheusError<PageError>| format!("{:#}", anyhow::Error::from(error));
    let get = async |path: String| page::get(addr, &format!("/{path}")).await.map(String::into_bytes);
    let mut total = Backfilled::default();
    for source in prometheus::Source::held_ips() {
        for request in source.requests(core.clock.now().as_secs()) {
            let mut points = request.fetch(get).await.map_err(shown)?;
            // It may scrape other clusters' advisors too.
            points.retain(|(key, _)| ledger.subnets.keys().any(|id| id.as_str() == key.id));
            fill(core, points, &mut total).await;
        }
    }
    Ok(total)
}

async fn fill(core: &Arc<Core>, points: Vec<Points>, total: &mut Backfilled) {
    let (history, now_secs) = (Arc::clone(&core.history), core.clock.now().as_secs());
    match spawn_blocking(move || history.backfill(now_secs, &points)).await {
        Ok(Ok(told)) => {
            total.filled += told.filled;
            total.invalid += told.invalid;
            total.over_limit += told.over_limit;
        }
        Ok(Err(error)) => {
            core.metrics.history_failed();
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "the history could not be filled");
        }
        Err(_) => tracing::error!("filling the history was broken off"),
    }
}
