//! The stages that end with addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;

use super::{Means, skip};
use crate::address::AddressClass;
use crate::cause::Cause;
use crate::deadlines::Deadlines;
use crate::dns::{Asked, ask, list};
use crate::endpoint::Endpoint;
use crate::ladder::{Outcome, Skip, Step, Target, Transport};
use crate::network::{Nameserver, Network};
use crate::stage::Stage;
use crate::system::system;

/// The addresses are the system resolver's; where it has none, whatever a nameserver named.
pub(super) async fn resolve(
    endpoint: &Endpoint,
    network: &Network,
    deadlines: &Deadlines,
    means: &Means<'_>,
) -> (Vec<Step>, Vec<IpAddr>) {
    let mut steps = vec![file(network)];
    let nameservers = network.nameservers();
    let mut questions = Vec::new();
    for nameserver in &nameservers {
        let search = network.resolv.as_ref().ok().filter(|_| nameserver.configured);
        for transport in [Transport::Udp, Transport::Tcp] {
            questions.push(ask(*nameserver, transport, &endpoint.host, None, deadlines));
            if search.is_some() {
                questions.push(ask(*nameserver, transport, &endpoint.host, search, deadlines));
            }
        }
    }
    let (mut asked, (system, mut addresses)) =
        tokio::join!(join_all(questions), system(means.lookup, &endpoint.host, deadlines));
    if !nameservers.iter().any(|nameserver| nameserver.configured) {
        steps.push(skip(Stage::Nameserver, Target::ResolverConfig, Skip::NoNameserver));
    }
    let class = classes(&asked, &addresses, network);
    if addresses.is_empty() {
        addresses.extend(asked.iter().flat_map(|one| &one.addresses));
        addresses.sort_unstable();
        addresses.dedup();
    }
    compare_transports(&mut asked);
    steps.extend(asked.into_iter().map(|one| one.step));
    steps.push(system);
    let unknown = || skip(Stage::AddressClass, Target::Addresses, Skip::NoAddress);
    steps.push(if addresses.is_empty() { unknown() } else { class });
    (steps, addresses)
}

