//! The serial driver as a child process: kube-scheduler's own client, from `control-plane/cmd/serial-driver`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::fixture::{self, Wish};

/// A number of calls to one extender, one after the other.
#[derive(Clone, Debug, Serialize)]
pub struct Block {
    /// As in KubeSchedulerConfiguration; the client adds `/filter`.
    pub url_prefix: String,
    /// Clients of different names have connections of their own.
    pub client: &'static str,
    /// Which pod is asked about.
    pub pod: Wish,
    /// The names are taken from so many nodes, where the last call ended.
    pub cluster: u32,
    /// Names per call.
    pub names: u32,
    /// Calls.
    pub calls: u64,
    /// Number of the first call's pod, [`fixture::call_uid`].
    pub first_pod: u64,
}

/// What a block came to.
#[derive(Clone, Debug, Deserialize)]
pub struct Outcome {
    /// Each call's latency as the caller of `Filter` sees it.
    pub nanos: Vec<u64>,
    /// Names in the shortest answer.
    pub shortest: u32,
    /// And in the longest.
    pub longest: u32,
}

/// The running driver; killed when dropped.
#[derive(Debug)]
pub struct Driver {
    _child: Child,
    orders: ChildStdin,
    results: Lines<BufReader<ChildStdout>>,
}

impl Driver {
    /// Starts it for clusters of up to `nodes` nodes.
    ///
    /// # Errors
    /// When the binary does not run.
    pub async fn start(binary: &Path, nodes: u32) -> anyhow::Result<Driver> {
        let mut child = Command::new(binary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start '{}': build it with scripts/bench.sh", binary.display()))?;
        let (orders, results) = (child.stdin.take(), child.stdout.take());
        let (orders, results) = orders.zip(results).context("the serial driver has no pipes")?;
        let mut driver = Driver { _child: child, orders, results: BufReader::new(results).lines() };
        let names: Vec<String> = (0..nodes).map(fixture::node_name).collect();
        let pods: BTreeMap<_, _> = Wish::ALL.map(|wish| (wish.label(), fixture::pending_pod(wish))).into();
        driver.ask(&json!({"setup": {"nodes": names, "pods": pods}})).await?;
        Ok(driver)
    }

    /// Runs a block.
    ///
    /// # Errors
    /// When a call failed; the driver has said why on stderr.
    pub async fn run(&mut self, block: &Block) -> anyhow::Result<Outcome> {
        let line = self.ask(&json!({ "block": block })).await?;
        let outcome: Outcome = serde_json::from_str(&line).context("the serial driver's result")?;
        if outcome.nanos.len() as u64 != block.calls {
            bail!("the serial driver made {} of {} calls", outcome.nanos.len(), block.calls);
        }
        Ok(outcome)
    }

    async fn ask(&mut self, order: &Value) -> anyhow::Result<String> {
        self.orders.write_all(order.to_string().as_bytes()).await?;
        self.results.next_line().await?.context("the serial driver ended; see its message above")
    }
}
