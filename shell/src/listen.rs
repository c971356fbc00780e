//! Connections: accepted, counted, without Nagle's delay, and with TLS where it is configured.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener as Listen, ListenerExt as _};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use crate::metrics::Connections;
use crate::tls::Acceptor;

/// Go's client gives up after 10 s too (`utilnet.SetTransportDefaults`).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// More wait in the kernel's backlog.
const MAX_HANDSHAKES: usize = 64;

/// An address could not be bound.
#[derive(Debug, Error)]
#[error("failed to listen on {addr}")]
pub struct BindError {
    /// The address.
    pub addr: SocketAddr,
    /// The cause.
    pub source: std::io::Error,
}

/// Binds `addr`; port 0 takes a free one. The second value is the address that it has become.
///
/// # Errors
/// When it cannot be bound.
pub async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

/// Serves until `shutdown` resolves; then idle connections are closed and open requests answered, HTTP/1.1 with
/// `Connection: close`, HTTP/2 after GOAWAY. HTTP/2 is spoken where the client starts with it.
///
/// No timer is installed: hyper would close connections that idle for 30 s, and kube-scheduler reuses them for 90 s.
pub async fn serve(
    tcp: TcpListener,
    connections: Connections,
    tls: Option<Acceptor>,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let served = match tls {
        Some(acceptor) => {
            let listener = Tls { tcp, connections, acceptor, handshakes: JoinSet::new() };
            axum::serve(listener, router).with_graceful_shutdown(shutdown).await
        }
        None => {
            let listener = tcp.tap_io(move |stream| accepted(stream, &connections));
            axum::serve(listener, router).with_graceful_shutdown(shutdown).await
        }
    };
    // Only what axum reserves for later.
    if let Err(error) = served {
        tracing::error!(%error, "listener failed");
    }
}

fn accepted(stream: &TcpStream, connections: &Connections) {
    connections.accepted();
    // Without it, the last segment of a reply waits for the client's delayed ACK.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::warn!(%error, "unable to set TCP_NODELAY");
    }
}

/// Handshakes run beside each other: a client that is slow to shake hands keeps nobody waiting.
struct Tls {
    tcp: TcpListener,
    connections: Connections,
    acceptor: Acceptor,
    handshakes: JoinSet<Result<(TlsStream<TcpStream>, SocketAddr), HandshakeFailed>>,
}

struct HandshakeFailed {
    peer: SocketAddr,
    /// `None` where the time was up.
    error: Option<std::io::Error>,
}

impl Listen for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, peer) = Listen::accept(&mut self.tcp), if self.handshakes.len() < MAX_HANDSHAKES => {
                    accepted(&stream, &self.connections);
                    self.handshakes.spawn(handshake(self.acceptor.accept(stream), peer));
                }
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err(failed)) => self.failed(&failed),
                    Err(error) => tracing::error!(%error, "TLS handshake panicked"),
                },
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Tls {
    fn failed(&self, HandshakeFailed { peer, error }: &HandshakeFailed) {
        let error = error.as_ref().map_or_else(|| "timed out".to_owned(), ToString::to_string);
        tracing::debug!(%peer, listener = self.connections.listener, error, "TLS handshake failed");
        self.connections.handshake_failed();
    }
}

async fn handshake(
    accept: tokio_rustls::Accept<TcpStream>,
    peer: SocketAddr,
) -> Result<(TlsStream<TcpStream>, SocketAddr), HandshakeFailed> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, accept).await {
        Ok(Ok(stream)) => Ok((stream, peer)),
        Ok(Err(error)) => Err(HandshakeFailed { peer, error: Some(error) }),
        Err(_) => Err(HandshakeFailed { peer, error: None }),
    }
}
