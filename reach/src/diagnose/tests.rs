//! The sentences, word for word.

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::address::AddressClass;
use crate::endpoint::{Endpoint, Service};
use crate::ladder::{Skip, Transport};

fn at(stage: Stage, target: Target, outcome: Outcome) -> Step {
    Step { stage, target, outcome, took: Duration::from_millis(5) }
}

fn ladder(steps: Vec<Step>) -> Ladder {
    let endpoint = Endpoint::parse(Service::AutoScaling, "https://autoscaling.us-west-2.amazonaws.com").unwrap();
    Ladder { endpoint, steps }
}

fn said(steps: Vec<Step>) -> String {
    diagnose(&ladder(steps)).map_or_else(String::new, |diagnosis| diagnosis.to_string())
}

const COREDNS: (&str, Kind, bool) = ("10.100.0.10:53", Kind::Cluster, true);
const VPC: (&str, Kind, bool) = ("169.254.169.253:53", Kind::Vpc, false);

fn asked(
    (address, kind, configured): (&str, Kind, bool),
    transport: Transport,
    searched: bool,
    outcome: Outcome,
) -> Step {
    let nameserver = Nameserver { address: address.parse().unwrap(), kind, configured };
    at(Stage::Nameserver, Target::Nameserver { nameserver, transport, searched }, outcome)
}

fn udp(who: (&str, Kind, bool), outcome: Outcome) -> Step {
    asked(who, Transport::Udp, false, outcome)
}

fn system(outcome: Outcome) -> Step {
    at(Stage::SystemResolver, Target::SystemResolver, outcome)
}

fn no_name() -> Step {
    system(Outcome::failed(Cause::SystemLookupFailed, "Temporary failure in name resolution"))
}

fn address(stage: Stage, class: AddressClass, outcome: Outcome) -> Step {
    let address: SocketAddr =
        if class == AddressClass::Public { "54.239.29.25:443" } else { "10.0.7.7:443" }.parse().unwrap();
    at(stage, Target::Address { address, class }, outcome)
}

fn ok() -> Outcome {
    Outcome::passed("10.0.7.7")
}

#[test]
fn a_nameserver_that_is_silent_while_the_vpcs_answers() {
    let silent = || Outcome::failed(Cause::DnsTimeout, "timed out after 3 s");
    assert_eq!(
        said(vec![udp(COREDNS, silent()), udp(VPC, ok()), no_name()]),
        "DNS: 10.100.0.10 timed out after 3 s; the VPC resolver answers: set dnsPolicy: Default, or fix CoreDNS (its pods, network \
         policies, and its forward)"
    );
    assert_eq!(
        said(vec![udp(COREDNS, silent()), udp(VPC, silent()), no_name()]),
        "DNS: 10.100.0.10 timed out after 3 s; no other nameserver gives an address either: let the pod reach port 53 of its nameserver \
         over UDP and TCP: CoreDNS's pods, network policies, the nodes' security groups"
    );
}

#[test]
fn a_name_that_only_the_cluster_does_not_know() {
    let unknown =
        || Outcome::failed(Cause::DnsNxdomain, "says that autoscaling.us-west-2.amazonaws.com does not exist");
    assert_eq!(
        said(vec![udp(COREDNS, unknown()), udp(VPC, ok()), no_name()]),
        "DNS: 10.100.0.10 says that autoscaling.us-west-2.amazonaws.com does not exist; the VPC resolver answers: set dnsPolicy: Default, or \
         take out of CoreDNS's Corefile what answers for this name (hosts, rewrite, template, a stub domain)"
    );
    assert_eq!(
        said(vec![udp(COREDNS, unknown()), udp(VPC, unknown()), no_name()]),
        "DNS: 10.100.0.10 says that autoscaling.us-west-2.amazonaws.com does not exist; no other nameserver gives an address either: correct \
         the region or the endpoint's URL, or take away the private hosted zone that hides the name; an interface endpoint needs its private \
         DNS names turned on, and enableDnsSupport and enableDnsHostnames of the VPC"
    );
}

