//! The file by which clients find the lab.

/// A kubeconfig whose only context is the server at `url`, `http://127.0.0.1:8001` for example. The lab asks for no
/// credentials.
#[must_use]
pub fn kubeconfig(url: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
  - name: headroom-lab
    cluster:
      server: {url}
users:
  - name: headroom-lab
    user: {{}}
contexts:
  - name: headroom-lab
    context:
      cluster: headroom-lab
      user: headroom-lab
      namespace: default
current-context: headroom-lab
"
    )
}
