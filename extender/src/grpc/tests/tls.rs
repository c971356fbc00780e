//! From a client's handshake to the metrics; what else TLS does is tested where it is done, in `headroom_shell`.

use std::net::SocketAddr;
use std::sync::Arc;

use headroom_proto::v1::FilterRequest;
use headroom_proto::v1::extender_client::ExtenderClient;
use headroom_proto::v1::filter_response::Answer;
use headroom_shell::listen::serve;
use headroom_shell::tls::{Certificates, Tls};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::service_fn;

use super::{names, pod, ready, router};
use crate::config::Config;
use crate::metrics::Listener;

/// A certificate for 127.0.0.1 that is its own CA, and what both sides show.
struct Pair {
    dir: TempDir,
    cert: String,
    key: String,
}

impl Pair {
    fn new() -> Pair {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        let pair = Pair { dir: TempDir::new().unwrap(), cert, key: key.serialize_pem() };
        std::fs::write(pair.dir.path().join("tls.crt"), &pair.cert).unwrap();
        std::fs::write(pair.dir.path().join("tls.key"), &pair.key).unwrap();
        pair
    }

    fn config(&self) -> Tls {
        let cert_file = self.dir.path().join("tls.crt");
        Tls { key_file: self.dir.path().join("tls.key"), client_ca_file: Some(cert_file.clone()), cert_file }
    }

    fn client(&self, shows_it: bool) -> ClientConfig {
        let cert = CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let mut config = match shows_it {
            true => builder.with_client_auth_cert(vec![cert], key).unwrap(),
            false => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

async fn connect(addr: SocketAddr, client: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(Arc::new(client)).connect(ServerName::from(addr.ip()), stream).await
}

#[tokio::test]
async fn grpc_is_served_with_mutual_tls() {
    let (pair, core) = (Pair::new(), ready(Config::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let acceptor = Certificates::load(pair.config()).unwrap().acceptor();
    let connections = core.metrics.served.by(Listener::Grpc.label());
    tokio::spawn(serve(listener, connections, Some(acceptor), router(&core).await, std::future::pending()));

    // In TLS 1.3 the client is done before the server has looked at it; the refusal comes with the first read.
    if let Ok(mut stream) = connect(addr, pair.client(false)).await {
        assert!(stream.read(&mut [0]).await.is_err());
    }
    let stream = connect(addr, pair.client(true)).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let channel = service_fn(move |request| sender.clone().send_request(request));
    let mut client = ExtenderClient::with_origin(channel, format!("https://{addr}").parse().unwrap());
    for _ in 0..3 {
        let request = FilterRequest { pod: pod("u"), node_names: names(&["n1"]) };
        let reply = client.filter(request).await.unwrap().into_inner();
        assert!(matches!(reply.answer, Some(Answer::Passed(passed)) if passed.node_names == ["n1"]));
    }
    let text = core.metrics_text().unwrap();
    for line in [
        r#"headroom_extender_connections_total{listener="grpc"} 2"#,
        r#"headroom_extender_tls_handshake_errors_total{listener="grpc"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
