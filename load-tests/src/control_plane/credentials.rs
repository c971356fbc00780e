//! One certificate for both endpoints, bearer tokens for who calls.

use std::path::{Path, PathBuf};

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::{StartError, prepare};

/// Files that let components and tests talk to kube-apiserver.
#[derive(Debug)]
pub(super) struct Credentials {
    /// Self-signed, for 127.0.0.1; clients trust it as it is.
    pub(super) cert: PathBuf,
    /// Its key, which signs service account tokens too.
    pub(super) key: PathBuf,
    /// kube-apiserver's `--token-auth-file`.
    pub(super) tokens: PathBuf,
    /// Of group `system:masters`.
    pub(super) kubeconfig: PathBuf,
    /// Of user `system:kube-scheduler`.
    pub(super) scheduler_kubeconfig: PathBuf,
}

impl Credentials {
    /// Writes all of them into `dir`, for a kube-apiserver at `server`.
    pub(super) fn write(dir: &Path, server: &str) -> Result<Credentials, StartError> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).map(|()| path).map_err(prepare("credentials"))
        };
        // Loopback only and gone with the test: who may read the directory may do anything there.
        let tokens = "admin,admin,admin,system:masters\nscheduler,system:kube-scheduler,scheduler\n";
        let cert = write("apiserver.crt", &cert.pem())?;
        let kubeconfig = |token| kubeconfig(server, &cert, token);
        Ok(Credentials {
            key: write("apiserver.key", &signing_key.serialize_pem())?,
            tokens: write("tokens.csv", tokens)?,
            kubeconfig: write("admin.kubeconfig", &kubeconfig("admin"))?,
            scheduler_kubeconfig: write("scheduler.kubeconfig", &kubeconfig("scheduler"))?,
            cert,
        })
    }
}

fn kubeconfig(server: &str, ca: &Path, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: control-plane
contexts:
- name: control-plane
  context: {{cluster: control-plane, user: {token}}}
clusters:
- name: control-plane
  cluster: {{server: {server}, certificate-authority: {}}}
users:
- name: {token}
  user: {{token: {token}}}
",
        ca.display()
    )
}
