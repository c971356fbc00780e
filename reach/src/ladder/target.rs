//! What is asked.

use std::fmt;
use std::net::SocketAddr;

use crate::address::AddressClass;
use crate::network::Nameserver;

/// What a step asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The file.
    ResolverConfig,
    /// A nameserver.
    Nameserver {
        /// Which.
        nameserver: Nameserver,
        /// Over what.
        transport: Transport,
        /// By way of the search list, as a name without a final dot is looked up.
        searched: bool,
    },
    /// `getaddrinfo`.
    SystemResolver,
    /// All addresses that were found.
    Addresses,
    /// One address.
    Address {
        /// With the endpoint's port.
        address: SocketAddr,
        /// What it is.
        class: AddressClass,
    },
    /// The API as a client sees it.
    Api,
}

/// How a nameserver is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
}

impl Target {
    /// Whether the SDK depends on it.
    pub(super) const fn counts(&self) -> bool {
        match self {
            Target::Nameserver { nameserver, .. } => nameserver.configured,
            _ => true,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::ResolverConfig => f.write_str("/etc/resolv.conf"),
            Target::Nameserver { nameserver, transport, searched } => {
                let transport = if *transport == Transport::Udp { "UDP" } else { "TCP" };
                write!(f, "{nameserver} {transport}{}", if *searched { ", search list" } else { "" })
            }
            Target::SystemResolver => f.write_str("getaddrinfo"),
            Target::Addresses => f.write_str("all addresses"),
            Target::Address { address, class } => write!(f, "{address} ({class})"),
            Target::Api => f.write_str("AWS SDK"),
        }
    }
}
