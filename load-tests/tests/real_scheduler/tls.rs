//! kube-scheduler's own client over mutual TLS, and a certificate that is renewed meanwhile.

use headroom_load_tests::authority::Authority;

use crate::cluster::{Cluster, eventually, node};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kube_scheduler_keeps_its_mutual_tls_connection_over_a_renewal() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let authority = Authority::new(dir.path()).unwrap();
    authority.issue("server").unwrap();
    authority.issue("client").unwrap();
    let (cert, key, ca) = (path("server.crt"), path("server.key"), path("ca.crt"));
    let config = format!("tls: {{cert_file: {cert}, key_file: {key}, client_ca_file: {ca}}}");
    let (cert, key) = (path("client.crt"), path("client.key"));
    let tls = format!("\n  tlsConfig: {{caFile: {ca}, certFile: {cert}, keyFile: {key}}}");
    let cluster = Cluster::start_with(&config, Some(&tls)).await;
    let bound = async |wanted: usize| {
        let bound = cluster.pods().await.iter().filter(|pod| node(pod).is_some()).count();
        if bound == wanted { Ok(()) } else { Err(format!("{bound} bound")) }
    };

    cluster.create_pods((0..5).map(|n| format!("before-{n}")), false).await;
    eventually("5 pods are bound", async || bound(5).await).await;
    authority.issue("server").unwrap();
    eventually("the new certificate is taken", async || {
        let accepted = cluster.metric(r#"headroom_extender_tls_reloads_total{result="accepted"}"#).await;
        if accepted >= 1.0 { Ok(()) } else { Err(accepted) }
    })
    .await;
    cluster.create_pods((0..5).map(|n| format!("after-{n}")), false).await;
    eventually("10 pods are bound", async || bound(10).await).await;

    let connections = cluster.metric(r#"headroom_extender_connections_total{listener="extender"}"#).await;
    assert_eq!(connections, 1.0, "one connection before and after");
    let failed = cluster.metric(r#"headroom_extender_tls_handshake_errors_total{listener="extender"}"#).await;
    assert_eq!(failed, 0.0);
    cluster.stop().await;
}
