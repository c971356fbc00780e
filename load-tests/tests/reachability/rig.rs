//! The way to AWS as a pod has it, with everything on it under the test's control.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use futures::future::BoxFuture;
use headroom_advisor::aws::Connection;
use headroom_advisor::config;
use headroom_advisor::reachability::Reads;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_lab::aws::{self, Fault, FaultKind, NewSubnet, Tags, Vpc};
use headroom_lab::clock::Clock;
use headroom_lab::net::{Authority, DnsFault, DnsServer, Gate, Identity, Mode, Stub, TlsFront};
use headroom_reach::{
    Cause, Deadlines, Endpoint, Kind, Ladder, Lookup, Means, Nameserver, Network, ResolvConf, Roots, Service, Stage,
    climb, diagnose,
};

pub(crate) const HOST: &str = "autoscaling.us-west-2.amazonaws.com";
/// Long enough for a handshake on a busy machine.
pub(crate) const LONG: Duration = Duration::from_millis(1500);
pub(crate) const SLOW: Duration = Duration::from_millis(700);

/// AWS on loopback: the VPC, and where it is served in plain text.
pub(crate) struct Aws {
    vpc: Arc<Mutex<Vpc>>,
    now: Time,
    pub(crate) addr: SocketAddr,
}

impl Aws {
    pub(crate) async fn serve() -> Aws {
        let now = Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut vpc = Vpc::new(aws::Config::new(1, Cidr::parse("10.0.0.0/16").unwrap()));
        let subnet =
            NewSubnet { cidr: Cidr::parse("10.0.0.0/24").unwrap(), az: "us-west-2a".into(), tags: Tags::new() };
        vpc.create_subnet(subnet, now).unwrap();
        let vpc = Arc::new(Mutex::new(vpc));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let router = aws::router(Arc::clone(&vpc), Clock::manual(now));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Aws { vpc, now, addr }
    }

    pub(crate) fn fault(&self, kind: FaultKind) {
        let (from, until) = (self.now, self.now + Duration::from_secs(60));
        self.vpc.lock().unwrap().add_fault(Fault { operation: None, kind, from, until, every: 1 });
    }
}

/// The system resolver, were CoreDNS in `/etc/resolv.conf`.
struct Glibc(Stub);

impl Lookup for Glibc {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(self.0.getaddrinfo(host))
    }
}

pub(crate) struct Rig {
    pub(crate) aws: Aws,
    pub(crate) coredns: Option<DnsServer>,
    coredns_addr: SocketAddr,
    vpc_dns: DnsServer,
    /// Before TLS, where the ladder goes.
    pub(crate) gate: Gate,
    /// Before the plain port, where the SDK goes.
    pub(crate) sdk_gate: Gate,
    connection: Connection,
    roots: Roots,
    _front: TlsFront,
}

impl Rig {
    /// With the certificate that AWS would show.
    pub(crate) async fn new() -> Rig {
        let authority = Authority::new("Amazon of the lab").unwrap();
        let identity = authority.issue(&[HOST]).unwrap();
        Rig::with(&authority, identity).await
    }

    /// With another certificate than AWS would show.
    pub(crate) async fn with(trusted: &Authority, shown: Identity) -> Rig {
        let aws = Aws::serve().await;
        let records = BTreeMap::from([(HOST.to_owned(), vec![Ipv4Addr::LOCALHOST])]);
        let coredns = DnsServer::start(records.clone()).await.unwrap();
        let front = TlsFront::start(aws.addr, shown).await.unwrap();
        let gate = Gate::start(front.addr()).await.unwrap();
        let sdk_gate = Gate::start(aws.addr).await.unwrap();
        let config = config::Aws {
            region: Some("us-west-2".to_owned()),
            max_attempts: 1,
            connect_timeout_ms: 500,
            attempt_timeout_ms: 1000,
            call_timeout_ms: 1000,
            ..config::Aws::default()
        };
        let credentials = Credentials::new("AKID", "secret", Some("session".to_owned()), None, "test");
        let url = format!("http://{}", sdk_gate.addr());
        let connection = Connection::at(&config, &url, credentials).await.unwrap();
        Rig {
            aws,
            coredns_addr: coredns.addr(),
            coredns: Some(coredns),
            vpc_dns: DnsServer::start(records).await.unwrap(),
            gate,
            sdk_gate,
            connection,
            roots: Roots::of(vec![trusted.certificate()]),
            _front: front,
        }
    }

    pub(crate) fn dns(&self, fault: DnsFault) {
        self.coredns.as_ref().unwrap().set(fault);
    }

    /// What befalls connections befalls the SDK's too.
    pub(crate) async fn tcp(&self, mode: Mode) {
        self.gate.set(mode).await.unwrap();
        self.sdk_gate.set(mode).await.unwrap();
    }

    pub(crate) async fn climb(&self, service: Service) -> Ladder {
        let endpoint = Endpoint::parse(service, &format!("https://{HOST}:{}", self.gate.addr().port())).unwrap();
        let conf = ResolvConf::parse("search kube-system.svc.cluster.local svc.cluster.local\noptions ndots:5\n");
        let vpc = Nameserver { address: self.vpc_dns.addr(), kind: Kind::Vpc, configured: false };
        let network = Network {
            resolv: Ok(ResolvConf { nameservers: vec![self.coredns_addr], ..conf }),
            also: vec![vpc],
            vpc_cidrs: Vec::new(),
            endpoint_addresses: Default::default(),
        };
        let deadlines = Deadlines {
            dns: LONG,
            slow_dns: SLOW / 2,
            system: LONG,
            tcp: LONG / 2,
            tls: LONG,
            http: LONG,
            signed: 2 * LONG,
        };
        let (lookup, reads) = (Glibc(Stub::new(self.coredns_addr)), Reads::new(&self.connection));
        let means = Means { lookup: &lookup, roots: &self.roots, signed: &reads, now: &SystemTime::now };
        let climbed = tokio::time::timeout(deadlines.longest() + LONG, climb(&endpoint, &network, &deadlines, &means));
        climbed.await.expect("every stage has its deadline")
    }

    /// Where it stops and why; `None` where it does not.
    pub(crate) async fn named(&self) -> Option<(Stage, Cause)> {
        let ladder = self.climb(Service::AutoScaling).await;
        let said = diagnose(&ladder);
        if let Some(said) = &said {
            println!("{said}");
        }
        said.map(|said| (said.stage, said.cause))
    }
}
