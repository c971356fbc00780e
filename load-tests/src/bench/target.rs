//! The extenders that are compared, each a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::apiserver::ApiServer;
use super::memory::Memory;

/// What 100,000 pods may take to be listed on a slow machine.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long after a call's pod is gone its claim may live on.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// A little more than the default of `pool.step_ms`: until then the extender counts on no more than the first ENI of a node that it has
/// only just seen.
pub(crate) const POOLS_GROWN_AFTER: Duration = Duration::from_secs(22);

/// A peer that says where it listens in its first line; killed when dropped.
#[derive(Debug)]
pub struct Peer {
    /// Where it listens.
    pub addr: SocketAddr,
    _child: Child,
}

impl Peer {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not run or does not say where it listens.
    pub async fn start(binary: &Path, args: &[&str]) -> anyhow::Result<Peer> {
        let mut child = Command::new(binary)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start '{}': build it with scripts/bench.sh", binary.display()))?;
        let stdout = child.stdout.take().context("a peer without stdout")?;
        let line = BufReader::new(stdout).lines().next_line().await?.unwrap_or_default();
        let addr = line.parse().with_context(|| format!("'{}' says '{line}' and no address", binary.display()))?;
        Ok(Peer { addr, _child: child })
    }
}

/// headroom-extender beside an API server of its own; killed when dropped.
#[derive(Debug)]
pub struct Headroom {
    /// Where kube-scheduler calls.
    pub addr: SocketAddr,
    /// Its state comes from here.
    pub api: ApiServer,
    /// How long it took from its start until it was ready.
    pub ready_after: Duration,
    started: Instant,
    admin_addr: SocketAddr,
    client: Client<HttpConnector, Empty<Bytes>>,
    child: Child,
    _files: TempDir,
}

#[derive(Deserialize)]
struct Addrs {
    addr: SocketAddr,
    admin_addr: SocketAddr,
}

impl Headroom {
    /// Starts it with its default configuration and waits until it knows the whole cluster.
    ///
    /// # Errors
    /// When it ends or is not ready in time.
    pub async fn start(binary: &Path, api: ApiServer) -> anyhow::Result<Headroom> {
        let files = tempfile::tempdir()?;
        let path = |name: &str| files.path().join(name);
        std::fs::write(path("kubeconfig"), api.kubeconfig())?;
        let started = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "warn"])
            .arg("--kubeconfig")
            .arg(path("kubeconfig"))
            .arg("--ready-file")
            .arg(path("ready"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start '{}': build it with scripts/bench.sh", binary.display()))?;
        let Addrs { addr, admin_addr } = addrs(&path("ready")).await?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut headroom =
            Headroom { addr, api, ready_after: Duration::ZERO, started, admin_addr, client, child, _files: files };
        while headroom.get("/readyz").await?.0 != 200 {
            if started.elapsed() > READY_WITHIN {
                bail!("headroom-extender is not ready after {} s", READY_WITHIN.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
        headroom.ready_after = started.elapsed();
        Ok(headroom)
    }

    /// Waits until it counts on all that its nodes have had the time to attach.
    pub async fn pools_grown(&self) {
        tokio::time::sleep_until((self.started + self.ready_after + POOLS_GROWN_AFTER).into()).await;
    }

    /// What it occupies.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        Memory::of(self.child.id().context("headroom-extender has ended")?)
    }

    /// Waits until no claim is left.
    ///
    /// # Errors
    /// When claims stay although their pods are gone.
    pub async fn settled(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let claims = self.metric("headroom_extender_claims").await?;
            if claims == 0 {
                return Ok(());
            }
            if started.elapsed() > SETTLED_WITHIN {
                bail!("{claims} claims are left {} s after their pods were gone", SETTLED_WITHIN.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Connections that kube-scheduler's side of it has accepted.
    ///
    /// # Errors
    /// When its metrics do not tell.
    pub async fn connections(&self) -> anyhow::Result<u64> {
        self.metric(r#"headroom_extender_connections_total{listener="extender"}"#).await
    }

    /// Filter calls that it let nodes pass for.
    ///
    /// # Errors
    /// When its metrics do not tell.
    pub async fn calls(&self) -> anyhow::Result<u64> {
        self.metric(r#"headroom_extender_requests_total{verb="filter",answer="some"}"#).await
    }

    /// A count of `/metrics`.
    async fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let (_, text) = self.get("/metrics").await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no metric {name}"))?.parse()?)
    }

    async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let reply = self.client.get(format!("http://{}{path}", self.admin_addr).parse()?).await?;
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

async fn addrs(ready_file: &PathBuf) -> anyhow::Result<Addrs> {
    let started = Instant::now();
    loop {
        match std::fs::read(ready_file) {
            Ok(text) => return Ok(serde_json::from_slice(&text)?),
            Err(_) if started.elapsed() < READY_WITHIN => tokio::time::sleep(POLL).await,
            Err(error) => return Err(error).context("headroom-extender does not listen"),
        }
    }
}
