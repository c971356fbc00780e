//! When pods were bound, as one watch shows it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::task::JoinHandle;

use super::write::NAMESPACE;

/// Binds from now on. Collects while other things go on; cheap, because only metadata is sent, and a pod shows up in a watch of
/// `spec.nodeName!=` when it is bound.
#[derive(Debug)]
pub struct Binds {
    task: JoinHandle<Vec<Instant>>,
}

impl Binds {
    /// Starts to watch and returns once it is in place; it ends when `wanted` pods are bound or `within` has passed. Pods that are
    /// bound already do not count.
    ///
    /// # Errors
    /// When the watch is not in place in time.
    pub async fn watch(client: &Client, wanted: usize, within: Duration) -> Result<Binds> {
        let api = Api::<PartialObjectMeta<Pod>>::namespaced(client.clone(), NAMESPACE);
        let bound = Config::default().fields("spec.nodeName!=");
        // It resumes by itself: kube-apiserver closes a watch that lags, as one may on a busy machine.
        let mut events = watcher(api, bound).default_backoff().boxed();
        let deadline = tokio::time::Instant::now() + within;
        let mut before = HashSet::new();
        loop {
            match tokio::time::timeout_at(deadline, events.next()).await.context("the watch of pods did not start")? {
                Some(Ok(Event::InitApply(pod))) => drop(before.insert(pod.metadata.uid)),
                Some(Ok(Event::InitDone)) => break,
                _ => {}
            }
        }
        let task = tokio::spawn(async move {
            let mut seen = Vec::with_capacity(wanted);
            while seen.len() < wanted {
                let Ok(event) = tokio::time::timeout_at(deadline, events.next()).await else { break };
                if let Some(Ok(Event::Apply(pod) | Event::InitApply(pod))) = event
                    && before.insert(pod.metadata.uid)
                {
                    seen.push(Instant::now());
                }
            }
            seen
        });
        Ok(Binds { task })
    }

    /// The times, ascending; fewer than wanted when the time was up.
    ///
    /// # Errors
    /// When its task panicked.
    pub async fn all(self) -> Result<Vec<Instant>> {
        self.task.await.context("the watch of pods panicked")
    }
}

/// Pods/s over the middle eight tenths of the binds: start and end are not what a scheduler does all day. `None` for fewer than ten.
#[must_use]
pub fn steady_rate(times: &[Instant]) -> Option<f64> {
    let tenth = times.len() / 10;
    let (first, last) = (times.get(tenth)?, times.get(times.len().checked_sub(1 + tenth)?)?);
    let secs = last.duration_since(*first).as_secs_f64();
    let binds = u32::try_from(times.len() - 1 - 2 * tenth).ok()?;
    (tenth > 0 && secs > 0.0).then(|| f64::from(binds) / secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_middle() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        // 10 slow ones, 80 at 100/s, 10 slow ones.
        let mut times: Vec<Instant> = (0..10).map(|n| at(n * 1000)).collect();
        times.extend((0..80).map(|n| at(20_000 + n * 10)));
        times.extend((0..10).map(|n| at(30_000 + n * 1000)));
        assert!((steady_rate(&times).unwrap() - 100.0).abs() < 0.1);
        assert_eq!(steady_rate(&times[..9]), None);
        assert_eq!(steady_rate(&[]), None);
    }
}
