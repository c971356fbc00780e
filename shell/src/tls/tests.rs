//! Real sockets and handshakes. Files are swapped as kubelet swaps those of a Secret volume.

mod authority;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, Version};
use axum::routing::post;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Acceptor, Certificates, TlsError, follow};
use crate::listen::serve;
use crate::metrics::Served;
use authority::{Authority, Secret};

/// 2030-01-01T00:00:00Z.
const EXPIRY_SECS: u64 = 1_893_456_000;

/// Metrics and how they are read.
struct Counted {
    registry: Registry,
    served: Served,
}

impl Counted {
    fn new() -> Counted {
        let mut registry = Registry::default();
        let served = Served::new(&["grpc"], &["admin"]);
        served.register(&mut registry);
        Counted { registry, served }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

async fn start(acceptor: Acceptor) -> (SocketAddr, Counted) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let counted = Counted::new();
    let router = Router::new().route("/", post(async |body: String| body));
    tokio::spawn(serve(listener, counted.served.by("grpc"), Some(acceptor), router, std::future::pending()));
    (addr, counted)
}

/// A client that trusts `authority`, has `certificate` and speaks `alpn`.
async fn connect(
    addr: SocketAddr,
    authority: &Authority,
    certificate: Option<&(String, String)>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![cert], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::from(addr.ip()), stream).await
}

type Sender = http1::SendRequest<Body>;

async fn http1(stream: TlsStream<TcpStream>) -> Sender {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn call(sender: &mut Sender) -> Result<(), hyper::Error> {
    let request = Request::post("/").header("host", "headroom").body(Body::from("hello")).unwrap();
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_11));
    let body = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
    assert_eq!(body, "hello");
    Ok(())
}

/// The certificate that the server showed, as DER.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

