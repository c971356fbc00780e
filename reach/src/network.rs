//! What is known of the network before anything is asked.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use ipnet::IpNet;

use crate::resolv::ResolvConf;

/// Amazon's resolver at its link-local addresses, in every VPC (VPC user guide, "Understanding Amazon DNS").
const AMAZON: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253))];

/// Where this process stands.
#[derive(Clone, Debug)]
pub struct Network {
    /// What `/etc/resolv.conf` says, or why it cannot be read.
    pub resolv: Result<ResolvConf, String>,
    /// Nameservers that are asked too, for comparison. One that `resolv` names as well is asked once.
    pub also: Vec<Nameserver>,
    /// The VPC's blocks; empty where they are not known.
    pub vpc_cidrs: Vec<IpNet>,
    /// Addresses of the ENIs of the VPC's interface endpoints.
    pub endpoint_addresses: BTreeSet<IpAddr>,
}

/// A nameserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nameserver {
    /// Where it is asked.
    pub address: SocketAddr,
    /// Whose it is.
    pub kind: Kind,
    /// `/etc/resolv.conf` names it, so that this process depends on it.
    pub configured: bool,
}

/// Whose a nameserver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Amazon's, of the VPC.
    Vpc,
    /// The cluster's: CoreDNS behind its Service, or a cache before it.
    Cluster,
    /// Somebody's.
    Other,
}

impl Network {
    /// As the file and Amazon's resolver have it, with nothing known of the VPC.
    #[must_use]
    pub fn read(path: &Path) -> Network {
        let text = std::fs::read_to_string(path);
        let resolv = text.map(|text| ResolvConf::parse(&text)).map_err(|error| format!("{}: {error}", path.display()));
        let amazon = Nameserver { address: SocketAddr::new(AMAZON[0], 53), kind: Kind::Vpc, configured: false };
        Network { resolv, also: vec![amazon], vpc_cidrs: Vec::new(), endpoint_addresses: BTreeSet::new() }
    }

    /// Whom to ask: those of the file first, in its order.
    #[must_use]
    pub fn nameservers(&self) -> Vec<Nameserver> {
        let configured = self.resolv.iter().flat_map(|conf| &conf.nameservers);
        let mut all: Vec<Nameserver> = Vec::new();
        let configured =
            configured.map(|address| Nameserver { address: *address, kind: self.kind(*address), configured: true });
        for nameserver in configured.chain(self.also.iter().copied()) {
            if all.iter().all(|known| known.address != nameserver.address) {
                all.push(nameserver);
            }
        }
        all
    }

    fn kind(&self, address: SocketAddr) -> Kind {
        if let Some(known) = self.also.iter().find(|known| known.address == address) {
            return known.kind;
        }
        if AMAZON.contains(&address.ip()) || self.is_base_plus_two(address.ip()) {
            return Kind::Vpc;
        }
        // kubelet writes `<namespace>.svc.<cluster domain>` for `dnsPolicy: ClusterFirst` and no `svc` for the others.
        let cluster_first = |conf: &ResolvConf| conf.search.iter().any(|domain| domain.starts_with("svc."));
        if self.resolv.as_ref().is_ok_and(cluster_first) { Kind::Cluster } else { Kind::Other }
    }

    /// Amazon's resolver is at the VPC's base plus two as well, of each of its blocks.
    fn is_base_plus_two(&self, address: IpAddr) -> bool {
        self.vpc_cidrs.iter().any(|cidr| match (cidr, address) {
            (IpNet::V4(cidr), IpAddr::V4(address)) => u32::from(cidr.network()).checked_add(2) == Some(address.into()),
            _ => false,
        })
    }
}

impl fmt::Display for Nameserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.port() {
            53 => write!(f, "{}", self.address.ip()),
            _ => write!(f, "{}", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        let amazon = Nameserver { address: "169.254.169.253:53".parse().unwrap(), kind: Kind::Vpc, configured: false };
        Network {
            resolv: Ok(ResolvConf::parse(text)),
            also: vec![amazon],
            vpc_cidrs: vec!["10.0.0.0/16".parse().unwrap()],
            endpoint_addresses: BTreeSet::new(),
        }
    }

    fn told(network: &Network) -> Vec<(String, Kind, bool)> {
        network.nameservers().iter().map(|one| (one.to_string(), one.kind, one.configured)).collect()
    }

    #[test]
    fn the_clusters_nameserver_is_known_by_the_search_list() {
        let network = network("search default.svc.cluster.local svc.cluster.local\nnameserver 10.100.0.10\n");
        let amazon = ("169.254.169.253".to_owned(), Kind::Vpc, false);
        assert_eq!(told(&network), [("10.100.0.10".to_owned(), Kind::Cluster, true), amazon]);
    }

    #[test]
    fn the_vpcs_nameserver_is_known_by_its_address_and_asked_once() {
        let network = network("nameserver 10.0.0.2\nnameserver 169.254.169.253\nnameserver 8.8.8.8\n");
        let want = [("10.0.0.2", Kind::Vpc), ("169.254.169.253", Kind::Vpc), ("8.8.8.8", Kind::Other)];
        assert_eq!(told(&network), want.map(|(address, kind)| (address.to_owned(), kind, true)));
    }

    #[test]
    fn a_file_that_is_not_there_leaves_amazons() {
        let network = Network::read(Path::new("/nonexistent/resolv.conf"));
        assert!(network.resolv.as_ref().unwrap_err().starts_with("/nonexistent/resolv.conf: "));
        assert_eq!(network.nameservers().len(), 1);
    }
}
