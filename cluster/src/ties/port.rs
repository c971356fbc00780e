//! Ports of the host.

/// A port that a pod takes of its node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// `hostIP`; `0.0.0.0` for every address of the node.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The port.
    pub port: u32,
}

/// Every address of a node.
const ANY: &str = "0.0.0.0";

impl HostPort {
    pub(crate) fn new(ip: String, protocol: String, port: u32) -> HostPort {
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        HostPort { ip: or(ip, ANY), protocol: or(protocol, "TCP"), port }
    }

    /// Whether two pods with these cannot be on one node (k/k kube-scheduler `framework/types.go`, `HostPortInfo.CheckConflict`).
    #[must_use]
    pub fn conflicts(&self, other: &HostPort) -> bool {
        let same = (&self.protocol, self.port) == (&other.protocol, other.port);
        same && (self.ip == other.ip || self.ip == ANY || other.ip == ANY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_every_address_is_in_the_way_of_each() {
        let port = |ip: &str, protocol: &str, port| HostPort::new(ip.to_owned(), protocol.to_owned(), port);
        for (one, other, conflict) in [
            (port("", "", 80), port("10.0.0.1", "TCP", 80), true),
            (port("10.0.0.2", "", 80), port("10.0.0.1", "", 80), false),
            (port("10.0.0.1", "UDP", 80), port("10.0.0.1", "", 80), false),
            (port("10.0.0.1", "", 80), port("10.0.0.1", "", 81), false),
            (port("10.0.0.1", "", 80), port("10.0.0.1", "TCP", 80), true),
        ] {
            assert_eq!((one.conflicts(&other), other.conflicts(&one)), (conflict, conflict), "{one:?} {other:?}");
        }
    }
}
