//! TLS before a plain listener.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::authority::Identity;
use super::held::Held;

/// Ends TLS and leads on in plain text.
#[derive(Debug)]
pub struct TlsFront {
    addr: SocketAddr,
    _task: Held,
}

impl TlsFront {
    /// One that leads to `target` and shows `identity`.
    ///
    /// # Errors
    /// When no port is free or the identity cannot be shown.
    pub async fn start(target: SocketAddr, identity: Identity) -> io::Result<TlsFront> {
        let Identity { certificate, key } = identity;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key));
        let config = config.and_then(|config| config).map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        Ok(TlsFront { addr, _task: Held::spawn(serve(listener, target, TlsAcceptor::from(Arc::new(config)))) })
    }

    /// Where it is.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, acceptor: TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            let mut stream = acceptor.accept(stream).await?;
            copy_bidirectional(&mut stream, &mut TcpStream::connect(target).await?).await
        });
        while connections.try_join_next().is_some() {}
    }
}