#[test]
fn a_nameserver_that_fails_or_is_not_there() {
    let detail = "fails to look autoscaling.us-west-2.amazonaws.com up (SERVFAIL)";
    assert_eq!(
        said(vec![udp(COREDNS, Outcome::failed(Cause::DnsServfail, detail)), udp(VPC, ok()), no_name()]),
        "DNS: 10.100.0.10 fails to look autoscaling.us-west-2.amazonaws.com up (SERVFAIL); the VPC resolver answers: set dnsPolicy: Default, \
         or fix the forward in CoreDNS's Corefile"
    );
    let gone = Outcome::failed(Cause::DnsUnreachable, "is not there (connection refused)");
    assert_eq!(
        said(vec![udp(COREDNS, gone), no_name()]),
        "DNS: 10.100.0.10 is not there (connection refused): start CoreDNS (its Service has no endpoint that is ready), or set dnsPolicy: \
         Default"
    );
    let (address, kind, _) = VPC;
    let silent = Outcome::failed(Cause::DnsTimeout, "timed out after 3 s");
    assert_eq!(
        said(vec![udp((address, kind, true), silent), no_name()]),
        "DNS: 169.254.169.253 timed out after 3 s: turn on enableDnsSupport of the VPC, and see whether this ENI sends more than 1024 DNS \
         packets a second (linklocal_allowance_exceeded of ethtool -S): cache names with NodeLocal DNSCache"
    );
}

#[test]
fn a_search_list_that_takes_too_long() {
    let slow = Outcome::failed(Cause::SearchListSlow, "answers after 2.1 s");
    let steps = vec![
        udp(COREDNS, ok()),
        asked(COREDNS, Transport::Udp, true, slow),
        system(Outcome::failed(Cause::SystemSlow, "answers after 2.2 s")),
    ];
    assert_eq!(
        said(steps),
        "DNS: 10.100.0.10 (by the search list) answers after 2.1 s: set ndots to 1 in the pod's dnsConfig, or set dnsPolicy: Default"
    );
}

#[test]
fn nameservers_cannot_fail_what_the_system_resolver_finds() {
    let silent = Outcome::failed(Cause::DnsTimeout, "timed out after 3 s");
    let found = ladder(vec![udp(COREDNS, silent), udp(VPC, ok()), system(ok())]);
    assert_eq!((diagnose(&found), found.passed()), (None, true));
    assert_eq!(found.warnings().iter().map(|warning| warning.cause).collect::<Vec<_>>(), [Cause::DnsTimeout]);
}

#[test]
fn a_syn_that_is_dropped_depends_on_where_it_goes() {
    let dropped = || Outcome::failed(Cause::TcpTimeout, "does not answer the SYN within 3 s");
    assert_eq!(
        said(vec![system(ok()), address(Stage::Tcp, AddressClass::InterfaceEndpoint, dropped())]),
        "TCP: 10.0.7.7:443 (interface endpoint) does not answer the SYN within 3 s: let the interface endpoint's security group take in TCP \
         443 from the nodes and pods, and see the network ACLs of both subnets"
    );
    assert_eq!(
        said(vec![system(ok()), address(Stage::Tcp, AddressClass::Public, dropped())]),
        "TCP: 54.239.29.25:443 (public) does not answer the SYN within 3 s: give the node's subnet a route to a NAT gateway, or the VPC an \
         interface endpoint with private DNS, and let security groups, network ACLs and network policies pass TCP 443 out"
    );
    let refused = Outcome::failed(Cause::TcpRefused, "answers the SYN with RST (connection refused)");
    assert_eq!(
        said(vec![system(ok()), address(Stage::Tcp, AddressClass::Public, refused)]),
        "TCP: 54.239.29.25:443 (public) answers the SYN with RST (connection refused): correct the endpoint's URL or port, or let the \
         firewall in between pass port 443"
    );
}

#[test]
fn one_address_of_several_may_be_dead_for_tcp_and_not_for_tls() {
    let public = AddressClass::Public;
    let dropped = Outcome::failed(Cause::TcpTimeout, "does not answer the SYN within 3 s");
    let half = ladder(vec![address(Stage::Tcp, public, dropped), address(Stage::Tcp, public, ok())]);
    assert!(half.passed() && half.warnings().len() == 1);
    let stalls = Outcome::failed(Cause::TlsTimeout, "does not finish the handshake within 3 s");
    let half = ladder(vec![address(Stage::Tls, public, ok()), address(Stage::Tls, public, stalls)]);
    assert!(!half.passed());
}

