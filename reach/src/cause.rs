//! Why a stage fails, as a closed set.

use std::fmt;

use crate::stage::Stage;

macro_rules! causes {
    ($($name:ident, $stage:ident, $label:literal, $meaning:literal, $remedy:literal;)*) => {
        /// Why a stage fails or is to be wondered at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $(#[doc = $meaning] $name,)*
        }

        impl Cause {
            /// All of them, by stage.
            pub const ALL: &[Cause] = &[$(Cause::$name,)*];

            /// The metric label and the key in JSON.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Cause::$name => $label,)* }
            }

            /// The stage at which it shows.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $(Cause::$name => Stage::$stage,)* }
            }

            /// What it means, in a sentence without a full stop.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Cause::$name => $meaning,)* }
            }

            /// What to do where nothing more is known. [`diagnose`](crate::diagnose) says more where the ladder does.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Cause::$name => $remedy,)* }
            }
        }
    };
}

causes! {
    ResolverConfigUnreadable, ResolverConfig, "resolver_config_unreadable",
        "/etc/resolv.conf cannot be read",
        "give the pod one: dnsPolicy: Default, or dnsPolicy: None with dnsConfig.nameservers";
    NoNameserver, ResolverConfig, "no_nameserver",
        "/etc/resolv.conf names no nameserver, so that 127.0.0.1 is asked",
        "set dnsPolicy: Default, or name nameservers in the pod's dnsConfig";
    DnsTimeout, Nameserver, "dns_timeout",
        "A nameserver gives no answer",
        "let the pod reach port 53 of its nameserver over UDP and TCP: CoreDNS's pods, network policies, the nodes' security groups";
    DnsUnreachable, Nameserver, "dns_unreachable",
        "Nobody listens where a nameserver should be",
        "start CoreDNS (its Service has no endpoint that is ready), or set dnsPolicy: Default";
    DnsNxdomain, Nameserver, "dns_nxdomain",
        "A nameserver says that the name does not exist",
        "correct the region or the endpoint's URL, or take away the private hosted zone that hides the name; an interface endpoint needs its \
         private DNS names turned on, and enableDnsSupport and enableDnsHostnames of the VPC";
    DnsServfail, Nameserver, "dns_servfail",
        "A nameserver fails to look the name up (SERVFAIL)",
        "fix the forward in CoreDNS's Corefile (whom it asks does not answer), or set dnsPolicy: Default";
    DnsRefused, Nameserver, "dns_refused",
        "A nameserver does not want to look the name up",
        "name a nameserver that resolves public names for this pod, or set dnsPolicy: Default";
    DnsNoAddress, Nameserver, "dns_no_address",
        "The name exists and has no address",
        "take away the private hosted zone or the rewrite that hides the name's A records";
    DnsMalformed, Nameserver, "dns_malformed",
        "A nameserver's answer cannot be understood",
        "find out what answers on port 53 there: it is no DNS server";
    DnsSlow, Nameserver, "dns_slow",
        "A nameserver's answer takes longer than a client of AWS can spare",
        "give CoreDNS more replicas or NodeLocal DNSCache, or set dnsPolicy: Default";
    DnsTruncated, Nameserver, "dns_truncated",
        "The answer does not fit in UDP",
        "keep TCP port 53 to the nameserver open, or ask a nameserver that leaves out what is not needed";
    DnsTcpBlocked, Nameserver, "dns_tcp_blocked",
        "A nameserver answers over UDP and not over TCP",
        "open TCP port 53 to the nameserver: answers that do not fit in UDP are lost without it";
    SearchListSlow, Nameserver, "search_list_slow",
        "The name itself is quick, the search list before it is not",
        "set ndots to 1 in the pod's dnsConfig, or set dnsPolicy: Default";
    SystemNotFound, SystemResolver, "system_not_found",
        "getaddrinfo knows no such name",
        "correct the region or the endpoint's URL, and see what /etc/nsswitch.conf and /etc/hosts say of the name";
    SystemLookupFailed, SystemResolver, "system_lookup_failed",
        "getaddrinfo fails",
        "see /etc/resolv.conf and /etc/nsswitch.conf of the pod";
    SystemTimeout, SystemResolver, "system_timeout",
        "getaddrinfo does not come back in time",
        "take nameservers that do not answer out of /etc/resolv.conf, or set dnsPolicy: Default";
    SystemSlow, SystemResolver, "system_slow",
        "getaddrinfo takes longer than a client of AWS can spare",
        "set ndots to 1 in the pod's dnsConfig and take nameservers that do not answer out of it, or set dnsPolicy: Default";
    SystemStuck, SystemResolver, "system_stuck",
        "Lookups of before have not come back, and no more are begun",
        "take nameservers that do not answer out of /etc/resolv.conf, or set dnsPolicy: Default";
    AddressSinkhole, AddressClass, "address_sinkhole",
        "The name resolves to 0.0.0.0 or ::, as a filter answers",
        "let the DNS filter (Route 53 Resolver DNS Firewall, CoreDNS template) pass the name";
    AddressesDiffer, AddressClass, "addresses_differ",
        "One nameserver names an interface endpoint and another does not",
        "let CoreDNS forward to the VPC's resolver, so that both see the endpoint's private DNS name";
    AddressSplitHorizon, AddressClass, "address_split_horizon",
        "A private address that is not in the VPC",
        "make sure that the private hosted zone or proxy behind it is meant: it must pass TLS through to AWS";
    TcpTimeout, Tcp, "tcp_timeout",
        "Nothing answers the SYN: it is dropped on the way",
        "look for what drops port 443: security group, network ACL, route to a NAT gateway, network policy";
    TcpRefused, Tcp, "tcp_refused",
        "The SYN is answered by RST: nobody listens, or something in between refuses",
        "correct the endpoint's URL or port, or let the firewall in between pass port 443";
    TcpUnreachable, Tcp, "tcp_unreachable",
        "There is no route to the address",
        "give the node's subnet a route to it: a NAT gateway, an interface endpoint, or IPv6 egress";
    TcpFailed, Tcp, "tcp_failed",
        "The connection fails otherwise",
        "see the error of the operating system";
    TlsTimeout, Tls, "tls_timeout",
        "The connection is there and the handshake stands still",
        "lower the MTU of the path (large packets are lost: allow ICMP 'fragmentation needed'), or take the proxy out that holds the handshake";
    TlsReset, Tls, "tls_reset",
        "The connection is cut during the handshake",
        "let the firewall in between pass the endpoint's name: it cuts connections by what the handshake names";
    TlsRefused, Tls, "tls_refused",
        "What answers does not speak TLS as AWS does",
        "find out what listens at the address: it is no AWS endpoint";
    CertUntrusted, Tls, "cert_untrusted",
        "The certificate is signed by a CA that is not trusted here",
        "take the intercepting proxy out of the path, or mount its CA and set SSL_CERT_FILE";
    CertName, Tls, "cert_name",
        "The certificate is for another name",
        "let the endpoint's name resolve to the endpoint: private DNS, a hosts entry or a proxy leads elsewhere";
    CertExpired, Tls, "cert_expired",
        "The certificate has expired, by this machine's clock",
        "set the node's clock (chrony), or renew the certificate of the proxy in between";
    CertNotYetValid, Tls, "cert_not_yet_valid",
        "The certificate is not valid yet, by this machine's clock",
        "set the node's clock (chrony)";
    CertInvalid, Tls, "cert_invalid",
        "The certificate cannot be verified for another reason",
        "take the proxy out of the path whose certificate this is";
    NoTrustedRoots, Tls, "no_trusted_roots",
        "There are no CA certificates on this machine",
        "put CA certificates into the image (package ca-certificates), or set SSL_CERT_FILE";
    HttpTimeout, Http, "http_timeout",
        "A request gets no answer",
        "find out what holds the connection open and does not answer: a proxy or a load balancer";
    HttpClosed, Http, "http_closed",
        "The connection is cut before an answer",
        "find out what cuts the connection: a proxy or a load balancer";
    HttpMalformed, Http, "http_malformed",
        "The answer is not HTTP",
        "find out what listens at the address: it is no AWS endpoint";
    ClockSkew, Clock, "clock_skew",
        "This machine's clock and AWS's are more than 5 minutes apart, and signatures are refused",
        "set the node's clock: chrony with the Amazon Time Sync Service at 169.254.169.123";
    ClockDrift, Clock, "clock_drift",
        "This machine's clock and AWS's are more than a minute apart",
        "see why chrony on the node does not follow the Amazon Time Sync Service at 169.254.169.123";
    Throttled, SignedRead, "throttled",
        "AWS answers that there are too many requests",
        "find out who spends the account's quota (CloudTrail, Service Quotas), and lengthen the periods of whatever polls";
    CredentialsExpired, SignedRead, "credentials_expired",
        "AWS says that the session has expired",
        "see that the token is renewed: IRSA's AWS_WEB_IDENTITY_TOKEN_FILE, or the Pod Identity agent on the node";
    NoCredentials, SignedRead, "no_credentials",
        "There are no credentials to sign with",
        "see that their provider answers: STS for IRSA, the Pod Identity agent on the node, or instance metadata";
    Denied, SignedRead, "denied",
        "The role may not make the call",
        "allow the action in the role's policy, and see service control policies and permission boundaries";
    SignedNoAnswer, SignedRead, "signed_no_answer",
        "The SDK's own call gets no answer",
        "see the stages before it; where they pass, raise aws.attempt_timeout_ms";
    SignedFailed, SignedRead, "signed_failed",
        "AWS refuses the call for another reason",
        "see the answer's code";
    EndpointPolicy, EndpointPolicy, "endpoint_policy",
        "The interface endpoint's policy does not allow the call",
        "allow the action and the role in the policy of the VPC endpoint";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}
