//! From PEM files to a rustls configuration.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ConfigBuilder, Error, InconsistentKeys, RootCertStore, ServerConfig, WantsVerifier};
use x509_cert::der::Decode as _;

use super::{Expiry, Tls, TlsError};

/// kube-scheduler offers both and gets HTTP/1.1, which costs less for one call at a time; gRPC clients offer only h2.
const ALPN: [&[u8]; 2] = [b"http/1.1", b"h2"];

/// The bytes of the files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What they give.
pub(super) struct Loaded {
    pub(super) server: Arc<ServerConfig>,
    pub(super) expiry: Expiry,
}

impl Files {
    pub(super) fn read(paths: &Tls) -> Result<Files, TlsError> {
        let read = |key, path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Read { key, path: path.to_owned(), source })
        };
        Ok(Files {
            cert: read("cert_file", &paths.cert_file)?,
            key: read("key_file", &paths.key_file)?,
            client_ca: paths.client_ca_file.as_deref().map(|path| read("client_ca_file", path)).transpose()?,
        })
    }

    pub(super) fn load(&self, paths: &Tls) -> Result<Loaded, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates("cert_file", &paths.cert_file, &self.cert)?;
        let cert_secs = earliest_end("cert_file", &paths.cert_file, &chain[..1])?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| TlsError::Pem {
            key: "key_file",
            path: paths.key_file.clone(),
            what: "private key",
            source: Some(source),
        })?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| rejected("cert_file", &paths.cert_file, &error))?;
        let (builder, client_ca_secs) = match (&paths.client_ca_file, &self.client_ca) {
            (Some(path), Some(pem)) => {
                let (builder, secs) = demand_client_certificates(builder, provider, path, pem)?;
                (builder, Some(secs))
            }
            _ => (builder.with_no_client_auth(), None),
        };
        let mut server = builder.with_single_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { key_file: paths.key_file.clone(), cert_file: paths.cert_file.clone() }
            }
            Error::General(_) => rejected("key_file", &paths.key_file, &error),
            error => rejected("cert_file", &paths.cert_file, &error),
        })?;
        server.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        Ok(Loaded { server: Arc::new(server), expiry: Expiry { cert_secs, client_ca_secs } })
    }
}

type Builder<State> = ConfigBuilder<ServerConfig, State>;

fn demand_client_certificates(
    builder: Builder<WantsVerifier>,
    provider: Arc<CryptoProvider>,
    path: &Path,
    pem: &[u8],
) -> Result<(Builder<rustls::server::WantsServerCert>, u64), TlsError> {
    const KEY: &str = "client_ca_file";
    let authorities = certificates(KEY, path, pem)?;
    let ends = earliest_end(KEY, path, &authorities)?;
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| rejected(KEY, path, &error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| rejected(KEY, path, &error))?;
    Ok((builder.with_client_cert_verifier(verifier), ends))
}

/// At least one.
fn certificates(key: &'static str, path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = |source| TlsError::Pem { key, path: path.to_owned(), what: "certificate", source };
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| none(Some(error)))?;
    if found.is_empty() { Err(none(None)) } else { Ok(found) }
}

/// Unix time in seconds at which the first of them ends to be valid.
fn earliest_end(key: &'static str, path: &Path, certificates: &[CertificateDer<'_>]) -> Result<u64, TlsError> {
    let ends = certificates.iter().map(|certificate| {
        let parsed = x509_cert::Certificate::from_der(certificate).map_err(|error| rejected(key, path, &error))?;
        Ok(parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
    });
    Ok(ends.collect::<Result<Vec<u64>, TlsError>>()?.into_iter().min().unwrap_or(0))
}

fn rejected(key: &'static str, path: &Path, problem: &dyn std::fmt::Display) -> TlsError {
    TlsError::Rejected { key, path: path.to_owned(), problem: problem.to_string() }
}
