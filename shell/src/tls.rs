//! Certificates of the listeners: read from files, and read again when the files change.
//!
//! Files are polled, not watched: a Secret volume swaps a symlink two levels up, which file notification on the files misses.

mod files;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::metrics::Served;
use files::{Files, Loaded};

/// How often the files are looked at. kubelet itself takes up to a minute to bring a changed Secret into a volume.
pub const POLL: Duration = Duration::from_secs(5);

/// Files in PEM form. They are looked at every 5 s and loaded anew when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate, then its intermediates. Required.
    pub cert_file: PathBuf,
    /// Its private key. Required.
    pub key_file: PathBuf,
    /// CAs of client certificates; every client must then have one that is for client authentication. Default null: none is asked for.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

/// Why a certificate cannot be served.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls.{key}: failed to read '{}'", path.display())]
    Read {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("tls.{key}: '{}' holds no {what} in PEM form", path.display())]
    Pem {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong, where the file holds some PEM.
        source: Option<rustls::pki_types::pem::Error>,
    },
    /// The key belongs to another certificate.
    #[error("tls.key_file: '{}' is not the private key of tls.cert_file '{}'", key_file.display(), cert_file.display())]
    Mismatch {
        /// The file of the key.
        key_file: PathBuf,
        /// The file of the certificate.
        cert_file: PathBuf,
    },
    /// A certificate or key that rustls does not take.
    #[error("tls.{key}: '{}' is not accepted: {problem}", path.display())]
    Rejected {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// rustls's words.
        problem: String,
    },
}

/// Accepts TLS connections with the certificate that is current when they come. Sessions are kept with the configuration, so none
/// is resumed past a change of the client CAs.
#[derive(Clone, Debug)]
pub struct Acceptor(Arc<ArcSwap<ServerConfig>>);

impl Acceptor {
    pub(crate) fn accept(&self, stream: TcpStream) -> tokio_rustls::Accept<TcpStream> {
        TlsAcceptor::from(self.0.load_full()).accept(stream)
    }
}

/// The files behind an [`Acceptor`].
#[derive(Debug)]
pub struct Certificates {
    config: Tls,
    acceptor: Acceptor,
    /// What was loaded or refused last; `None` where it could not be read.
    seen: Option<Files>,
    expiry: Expiry,
}

/// Ends of validity, Unix time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expiry {
    cert_secs: u64,
    /// Of the CA certificate that ends first.
    client_ca_secs: Option<u64>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// When one of them cannot be read, holds something else, or key and certificate do not match.
    pub fn load(config: Tls) -> Result<Certificates, TlsError> {
        let files = Files::read(&config)?;
        let Loaded { server, expiry } = files.load(&config)?;
        let acceptor = Acceptor(Arc::new(ArcSwap::new(server)));
        Ok(Certificates { config, acceptor, seen: Some(files), expiry })
    }

    /// For a listener. It follows every reload.
    #[must_use]
    pub fn acceptor(&self) -> Acceptor {
        self.acceptor.clone()
    }

    /// Looks at the files again; open connections stay as they are. `None` where nothing changed since the last look.
    ///
    /// # Errors
    /// As [`Certificates::load`], once for each change. The certificate that was loaded before stays in use.
    pub fn look(&mut self) -> Option<Result<(), TlsError>> {
        let files = match Files::read(&self.config) {
            Ok(files) if self.seen.as_ref() == Some(&files) => return None,
            Ok(files) => files,
            Err(error) => return self.seen.take().map(|_| Err(error)),
        };
        // Files that are being replaced one by one are for the next look.
        if Files::read(&self.config).ok().as_ref() != Some(&files) {
            return None;
        }
        let loaded = files.load(&self.config);
        self.seen = Some(files);
        Some(loaded.map(|Loaded { server, expiry }| {
            self.acceptor.0.store(server);
            self.expiry = expiry;
        }))
    }

    fn show(&self, metrics: &Served) {
        metrics.expires("server", self.expiry.cert_secs);
        if let Some(secs) = self.expiry.client_ca_secs {
            metrics.expires("client_ca", secs);
        }
    }
}

/// Looks at the files every `poll` for as long as it is polled.
pub async fn follow(mut certificates: Certificates, metrics: Served, poll: Duration) {
    certificates.show(&metrics);
    loop {
        tokio::time::sleep(poll).await;
        let looked = tokio::task::spawn_blocking(move || {
            let change = certificates.look();
            (certificates, change)
        });
        let Ok((back, change)) = looked.await else { return };
        certificates = back;
        match change {
            None => continue,
            Some(Ok(())) => tracing::info!(expires_unix_secs = certificates.expiry.cert_secs, "certificate reloaded"),
            Some(Err(ref error)) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(%error, cause, "unable to reload the certificate, the one before stays in use");
            }
        }
        metrics.reloaded(matches!(change, Some(Ok(()))));
        certificates.show(&metrics);
    }
}

#[cfg(test)]
mod tests;
