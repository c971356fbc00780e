//! Wiring: watches, writer and the two listeners, in one process or in a test.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::{Config, ConfigError};

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
}

/// Why it did not start or did not go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no client for the cluster.
    #[error("failed to connect to Kubernetes")]
    Connect(#[from] headroom_cluster::ConnectError),
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

/// Binds both listeners, starts the watches and returns at once; `/readyz` tells when the state is complete. When `shutdown`
/// resolves, open requests are answered and everything ends.
///
/// # Errors
/// When the kubeconfig gives no client or an address cannot be bound.
pub async fn run<S>(options: Options, shutdown: S) -> Result<Handle, RunError>
where
    S: Future<Output = ()> + Send + 'static,
{
    let _client = headroom_cluster::connect(options.kubeconfig.as_deref(), options.context.as_deref()).await?;
    let bind = |addr: SocketAddr| async move {
        tokio::net::TcpListener::bind(addr).await.map_err(|source| RunError::Listen { addr, source })
    };
    let listener = bind(options.listen).await?;
    let admin = bind(options.admin_listen).await?;
    let local = |listener: &tokio::net::TcpListener, addr| {
        listener.local_addr().map_err(|source| RunError::Listen { addr, source })
    };
    let (addr, admin_addr) = (local(&listener, options.listen)?, local(&admin, options.admin_listen)?);
    let done = tokio::spawn(async move {
        shutdown.await;
        Ok(())
    });
    Ok(Handle { addr, admin_addr, done })
}
