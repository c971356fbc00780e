//! An advisor in a process of its own.

use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use headroom_advisor::Clock;
use headroom_advisor::config::Config;
use headroom_capacity::time::Time;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};

use super::run::RATE;
use crate::advisor::{Advisor, Place};
use crate::scaling::{Route, Site};

/// What is started as an advisor: a program that runs [`advise`].
#[derive(Clone, Debug)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// The argument that makes it one.
    pub argument: &'static str,
}

/// What an advisor has to know that is not in the lab's process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Directions {
    config: Config,
    route: Route,
    kubeconfig: PathBuf,
    /// The lab's time at `unix_ms` of the machine's, and how fast it runs.
    lab_ms: u64,
    unix_ms: u64,
    rate: f64,
}

fn unix() -> Time {
    Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Directions {
    pub(super) fn to(site: &Site, config: Config) -> Directions {
        Directions {
            config,
            route: site.internet.route().clone(),
            kubeconfig: site.lab.kubeconfig().to_owned(),
            lab_ms: site.lab.clock().now().as_millis(),
            unix_ms: unix().as_millis(),
            rate: RATE,
        }
    }

    fn place(&self) -> Result<Place> {
        let rate = self.rate;
        let since = unix().since(Time::from_millis(self.unix_ms)).mul_f64(rate);
        let (start, started) = (Time::from_millis(self.lab_ms) + since, Instant::now());
        Ok(Place {
            aws_url: self.route.url.clone(),
            way: Some(self.route.way()?),
            kubeconfig: self.kubeconfig.clone(),
            clock: Clock::simulated(move || start + started.elapsed().mul_f64(rate), rate),
        })
    }
}

/// Runs an advisor as standard input says in its first line, until that ends: it ends with whoever started it.
///
/// # Errors
/// When there are no directions, or the advisor does not start or stop.
pub fn advise() -> Result<()> {
    let (mut input, mut line) = (std::io::stdin().lock(), String::new());
    input.read_line(&mut line).context("failed to read standard input")?;
    drop(input);
    let directions: Directions = serde_json::from_str(&line)
        .context("standard input has no directions: `headroom-bench schedules` writes them")?;
    let place = directions.place()?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let advisor = Advisor::start(place, directions.config).await?;
        let over = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        over.await?.context("failed to read standard input")?;
        advisor.stop().await
    })
}

/// A running one.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// It ends where nobody holds this.
    _lifeline: ChildStdin,
}

impl Process {
    /// Starts one that appends its log to a file.
    pub(super) async fn start(program: &Program, directions: &Directions, log: &Path) -> Result<Process> {
        let log = std::fs::File::options().create(true).append(true).open(log);
        let mut child = Command::new(&program.path)
            .arg(program.argument)
            .env("RUST_LOG", "headroom_advisor=info")
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.context("the log")?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {}", program.path.display()))?;
        let mut lifeline = child.stdin.take().context("no pipe")?;
        lifeline.write_all(format!("{}\n", serde_json::to_string(directions)?).as_bytes()).await?;
        Ok(Process { child, _lifeline: lifeline })
    }

    /// SIGKILL.
    pub(super) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("failed to kill an advisor")
    }

    /// How it ended, where it has: nothing but SIGKILL may end one.
    pub(super) fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}
