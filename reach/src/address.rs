//! What an address is, as seen from the VPC.

use std::fmt;
use std::net::IpAddr;

use crate::network::Network;

/// What the address of an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Of the ENI of an interface endpoint: the traffic stays in the VPC.
    InterfaceEndpoint,
    /// In the VPC and of no known interface endpoint.
    Vpc,
    /// Private, and not in the VPC: a private hosted zone, a proxy, a peered network.
    SplitHorizon,
    /// Public: reached by a NAT gateway, an internet gateway, or not at all.
    Public,
    /// Link-local.
    LinkLocal,
    /// This machine.
    Loopback,
    /// `0.0.0.0` or `::`, a filter's answer.
    Unspecified,
}

impl AddressClass {
    /// What `address` is in `network`. Where the VPC's blocks are not known every private address might be in it.
    #[must_use]
    pub fn of(address: IpAddr, network: &Network) -> AddressClass {
        let address = address.to_canonical();
        if network.endpoint_addresses.contains(&address) {
            AddressClass::InterfaceEndpoint
        } else if network.vpc_cidrs.iter().any(|cidr| cidr.contains(&address)) {
            AddressClass::Vpc
        } else if address.is_unspecified() {
            AddressClass::Unspecified
        } else if address.is_loopback() {
            AddressClass::Loopback
        } else if is_link_local(address) {
            AddressClass::LinkLocal
        } else if is_private(address) {
            if network.vpc_cidrs.is_empty() { AddressClass::Vpc } else { AddressClass::SplitHorizon }
        } else {
            AddressClass::Public
        }
    }

    /// The key in JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            AddressClass::InterfaceEndpoint => "interface_endpoint",
            AddressClass::Vpc => "vpc",
            AddressClass::SplitHorizon => "split_horizon",
            AddressClass::Public => "public",
            AddressClass::LinkLocal => "link_local",
            AddressClass::Loopback => "loopback",
            AddressClass::Unspecified => "unspecified",
        }
    }

    /// Whether the traffic goes to an interface endpoint, as far as is known.
    #[must_use]
    pub const fn is_in_vpc(self) -> bool {
        matches!(self, AddressClass::InterfaceEndpoint | AddressClass::Vpc)
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressClass::InterfaceEndpoint => "interface endpoint",
            AddressClass::Vpc => "in the VPC",
            AddressClass::SplitHorizon => "private, outside the VPC",
            AddressClass::Public => "public",
            AddressClass::LinkLocal => "link-local",
            AddressClass::Loopback => "this machine",
            AddressClass::Unspecified => "no address at all",
        })
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// RFC 1918 and 6598 (pods are often given addresses of the latter), RFC 4193.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_address_has_its_class() {
        let mut network = Network {
            resolv: Err(String::new()),
            also: Vec::new(),
            vpc_cidrs: vec!["10.0.0.0/16".parse().unwrap(), "100.64.0.0/16".parse().unwrap()],
            endpoint_addresses: BTreeSet::from(["10.0.7.7".parse().unwrap()]),
        };
        for (address, class) in [
            ("10.0.7.7", "interface_endpoint"),
            ("::ffff:10.0.7.7", "interface_endpoint"),
            ("10.0.7.8", "vpc"),
            ("100.64.1.1", "vpc"),
            ("100.65.1.1", "split_horizon"),
            ("10.1.0.1", "split_horizon"),
            ("fd00::1", "split_horizon"),
            ("54.239.29.25", "public"),
            ("2600:1f14::1", "public"),
            ("169.254.169.254", "link_local"),
            ("127.0.0.2", "loopback"),
            ("0.0.0.0", "unspecified"),
            ("::", "unspecified"),
        ] {
            assert_eq!(AddressClass::of(address.parse().unwrap(), &network).label(), class, "{address}");
        }
        network.vpc_cidrs.clear();
        assert_eq!(AddressClass::of("10.1.0.1".parse().unwrap(), &network), AddressClass::Vpc);
    }
}
