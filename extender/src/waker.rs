//! Tells kube-scheduler, by an annotation, to try waiting pods again.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use headroom_cluster::{Client, RetryError, request_retry};

use crate::core::{Clock, Core};
use crate::waiting::WaitingPod;

/// How often it looks whether room came back: a fraction of the second in which a pod should be tried again.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// An API server that answers does so in milliseconds.
const PATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// What refused one patch, missing RBAC or an API server that is down, would refuse the next.
const ERROR_PAUSE: Duration = Duration::from_secs(5);

/// Runs until it is dropped. The pods of one look are patched before the next look: nothing queues up.
pub(crate) async fn wake(client: Client, core: Arc<Core>, clock: Clock) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = clock.now();
        let pods = core.wake(now);
        let value = now.as_millis().to_string();
        let results = join_all(pods.iter().map(|pod| patch(&client, pod, &value))).await;
        let mut pause = false;
        for (pod, result) in pods.iter().zip(results) {
            match result {
                Ok(()) => {
                    tracing::debug!(namespace = %pod.namespace, pod = %pod.name, "woken");
                    core.metrics.woken_pods.inc();
                }
                Err(Refused::Gone) => core.wake_gone(pod),
                Err(Refused::Failed(error)) => {
                    tracing::warn!(namespace = %pod.namespace, pod = %pod.name, error, "failed to wake a waiting pod");
                    core.wake_failed(pod);
                    pause = true;
                }
            }
        }
        if pause {
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}

enum Refused {
    Gone,
    Failed(String),
}

async fn patch(client: &Client, pod: &WaitingPod, value: &str) -> Result<(), Refused> {
    let patched = request_retry(client, &pod.namespace, &pod.name, &pod.uid, value);
    match tokio::time::timeout(PATCH_TIMEOUT, patched).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(RetryError::Gone)) => Err(Refused::Gone),
        Ok(Err(error)) => Err(Refused::Failed(format!("{:#}", anyhow::Error::from(error)))),
        Err(_elapsed) => Err(Refused::Failed(format!("no answer within {} s", PATCH_TIMEOUT.as_secs()))),
    }
}
