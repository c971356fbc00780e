//! Whether a connection that was silent for a while is used again.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::driver::{Block, Driver};
use super::fixture::Wish;
use super::target::Headroom;

/// Within the 90 s after which kube-scheduler's client itself closes a connection (Go `net/http`, `DefaultTransport`).
pub const SHORT: Duration = Duration::from_secs(80);
/// Beyond them.
pub const LONG: Duration = Duration::from_secs(100);

/// Connections that a client made for two calls with a silence between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// With [`SHORT`] between.
    pub short: u64,
    /// With [`LONG`] between.
    pub long: u64,
}

/// Finds out, with a driver of its own beside other measurements: four calls in [`LONG`].
///
/// # Errors
/// When a call fails: the silence must not cost one.
pub async fn measure(driver: &Path, headroom: &Headroom) -> anyhow::Result<Connections> {
    let nodes = headroom.api.fixture().size().nodes;
    let mut driver = Driver::start(driver, nodes).await?;
    let mut call = async |client, first_pod| -> anyhow::Result<u64> {
        let before = headroom.connections().await?;
        let url_prefix = format!("http://{}/v1", headroom.addr);
        driver
            .run(&Block { url_prefix, client, pod: Wish::Plain, cluster: nodes, names: 1, calls: 1, first_pod })
            .await?;
        Ok(headroom.connections().await? - before)
    };
    let started = Instant::now();
    let first = (call("short", 0).await?, call("long", 1).await?);
    sleep_until(started + SHORT).await;
    let short = first.0 + call("short", 2).await?;
    sleep_until(started + LONG).await;
    let long = first.1 + call("long", 3).await?;
    Ok(Connections { short, long })
}
