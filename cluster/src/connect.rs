//! From a kubeconfig to a client.

use std::path::Path;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use thiserror::Error;

/// A connection to one API server; cheap to clone.
pub type Client = kube::Client;

/// A watch that cannot connect must fail, back off and say so long before readers call the state stale.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A list, or the start of a watch, that an API server took and never answers would otherwise be waited for without end. Longer
/// than a healthy watch is silent: see `WATCH_SECS` in `watch.rs`.
const READ_TIMEOUT: Duration = Duration::from_secs(70);

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The kubeconfig file could not be read or lacks what is needed.
    #[error("failed to load kubeconfig '{path}'")]
    Kubeconfig {
        /// The file.
        path: String,
        /// The cause.
        source: Box<kube::config::KubeconfigError>,
    },
    /// Neither `KUBECONFIG`, `~/.kube/config` nor a service account could be used.
    #[error(
        "no kubeconfig given and none found in KUBECONFIG, ~/.kube/config or the service account; pass --kubeconfig"
    )]
    Infer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client could not be built, for want of a usable certificate for one.
    #[error("failed to build the Kubernetes client for {server}")]
    Client {
        /// The API server's URL.
        server: String,
        /// The cause.
        source: Box<kube::Error>,
    },
}

/// A client for the cluster of `kubeconfig`, or, without one, of `KUBECONFIG`, `~/.kube/config` or the pod's service account.
/// `context` names a context other than the current one. Nothing is sent yet.
///
/// # Errors
/// When the configuration cannot be read or gives no usable client.
pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client, ConnectError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let mut config = match kubeconfig {
        Some(path) => {
            let failed =
                |source| ConnectError::Kubeconfig { path: path.display().to_string(), source: Box::new(source) };
            let file = Kubeconfig::read_from(path).map_err(failed)?;
            Config::from_custom_kubeconfig(file, &options).await.map_err(failed)?
        }
        None if context.is_some() => {
            Config::from_kubeconfig(&options).await.map_err(|error| ConnectError::Infer(Box::new(error)))?
        }
        None => Config::infer().await.map_err(|error| ConnectError::Infer(Box::new(error)))?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    let server = config.cluster_url.to_string();
    Client::try_from(config).map_err(|source| ConnectError::Client { server, source: Box::new(source) })
}
