//! The client's side of TLS. Files are read for each connection, so that renewed ones are used from the next on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use crate::config::Feed;

/// Why no TLS connection can be tried.
#[derive(Debug, Error)]
pub(super) enum TlsError {
    #[error("feed.{key}: failed to read '{}'", path.display())]
    Pem { key: &'static str, path: PathBuf, source: pem::Error },
    #[error("feed.{key}: '{}' holds no certificate in PEM form", path.display())]
    Empty { key: &'static str, path: PathBuf },
    #[error("feed.ca_file: required for an endpoint that begins with https://")]
    NoCa,
    #[error("feed.ca_file, feed.cert_file or feed.key_file is not accepted")]
    Rejected(#[from] rustls::Error),
}

/// Trusts the CAs of `ca_file` only, and shows the client certificate where there is one.
pub(super) fn client(config: &Feed) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("ca_file", config.ca_file.as_deref().ok_or(TlsError::NoCa)?)? {
        roots.add(authority)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut client = match (&config.cert_file, &config.key_file) {
        (Some(cert), Some(key)) => {
            let failed = |source| TlsError::Pem { key: "key_file", path: key.clone(), source };
            builder.with_client_auth_cert(
                certificates("cert_file", cert)?,
                PrivateKeyDer::from_pem_file(key).map_err(failed)?,
            )?
        }
        _ => builder.with_no_client_auth(),
    };
    client.alpn_protocols = vec![b"h2".to_vec()];
    Ok(client)
}

/// At least one.
fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { key, path: path.to_owned(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(TlsError::Empty { key, path: path.to_owned() }) } else { Ok(found) }
}
