//! What the tests with an API server of their own share.

use serde_json::json;

/// A kubeconfig for `server` without credentials.
pub(crate) fn kubeconfig(server: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": server}}],
        "users": [{"name": "fake", "user": {}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
    });
    std::fs::write(file.path(), config.to_string()).unwrap();
    file
}
