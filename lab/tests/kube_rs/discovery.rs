//! How clients find out what there is.

use headroom_lab::kube::resource::{Access, RESOURCES};
use kube::discovery::{Discovery, Scope, verbs};

use super::Cluster;

#[tokio::test]
async fn both_discovery_formats_show_the_whole_table() {
    let cluster = Cluster::start().await;
    let legacy = Discovery::new(cluster.client.clone()).run().await.unwrap();
    let aggregated = Discovery::new(cluster.client.clone()).run_aggregated().await.unwrap();
    for discovery in [legacy, aggregated] {
        for expected in RESOURCES {
            let group = discovery.get(expected.group).unwrap();
            let (resource, capabilities) = group
                .versioned_resources(expected.version)
                .into_iter()
                .find(|(resource, _)| resource.plural == expected.plural)
                .unwrap_or_else(|| panic!("{} is missing", expected.qualified()));
            assert_eq!((resource.kind.as_str(), resource.api_version), (expected.kind, expected.api_version()));
            assert_eq!(capabilities.scope == Scope::Namespaced, expected.namespaced, "{}", expected.qualified());
            assert_eq!(capabilities.supports_operation(verbs::PATCH), expected.access == Access::Full);
            let status = capabilities.subresources.iter().any(|(sub, _)| sub.plural.ends_with("status"));
            assert_eq!(status, expected.has_status(), "{}", expected.qualified());
        }
    }
}

#[tokio::test]
async fn server_says_what_it_is() {
    let cluster = Cluster::start().await;
    let version = cluster.client.apiserver_version().await.unwrap();
    assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "35"));
    for path in ["/livez", "/readyz", "/healthz"] {
        let request = axum::http::Request::get(path).body(Vec::new()).unwrap();
        assert_eq!(cluster.client.request_text(request).await.unwrap(), "ok");
    }
}
