//! The real control plane on loopback: etcd, kube-apiserver and kube-scheduler as processes of the test that starts them.
//!
//! ```text
//! start ──> etcd (unix socket) ──> kube-apiserver ──> ControlPlane { kubeconfig, client }
//!                                        │
//!           start_scheduler ──> kube-scheduler (KubeSchedulerConfiguration of the caller)
//! ```
//!
//! There are no kubelets and no controllers: a Node is what a test writes, a DaemonSet creates no pods, and a bound pod stays
//! Pending until somebody reports its status.

mod binaries;
mod credentials;
pub(crate) mod process;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tempfile::TempDir;
use thiserror::Error;

pub use binaries::{Binaries, skip};
use credentials::Credentials;
use process::Process;

/// How long each component may take until it is ready. Measured: 4 s for etcd with kube-apiserver, 1 s for kube-scheduler;
/// the rest is for machines that do other work at the same time.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(90);

/// Notes who asked for what, and not what was sent or answered.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, userGroups: [system:serviceaccounts]}]
";

/// Why it did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A binary has not been built.
    #[error(
        "'{}' does not exist: run load-tests/control-plane/build.sh, or set {}=1 to pass without the real control plane",
        .0.display(),
        binaries::SKIP
    )]
    NotBuilt(PathBuf),
    /// Neither `HEADROOM_CACHE` nor `HOME` is set.
    #[error(
        "HEADROOM_CACHE and HOME are not set: nowhere to look for the binaries of load-tests/control-plane/build.sh"
    )]
    NoCache,
    /// A file, directory or port.
    #[error("failed to prepare {what}")]
    Prepare {
        /// What for.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// No key or certificate.
    #[error("failed to make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The kubeconfig that was written is not accepted.
    #[error("failed to build the Kubernetes client")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It ended by itself.
    #[error("{name} ended ({status}) before it was ready; the end of '{}':\n{tail}", log.display())]
    Ended {
        /// The component.
        name: &'static str,
        /// How it ended.
        status: String,
        /// Its log, kept.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// It runs and is not ready.
    #[error("{name} is not ready after {} s: {answer}; the end of '{}':\n{tail}", after.as_secs(), log.display())]
    NotReady {
        /// The component.
        name: &'static str,
        /// The deadline.
        after: Duration,
        /// What it answered last.
        answer: String,
        /// Its log, kept.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
}

pub(crate) fn prepare(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Prepare { what, source }
}

/// A running control plane. Dropping it kills its processes and removes its files; while the thread panics, as a failed test
/// does, the logs stay and their place is printed.
#[allow(missing_debug_implementations, reason = "kube's client has none")]
pub struct ControlPlane {
    /// As `system:masters`.
    pub client: Client,
    binaries: Binaries,
    credentials: Credentials,
    // Dropped in this order: clients before what they talk to.
    scheduler: Option<Process>,
    apiserver: Process,
    etcd: Process,
    files: Files,
}

/// The directory of all files, with `logs` and `data` in it.
#[derive(Debug)]
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Result<Files, StartError> {
        let dir =
            tempfile::Builder::new().prefix("headroom-cp-").tempdir().map_err(prepare("a temporary directory"))?;
        for sub in ["logs", "data"] {
            std::fs::create_dir(dir.path().join(sub)).map_err(prepare("a temporary directory"))?;
        }
        Ok(Files { dir })
    }

    fn logs(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    fn audit_log(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    fn keep_logs(&mut self) {
        self.dir.disable_cleanup(true);
        let _unremoved = std::fs::remove_dir_all(self.dir.path().join("data"));
        eprintln!("logs of the control plane: {}", self.logs().display());
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_logs();
        }
    }
}

impl ControlPlane {
    /// Starts etcd and kube-apiserver and returns when kube-apiserver is ready. The RBAC rules and
    /// priority classes that it ships exist then, and so do its namespaces soon after.
    ///
    /// Without the admission plugins TaintNodesByCondition and ServiceAccount: they wait for a node controller and a token
    /// controller, which kube-controller-manager would run.
    ///
    /// # Errors
    /// When a binary is missing, or a component ends or is not ready in time; its log is kept then.
    pub async fn start() -> Result<ControlPlane, StartError> {
        Self::start_with(false).await
    }

    /// The same, and kube-apiserver notes what service accounts ask of it, see [`ControlPlane::audit_log`].
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn start_audited() -> Result<ControlPlane, StartError> {
        Self::start_with(true).await
    }

    async fn start_with(audited: bool) -> Result<ControlPlane, StartError> {
        let binaries = Binaries::find()?;
        let mut files = Files::new()?;
        let started = Self::start_in(&binaries, &files, audited).await;
        match started {
            Ok((credentials, client, apiserver, etcd)) => {
                Ok(ControlPlane { client, binaries, credentials, scheduler: None, apiserver, etcd, files })
            }
            Err(error) => {
                files.keep_logs();
                Err(error)
            }
        }
    }

    async fn start_in(
        binaries: &Binaries,
        files: &Files,
        audited: bool,
    ) -> Result<(Credentials, Client, Process, Process), StartError> {
        let (dir, logs) = (files.dir.path(), files.logs());
        let socket = dir.join("data/etcd.sock");
        let mut etcd = Process::spawn("etcd", &binaries.etcd, &etcd_args(dir, &socket), &logs)?;
        let port = free_port()?;
        let credentials = Credentials::write(dir, &format!("https://127.0.0.1:{port}"))?;
        let client = client(&credentials.kubeconfig, None).await?;
        let mut args = apiserver_args(&credentials, &socket, port);
        if audited {
            let policy = dir.join("audit-policy.yaml");
            std::fs::write(&policy, AUDIT_POLICY).map_err(prepare("the audit policy"))?;
            args.push(flag("audit-policy-file", policy.display()));
            args.push(flag("audit-log-path", files.audit_log().display()));
        }
        etcd.wait(READY_WITHIN, async || {
            tokio::net::UnixStream::connect(&socket).await.map(drop).map_err(|error| error.to_string())
        })
        .await?;
        let mut apiserver = Process::spawn("kube-apiserver", &binaries.kube_apiserver, &args, &logs)?;
        apiserver.wait(READY_WITHIN, async || get(&client, "/readyz").await).await?;
        Ok((credentials, client, apiserver, etcd))
    }

    /// The kubeconfig of `system:masters`.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.credentials.kubeconfig
    }

    /// Where the components log.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.files.logs()
    }

    /// One line of JSON, an `audit.k8s.io/v1` Event, for each call of a service account; with [`ControlPlane::start_audited`].
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.files.audit_log()
    }

    /// Starts kube-scheduler, in place of one that runs, and returns when its informers have synced. `config` is a
    /// KubeSchedulerConfiguration in YAML without `clientConnection` and `leaderElection`, which are added here: no election, and
    /// a client that binds 1,000 pods/s instead of 50.
    ///
    /// It authenticates as `system:kube-scheduler`, with the RBAC rules that kube-apiserver ships for it.
    ///
    /// # Errors
    /// When it does not accept the configuration or is not ready in time; its log is kept then.
    pub async fn start_scheduler(&mut self, config: &str) -> Result<(), StartError> {
        let path = self.files.dir.path().join("scheduler.yaml");
        let kubeconfig = self.credentials.scheduler_kubeconfig.display();
        let whole = format!(
            "{}\nclientConnection:\n  kubeconfig: {kubeconfig}\n  qps: 1000\n  burst: 2000\nleaderElection:\n  leaderElect: false\n",
            config.trim_end()
        );
        std::fs::write(&path, whole).map_err(prepare("the scheduler's configuration"))?;
        self.start_scheduler_with(scheduler_args(&path)).await
    }

    /// The same with these arguments, the configuration's file and who it authenticates as among them; where it listens and with
    /// which certificate is added here.
    ///
    /// # Errors
    /// As [`ControlPlane::start_scheduler`].
    pub async fn start_scheduler_with(&mut self, args: Vec<String>) -> Result<(), StartError> {
        self.scheduler = None;
        let started = self.scheduler_ready(args).await;
        match started {
            Ok(scheduler) => {
                self.scheduler = Some(scheduler);
                Ok(())
            }
            Err(error) => {
                self.files.keep_logs();
                Err(error)
            }
        }
    }

    /// Ends kube-scheduler, where one runs.
    pub fn stop_scheduler(&mut self) {
        self.scheduler = None;
    }

    /// CPU time that etcd, kube-apiserver and kube-scheduler have used, as far as they run and the system tells.
    #[must_use]
    pub fn cpu(&self) -> [Option<Duration>; 3] {
        [self.etcd.cpu(), self.apiserver.cpu(), self.scheduler.as_ref().and_then(Process::cpu)]
    }

    /// What it runs.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    async fn scheduler_ready(&self, mut args: Vec<String>) -> Result<Process, StartError> {
        let port = free_port()?;
        let client = client(&self.credentials.kubeconfig, Some(port)).await?;
        let Credentials { cert, key, .. } = &self.credentials;
        // Of a flag that is given twice the last counts.
        args.extend([
            flag("bind-address", "127.0.0.1"),
            flag("secure-port", port),
            flag("tls-cert-file", cert.display()),
            flag("tls-private-key-file", key.display()),
        ]);
        let mut scheduler = Process::spawn("kube-scheduler", &self.binaries.kube_scheduler, &args, &self.files.logs())?;
        scheduler.wait(READY_WITHIN, async || get(&client, "/readyz").await).await?;
        Ok(scheduler)
    }
}

