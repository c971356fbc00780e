//! The faults, one by one.

use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_lab::aws::FaultKind;
use headroom_lab::net::{Authority, DnsFault, Mode};
use headroom_reach::{Cause, Service, Stage, Verdict, diagnose};

use crate::rig::{HOST, Rig, SLOW};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_way_passes_before_and_after_a_fault() {
    let rig = Rig::new().await;
    let ladder = rig.climb(Service::AutoScaling).await;
    assert!(ladder.passed() && ladder.warnings().is_empty(), "{ladder:#?}");
    for stage in Stage::ALL {
        assert!(matches!(ladder.verdict(stage), Verdict::Passed), "{stage}");
    }
    rig.tcp(Mode::Refuse).await;
    assert!(rig.named().await.is_some());
    rig.tcp(Mode::Pass).await;
    assert_eq!(rig.named().await, None);
}

/// A name that cannot be resolved keeps the SDK from AWS too.
async fn with_dns(fault: DnsFault) -> Rig {
    let rig = Rig::new().await;
    rig.sdk_gate.set(Mode::Blackhole).await.unwrap();
    rig.dns(fault);
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coredns_is_down() {
    let rig = with_dns(DnsFault::Drop).await;
    assert_eq!(rig.named().await, Some((Stage::Nameserver, Cause::DnsTimeout)));
    let mut rig = with_dns(DnsFault::None).await;
    rig.coredns = None;
    let ladder = rig.climb(Service::AutoScaling).await;
    let said = diagnose(&ladder).unwrap();
    assert_eq!((said.stage, said.cause), (Stage::Nameserver, Cause::DnsUnreachable));
    assert!(
        said.found.ends_with("; the VPC resolver answers") && said.remedy.starts_with("set dnsPolicy: Default"),
        "{said}"
    );
    assert!(
        matches!(ladder.verdict(Stage::Tls), Verdict::Passed),
        "the address that the VPC's resolver knows is tried"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nxdomain() {
    let rig = with_dns(DnsFault::NxDomain).await;
    assert_eq!(rig.named().await, Some((Stage::Nameserver, Cause::DnsNxdomain)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servfail() {
    let rig = with_dns(DnsFault::ServFail).await;
    assert_eq!(rig.named().await, Some((Stage::Nameserver, Cause::DnsServfail)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_dns() {
    let rig = with_dns(DnsFault::Delay(SLOW)).await;
    assert_eq!(rig.named().await, Some((Stage::Nameserver, Cause::DnsSlow)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blackholed_syn() {
    let rig = Rig::new().await;
    rig.tcp(Mode::Blackhole).await;
    assert_eq!(rig.named().await, Some((Stage::Tcp, Cause::TcpTimeout)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rst() {
    let rig = Rig::new().await;
    rig.tcp(Mode::Refuse).await;
    assert_eq!(rig.named().await, Some((Stage::Tcp, Cause::TcpRefused)), "in answer to the SYN");
    rig.tcp(Mode::Reset).await;
    assert_eq!(rig.named().await, Some((Stage::Tls, Cause::TlsReset)), "once connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_stall() {
    let rig = Rig::new().await;
    rig.tcp(Mode::Stall).await;
    assert_eq!(rig.named().await, Some((Stage::Tls, Cause::TlsTimeout)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_certificate() {
    let (amazon, proxy) = (Authority::new("Amazon of the lab").unwrap(), Authority::new("Intercepting Proxy").unwrap());
    let rig = Rig::with(&amazon, proxy.issue(&[HOST]).unwrap()).await;
    let said = diagnose(&rig.climb(Service::AutoScaling).await).unwrap();
    assert_eq!((said.stage, said.cause), (Stage::Tls, Cause::CertUntrusted));
    assert!(said.found.contains("Intercepting Proxy"), "{said}");
    let rig = Rig::with(&amazon, amazon.issue(&["other.example.com"]).unwrap()).await;
    assert_eq!(rig.named().await, Some((Stage::Tls, Cause::CertName)));
}

/// What each API says in its own words.
async fn from_every_api(kind: FaultKind) -> [Option<(Stage, Cause)>; 4] {
    let rig = Rig::new().await;
    rig.aws.fault(kind);
    let mut named = Vec::new();
    for service in [Service::AutoScaling, Service::Ec2, Service::Sts, Service::Monitoring] {
        named.push(diagnose(&rig.climb(service).await).map(|said| (said.stage, said.cause)));
    }
    named.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoint_policy() {
    let named = from_every_api(FaultKind::EndpointPolicy).await;
    assert_eq!(named, [Some((Stage::EndpointPolicy, Cause::EndpointPolicy)); 4]);
    let named = from_every_api(FaultKind::Denied).await;
    assert_eq!(named, [Some((Stage::SignedRead, Cause::Denied)); 4], "by the role's own policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling() {
    let named = from_every_api(FaultKind::Throttle).await;
    assert_eq!(named, [Some((Stage::SignedRead, Cause::Throttled)); 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skewed_clock() {
    let named = from_every_api(FaultKind::ClockAhead(Duration::from_secs(20 * 60))).await;
    assert_eq!(named, [Some((Stage::Clock, Cause::ClockSkew)); 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_credentials() {
    let named = from_every_api(FaultKind::ExpiredToken).await;
    assert_eq!(named, [Some((Stage::SignedRead, Cause::CredentialsExpired)); 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_do_not_fit_in_udp_and_addresses_that_lead_nowhere() {
    let rig = Rig::new().await;
    rig.dns(DnsFault::TruncateUdp);
    let ladder = rig.climb(Service::AutoScaling).await;
    assert!(ladder.passed(), "{ladder:#?}");
    assert_eq!(ladder.warnings()[0].cause, Cause::DnsTruncated);
    rig.dns(DnsFault::Wrong(Ipv4Addr::UNSPECIFIED));
    assert_eq!(rig.named().await, Some((Stage::AddressClass, Cause::AddressSinkhole)));
    // Nobody listens at that address of this machine.
    rig.dns(DnsFault::Wrong(Ipv4Addr::new(127, 0, 0, 99)));
    assert_eq!(rig.named().await, Some((Stage::Tcp, Cause::TcpRefused)));
}
