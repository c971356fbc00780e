//! Wiring: watches and listeners, in one process or in a test.

mod status;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headroom_shell::listen::{self, BindError, bind};
use headroom_shell::supervise::{Supervised, Supervisor, TaskError};
use headroom_shell::tls::{self, Certificates, TlsError};
use headroom_shell::{admin, grpc};
use thiserror::Error;

use crate::config::Config;
use status::Status;

/// How long open calls may take to finish on shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// What `run` needs beside the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it observes and tells.
    pub config: Config,
    /// The kubeconfig; `None` takes `KUBECONFIG`, `~/.kube/config` or the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context other than the current one.
    pub context: Option<String>,
    /// Where gRPC is served; port 0 takes a free one.
    pub grpc_listen: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are; port 0 takes a free one.
    pub admin_listen: SocketAddr,
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

/// A running advisor.
#[derive(Debug)]
pub struct Handle {
    /// Where gRPC is served.
    pub grpc_addr: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub admin_addr: SocketAddr,
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
/// resolves, open calls are answered and everything ends.
///
/// # Errors
/// When the kubeconfig gives no client, the certificate cannot be served or an address cannot be bound.
pub async fn run<S>(options: Options, shutdown: S) -> Result<Handle, RunError>
where
    S: Future<Output = ()> + Send + 'static,
{
    let client = headroom_cluster::connect(options.kubeconfig.as_deref(), options.context.as_deref()).await?;
    let certificates = options.config.tls.map(Certificates::load).transpose()?;
    let (grpc_listener, grpc_addr) = bind(options.grpc_listen).await?;
    let (admin_listener, admin_addr) = bind(options.admin_listen).await?;
    let status = Arc::new(Status::new());
    let mut tasks = Supervisor::new(DRAIN);
    let headroom_cluster::Watch { events, tasks: watches } = headroom_cluster::watch(&client);
    for (kind, watch) in watches {
        tasks.watch(format!("watch {}", kind.label()), watch);
    }
    tasks.watch("state", status::follow(events, Arc::clone(&status)));
    let acceptor = certificates.as_ref().map(Certificates::acceptor);
    if let Some(certificates) = certificates {
        tasks.watch("certificates", tls::follow(certificates, status.served.clone(), tls::POLL));
    }
    let (router, health) =
        grpc::standard(&[], &[headroom_proto::FILE_DESCRIPTOR_SET], status.readiness(), tasks.stopped()).await;
    tasks.serve("gRPC health", health);
    let served = listen::serve(grpc_listener, status.served.by(status::GRPC), acceptor, router, tasks.stopped());
    tasks.serve("gRPC listener", served);
    let router = admin::router(Arc::clone(&status));
    let served = listen::serve(admin_listener, status.served.by(status::ADMIN), None, router, tasks.stopped());
    tasks.serve("admin listener", served);
    Ok(Handle { grpc_addr, admin_addr, done: tasks.start(shutdown) })
}
