//! Ladders on loopback: one that is whole, and some on which something hangs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;
use headroom_reach::{
    Cause, Deadlines, Endpoint, Kind, Ladder, Lookup, Means, Nameserver, Network, ResolvConf, Roots, Service, Signed,
    SignedRead, Stage, Verdict, climb, diagnose,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

const HOST: &str = "autoscaling.us-west-2.amazonaws.com";
const SHORT: Duration = Duration::from_millis(200);

/// What the system resolver finds; `None` for one that hangs.
struct Found(Option<Vec<IpAddr>>);

impl Lookup for Found {
    fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async {
            match &self.0 {
                Some(found) => Ok(found.clone()),
                None => std::future::pending().await,
            }
        })
    }
}

/// What AWS says; `None` for one that hangs.
struct Says(Option<SignedRead>);

impl Signed for Says {
    fn read<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, SignedRead> {
        Box::pin(async {
            match &self.0 {
                Some(read) => read.clone(),
                None => std::future::pending().await,
            }
        })
    }
}

fn deadlines() -> Deadlines {
    Deadlines { dns: SHORT, slow_dns: SHORT / 2, system: SHORT, tcp: SHORT, tls: SHORT, http: SHORT, signed: 4 * SHORT }
}

fn network(nameserver: SocketAddr) -> Network {
    let resolv = ResolvConf { nameservers: vec![nameserver], ..ResolvConf::parse("search a b\noptions ndots:5") };
    let also = Nameserver { address: "127.0.0.1:9".parse().unwrap(), kind: Kind::Vpc, configured: false };
    Network { resolv: Ok(resolv), also: vec![also], vpc_cidrs: Vec::new(), endpoint_addresses: Default::default() }
}

async fn run(port: u16, nameserver: SocketAddr, found: Found, roots: &Roots, says: Says) -> (Ladder, Duration) {
    let endpoint = Endpoint::parse(Service::AutoScaling, &format!("https://{HOST}:{port}")).unwrap();
    let means = Means { lookup: &found, roots, signed: &says, now: &SystemTime::now };
    let started = Instant::now();
    let ladder = climb(&endpoint, &network(nameserver), &deadlines(), &means).await;
    (ladder, started.elapsed())
}

fn here() -> Found {
    Found(Some(vec![Ipv4Addr::LOCALHOST.into()]))
}

fn answered() -> Says {
    Says(Some(SignedRead::Answered { call: "DescribeAutoScalingGroups".to_owned() }))
}

/// Answers one line of HTTP to every connection, with a certificate for `name`.
async fn aws(name: &str, answer: &'static str) -> (u16, Roots) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let roots = Roots::of(vec![cert.der().clone()]);
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let Ok(mut stream) = acceptor.accept(listener.accept().await.unwrap().0).await else { continue };
            let mut request = [0; 1024];
            let _: usize = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    });
    (port, roots)
}

const ANSWER: &str = "HTTP/1.1 302 Found\r\nlocation: https://aws.amazon.com/\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_whole_ladder_passes_though_the_nameserver_is_silent() {
    let (port, roots) = aws(HOST, ANSWER).await;
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (ladder, took) = run(port, silent.local_addr().unwrap(), here(), &roots, answered()).await;
    assert!(ladder.passed() && took < 2 * SHORT, "{took:?} {ladder:#?}");
    assert!(matches!(ladder.verdict(Stage::Nameserver), Verdict::Warned(_)));
    assert_eq!(ladder.warnings()[0].cause, Cause::DnsTimeout);
}

#[tokio::test]
async fn every_stage_ends_at_its_deadline() {
    // Neither answers: the one has no reader, the other never accepts.
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stalled = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = stalled.local_addr().unwrap().port();
    let nameserver = silent.local_addr().unwrap();
    let roots = Roots::of(Vec::new());
    let slack = SHORT;
    let (ladder, took) = run(port, nameserver, Found(None), &roots, Says(None)).await;
    assert!(took <= deadlines().longest() + slack, "{took:?}");
    assert_eq!(diagnose(&ladder).map(|said| said.cause), Some(Cause::DnsTimeout), "{ladder:#?}");
    let (ladder, took) = run(port, nameserver, here(), &roots, Says(None)).await;
    assert!(took <= deadlines().longest() + slack, "{took:?}");
    assert_eq!(diagnose(&ladder).map(|said| said.cause), Some(Cause::TlsTimeout), "{ladder:#?}");
    for step in &ladder.steps {
        assert!(step.took <= 4 * SHORT + slack / 2, "{step:?}");
    }
}

#[tokio::test]
async fn whoever_shows_a_certificate_for_another_name_is_named() {
    let (port, roots) = aws("proxy.example.com", ANSWER).await;
    let (ladder, _) = run(port, "127.0.0.1:9".parse().unwrap(), here(), &roots, answered()).await;
    let said = diagnose(&ladder).unwrap();
    assert_eq!((said.stage, said.cause), (Stage::Tls, Cause::CertName));
    assert!(matches!(ladder.verdict(Stage::Http), Verdict::Passed), "it is asked all the same");
    let (ladder, _) = run(port, "127.0.0.1:9".parse().unwrap(), here(), &Roots::of(Vec::new()), answered()).await;
    assert_eq!(diagnose(&ladder).unwrap().cause, Cause::NoTrustedRoots);
}

#[tokio::test]
async fn a_name_from_the_hosts_file_needs_no_nameserver() {
    let (port, roots) = aws(HOST, ANSWER).await;
    let endpoint = Endpoint::parse(Service::AutoScaling, &format!("https://{HOST}:{port}")).unwrap();
    let nobody =
        Network { resolv: Ok(ResolvConf::default()), also: Vec::new(), ..network("127.0.0.1:9".parse().unwrap()) };
    let climb = async |found: &Found| {
        let means = Means { lookup: found, roots: &roots, signed: &answered(), now: &SystemTime::now };
        climb(&endpoint, &nobody, &deadlines(), &means).await
    };
    let ladder = climb(&here()).await;
    assert!(ladder.passed(), "{ladder:#?}");
    assert_eq!(ladder.warnings()[0].cause, Cause::NoNameserver);
    let ladder = climb(&Found(Some(Vec::new()))).await;
    assert_eq!(diagnose(&ladder).unwrap().cause, Cause::NoNameserver);
}

#[tokio::test]
async fn a_second_address_that_leads_nowhere_is_only_to_be_seen_to() {
    let (port, roots) = aws(HOST, ANSWER).await;
    let two = Found(Some(vec![Ipv4Addr::new(127, 0, 0, 99).into(), Ipv4Addr::LOCALHOST.into()]));
    let (ladder, _) = run(port, "127.0.0.1:9".parse().unwrap(), two, &roots, answered()).await;
    assert!(ladder.passed(), "{ladder:#?}");
    assert!(ladder.warnings().iter().any(|warning| warning.cause == Cause::TcpRefused));
}

#[tokio::test]
async fn nobody_at_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let refused = SignedRead::NoAnswer { message: "connect".to_owned() };
    let (ladder, _) = run(port, "127.0.0.1:9".parse().unwrap(), here(), &Roots::native(), Says(Some(refused))).await;
    let said = diagnose(&ladder).unwrap();
    assert_eq!((said.stage, said.cause), (Stage::Tcp, Cause::TcpRefused));
    assert!(ladder.stops_at(Stage::Clock) && ladder.stops_at(Stage::SignedRead));
}