/// Port 0 is not accepted by kube-apiserver and turns kube-scheduler's endpoint off, so a port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, StartError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(prepare("a port"))?;
    Ok(listener.local_addr().map_err(prepare("a port"))?.port())
}

/// A client with the credentials of `kubeconfig`, for another `port` of the same host where given.
async fn client(kubeconfig: &Path, port: Option<u16>) -> Result<Client, StartError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StartError::Client(error);
    let file = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(error.into()))?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(error.into()))?;
    if let Some(port) = port {
        let url = format!("https://127.0.0.1:{port}");
        config.cluster_url = url.parse().map_err(|error: http::uri::InvalidUri| failed(error.into()))?;
    }
    Client::try_from(config).map_err(|error| failed(error.into()))
}

async fn get(client: &Client, path: &str) -> Result<(), String> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    client.request_text(request).await.map(drop).map_err(|error| error.to_string())
}

pub(crate) fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

fn etcd_args(dir: &Path, socket: &Path) -> Vec<String> {
    vec![
        flag("data-dir", dir.join("data/etcd").display()),
        flag("listen-client-urls", format_args!("unix://{}", socket.display())),
        // Must be host:port and is used by nobody: the only client is told the socket.
        flag("advertise-client-urls", "http://127.0.0.1:0"),
        flag("listen-peer-urls", "http://127.0.0.1:0"),
        // The data does not outlive the test.
        "--unsafe-no-fsync".to_owned(),
        flag("log-level", "warn"),
    ]
}

