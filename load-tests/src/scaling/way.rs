//! The way to the lab's AWS as a pod has it: a name, a nameserver, the network, TLS.
//!
//! ```text
//! advisor ──asks──> CoreDNS, the VPC's resolver
//!         ──TCP───> Gate ──┬──> TlsFront (Amazon) ──> the lab's AWS
//!                          └──> TlsFront (a proxy)
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use futures::future::BoxFuture;
use headroom_advisor::aws::Way;
use headroom_lab::net::{Authority, DnsServer, Gate, Mode, Stub, TlsFront};
use headroom_reach::{Kind, Lookup, Nameserver, Network, ResolvConf, Roots};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

/// The name of every API. All of them are at one port, as the lab has them.
pub const HOST: &str = "autoscaling.us-west-2.amazonaws.com";

/// Everything on the way, to be made to misbehave.
#[derive(Debug)]
pub struct Internet {
    /// The cluster's nameserver, which the advisor's `/etc/resolv.conf` would name.
    pub coredns: DnsServer,
    /// Where connections go astray.
    pub gate: Gate,
    route: Route,
    proxy: TlsFront,
    _vpc_resolver: DnsServer,
    _amazon: TlsFront,
}

impl Internet {
    /// One that leads to the plain `url`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn before(url: &str) -> Result<Internet> {
        let aws: SocketAddr =
            url.trim_start_matches("http://").parse().with_context(|| format!("{url} is no http://IP:PORT"))?;
        let records = BTreeMap::from([(HOST.to_owned(), vec![Ipv4Addr::LOCALHOST])]);
        let (coredns, vpc_resolver) = (DnsServer::start(records.clone()).await?, DnsServer::start(records).await?);
        let (amazon, interceptor) = (Authority::new("Amazon of the lab")?, Authority::new("Intercepting Proxy")?);
        let proxy = TlsFront::start(aws, interceptor.issue(&[HOST])?).await?;
        let front = TlsFront::start(aws, amazon.issue(&[HOST])?).await?;
        let gate = Gate::start(front.addr()).await?;
        let route = Route {
            url: format!("https://{HOST}:{}", gate.addr().port()),
            nameserver: coredns.addr(),
            vpc_resolver: vpc_resolver.addr(),
            ca: amazon.pem().to_owned(),
        };
        Ok(Internet { coredns, gate, route, proxy, _vpc_resolver: vpc_resolver, _amazon: front })
    }

    /// Leads connections to somebody with another CA's certificate for the name; those that there are are cut.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn intercept(&self) -> io::Result<()> {
        self.gate.set(Mode::Divert(self.proxy.addr())).await
    }

    /// As a client is told of it.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }
}

/// What a client has to know, in this process or in another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Of every API.
    pub url: String,
    /// The cluster's nameserver.
    pub nameserver: SocketAddr,
    /// The VPC's, which the probes ask for comparison. Nothing befalls it.
    pub vpc_resolver: SocketAddr,
    /// The CA to trust, as PEM.
    pub ca: String,
}

impl Route {
    /// The same for the SDKs and the probes: names by [`Stub`], and no CA but this one.
    ///
    /// # Errors
    /// When the CA is not PEM.
    pub fn way(&self) -> Result<Way> {
        let ca = CertificateDer::from_pem_slice(self.ca.as_bytes()).context("the CA")?;
        let tls = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(self.ca.as_bytes()));
        let resolver = Resolver(Stub::new(self.nameserver));
        let client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls.build()?)
            .build_with_resolver(resolver);
        let network = Network {
            resolv: Ok(ResolvConf { nameservers: vec![self.nameserver], ..ResolvConf::default() }),
            also: vec![Nameserver { address: self.vpc_resolver, kind: Kind::Vpc, configured: false }],
            vpc_cidrs: Vec::new(),
            endpoint_addresses: Default::default(),
        };
        Ok(Way {
            lookup: Arc::new(resolver),
            roots: Roots::of(vec![ca]),
            network: Arc::new(move || network.clone()),
            client: Some(client),
        })
    }
}

/// The lab's nameserver for whoever looks a name up.
#[derive(Clone, Copy, Debug)]
struct Resolver(Stub);

impl Lookup for Resolver {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(self.0.getaddrinfo(host))
    }
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { self.0.getaddrinfo(name).await.map_err(ResolveDnsError::new) })
    }
}
