//! The feed over mutual TLS, from a whole advisor to a whole extender.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use headroom_advisor::config as advisor;
use headroom_extender::config as extender;
use headroom_lab::Lab;
use headroom_lab::scenario::Scenario;
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::authority::Authority;
use headroom_load_tests::page::get;

const WITHIN: Duration = Duration::from_secs(30);

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn start_advisor(lab: &Lab, cluster_name: &str, file: impl Fn(&str) -> PathBuf) -> Advisor {
    let tls = advisor::Tls {
        cert_file: file("server.crt"),
        key_file: file("server.key"),
        client_ca_file: Some(file("ca.crt")),
    };
    let config =
        advisor::Config { cluster_name: cluster_name.to_owned(), tls: Some(tls), ..advisor::Config::default() };
    Advisor::start(Place::lab(lab), config).await.unwrap()
}

async fn start_extender(lab: &Lab, feed: extender::Feed) -> headroom_extender::Handle {
    let options = headroom_extender::Options {
        config: extender::Config { feed, ..extender::Config::default() },
        kubeconfig: Some(lab.kubeconfig().to_owned()),
        context: None,
        listen: any_port(),
        admin_listen: any_port(),
        grpc_listen: None,
    };
    headroom_extender::run(options, std::future::pending()).await.unwrap()
}

/// Waits until the extender's metrics have this line.
async fn until(extender: &headroom_extender::Handle, line: &str) {
    let mut text = String::new();
    let found = async {
        while !text.lines().any(|found| found == line) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            text = get(extender.admin_addr, "/metrics").await.unwrap();
        }
    };
    let timed_out = tokio::time::timeout(WITHIN, found).await.is_err();
    assert!(!timed_out, "no '{line}' in {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_client_with_a_certificate_is_told() {
    let scenario = Scenario::bundled("r4-m5-large").unwrap().unwrap();
    let cluster = scenario.cluster_name.clone();
    let lab = Lab::start(scenario, headroom_lab::Options::default()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path()).unwrap();
    for name in ["server", "client"] {
        authority.issue(name).unwrap();
    }
    let file = |name: &str| dir.path().join(name);
    let advisor = start_advisor(&lab, &cluster, file).await;
    let feed = extender::Feed {
        endpoint: vec![format!("https://{}", advisor.grpc_addr())],
        ca_file: Some(file("ca.crt")),
        ..extender::Feed::default()
    };
    let nameless = start_extender(&lab, feed.clone()).await;
    let known = extender::Feed { cert_file: Some(file("client.crt")), key_file: Some(file("client.key")), ..feed };
    let known = start_extender(&lab, known).await;

    until(&known, "headroom_extender_feed_up{} 1").await;
    until(&nameless, "headroom_extender_feed_up{} 0").await;
    lab.shutdown().await;
}