fn apiserver_args(credentials: &Credentials, socket: &Path, port: u16) -> Vec<String> {
    let Credentials { cert, key, tokens, .. } = credentials;
    vec![
        flag("etcd-servers", format_args!("unix://{}", socket.display())),
        flag("bind-address", "127.0.0.1"),
        flag("advertise-address", "127.0.0.1"),
        flag("secure-port", port),
        // Endpoints of Service `kubernetes` may not be on loopback.
        flag("endpoint-reconciler-type", "none"),
        flag("tls-cert-file", cert.display()),
        flag("tls-private-key-file", key.display()),
        flag("token-auth-file", tokens.display()),
        flag("authorization-mode", "RBAC"),
        flag("service-cluster-ip-range", "10.100.0.0/16"),
        flag("service-account-issuer", "https://127.0.0.1"),
        flag("service-account-key-file", cert.display()),
        flag("service-account-signing-key-file", key.display()),
        flag("disable-admission-plugins", "TaintNodesByCondition,ServiceAccount"),
    ]
}

fn scheduler_args(config: &Path) -> Vec<String> {
    vec![
        flag("config", config.display()),
        flag("authorization-always-allow-paths", "/healthz,/livez,/readyz,/metrics"),
        flag("authentication-skip-lookup", "true"),
    ]
}
