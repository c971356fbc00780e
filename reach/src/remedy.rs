//! What to change, given where a cause shows.

use crate::address::AddressClass;
use crate::cause::Cause;
use crate::network::Kind;

/// What is known beside the cause.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setting {
    /// Whose nameserver it is.
    pub(crate) nameserver: Option<Kind>,
    /// Whose nameserver gives an address all the same.
    pub(crate) other: Option<Kind>,
    /// What the address is.
    pub(crate) class: Option<AddressClass>,
    /// AWS does not say which policy denies the call.
    pub(crate) unsaid: bool,
}

/// One sentence for whoever is on call.
pub(crate) fn remedy(cause: Cause, setting: &Setting, port: u16) -> String {
    let in_vpc = setting.class.is_some_and(AddressClass::is_in_vpc);
    let said = match setting.nameserver {
        Some(Kind::Vpc) => by_the_vpcs_nameserver(cause),
        Some(_) if setting.other == Some(Kind::Vpc) => by_another_nameserver(cause),
        _ => None,
    };
    if let Some(said) = said {
        return said.to_owned();
    }
    match cause {
        Cause::TcpTimeout if in_vpc => format!(
            "let the interface endpoint's security group take in TCP {port} from the nodes and pods, and see the network ACLs of both subnets"
        ),
        Cause::TcpTimeout if setting.class == Some(AddressClass::Public) => format!(
            "give the node's subnet a route to a NAT gateway, or the VPC an interface endpoint with private DNS, and let security groups, \
             network ACLs and network policies pass TCP {port} out"
        ),
        Cause::TcpTimeout if setting.class == Some(AddressClass::SplitHorizon) => {
            format!("see the private hosted zone that names this address, the route to it and what drops TCP {port} there")
        }
        Cause::TcpUnreachable if in_vpc => "see the route tables and that the interface endpoint still has this address".to_owned(),
        Cause::CertUntrusted | Cause::CertName if setting.class == Some(AddressClass::SplitHorizon) => {
            "take away the private hosted zone or hosts entry that leads to this proxy, or let the proxy pass TLS through".to_owned()
        }
        Cause::CertName if in_vpc => {
            "see the private DNS of the interface endpoints: the name leads to something else in the VPC".to_owned()
        }
        Cause::Denied if setting.unsaid && in_vpc => {
            "allow the action in the role's policy and in the policy of the VPC endpoint: AWS does not say which of them denies it".to_owned()
        }
        cause => cause.remedy().to_owned(),
    }
}

/// The cluster's nameserver is at fault, for the VPC's knows the name.
fn by_another_nameserver(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::DnsTimeout => "set dnsPolicy: Default, or fix CoreDNS (its pods, network policies, and its forward)",
        Cause::DnsUnreachable => "set dnsPolicy: Default, or start CoreDNS: its Service has no endpoint that is ready",
        Cause::DnsServfail => "set dnsPolicy: Default, or fix the forward in CoreDNS's Corefile",
        Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsRefused => {
            "set dnsPolicy: Default, or take out of CoreDNS's Corefile what answers for this name (hosts, rewrite, template, a stub domain)"
        }
        _ => return None,
    })
}

/// There is no CoreDNS in between.
fn by_the_vpcs_nameserver(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        // VPC user guide, "DNS quotas".
        Cause::DnsTimeout | Cause::DnsSlow => {
            "turn on enableDnsSupport of the VPC, and see whether this ENI sends more than 1024 DNS packets a second (linklocal_allowance_exceeded \
             of ethtool -S): cache names with NodeLocal DNSCache"
        }
        Cause::DnsUnreachable => "turn on enableDnsSupport of the VPC",
        Cause::DnsServfail | Cause::DnsRefused => {
            "see the Route 53 Resolver rules of the VPC that forward this name, and the targets they forward to"
        }
        Cause::SearchListSlow => {
            "take the domains that nobody answers for out of the VPC's DHCP options, or set ndots to 1"
        }
        _ => return None,
    })
}
