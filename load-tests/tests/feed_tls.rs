//! The feed over mutual TLS, from a whole advisor to a whole extender.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::Credentials;
use headroom_advisor::aws::Connection;
use headroom_advisor::{Clock, config as advisor};
use headroom_extender::config as extender;
use headroom_lab::Lab;
use headroom_lab::scenario::Scenario;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

const WITHIN: Duration = Duration::from_secs(30);

/// `ca.crt`, `server.crt`, `client.crt` with their keys, all for 127.0.0.1.
fn certificates(dir: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(dir.join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for name in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(dir.join(name).with_extension("key"), key.serialize_pem()).unwrap();
        std::fs::write(dir.join(name).with_extension("crt"), cert.pem()).unwrap();
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn start_advisor(lab: &Lab, cluster_name: &str, file: impl Fn(&str) -> PathBuf) -> headroom_advisor::Handle {
    let config = advisor::Config {
        cluster_name: cluster_name.to_owned(),
        aws: advisor::Aws { region: Some("us-west-2".to_owned()), ..advisor::Aws::default() },
        tls: Some(advisor::Tls {
            cert_file: file("server.crt"),
            key_file: file("server.key"),
            client_ca_file: Some(file("ca.crt")),
        }),
        ..advisor::Config::default()
    };
    let credentials = Credentials::new("lab", "lab", None, None, "lab");
    let aws = Connection::at(&config.aws, lab.aws_url(), credentials).await.unwrap();
    let options = headroom_advisor::Options {
        config,
        kubeconfig: Some(lab.kubeconfig().to_owned()),
        context: None,
        grpc_listen: any_port(),
        admin_listen: any_port(),
        clock: Clock::system(),
        aws: Some(aws),
    };
    headroom_advisor::run(options, std::future::pending()).await.unwrap()
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
    let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let url: http::Uri = format!("http://{}/metrics", extender.admin_addr).parse().unwrap();
    let mut text = String::new();
    let found = async {
        while !text.lines().any(|found| found == line) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let body = client.get(url.clone()).await.unwrap().into_body().collect().await.unwrap();
            text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
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
    certificates(dir.path());
    let file = |name: &str| dir.path().join(name);
    let advisor = start_advisor(&lab, &cluster, file).await;
    let feed = extender::Feed {
        endpoint: vec![format!("https://{}", advisor.grpc_addr)],
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
