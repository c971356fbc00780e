//! How long each stage may take.

use std::time::Duration;

/// Deadlines of the stages. None waits for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Of one nameserver over one transport, its whole search list included.
    pub dns: Duration,
    /// A name that takes longer than this is too slow, though it is answered. Below `dns` and `system`.
    pub slow_dns: Duration,
    /// Of `getaddrinfo`.
    pub system: Duration,
    /// Of a connection.
    pub tcp: Duration,
    /// Of a handshake.
    pub tls: Duration,
    /// Of an unsigned request.
    pub http: Duration,
    /// Of the signed read, with all its attempts.
    pub signed: Duration,
}

impl Default for Deadlines {
    /// The AWS SDKs give a connection 3.1 s with its lookup; a name that takes half of that leaves too little for the rest.
    fn default() -> Deadlines {
        Deadlines {
            dns: Duration::from_secs(3),
            slow_dns: Duration::from_millis(1500),
            system: Duration::from_secs(5),
            tcp: Duration::from_secs(3),
            tls: Duration::from_secs(3),
            http: Duration::from_secs(5),
            signed: Duration::from_secs(10),
        }
    }
}

impl Deadlines {
    /// The longest that a whole ladder takes. Nameservers are asked beside the system resolver, and the signed read is made beside all
    /// the others.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let Deadlines { dns, slow_dns: _, system, tcp, tls, http, signed } = *self;
        (dns.max(system) + tcp + tls + http).max(signed)
    }
}
