//! A CA for tests.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A CA that writes the certificates that it signs into a folder.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
}

impl Authority {
    /// A new one, whose own certificate is `ca.crt` in `dir`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn new(dir: &Path) -> Result<Authority> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(dir.join("ca.crt"), params.self_signed(&key)?.pem())?;
        Ok(Authority { issuer: Issuer::new(params, key), dir: dir.to_owned() })
    }

    /// `NAME.crt` and `NAME.key`, for 127.0.0.1.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn issue(&self, name: &str) -> Result<()> {
        let key = KeyPair::generate()?;
        let cert = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &self.issuer)?;
        std::fs::write(self.dir.join(name).with_extension("key"), key.serialize_pem())?;
        std::fs::write(self.dir.join(name).with_extension("crt"), cert.pem())?;
        Ok(())
    }
}
