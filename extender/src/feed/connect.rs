//! One HTTP/2 connection to an advisor and the one call on it.
//!
//! tonic's own channel would bring balancing, buffering and reconnecting for many calls; this client makes a single one, and
//! what it needs of a connection is hyper's.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use headroom_proto::v1::capacity_feed_client::CapacityFeedClient;
use headroom_proto::v1::{CapacityUpdate, WatchRequest};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::{Code, Status, Streaming};

use super::FeedError;
use super::tls;
use crate::config;

/// From the name to the first answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection whose peer is gone without a word is found out in twice this time, heartbeats or not.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Why a connection is no use.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) class: FeedError,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(class: FeedError, cause: &dyn std::error::Error) -> Failure {
        let mut message = cause.to_string();
        let mut cause = cause.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Failure { class, message }
    }

    fn connect(cause: &dyn std::error::Error) -> Failure {
        Failure::new(FeedError::Connect, cause)
    }

    pub(super) fn status(status: &Status) -> Failure {
        let class = match status.code() {
            // Of the transport, not of the advisor.
            _ if std::error::Error::source(status).is_some() => FeedError::Connect,
            Code::Unavailable | Code::ResourceExhausted => FeedError::Refused,
            _ => FeedError::Protocol,
        };
        Failure::new(class, status)
    }
}

/// A stream of updates; dropping it closes the connection.
pub(super) struct Watching {
    pub(super) updates: Streaming<CapacityUpdate>,
    /// The connection ends with its last sender.
    _sender: SendRequest<Body>,
    _driver: JoinSet<()>,
}

/// Connects to `endpoint`, which the configuration has checked, and asks for updates. Certificates are read anew each time.
pub(super) async fn watch(endpoint: &Uri, config: &config::Feed, request: WatchRequest) -> Result<Watching, Failure> {
    let watching = tokio::time::timeout(CONNECT_TIMEOUT, connect(endpoint, config, request)).await;
    watching.unwrap_or_else(|_| {
        Err(Failure { class: FeedError::Connect, message: format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()) })
    })
}

async fn connect(endpoint: &Uri, config: &config::Feed, request: WatchRequest) -> Result<Watching, Failure> {
    let host = endpoint.host().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_tls = endpoint.scheme_str() == Some("https");
    let port = endpoint.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await.map_err(|error| Failure::connect(&error))?;
    tcp.set_nodelay(true).map_err(|error| Failure::connect(&error))?;
    let io: Box<dyn Io> = if is_tls {
        let failed = |error: &dyn std::error::Error| Failure::new(FeedError::Tls, error);
        let client = tls::client(config).map_err(|error| failed(&error))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let connector = TlsConnector::from(Arc::new(client));
        Box::new(connector.connect(name, tcp).await.map_err(|error| failed(&error))?)
    } else {
        Box::new(tcp)
    };
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| Failure::connect(&error))?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "feed connection ended");
        }
    });
    let mut one = sender.clone();
    let service = tower::service_fn(move |request| one.send_request(request));
    let mut client = CapacityFeedClient::with_origin(service, endpoint.clone());
    let updates = client.watch(request).await.map_err(|status| Failure::status(&status))?.into_inner();
    Ok(Watching { updates, _sender: sender, _driver: driver })
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
