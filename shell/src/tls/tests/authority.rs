//! A CA, and the certificates that it signs as kubelet puts them into a volume.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use crate::tls::Tls;

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key for 127.0.0.1.
    pub(super) fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2030, 1, 1);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A Secret volume: the files are links into `..data`, itself a link that kubelet replaces.
pub(super) struct Secret {
    dir: TempDir,
    versions: u32,
}

impl Secret {
    pub(super) fn with(cert: &str, key: &str, client_ca: &str) -> Secret {
        let mut secret = Secret { dir: TempDir::new().unwrap(), versions: 0 };
        secret.put(cert, key, client_ca);
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(name), secret.path(name)).unwrap();
        }
        secret
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn put(&mut self, cert: &str, key: &str, client_ca: &str) {
        self.versions += 1;
        let version = self.path(&format!("..{}", self.versions));
        std::fs::create_dir(&version).unwrap();
        for (name, pem) in [("tls.crt", cert), ("tls.key", key), ("ca.crt", client_ca)] {
            std::fs::write(version.join(name), pem).unwrap();
        }
        symlink(&version, self.path("..data_tmp")).unwrap();
        std::fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
    }

    pub(super) fn config(&self, mutual: bool) -> Tls {
        let client_ca_file = mutual.then(|| self.path("ca.crt"));
        Tls { cert_file: self.path("tls.crt"), key_file: self.path("tls.key"), client_ca_file }
    }
}
