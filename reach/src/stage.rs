//! The rungs, from the bottom up.

use std::fmt;

/// A rung of the ladder. They are in the order in which one depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// `/etc/resolv.conf` is there and names a nameserver.
    ResolverConfig,
    /// Each nameserver is asked over UDP and over TCP, for the name itself and by way of the search list.
    Nameserver,
    /// `getaddrinfo`, which is what the AWS SDK goes by.
    SystemResolver,
    /// What the addresses are: an interface endpoint's, public, or something else; and whether the nameservers agree.
    AddressClass,
    /// A connection to every address.
    Tcp,
    /// The handshake, the certificate's chain and its name.
    Tls,
    /// An answer to an unsigned request, whatever its status.
    Http,
    /// The answer's `Date` against this machine's clock.
    Clock,
    /// A cheap read with credentials.
    SignedRead,
    /// The interface endpoint's policy lets that read through.
    EndpointPolicy,
}

impl Stage {
    /// All of them, from the bottom up.
    pub const ALL: [Stage; 10] = [
        Stage::ResolverConfig,
        Stage::Nameserver,
        Stage::SystemResolver,
        Stage::AddressClass,
        Stage::Tcp,
        Stage::Tls,
        Stage::Http,
        Stage::Clock,
        Stage::SignedRead,
        Stage::EndpointPolicy,
    ];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Stage::ResolverConfig => "resolver_config",
            Stage::Nameserver => "nameserver",
            Stage::SystemResolver => "system_resolver",
            Stage::AddressClass => "address_class",
            Stage::Tcp => "tcp",
            Stage::Tls => "tls",
            Stage::Http => "http",
            Stage::Clock => "clock",
            Stage::SignedRead => "signed_read",
            Stage::EndpointPolicy => "endpoint_policy",
        }
    }

    /// The name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Stage::ResolverConfig => "resolv.conf",
            Stage::Nameserver => "DNS",
            Stage::SystemResolver => "system resolver",
            Stage::AddressClass => "addresses",
            Stage::Tcp => "TCP",
            Stage::Tls => "TLS",
            Stage::Http => "HTTP",
            Stage::Clock => "clock",
            Stage::SignedRead => "signed read",
            Stage::EndpointPolicy => "endpoint policy",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}
