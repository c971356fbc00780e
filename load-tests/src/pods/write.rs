//! Many objects at once.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Requests at the same time; each takes an HTTP/1.1 connection of its own.
const CONNECTIONS: usize = 16;
/// How long a deletion of everything may take.
const GONE_WITHIN: Duration = Duration::from_secs(120);

/// Creates all `objects` over several connections, in no particular order.
///
/// # Errors
/// The first that is refused.
pub async fn create_all<K>(api: &Api<K>, objects: impl IntoIterator<Item = Value>) -> Result<()>
where
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    let created = objects.into_iter().map(|object| async move {
        let object: K = serde_json::from_value(object).context("not an object of this kind")?;
        api.create(&PostParams::default(), &object).await.map(drop).context("failed to create an object")
    });
    futures::stream::iter(created).buffer_unordered(CONNECTIONS).try_collect().await
}

/// Deletes every object in the reach of `api` and returns when none is left.
///
/// # Errors
/// When the API server refuses, or they are not gone in time.
pub async fn delete_all<K>(api: &Api<K>) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned,
{
    let started = Instant::now();
    api.delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default())
        .await
        .context("failed to delete a collection")?;
    loop {
        let left = api.list_metadata(&ListParams::default().limit(1)).await.context("failed to list")?.items.len();
        if left == 0 {
            return Ok(());
        }
        ensure!(started.elapsed() < GONE_WITHIN, "objects are left {} s after their deletion", GONE_WITHIN.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Creates one object in a namespace that kube-apiserver may still be about to make.
///
/// # Errors
/// When it is refused for so long that there is another reason.
pub async fn create_early<K>(api: &Api<K>, object: Value) -> Result<()>
where
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    let started = Instant::now();
    let object: K = serde_json::from_value(object).context("not an object of this kind")?;
    loop {
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => return Ok(()),
            Err(_) if started.elapsed() < Duration::from_secs(30) => {
                tokio::time::sleep(Duration::from_millis(100)).await
            }
            Err(error) => return Err(error).context("failed to create an object"),
        }
    }
}

/// Namespace of the pods that are scheduled.
pub(super) const NAMESPACE: &str = "default";

/// The pods that are scheduled.
#[must_use]
pub fn pods(client: &Client) -> Api<k8s_openapi::api::core::v1::Pod> {
    Api::namespaced(client.clone(), NAMESPACE)
}
