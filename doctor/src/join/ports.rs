//! Whether the security groups let nodes and control plane talk: TCP 443 and 10250, TCP and UDP 53 (EKS user guide, "Security group
//! requirements", "Restricting cluster traffic").

use super::case::Case;
use super::facts::SecurityGroup;
use super::firewall::{Lets, Peer, Protocol, Way, lets};
use crate::bundle::Section;
use crate::cause::Cause;
use crate::report::{Evidence, Level};

/// One direction of one connection, seen at one of its ends.
struct Leg<'a> {
    way: Way,
    /// The groups of the end where it is looked at.
    ours: &'a [String],
    peer: Peer<'a>,
}

/// One thing that has to get through, all its legs.
struct Traffic<'a> {
    cause: Cause,
    level: Level,
    what: &'static str,
    port: (Protocol, u16),
    legs: Vec<Leg<'a>>,
}

/// Looks at the three kinds of traffic.
pub(super) fn check(case: &mut Case<'_>) {
    let (Some(machine), Some(cluster)) = (case.machine(), case.control_plane()) else { return };
    let groups = match &case.facts.security_groups {
        Section::Read(groups) => groups,
        Section::NotRead(why) => {
            let remedy = "allow ec2:DescribeSecurityGroups".to_owned();
            return case.unknown(Cause::ApiPortBlocked, "what the security groups let through", why, remedy);
        }
    };
    let node_groups = &machine.security_groups;
    let api_groups: Vec<String> =
        cluster.cluster_security_group.iter().chain(&cluster.security_groups).cloned().collect();
    let node_ips: Vec<_> = machine.private_ip.into_iter().collect();
    let api_ips = case.facts.control_plane_ips.get().map_or(&[][..], Vec::as_slice);
    let node = Peer { groups: node_groups, ips: &node_ips };
    // Nodes' addresses are those of a whole cluster: only groups and blocks for all stand for them.
    let nodes = Peer { groups: node_groups, ips: &[] };
    let api = if cluster.private_access {
        Peer { groups: &api_groups, ips: api_ips }
    } else {
        Peer { groups: &[], ips: &[] }
    };
    let leg = |way, ours, peer| Leg { way, ours, peer };
    let mut to_api = vec![leg(Way::Out, node_groups, api)];
    if cluster.private_access {
        to_api.push(leg(Way::In, &api_groups, node));
    }
    let vpc_api = Peer { groups: &api_groups, ips: api_ips };
    let to_kubelet = vec![leg(Way::Out, &api_groups, node), leg(Way::In, node_groups, vpc_api)];
    let dns = || vec![leg(Way::Out, node_groups, nodes), leg(Way::In, node_groups, nodes)];
    let traffic = |cause, level, what, port, legs| Traffic { cause, level, what, port, legs };
    let all = [
        traffic(Cause::ApiPortBlocked, Level::Fault, "from the node to the API server", (Protocol::Tcp, 443), to_api),
        traffic(
            Cause::KubeletPortBlocked,
            Level::Warning,
            "from the control plane to kubelet",
            (Protocol::Tcp, 10250),
            to_kubelet,
        ),
        traffic(Cause::DnsPortBlocked, Level::Warning, "between nodes, for DNS", (Protocol::Tcp, 53), dns()),
        traffic(Cause::DnsPortBlocked, Level::Warning, "between nodes, for DNS", (Protocol::Udp, 53), dns()),
    ];
    for traffic in all {
        held_against(case, groups, &traffic);
    }
}

fn held_against(case: &mut Case<'_>, groups: &[SecurityGroup], traffic: &Traffic<'_>) {
    let (protocol, port) = traffic.port;
    let what = format!("{} {port} {}", protocol.name().to_uppercase(), traffic.what);
    let answers: Vec<(&Leg<'_>, Lets)> =
        traffic.legs.iter().map(|leg| (leg, lets(groups, leg.ours, leg.way, traffic.port, leg.peer))).collect();
    let blocked: Vec<&Leg<'_>> = answers.iter().filter(|(_, lets)| *lets == Lets::Not).map(|(leg, _)| *leg).collect();
    if blocked.is_empty() {
        if answers.iter().all(|(_, lets)| *lets == Lets::Through) {
            case.fine(format!("the security groups let {what} through"));
        } else if traffic.level == Level::Fault {
            let why = "it depends on a prefix list, or on addresses that were not read";
            let remedy = "compare the rules of the node's and the cluster's security groups".to_owned();
            case.unknown(traffic.cause, &format!("whether the security groups let {what} through"), why, remedy);
        }
        return;
    }
    let evidence = blocked.iter().map(|leg| {
        let way = if leg.way == Way::Out { "outbound" } else { "inbound" };
        let text = format!("no {way} rule for {} {port}{}", protocol.name(), with(leg.peer));
        Evidence::new(format!("EC2 {}", leg.ours.join(", ")), text)
    });
    let mut remedies: Vec<String> = blocked.iter().map(|leg| open(case, leg, protocol, port)).collect();
    if let Some(group) = case.control_plane().and_then(|cluster| cluster.cluster_security_group.as_deref())
        && !case.machine().is_some_and(|machine| machine.security_groups.iter().any(|has| has == group))
    {
        remedies.push(format!(
            "or give the launch template's instances {group} too, within which everything is let through"
        ));
    }
    let (says, evidence) = (format!("the security groups block {what}"), evidence.collect());
    case.add(traffic.cause, traffic.level, says, evidence, remedies.join("; "));
}

fn with(peer: Peer<'_>) -> String {
    if peer.groups.is_empty() { " with the internet".to_owned() } else { format!(" with {}", peer.groups.join(", ")) }
}

/// The command that adds the rule.
fn open(case: &Case<'_>, leg: &Leg<'_>, protocol: Protocol, port: u16) -> String {
    let way = if leg.way == Way::Out { "egress" } else { "ingress" };
    let group = leg.ours.first().map_or("GROUP", String::as_str);
    let peer = match leg.peer.groups.first() {
        Some(group) => format!("UserIdGroupPairs=[{{GroupId={group}}}]"),
        None => "IpRanges=[{CidrIp=0.0.0.0/0}]".to_owned(),
    };
    let name = protocol.name();
    case.aws(&format!(
        "ec2 authorize-security-group-{way} --group-id {group} --ip-permissions \
         'IpProtocol={name},FromPort={port},ToPort={port},{peer}'"
    ))
}