#[test]
fn a_handshake_that_does_not_end_well() {
    let public = AddressClass::Public;
    let tls = |cause, detail: &str| said(vec![address(Stage::Tls, public, Outcome::failed(cause, detail))]);
    assert_eq!(
        tls(Cause::TlsTimeout, "does not finish the handshake within 3 s"),
        "TLS: 54.239.29.25:443 (public) does not finish the handshake within 3 s: lower the MTU of the path (large packets are lost: allow \
         ICMP 'fragmentation needed'), or take the proxy out that holds the handshake"
    );
    assert_eq!(
        tls(Cause::TlsReset, "resets the connection during the handshake"),
        "TLS: 54.239.29.25:443 (public) resets the connection during the handshake: let the firewall in between pass the endpoint's name: it \
         cuts connections by what the handshake names"
    );
    assert_eq!(
        tls(
            Cause::CertUntrusted,
            "shows a certificate of CN=*.amazonaws.com, issued by CN=Proxy, whom nobody here trusts"
        ),
        "TLS: 54.239.29.25:443 (public) shows a certificate of CN=*.amazonaws.com, issued by CN=Proxy, whom nobody here trusts: take the \
         intercepting proxy out of the path, or mount its CA and set SSL_CERT_FILE"
    );
}

#[test]
fn a_certificate_that_only_a_wrong_clock_refuses_is_the_clocks() {
    let public = AddressClass::Public;
    let refused = Outcome::failed(Cause::CertNotYetValid, "shows a certificate");
    let skewed = Outcome::failed(Cause::ClockSkew, "is 23 h ahead of this machine's clock");
    let want = "clock: 54.239.29.25:443 (public) is 23 h ahead of this machine's clock: set the node's clock: chrony with the Amazon Time \
                Sync Service at 169.254.169.123";
    assert_eq!(said(vec![address(Stage::Tls, public, refused), address(Stage::Clock, public, skewed)]), want);
}

#[test]
fn what_aws_says_to_a_signed_read() {
    let api = |stage, cause, detail: &str| {
        let class = address(Stage::Tcp, AddressClass::InterfaceEndpoint, ok());
        said(vec![class, at(stage, Target::Api, Outcome::failed(cause, detail))])
    };
    let user = "AWS says: User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ec2:DescribeSubnets";
    assert_eq!(
        api(
            Stage::EndpointPolicy,
            Cause::EndpointPolicy,
            &format!("{user} because no VPC endpoint policy allows the ec2:DescribeSubnets action")
        ),
        format!(
            "endpoint policy: {user} because no VPC endpoint policy allows the ec2:DescribeSubnets action: allow the action and the role in the \
             policy of the VPC endpoint"
        )
    );
    assert_eq!(
        api(
            Stage::SignedRead,
            Cause::Denied,
            &format!("{user} because no identity-based policy allows the ec2:DescribeSubnets action")
        ),
        format!(
            "signed read: {user} because no identity-based policy allows the ec2:DescribeSubnets action: allow the action in the role's policy, \
             and see service control policies and permission boundaries"
        )
    );
    assert_eq!(
        api(Stage::SignedRead, Cause::Denied, "AWS says: You are not authorized to perform this operation"),
        "signed read: AWS says: You are not authorized to perform this operation: allow the action in the role's policy and in the policy of \
         the VPC endpoint: AWS does not say which of them denies it"
    );
    assert_eq!(
        api(Stage::SignedRead, Cause::Throttled, "AWS says: Rate exceeded"),
        "signed read: AWS says: Rate exceeded: find out who spends the account's quota (CloudTrail, Service Quotas), and lengthen the periods \
         of whatever polls"
    );
    assert_eq!(
        api(
            Stage::SignedRead,
            Cause::CredentialsExpired,
            "AWS says: The security token included in the request is expired"
        ),
        "signed read: AWS says: The security token included in the request is expired: see that the token is renewed: IRSA's \
         AWS_WEB_IDENTITY_TOKEN_FILE, or the Pod Identity agent on the node"
    );
}

#[test]
fn a_ladder_that_was_not_climbed_to_its_end_does_not_pass() {
    let skipped = at(Stage::Tcp, Target::Addresses, Outcome::skipped(Skip::NoAddress));
    assert!(!ladder(vec![system(ok()), skipped]).passed());
    let plain = at(Stage::Tls, Target::Addresses, Outcome::skipped(Skip::Plain));
    assert!(ladder(vec![system(ok()), plain]).passed());
}

#[test]
fn labels_are_told_apart_and_every_cause_says_what_to_do() {
    let labels: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.label()).collect();
    assert_eq!(labels.len(), Cause::ALL.len());
    assert!(Cause::ALL.iter().all(|cause| !cause.remedy().ends_with('.') && !cause.meaning().ends_with('.')));
    assert!(Cause::ALL.is_sorted_by_key(|cause| cause.stage()));
}
