//! What security groups let through.

use std::net::Ipv4Addr;

use headroom_capacity::subnet::Cidr;

use super::facts::{Rule, SecurityGroup};

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }

    /// By name or by IANA's number, which EC2 takes as well (EC2 API reference, `IpPermission`).
    fn is(self, text: &str) -> bool {
        let number = match self {
            Protocol::Tcp => "6",
            Protocol::Udp => "17",
        };
        text == "-1" || text == self.name() || text == number
    }
}

/// Whoever is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<'a> {
    /// The security groups of its ENIs.
    pub(super) groups: &'a [String],
    /// Its addresses; empty where they are not known.
    pub(super) ips: &'a [Ipv4Addr],
}

/// An answer that is only given where the rules give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lets {
    Through,
    /// It depends on a prefix list or on an address that is not known.
    Perhaps,
    Not,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// Whether an ENI with the groups `ours` lets traffic with `peer` through: the rules of all its groups count together (VPC user guide,
/// "Security group rules").
pub(super) fn lets(
    all: &[SecurityGroup],
    ours: &[String],
    way: Way,
    (protocol, port): (Protocol, u16),
    peer: Peer<'_>,
) -> Lets {
    let groups = all.iter().filter(|group| ours.contains(&group.id));
    let rules = groups.flat_map(|group| if way == Way::In { &group.ingress } else { &group.egress });
    let fitting: Vec<&Rule> = rules
        .filter(|rule| protocol.is(&rule.protocol))
        // A rule for every protocol has no ports.
        .filter(|rule| rule.protocol == "-1" || rule.ports.is_none_or(|(from, to)| (from..=to).contains(&port)))
        .collect();
    if fitting.iter().any(|rule| rule.groups.iter().any(|group| peer.groups.contains(group))) {
        return Lets::Through;
    }
    let blocks: Vec<Cidr> =
        fitting.iter().flat_map(|rule| &rule.cidrs).filter_map(|text| Cidr::parse(text).ok()).collect();
    let within = |ip: &Ipv4Addr| blocks.iter().any(|block| block.contains(*ip));
    if blocks.iter().any(|block| block.len() == 0) || (!peer.ips.is_empty() && peer.ips.iter().all(within)) {
        return Lets::Through;
    }
    let lists = fitting.iter().any(|rule| !rule.prefix_lists.is_empty());
    if lists || (peer.ips.is_empty() && !blocks.is_empty()) { Lets::Perhaps } else { Lets::Not }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: (Protocol, u16) = (Protocol::Tcp, 443);

    fn rule(protocol: &str, ports: Option<(u16, u16)>, cidrs: &[&str], groups: &[&str]) -> Rule {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let (cidrs, groups) = (owned(cidrs), owned(groups));
        Rule { protocol: protocol.to_owned(), ports, cidrs, groups, prefix_lists: Vec::new() }
    }

    fn out(rules: Vec<Rule>, groups: &[&str], ips: &[[u8; 4]]) -> Lets {
        let group = SecurityGroup { id: "sg-n".to_owned(), ingress: Vec::new(), egress: rules };
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let ips: Vec<Ipv4Addr> = ips.iter().map(|ip| Ipv4Addr::from(*ip)).collect();
        lets(&[group], &["sg-n".to_owned()], Way::Out, API, Peer { groups: &groups, ips: &ips })
    }

    #[test]
    fn a_rule_has_to_fit_in_protocol_port_and_peer() {
        let ips = [[10, 0, 1, 4], [10, 0, 2, 4]];
        for (rules, expected) in [
            (vec![], Lets::Not),
            (vec![rule("-1", None, &["0.0.0.0/0"], &[])], Lets::Through),
            (vec![rule("tcp", Some((443, 443)), &[], &["sg-c"])], Lets::Through),
            (vec![rule("6", Some((1, 65535)), &[], &["sg-c"])], Lets::Through),
            (vec![rule("tcp", Some((444, 500)), &["0.0.0.0/0"], &["sg-c"])], Lets::Not),
            (vec![rule("udp", Some((443, 443)), &["0.0.0.0/0"], &[])], Lets::Not),
            (vec![rule("tcp", Some((443, 443)), &[], &["sg-x"])], Lets::Not),
            (vec![rule("tcp", Some((443, 443)), &["10.0.1.0/24"], &[])], Lets::Not),
            (vec![rule("tcp", Some((443, 443)), &["10.0.1.0/24", "10.0.2.0/24"], &[])], Lets::Through),
        ] {
            assert_eq!(out(rules.clone(), &["sg-c"], &ips), expected, "{rules:?}");
        }
    }

    #[test]
    fn what_was_not_read_is_not_taken_for_a_block() {
        let some = vec![rule("tcp", Some((443, 443)), &["10.0.0.0/16"], &[])];
        assert_eq!(out(some, &["sg-c"], &[]), Lets::Perhaps);
        let list = Rule { prefix_lists: vec!["pl-1".to_owned()], ..rule("tcp", None, &[], &[]) };
        assert_eq!(out(vec![list], &["sg-c"], &[[10, 0, 1, 4]]), Lets::Perhaps);
    }
}
