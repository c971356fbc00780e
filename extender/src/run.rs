//! Wiring: watches, writer and listeners, in one process or in a test.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::core::{Clock, Core};
use crate::metrics::Listener;
use crate::tls::{Certificates, TlsError};
use crate::{grpc, http, listen, tls, waker, writer};

/// What `serve` needs beside the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it decides by.
    pub config: Config,
    /// The kubeconfig; `None` takes `KUBECONFIG`, `~/.kube/config` or the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context other than the current one.
    pub context: Option<String>,
    /// Where kube-scheduler calls; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are; port 0 takes a free one.
    pub admin_listen: SocketAddr,
    /// Where gRPC is served, if it is; port 0 takes a free one.
    pub grpc_listen: Option<SocketAddr>,
}

/// Why it did not start or did not go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no client for the cluster.
    #[error("failed to connect to Kubernetes")]
    Connect(#[from] headroom_cluster::ConnectError),
    /// The certificate cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address could not be bound.
    #[error("failed to listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// A task ended or panicked that must run for as long as the process does.
    #[error("task '{task}' {how}")]
    Task {
        /// Which.
        task: String,
        /// `ended` or `panicked`.
        how: &'static str,
    },
}

/// A running extender.
#[derive(Debug)]
pub struct Handle {
    /// Where kube-scheduler calls.
    pub addr: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub admin_addr: SocketAddr,
    /// Where gRPC is served, if it is.
    pub grpc_addr: Option<SocketAddr>,
    done: tokio::task::JoinHandle<Result<(), RunError>>,
}

impl Handle {
    /// Waits until shutdown is complete.
    ///
    /// # Errors
    /// When a task ended before it was asked to.
    pub async fn wait(self) -> Result<(), RunError> {
        match self.done.await {
            Ok(result) => result,
            Err(_) => Err(RunError::Task { task: "supervisor".to_owned(), how: "panicked" }),
        }
    }
}

/// Binds the listeners, starts the watches and returns at once; `/readyz` tells when the state is complete. When `shutdown`
/// resolves, open requests are answered and everything ends.
///
/// # Errors
/// When the kubeconfig gives no client, the certificate cannot be served or an address cannot be bound.
pub async fn run<S>(options: Options, shutdown: S) -> Result<Handle, RunError>
where
    S: Future<Output = ()> + Send + 'static,
{
    let client = headroom_cluster::connect(options.kubeconfig.as_deref(), options.context.as_deref()).await?;
    let certificates = options.config.tls.clone().map(Certificates::load).transpose()?;
    let (listener, addr) = bind(options.listen).await?;
    let (admin, admin_addr) = bind(options.admin_listen).await?;
    let grpc = match options.grpc_listen {
        Some(addr) => Some(bind(addr).await?),
        None => None,
    };
    let clock = Clock::start();
    let core = Arc::new(Core::new(options.config));
    let (stop, stopped) = watch::channel(false);
    let stopped = || {
        let mut stopped = stopped.clone();
        // An error means that the supervisor is gone, which is a reason to stop too.
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    };
    let mut watching = JoinSet::new();
    let mut names = HashMap::new();
    let headroom_cluster::Watch { events, tasks } = headroom_cluster::watch(&client);
    for (kind, task) in tasks {
        names.insert(watching.spawn(task).id(), format!("watch {}", kind.label()));
    }
    names.insert(watching.spawn(writer::write(events, Arc::clone(&core), clock)).id(), "writer".to_owned());
    if core.config.wake_up.enabled {
        names.insert(watching.spawn(waker::wake(client, Arc::clone(&core), clock)).id(), "waker".to_owned());
    }
    let tls = certificates.as_ref().map(Certificates::acceptor);
    if let Some(certificates) = certificates {
        let task = tls::follow(certificates, Arc::clone(&core), tls::POLL);
        names.insert(watching.spawn(task).id(), "certificates".to_owned());
    }
    let mut serving = JoinSet::new();
    let mut serve = |(listener, kind, tls, router): (_, _, _, _), name: &str| {
        let served = listen::serve(listener, kind, Arc::clone(&core), tls, router, stopped());
        names.insert(serving.spawn(async { log_io(served.await) }).id(), name.to_owned());
    };
    serve((listener, Listener::Extender, tls.clone(), http::extender(Arc::clone(&core), clock)), "extender listener");
    serve((admin, Listener::Admin, None, http::admin(Arc::clone(&core))), "admin listener");
    let grpc_addr = grpc.as_ref().map(|(_, addr)| *addr);
    if let Some((listener, _)) = grpc {
        let (router, health) = grpc::services(&core, clock, stopped()).await;
        serve((listener, Listener::Grpc, tls, router), "gRPC listener");
        names.insert(serving.spawn(health).id(), "gRPC health".to_owned());
    }
    let drain = Duration::from_secs(core.config.http.drain_secs);
    let supervisor = Supervisor { watching, serving, names, stop, drain };
    Ok(Handle { addr, admin_addr, grpc_addr, done: tokio::spawn(supervisor.run(shutdown)) })
}

async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

fn log_io(result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(%error, "listener failed");
    }
}

/// Every task of the process. None may end by itself: a watch that died silently would leave decisions to a stale state.
struct Supervisor {
    watching: JoinSet<()>,
    serving: JoinSet<()>,
    names: HashMap<tokio::task::Id, String>,
    stop: watch::Sender<bool>,
    drain: Duration,
}

impl Supervisor {
    async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let ended = tokio::select! {
            () = shutdown => None,
            ended = self.watching.join_next_with_id() => ended,
            ended = self.serving.join_next_with_id() => ended,
        };
        let result = match ended {
            None => {
                tracing::info!("shutting down");
                Ok(())
            }
            Some(ended) => {
                let (id, how) = match &ended {
                    Ok((id, ())) => (*id, "ended"),
                    Err(error) => (error.id(), "panicked"),
                };
                let task = self.names.remove(&id).unwrap_or_default();
                tracing::error!(%task, how, "a task that must keep running is gone");
                Err(RunError::Task { task, how })
            }
        };
        self.stop.send_replace(true);
        let drained = async { while self.serving.join_next().await.is_some() {} };
        if tokio::time::timeout(self.drain, drained).await.is_err() {
            tracing::warn!(drain_secs = self.drain.as_secs(), "requests still open at the end of the drain time");
        }
        self.serving.shutdown().await;
        self.watching.shutdown().await;
        result
    }
}
