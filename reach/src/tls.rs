//! The handshake. Whatever the certificate is worth the connection is kept for one request without secrets: its answer tells whose
//! clock is wrong, and who it is that stands in between.

mod verifier;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::cause::Cause;
use crate::dns::{Trouble, secs};
use verifier::Recorder;

/// The CAs that are trusted.
#[derive(Clone, Debug)]
pub struct Roots {
    provider: Arc<CryptoProvider>,
    /// `None` where there are none.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Roots {
    /// Those of this machine, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`: the AWS SDK trusts the same.
    #[must_use]
    pub fn native() -> Roots {
        Roots::of(rustls_native_certs::load_native_certs().certs)
    }

    /// These. What is no certificate is left out.
    #[must_use]
    pub fn of(certificates: Vec<CertificateDer<'static>>) -> Roots {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
        Roots { provider, verifier: verifier.build().ok() }
    }
}

/// Shakes hands as `host`. The connection where there is one, and what is wrong with it.
pub(crate) async fn handshake(
    stream: TcpStream,
    host: &str,
    roots: &Roots,
    deadline: Duration,
) -> (Option<TlsStream<TcpStream>>, Result<String, Trouble>) {
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return (None, Err(Trouble::new(Cause::CertName, format!("no certificate can be for the name '{host}'"))));
    };
    let recorder = Arc::new(Recorder::new(Arc::clone(&roots.provider), roots.verifier.clone()));
    let config = ClientConfig::builder_with_provider(Arc::clone(&roots.provider)).with_safe_default_protocol_versions();
    let config = config.expect("the provider has suites of TLS 1.2 and 1.3");
    let config = config.dangerous().with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<_>);
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    match timeout(deadline, connector.connect(name, stream)).await {
        Err(_) => (
            None,
            Err(Trouble::new(Cause::TlsTimeout, format!("does not finish the handshake within {}", secs(deadline)))),
        ),
        Ok(Err(error)) => (None, Err(refused(&error))),
        Ok(Ok(stream)) => {
            let whose = whose(&stream);
            let verdict = match recorder.verdict() {
                _ if roots.verifier.is_none() => {
                    Err(Trouble::new(Cause::NoTrustedRoots, "cannot be verified: no CA is trusted here"))
                }
                Some(error) => Err(unfit(&error, &whose, host)),
                None => Ok(format!("{}, {whose}", version(&stream))),
            };
            (Some(stream), verdict)
        }
    }
}

fn version(stream: &TlsStream<TcpStream>) -> &'static str {
    match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    }
}

/// `certificate of <subject>, issued by <issuer>`.
fn whose(stream: &TlsStream<TcpStream>) -> String {
    let first = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let Some(Ok(certificate)) = first.map(|der| Certificate::from_der(der)) else {
        return "a certificate that cannot be read".to_owned();
    };
    let certificate = certificate.tbs_certificate();
    format!(
        "certificate of {}, issued by {}",
        named(certificate.subject().to_string()),
        named(certificate.issuer().to_string())
    )
}

fn named(name: String) -> String {
    if name.is_empty() { "nobody".to_owned() } else { name }
}

fn refused(error: &io::Error) -> Trouble {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            Trouble::new(Cause::TlsReset, "resets the connection during the handshake")
        }
        ErrorKind::UnexpectedEof => Trouble::new(Cause::TlsReset, "closes the connection during the handshake"),
        _ => Trouble::new(Cause::TlsRefused, format!("does not shake hands ({error})")),
    }
}

fn unfit(error: &rustls::Error, whose: &str, host: &str) -> Trouble {
    use CertificateError as E;
    let cause = match error {
        rustls::Error::InvalidCertificate(E::UnknownIssuer) => Cause::CertUntrusted,
        rustls::Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => Cause::CertName,
        rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => Cause::CertExpired,
        rustls::Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => Cause::CertNotYetValid,
        _ => Cause::CertInvalid,
    };
    let detail = match cause {
        Cause::CertUntrusted => format!("shows a {whose}, whom nobody here trusts"),
        Cause::CertName => format!("shows a {whose}, and not for {host}"),
        _ => format!("shows a {whose}: {error}"),
    };
    Trouble::new(cause, detail)
}
