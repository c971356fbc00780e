//! The same as Cluster Autoscaler has it: over TLS, from the first byte of the message to the answer.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::TryStreamExt as _;
use headroom_advisor::config::{Config, Expander, Observe, Tls};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_proto::grpcplugin::BestOptionsResponse;
use headroom_shell::listen::{bind, serve};
use headroom_shell::metrics::Served;
use headroom_shell::tls::Certificates;
use http::Request;
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::{Size, request};
use crate::advisor::{Advisor, Place};
use crate::authority::Authority;
use crate::page::get;

/// Of 16,379 addresses each.
const SUBNETS: u32 = 4;
/// The advisor has books after a round; seconds on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Milliseconds of each call but the first, and of as many beside them that bring the same bytes to a server that only reads them: what of a
/// call is neither the advisor's nor to be had cheaper from it.
pub(super) async fn calls(size: Size) -> Result<(Vec<f64>, Vec<f64>)> {
    let dir = tempfile::tempdir()?;
    Authority::new(dir.path())?.issue("server")?;
    let scenario = Scenario::parse("expander.yaml", &scenario(size.groups)).context("the scenario is written here")?;
    let lab = Lab::start(scenario, Options { rate: Some(10.0), ..Options::default() }).await?;
    let advisor = Advisor::start(Place::lab(&lab), config(dir.path())).await?;
    let began = Instant::now();
    while let Err(error) = get(advisor.admin_addr(), "/readyz").await {
        ensure!(began.elapsed() < READY_WITHIN, "the advisor does not get ready: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ca = dir.path().join("ca.crt");
    let mut asked = Peer::connect(advisor.grpc_addr(), &ca).await?;
    let (reader, served) = reader(dir.path()).await?;
    let mut sent = Peer::connect(reader, &ca).await?;
    let frame = frame(&request(size))?;
    let (mut calls, mut transfers) = (Vec::new(), Vec::new());
    for round in 0..size.rounds {
        let began = Instant::now();
        let named = asked.best_options(frame.clone()).await?;
        let called = Instant::now();
        sent.call(frame.clone()).await?;
        let transferred = Instant::now();
        if round > 0 {
            calls.push((called - began).as_secs_f64() * 1e3);
            transfers.push((transferred - called).as_secs_f64() * 1e3);
        }
        ensure!(!named.options.is_empty(), "no group was named");
    }
    let metrics = get(advisor.admin_addr(), "/metrics").await.map_err(|error| anyhow!("{error}"))?;
    let fits = "headroom_advisor_expander_answers_total{outcome=\"fits\"} ";
    let fits = metrics.lines().find_map(|line| line.strip_prefix(fits)).unwrap_or("0");
    ensure!(fits == size.rounds.to_string(), "{fits} of {} answers were of groups that are known and fit", size.rounds);
    served.abort();
    advisor.stop().await?;
    Ok((calls, transfers))
}

/// A server on the same listener as the advisor's, that reads a message and answers nothing.
async fn reader(dir: &Path) -> Result<(SocketAddr, JoinHandle<()>)> {
    let acceptor = Certificates::load(tls(dir))?.acceptor();
    let (listener, addr) = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let router = Router::new().fallback(async |message: Body| {
        let mut frames = message.into_data_stream();
        while let Ok(Some(_)) = frames.try_next().await {}
    });
    let connections = Served::new(&["reader"], &[]).by("reader");
    Ok((addr, tokio::spawn(serve(listener, connections, Some(acceptor), router, std::future::pending()))))
}

/// Groups that share subnets in which the nodes that are asked for have room.
fn scenario(groups: u32) -> String {
    let mut text = "vpc: { cidr: 10.0.0.0/16 }\nsubnets:\n".to_owned();
    for at in 0..SUBNETS {
        writeln!(text, "  - {{ name: s{at}, az: us-west-2a, cidr: 10.0.{}.0/18 }}", at * 64)
            .expect("a string takes any text");
    }
    text.push_str("cni: { env: { WARM_IP_TARGET: \"1\", MINIMUM_IP_TARGET: \"20\" } }\nnodeGroups:\n");
    // The lab takes 5,000 nodes in all.
    let max = 5000 / groups;
    for at in 0..groups {
        // The advisor finds the VPC by a node.
        let desired = u32::from(at == 0);
        writeln!(
            text,
            "  - {{ name: workers-{at}, instanceType: m5.large, min: 0, max: {max}, desired: {desired}, subnets: [s{}] }}",
            at % SUBNETS
        )
        .expect("a string takes any text");
    }
    text
}

fn config(dir: &Path) -> Config {
    Config {
        cluster_name: "headroom-lab".to_owned(),
        observe: Observe { subnets_secs: 5, enis_secs: 10, instances_secs: 10, groups_secs: 10, ..Observe::default() },
        expander: Expander {
            enabled: true,
            cluster_autoscaler_version: Some("1.36.0".to_owned()),
            ..Expander::default()
        },
        tls: Some(tls(dir)),
        ..Config::default()
    }
}

fn tls(dir: &Path) -> Tls {
    Tls { cert_file: dir.join("server.crt"), key_file: dir.join("server.key"), client_ca_file: None }
}

/// A gRPC message: not compressed, its length, its bytes.
fn frame(message: &[u8]) -> Result<Bytes> {
    let length = u32::try_from(message.len()).context("a gRPC message has a length of 32 bits")?;
    let head: Vec<u8> = std::iter::once(0).chain(length.to_be_bytes()).collect();
    Ok([head.as_slice(), message].concat().into())
}

struct Peer {
    addr: SocketAddr,
    client: SendRequest<Full<Bytes>>,
}

impl Peer {
    async fn connect(addr: SocketAddr, ca: &Path) -> Result<Peer> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(addr.ip().to_string())?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(addr).await?).await?;
        let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Peer { addr, client })
    }

    async fn call(&mut self, frame: Bytes) -> Result<Collected<Bytes>> {
        let uri = format!("https://{}/grpcplugin.Expander/BestOptions", self.addr);
        let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
        let answer = self.client.send_request(request.body(Full::new(frame))?).await?;
        ensure!(answer.status().is_success(), "the call was not answered: {}", answer.status());
        Ok(answer.into_body().collect().await?)
    }

    async fn best_options(&mut self, frame: Bytes) -> Result<BestOptionsResponse> {
        let body = self.call(frame).await?;
        let status = body.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned();
        ensure!(status.as_ref().is_some_and(|status| status == "0"), "the call was refused: status {status:?}");
        let bytes = body.to_bytes();
        Ok(BestOptionsResponse::decode(bytes.get(5..).context("an answer has a message")?)?)
    }
}
