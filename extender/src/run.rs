//! Wiring: watches, writer and listeners, in one process or in a test.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headroom_shell::admin;
use headroom_shell::listen::{self, BindError, bind};
use headroom_shell::supervise::{Supervised, Supervisor, TaskError};
use headroom_shell::tls::{self, Certificates, TlsError};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::core::{Clock, Core};
use crate::index::KINDS;
use crate::metrics::Listener;
use crate::{feed, grpc, http, waker, writer};

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
    #[error(transparent)]
    Listen(#[from] BindError),
    /// A task ended or panicked that must run for as long as the process does.
    #[error(transparent)]
    Task(#[from] TaskError),
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
    done: Supervised,
}

impl Handle {
    /// Waits until shutdown is complete.
    ///
    /// # Errors
    /// When a task ended before it was asked to.
    pub async fn wait(self) -> Result<(), RunError> {
        Ok(self.done.wait().await?)
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
    let (admin_listener, admin_addr) = bind(options.admin_listen).await?;
    let grpc = match options.grpc_listen {
        Some(addr) => Some(bind(addr).await?),
        None => None,
    };
    let clock = Clock::start();
    let core = Arc::new(Core::new(options.config));
    let mut tasks = Supervisor::new(Duration::from_secs(core.config.http.drain_secs));
    let headroom_cluster::Watch { events, tasks: watches } = headroom_cluster::watch_kinds(&client, &KINDS);
    for (kind, watch) in watches {
        tasks.watch(format!("watch {}", kind.label()), watch);
    }
    let (changes, told) = mpsc::channel(feed::client::PENDING);
    tasks.watch("writer", writer::write(events, told, Arc::clone(&core), clock));
    if core.config.feed.is_on() {
        tasks.watch("feed", feed::client::follow(Arc::clone(&core), changes));
    }
    if core.config.wake_up.enabled {
        tasks.watch("waker", waker::wake(client, Arc::clone(&core), clock));
    }
    let tls = certificates.as_ref().map(Certificates::acceptor);
    if let Some(certificates) = certificates {
        tasks.watch("certificates", tls::follow(certificates, core.metrics.served.clone(), tls::POLL));
    }
    let connections = |listener: Listener| core.metrics.served.by(listener.label());
    let router = http::extender(Arc::clone(&core), clock);
    let served = listen::serve(listener, connections(Listener::Extender), tls.clone(), router, tasks.stopped());
    tasks.serve("extender listener", served);
    let router = admin::router(Arc::clone(&core));
    let served = listen::serve(admin_listener, connections(Listener::Admin), None, router, tasks.stopped());
    tasks.serve("admin listener", served);
    let grpc_addr = grpc.as_ref().map(|(_, addr)| *addr);
    if let Some((listener, _)) = grpc {
        let (router, health) = grpc::services(&core, clock, tasks.stopped()).await;
        let served = listen::serve(listener, connections(Listener::Grpc), tls, router, tasks.stopped());
        tasks.serve("gRPC listener", served);
        tasks.serve("gRPC health", health);
    }
    Ok(Handle { addr, admin_addr, grpc_addr, done: tasks.start(shutdown) })
}
