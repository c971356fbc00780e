//! What stands beside kube-scheduler in a run, each in a process of its own.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, ensure};
use http_body_util::Empty;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::control_plane::process::Process;
use crate::control_plane::{ControlPlane, READY_WITHIN, flag, free_port};

/// Who filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// kube-scheduler alone.
    None,
    /// An extender in Go on upstream's types; every node passes.
    Plain,
    /// The bytes of the names sent back.
    Floor,
    /// `headroom-extender`.
    Headroom {
        /// Its `answer.max_nodes`; `None` leaves the default.
        max_nodes: Option<u32>,
        /// Whether kube-scheduler is told to call prioritize too.
        prioritize: bool,
    },
}

/// `none`, `plain`, `floor`, `headroom`, `headroom:50`, `headroom+prioritize`, `headroom:50+prioritize`.
impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Peer, String> {
        let refused = || format!("'{text}': allowed are none, plain, floor and headroom[:MAX_NODES][+prioritize]");
        let rest = match text {
            "none" => return Ok(Peer::None),
            "plain" => return Ok(Peer::Plain),
            "floor" => return Ok(Peer::Floor),
            _ => text.strip_prefix("headroom").ok_or_else(refused)?,
        };
        let (rest, prioritize) = rest.strip_suffix("+prioritize").map_or((rest, false), |rest| (rest, true));
        let max_nodes = match rest.strip_prefix(':') {
            Some(number) => Some(number.parse().map_err(|_| refused())?),
            None if rest.is_empty() => None,
            None => return Err(refused()),
        };
        Ok(Peer::Headroom { max_nodes, prioritize })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::None => f.write_str("none"),
            Peer::Plain => f.write_str("plain"),
            Peer::Floor => f.write_str("floor"),
            Peer::Headroom { max_nodes, prioritize } => {
                f.write_str("headroom")?;
                if let Some(max_nodes) = max_nodes {
                    write!(f, ":{max_nodes}")?;
                }
                f.write_str(if *prioritize { "+prioritize" } else { "" })
            }
        }
    }
}

/// A peer that is ready for kube-scheduler.
#[derive(Debug)]
pub struct Running {
    addr: Option<SocketAddr>,
    prioritize: bool,
    _process: Option<Process>,
    _files: Option<TempDir>,
}

impl Peer {
    /// Starts it against `control_plane` and waits until it is ready.
    ///
    /// # Errors
    /// When its program is missing, does not start or is not ready in time.
    pub async fn start(self, control_plane: &ControlPlane) -> Result<Running> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut files = None;
        let (name, program, args) = match self {
            Peer::None => return Ok(Running { addr: None, prioritize: false, _process: None, _files: None }),
            Peer::Plain => {
                let program = control_plane.binaries().plain_extender()?;
                ("plain-extender", program, vec![flag("listen", listen)])
            }
            Peer::Floor => ("floor", this_program()?, vec!["floor".to_owned(), flag("listen", listen)]),
            Peer::Headroom { max_nodes, .. } => {
                let dir = tempfile::tempdir().context("failed to make a temporary directory")?;
                let args = headroom_args(dir.path(), control_plane, max_nodes, listen, admin)?;
                files = Some(dir);
                ("headroom-extender", beside_this_program("headroom-extender")?, args)
            }
        };
        let mut process = Process::spawn(name, &program, &args, &control_plane.logs())?;
        let is_headroom = matches!(self, Peer::Headroom { .. });
        process
            .wait(READY_WITHIN, async || if is_headroom { ready(admin).await } else { connects(listen).await })
            .await?;
        let prioritize = matches!(self, Peer::Headroom { prioritize: true, .. });
        Ok(Running { addr: Some(listen), prioritize, _process: Some(process), _files: files })
    }
}

impl Running {
    /// kube-scheduler's configuration with it; `percentage` is `percentageOfNodesToScore`, and 0 kube-scheduler's default.
    #[must_use]
    pub fn scheduler_config(&self, percentage: u8) -> String {
        scheduler_config(self.addr, self.prioritize, percentage)
    }
}

/// A KubeSchedulerConfiguration with the extender at `extender`, as `docs/extender.md` advises, but for a timeout that a machine
/// under load does not reach.
#[must_use]
pub fn scheduler_config(extender: Option<SocketAddr>, prioritize: bool, percentage: u8) -> String {
    let mut config = format!(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\npercentageOfNodesToScore: {percentage}\n"
    );
    if let Some(extender) = extender {
        config += &format!(
            "extenders:\n- urlPrefix: http://{extender}/v1\n  filterVerb: filter\n  nodeCacheCapable: true\n  httpTimeout: 5s\n"
        );
        if prioritize {
            config += "  prioritizeVerb: prioritize\n  weight: 1\n";
        }
    }
    config
}

fn headroom_args(
    dir: &Path,
    control_plane: &ControlPlane,
    max_nodes: Option<u32>,
    listen: SocketAddr,
    admin: SocketAddr,
) -> Result<Vec<String>> {
    let config = dir.join("extender.yaml");
    let answer = max_nodes.map_or_else(String::new, |max| format!("answer:\n  max_nodes: {max}\n"));
    std::fs::write(&config, format!("policy: soon\n{answer}"))
        .context("failed to write the extender's configuration")?;
    Ok(vec![
        "serve".to_owned(),
        flag("kubeconfig", control_plane.kubeconfig().display()),
        flag("config", config.display()),
        flag("listen", listen),
        flag("admin-listen", admin),
        "--log-format=text".to_owned(),
    ])
}

fn this_program() -> Result<PathBuf> {
    std::env::current_exe().context("failed to find this program's file")
}

fn beside_this_program(name: &str) -> Result<PathBuf> {
    let path = this_program()?.with_file_name(name);
    ensure!(
        path.is_file(),
        "'{}' does not exist: build it with this program, as scripts/bench.sh does",
        path.display()
    );
    Ok(path)
}

async fn connects(addr: SocketAddr) -> Result<(), String> {
    TcpStream::connect(addr).await.map(drop).map_err(|error| error.to_string())
}

/// Whether the extender with this admin address is ready.
///
/// # Errors
/// What it answered, or why nothing came.
pub async fn ready(admin: SocketAddr) -> Result<(), String> {
    let client = HttpClient::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let url = format!("http://{admin}/readyz").parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let reply = client.get(url).await.map_err(|error| error.to_string())?;
    if reply.status().is_success() { Ok(()) } else { Err(reply.status().to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let all = "none plain floor headroom headroom:50 headroom+prioritize headroom:100+prioritize";
        for name in all.split(' ') {
            assert_eq!(name.parse::<Peer>().unwrap().to_string(), name);
        }
        for wrong in ["", "Headroom", "headroom:", "headroom:x", "headroom50", "headroom:5+prio"] {
            assert!(wrong.parse::<Peer>().unwrap_err().contains("allowed"), "{wrong}");
        }
    }

    #[test]
    fn prioritize_comes_with_a_weight() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 9270));
        assert!(!scheduler_config(None, true, 0).contains("extenders"));
        assert!(!scheduler_config(Some(addr), false, 0).contains("weight"));
        assert!(scheduler_config(Some(addr), true, 100).contains("prioritizeVerb: prioritize\n  weight: 1"));
    }
}
