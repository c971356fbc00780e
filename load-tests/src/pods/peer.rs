//! What stands beside kube-scheduler in a run, each in a process of its own.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http_body_util::Empty;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::bench::target::POOLS_GROWN_AFTER;
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
    Floor {
        /// Only so many of them; `None` sends all.
        max_names: Option<u32>,
    },
    /// `headroom-extender`.
    Headroom {
        /// Its `answer.max_nodes`; `None` leaves the default.
        max_nodes: Option<u32>,
        /// Whether kube-scheduler is told to call prioritize too.
        prioritize: bool,
    },
}

/// `none`, `plain`, `floor[:MAX_NAMES]`, `headroom[:MAX_NODES][+prioritize]`.
impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Peer, String> {
        let refused =
            || format!("'{text}': allowed are none, plain, floor[:MAX_NAMES] and headroom[:MAX_NODES][+prioritize]");
        let (rest, prioritize) = text.strip_suffix("+prioritize").map_or((text, false), |rest| (rest, true));
        let (name, most) = match rest.split_once(':') {
            Some((name, most)) => (name, Some(most.parse::<u32>().map_err(|_| refused())?)),
            None => (rest, None),
        };
        match (name, most, prioritize) {
            ("none", None, false) => Ok(Peer::None),
            ("plain", None, false) => Ok(Peer::Plain),
            ("floor", max_names, false) => Ok(Peer::Floor { max_names }),
            ("headroom", max_nodes, prioritize) => Ok(Peer::Headroom { max_nodes, prioritize }),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::None => f.write_str("none"),
            Peer::Plain => f.write_str("plain"),
            Peer::Floor { max_names: None } => f.write_str("floor"),
            Peer::Floor { max_names: Some(most) } => write!(f, "floor:{most}"),
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

/// A peer, and how many nodes kube-scheduler looks at beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Who filters.
    pub peer: Peer,
    /// `percentageOfNodesToScore`; 0 leaves it to kube-scheduler.
    pub percentage: u8,
}

/// A [`Peer`], and `%PERCENTAGE` after it.
impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Contender, String> {
        let Some((peer, percentage)) = text.split_once('%') else {
            return Ok(Contender { peer: text.parse()?, percentage: 0 });
        };
        match percentage.parse() {
            Ok(percentage @ 1..=100) => Ok(Contender { peer: peer.parse()?, percentage }),
            _ => Err(format!("'{text}': a percentage of nodes to score of 1 to 100 is allowed after '%'")),
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percentage {
            0 => self.peer.fmt(f),
            percentage => write!(f, "{}%{percentage}", self.peer),
        }
    }
}

/// A peer that is ready for kube-scheduler.
#[derive(Debug)]
pub struct Running {
    url_prefix: Option<String>,
    prioritize: bool,
    process: Option<Process>,
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
            Peer::None => return Ok(Running { url_prefix: None, prioritize: false, process: None, _files: None }),
            Peer::Plain => {
                let program = control_plane.binaries().plain_extender()?;
                ("plain-extender", program, vec![flag("listen", listen)])
            }
            Peer::Floor { .. } => ("floor", this_program()?, vec!["floor".to_owned(), flag("listen", listen)]),
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
        if is_headroom {
            tokio::time::sleep(POOLS_GROWN_AFTER).await;
        }
        let prioritize = matches!(self, Peer::Headroom { prioritize: true, .. });
        let path = match self {
            Peer::Floor { max_names: Some(most) } => format!("keep/{most}"),
            _ => "v1".to_owned(),
        };
        let url_prefix = Some(format!("http://{listen}/{path}"));
        Ok(Running { url_prefix, prioritize, process: Some(process), _files: files })
    }
}

impl Running {
    /// CPU time that it has used; `None` for [`Peer::None`].
    #[must_use]
    pub fn cpu(&self) -> Option<Duration> {
        self.process.as_ref()?.cpu()
    }

    /// kube-scheduler's configuration with it; `percentage` is `percentageOfNodesToScore`, and 0 kube-scheduler's default.
    #[must_use]
    pub fn scheduler_config(&self, percentage: u8) -> String {
        scheduler_config(self.url_prefix.as_deref(), self.prioritize, percentage)
    }
}

/// A KubeSchedulerConfiguration with the extender at `url_prefix`, as `docs/extender.md` advises, but for a timeout that a machine
/// under load does not reach.
#[must_use]
pub fn scheduler_config(url_prefix: Option<&str>, prioritize: bool, percentage: u8) -> String {
    let mut config = format!(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\npercentageOfNodesToScore: {percentage}\n"
    );
    if let Some(url_prefix) = url_prefix {
        config += &format!(
            "extenders:\n- urlPrefix: {url_prefix}\n  filterVerb: filter\n  nodeCacheCapable: true\n  httpTimeout: 5s\n"
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
        let all = "none plain floor floor:50 headroom headroom:50 headroom+prioritize headroom:100+prioritize none%2 headroom:50%100";
        for name in all.split(' ') {
            assert_eq!(name.parse::<Contender>().unwrap().to_string(), name);
        }
        let wrong =
            ",Headroom,headroom:,headroom:x,headroom50,headroom:5+prio,none:5,floor+prioritize,none%0,none%x,none%101";
        for wrong in wrong.split(',') {
            assert!(wrong.parse::<Contender>().unwrap_err().contains("allowed"), "{wrong}");
        }
    }

    #[test]
    fn prioritize_comes_with_a_weight() {
        let url = "http://127.0.0.1:9270/v1";
        assert!(!scheduler_config(None, true, 0).contains("extenders"));
        assert!(!scheduler_config(Some(url), false, 0).contains("weight"));
        assert!(scheduler_config(Some(url), true, 100).contains("prioritizeVerb: prioritize\n  weight: 1"));
    }
}