#[tokio::test]
async fn one_tls_connection_carries_many_calls() {
    let authority = Authority::new();
    let (cert, key) = authority.issue();
    let secret = Secret::with(&cert, &key, "");
    let certificates = Certificates::load(secret.config(false)).unwrap();
    let (addr, counted) = start(certificates.acceptor()).await;
    // kube-scheduler's client offers both.
    let stream = connect(addr, &authority, None, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut sender = http1(stream).await;
    for _ in 0..100 {
        call(&mut sender).await.unwrap();
    }
    let text = counted.text();
    assert!(text.contains(r#"connections_total{listener="grpc"} 1"#), "{text}");
}

#[tokio::test]
async fn a_client_that_speaks_only_http2_is_served() {
    let authority = Authority::new();
    let (cert, key) = authority.issue();
    let certificates = Certificates::load(Secret::with(&cert, &key, "").config(false)).unwrap();
    let (addr, _) = start(certificates.acceptor()).await;
    let stream = connect(addr, &authority, None, &["h2"]).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("https://{addr}/")).body(Body::from("hello")).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
}

#[tokio::test]
async fn mutual_tls_refuses_a_client_without_a_certificate_of_its_ca() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (cert, key) = authority.issue();
    let secret = Secret::with(&cert, &key, &authority.pem);
    let certificates = Certificates::load(secret.config(true)).unwrap();
    let (addr, counted) = start(certificates.acceptor()).await;
    for certificate in [None, Some(stranger.issue())] {
        // In TLS 1.3 the client is done before the server has looked at it; the refusal comes with the first read.
        if let Ok(stream) = connect(addr, &authority, certificate.as_ref(), &["http/1.1"]).await {
            assert!(call(&mut http1(stream).await).await.is_err());
        }
    }
    let known = authority.issue();
    let stream = connect(addr, &authority, Some(&known), &["http/1.1"]).await.unwrap();
    assert!(call(&mut http1(stream).await).await.is_ok());
    let text = counted.text();
    assert!(text.contains(r#"tls_handshake_errors_total{listener="grpc"} 2"#), "{text}");
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_a_broken_one_for_none() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(), authority.issue());
    let mut secret = Secret::with(&first.0, &first.1, "");
    let mut certificates = Certificates::load(secret.config(false)).unwrap();
    let (addr, _) = start(certificates.acceptor()).await;
    let stream = connect(addr, &authority, None, &["http/1.1"]).await.unwrap();
    assert_eq!(shown(&stream), der(&first.0));
    let mut open = http1(stream).await;
    assert!(certificates.look().is_none(), "nothing changed");

    secret.put(&second.0, &second.1, "");
    assert!(matches!(certificates.look(), Some(Ok(()))));
    let stream = connect(addr, &authority, None, &["http/1.1"]).await.unwrap();
    assert_eq!(shown(&stream), der(&second.0));
    assert!(call(&mut open).await.is_ok(), "the open connection survives");

    secret.put(&first.0, &second.1, "");
    let refused = certificates.look();
    assert!(matches!(refused, Some(Err(TlsError::Mismatch { .. }))), "{refused:?}");
    assert!(certificates.look().is_none(), "told once");
    secret.put(&first.0, "", "");
    assert!(matches!(certificates.look(), Some(Err(TlsError::Pem { key: "key_file", .. }))));
    std::fs::remove_file(secret.path("tls.crt")).unwrap();
    assert!(matches!(certificates.look(), Some(Err(TlsError::Read { key: "cert_file", .. }))));
    assert!(certificates.look().is_none(), "told once");
    let stream = connect(addr, &authority, None, &["http/1.1"]).await.unwrap();
    assert_eq!(shown(&stream), der(&second.0));
}

#[tokio::test]
async fn a_new_client_ca_refuses_those_of_the_old_one() {
    let (authority, next) = (Authority::new(), Authority::new());
    let (cert, key) = authority.issue();
    let mut secret = Secret::with(&cert, &key, &authority.pem);
    let mut certificates = Certificates::load(secret.config(true)).unwrap();
    let (addr, _) = start(certificates.acceptor()).await;
    secret.put(&cert, &key, &next.pem);
    assert!(matches!(certificates.look(), Some(Ok(()))));
    let (old, new) = (authority.issue(), next.issue());
    if let Ok(stream) = connect(addr, &authority, Some(&old), &["http/1.1"]).await {
        assert!(call(&mut http1(stream).await).await.is_err());
    }
    let stream = connect(addr, &authority, Some(&new), &["http/1.1"]).await.unwrap();
    assert!(call(&mut http1(stream).await).await.is_ok());
}

#[tokio::test]
async fn reloads_are_counted_and_the_expiry_is_shown() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(), authority.issue());
    let mut secret = Secret::with(&first.0, &first.1, "");
    let certificates = Certificates::load(secret.config(false)).unwrap();
    let counted = Counted::new();
    assert!(!counted.text().contains("expiry_timestamp_seconds{"), "no series without a certificate");
    tokio::spawn(follow(certificates, counted.served.clone(), Duration::from_millis(10)));
    let until = async |line: &str| {
        let seen = async {
            while !counted.text().contains(line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), seen).await;
        assert!(waited.is_ok(), "{line}\n{}", counted.text());
    };
    let seconds = f64::from(u32::try_from(EXPIRY_SECS).unwrap());
    until(&format!(r#"tls_certificate_expiry_timestamp_seconds{{certificate="server"}} {seconds:?}"#)).await;
    secret.put(&first.0, &second.1, "");
    until(r#"tls_reloads_total{result="refused"} 1"#).await;
    secret.put(&second.0, &second.1, "");
    until(r#"tls_reloads_total{result="accepted"} 1"#).await;
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_keeps_nobody_waiting() {
    let authority = Authority::new();
    let (cert, key) = authority.issue();
    let certificates = Certificates::load(Secret::with(&cert, &key, "").config(false)).unwrap();
    let (addr, _) = start(certificates.acceptor()).await;
    let _silent = TcpStream::connect(addr).await.unwrap();
    let stream = connect(addr, &authority, None, &["http/1.1"]).await.unwrap();
    assert!(call(&mut http1(stream).await).await.is_ok());
}

#[test]
fn errors_name_the_key_and_the_file() {
    let authority = Authority::new();
    let (cert, key) = authority.issue();
    let error = |cert: &str, key: &str, client_ca: &str| {
        let secret = Secret::with(cert, key, client_ca);
        Certificates::load(secret.config(true)).unwrap_err().to_string()
    };
    for (text, expected) in [
        (error("", &key, &authority.pem), ["tls.cert_file: '", "tls.crt' holds no certificate in PEM form"]),
        (error(&cert, &cert, &authority.pem), ["tls.key_file: '", "tls.key' holds no private key in PEM form"]),
        (error(&cert, &key, "nothing"), ["tls.client_ca_file: '", "ca.crt' holds no certificate in PEM form"]),
        (
            error(&cert, &authority.issue().1, &authority.pem),
            ["tls.key_file: '", "is not the private key of tls.cert_file '"],
        ),
    ] {
        assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    }
}
