//! A running lab.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use tempfile::TempPath;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::aws::{self, Vpc};
use crate::clock::Clock;
use crate::kube::{self, Store};
use crate::scenario::Scenario;
use crate::world::{Report, World, driver};

/// How to run a scenario, beside what its file says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Lab seconds per real second; left out, the scenario's.
    pub rate: Option<f64>,
    /// Port of the AWS APIs on 127.0.0.1, 0 for any.
    pub aws_port: u16,
    /// Port of the Kubernetes API on 127.0.0.1, 0 for any.
    pub kube_port: u16,
    /// Where to write the kubeconfig; left out, a temporary file.
    pub kubeconfig: Option<PathBuf>,
}

/// A running lab: both APIs answer on loopback, nodes and workloads live on its clock. Dropping it stops everything and
/// removes a temporary kubeconfig.
#[derive(Debug)]
pub struct Lab {
    clock: Clock,
    region: String,
    kube_url: String,
    aws_url: String,
    kubeconfig: Kubeconfig,
    vpc: Arc<Mutex<Vpc>>,
    store: Arc<Mutex<Store>>,
    reports: watch::Receiver<Arc<Report>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// How long open connections have to end at a shutdown.
const DRAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Kubeconfig {
    Kept(PathBuf),
    Temporary(TempPath),
}

impl Lab {
    /// Builds the scenario and serves it.
    ///
    /// # Errors
    /// When subnets or instances do not fit, a port is taken or the kubeconfig cannot be written.
    pub async fn start(scenario: Scenario, options: Options) -> Result<Lab> {
        let clock = Clock::running(options.rate.unwrap_or(scenario.clock.rate));
        let region = scenario.region.clone();
        let world = World::new(scenario, clock.now())?;
        let aws_listener = listen(options.aws_port, "aws-port").await?;
        let kube_listener = listen(options.kube_port, "kube-port").await?;
        let aws_url = format!("http://{}", aws_listener.local_addr()?);
        let kube_url = format!("http://{}", kube_listener.local_addr()?);
        let kubeconfig = Kubeconfig::write(options.kubeconfig, &kube::kubeconfig(&kube_url))?;
        let (stop, stopped) = watch::channel(false);
        let (publish, reports) = watch::channel(Arc::new(world.report()));
        let (vpc, store) = (world.vpc(), world.store());
        let aws = aws::router(vpc.clone(), clock.clone());
        let kube = kube::router(store.clone(), clock.clone()).merge(world.pod_proxy());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(aws_listener, aws, stopped.clone()));
        tasks.spawn(serve(kube_listener, kube, stopped.clone()));
        tasks.spawn(driver::run(world, clock.clone(), publish, stopped));
        Ok(Lab { clock, region, kube_url, aws_url, kubeconfig, vpc, store, reports, stop, tasks })
    }

    /// Base URL of the Kubernetes API, `http://127.0.0.1:port`.
    #[must_use]
    pub fn kube_url(&self) -> &str {
        &self.kube_url
    }

    /// Base URL of the AWS APIs, `http://127.0.0.1:port`.
    #[must_use]
    pub fn aws_url(&self) -> &str {
        &self.aws_url
    }

    /// The kubeconfig file.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        match &self.kubeconfig {
            Kubeconfig::Kept(path) => path,
            Kubeconfig::Temporary(path) => path,
        }
    }

    /// What a shell has to run so that kubectl and the AWS tools in it talk to the lab, wherever it is.
    #[must_use]
    pub fn exports(&self) -> String {
        let (region, aws_url) = (&self.region, &self.aws_url);
        let kubeconfig = self.kubeconfig();
        let kubeconfig = std::path::absolute(kubeconfig).unwrap_or_else(|_| kubeconfig.to_owned());
        // botocore, and with it boto3 and the AWS CLI of version 1, reads the second name of the region only.
        format!(
            "export KUBECONFIG='{}'\nexport AWS_ENDPOINT_URL={aws_url}\nexport AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\
             export AWS_ACCESS_KEY_ID=lab AWS_SECRET_ACCESS_KEY=lab AWS_EC2_METADATA_DISABLED=true\n",
            kubeconfig.display().to_string().replace('\'', "'\\''")
        )
    }

    /// The lab's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The VPC, to look into it and to change what AWS's APIs would not. The lab waits while it is held.
    pub fn vpc(&self) -> MutexGuard<'_, Vpc> {
        self.vpc.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as of at most a tenth of a real second ago.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::clone(&self.reports.borrow())
    }

    /// Stops everything and waits for it, a second at most for clients that hold on to their connections.
    pub async fn shutdown(mut self) {
        self.end();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(DRAIN, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }

    /// Watches would stay open for as long as their clients like.
    fn end(&self) {
        self.stop.send_replace(true);
        self.store.lock().unwrap_or_else(PoisonError::into_inner).break_watches();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end();
        self.tasks.detach_all();
    }
}

impl Kubeconfig {
    fn write(path: Option<PathBuf>, text: &str) -> Result<Kubeconfig> {
        if let Some(path) = path {
            fs::write(&path, text).with_context(|| format!("cannot write the kubeconfig to {}", path.display()))?;
            return Ok(Kubeconfig::Kept(path));
        }
        let mut file = tempfile::Builder::new().prefix("headroom-lab-").suffix(".kubeconfig").tempfile()?;
        file.write_all(text.as_bytes()).context("cannot write the temporary kubeconfig")?;
        Ok(Kubeconfig::Temporary(file.into_temp_path()))
    }
}

async fn listen(port: u16, option: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    listener.with_context(|| format!("cannot listen on 127.0.0.1:{port}; give another {option}, or 0 for any"))
}

/// Serves until `stop` says so, and what was asked before to its end.
async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(driver::stopped(stop)).await {
        tracing::error!(%error, "an API server has stopped");
    }
}

/// Waits for Ctrl-C or SIGTERM, whichever comes first: a lab that is stopped leaves no file behind.
///
/// # Errors
/// When a handler cannot be installed.
pub async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