/// TCP is needed only for what does not fit in UDP.
fn compare_transports(asked: &mut [Asked]) {
    let over_udp: Vec<(Nameserver, bool)> = asked
        .iter()
        .filter_map(|one| match (&one.step.target, &one.step.outcome) {
            (Target::Nameserver { nameserver, transport: Transport::Udp, searched: false }, outcome) => match outcome {
                Outcome::Passed { .. } => Some((*nameserver, true)),
                Outcome::Warning { cause: Cause::DnsTruncated, .. } => Some((*nameserver, false)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for Asked { step, .. } in asked {
        let Target::Nameserver { nameserver, transport: Transport::Tcp, .. } = step.target else { continue };
        let Some((_, whole)) = over_udp.iter().find(|(other, _)| *other == nameserver) else { continue };
        if let Outcome::Failed { cause: Cause::DnsTimeout | Cause::DnsUnreachable, detail } = &step.outcome {
            let detail = format!("answers over UDP, and over TCP {detail}");
            let cause = Cause::DnsTcpBlocked;
            step.outcome = if *whole { Outcome::warning(cause, detail) } else { Outcome::failed(cause, detail) };
        }
    }
}

fn file(network: &Network) -> Step {
    let outcome = match &network.resolv {
        Err(error) => Outcome::failed(Cause::ResolverConfigUnreadable, error.clone()),
        Ok(conf) if conf.nameservers.is_empty() => Outcome::failed(Cause::NoNameserver, "names no nameserver"),
        Ok(conf) => {
            let servers: Vec<String> = conf.nameservers.iter().map(|server| server.ip().to_string()).collect();
            let search = if conf.search.is_empty() { "-".to_owned() } else { conf.search.join(" ") };
            Outcome::passed(format!("nameserver {}; search {search}; ndots:{}", servers.join(" "), conf.ndots))
        }
    };
    Step { stage: Stage::ResolverConfig, target: Target::ResolverConfig, outcome, took: Duration::ZERO }
}

/// What the addresses are, and whether all who were asked see the endpoint in the same place.
pub(super) fn classes(asked: &[Asked], found: &[IpAddr], network: &Network) -> Step {
    let class = |address: &IpAddr| AddressClass::of(*address, network);
    // What others say counts only where the system resolver says nothing.
    let others = asked.iter().filter(|_| found.is_empty()).flat_map(|one| &one.addresses);
    let every: BTreeSet<IpAddr> = found.iter().chain(others).copied().collect();
    let told: Vec<String> = every.iter().map(|address| format!("{address} {}", class(address))).collect();
    let outcome = if let Some(address) = every.iter().find(|address| address.is_unspecified()) {
        Outcome::failed(Cause::AddressSinkhole, format!("are {address}"))
    } else if let Some((inside, outside)) = differing(asked, network) {
        let detail = format!("differ: {inside}, but {outside}");
        Outcome::warning(Cause::AddressesDiffer, detail)
    } else if every.iter().any(|address| class(address) == AddressClass::SplitHorizon) {
        Outcome::warning(Cause::AddressSplitHorizon, format!("are {}", told.join(", ")))
    } else {
        Outcome::passed(told.join(", "))
    };
    Step { stage: Stage::AddressClass, target: Target::Addresses, outcome, took: Duration::ZERO }
}

/// One who names an address in the VPC, and one who names another. Which public addresses they name may differ: those rotate.
fn differing(asked: &[Asked], network: &Network) -> Option<(String, String)> {
    let side = |inside: bool| {
        asked.iter().find_map(|one| {
            let Target::Nameserver { nameserver, .. } = one.step.target else { return None };
            let wanted = |address: &&IpAddr| AddressClass::of(**address, network).is_in_vpc() == inside;
            let addresses: Vec<IpAddr> = one.addresses.iter().filter(wanted).copied().collect();
            let class = addresses.first().map(|address| AddressClass::of(*address, network))?;
            Some(format!("{nameserver} says {} ({class})", list(&addresses)))
        })
    };
    Some((side(true)?, side(false)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Kind;

    fn asked(address: &str, kind: Kind, found: &[&str]) -> Asked {
        let nameserver = Nameserver { address: address.parse().unwrap(), kind, configured: kind == Kind::Cluster };
        let target = Target::Nameserver { nameserver, transport: Transport::Udp, searched: false };
        let step = Step { stage: Stage::Nameserver, target, outcome: Outcome::passed(""), took: Duration::ZERO };
        Asked { step, addresses: found.iter().map(|address| address.parse().unwrap()).collect() }
    }

    fn said(coredns: &[&str], vpc: &[&str], found: &[&str]) -> Outcome {
        let network = Network {
            resolv: Err(String::new()),
            also: Vec::new(),
            vpc_cidrs: vec!["10.0.0.0/16".parse().unwrap()],
            endpoint_addresses: BTreeSet::from(["10.0.7.7".parse().unwrap()]),
        };
        let both = [asked("10.100.0.10:53", Kind::Cluster, coredns), asked("169.254.169.253:53", Kind::Vpc, vpc)];
        let found: Vec<IpAddr> = found.iter().map(|address| address.parse().unwrap()).collect();
        classes(&both, &found, &network).outcome
    }

    #[test]
    fn nameservers_that_see_the_endpoint_in_different_places() {
        let public = ["54.239.29.25"];
        assert_eq!(
            said(&public, &["10.0.7.7"], &public),
            Outcome::warning(
                Cause::AddressesDiffer,
                "differ: 169.254.169.253 says 10.0.7.7 (interface endpoint), but 10.100.0.10 says 54.239.29.25 (public)"
            )
        );
        assert_eq!(said(&public, &["54.239.29.26"], &public), Outcome::passed("54.239.29.25 public"), "those rotate");
    }

    #[test]
    fn what_others_say_counts_where_the_system_resolver_is_silent() {
        let nowhere = ["0.0.0.0"];
        assert_eq!(said(&["10.0.7.7"], &nowhere, &["10.0.7.7"]).label(), "warning");
        let sinkhole = Outcome::failed(Cause::AddressSinkhole, "are 0.0.0.0");
        assert_eq!(said(&[], &nowhere, &[]), sinkhole);
        let elsewhere = Outcome::warning(Cause::AddressSplitHorizon, "are 10.1.0.1 private, outside the VPC");
        assert_eq!(said(&["10.1.0.1"], &["10.1.0.1"], &[]), elsewhere);
    }
}
