//! What the inventory and the cluster add to what the machine knows of its network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use headroom_capacity::subnet::Cidr;
use headroom_reach::{Kind, Nameserver, Network};
use ipnet::{IpNet, Ipv4Net};

use crate::inventory::Inventory;

/// EKS gives kube-dns the tenth address of the Service range and the API server the first (EKS user guide, "EKS cluster network
/// settings"; AL2's `bootstrap.sh`, `--dns-cluster-ip`).
const DNS_BEHIND_API_SERVER: u32 = 9;

/// `machine` with the VPC's blocks, the addresses of its interface endpoints, and the cluster's nameserver for comparison where this pod
/// does not use it. `service_host` is `KUBERNETES_SERVICE_HOST`.
pub(super) fn network(mut machine: Network, inventory: &Inventory, service_host: &str) -> Network {
    machine.vpc_cidrs = inventory.vpc_cidrs.iter().filter_map(block).collect();
    let endpoints = inventory.endpoints.iter().filter(|endpoint| endpoint.interface);
    for id in endpoints.flat_map(|endpoint| &endpoint.enis) {
        let eni = inventory.enis.iter().find(|eni| eni.id == *id);
        machine.endpoint_addresses.extend(eni.and_then(|eni| eni.primary_ip).map(IpAddr::V4));
    }
    machine.also.extend(cluster_dns(service_host));
    machine
}

fn block(cidr: &Cidr) -> Option<IpNet> {
    Ipv4Net::new(cidr.base(), cidr.len()).ok().map(IpNet::V4)
}

/// `None` outside a cluster, and in one that is no EKS's by its addresses.
fn cluster_dns(service_host: &str) -> Option<Nameserver> {
    let host: Ipv4Addr = service_host.parse().ok()?;
    let is_first = host.octets()[3] == 1;
    let dns = Ipv4Addr::from(u32::from(host).checked_add(DNS_BEHIND_API_SERVER)?);
    is_first.then_some(Nameserver { address: SocketAddr::from((dns, 53)), kind: Kind::Cluster, configured: false })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use headroom_reach::AddressClass;

    use super::*;
    use crate::inventory::{Endpoint, Eni, EniKind, EniTags};

    #[test]
    fn the_inventory_tells_an_interface_endpoints_address() {
        let eni = Eni {
            id: "eni-1".into(),
            subnet: "subnet-a".into(),
            available: false,
            kind: EniKind::Service,
            primary_ip: Some(Ipv4Addr::new(10, 0, 7, 7)),
            secondary_ips: Vec::new(),
            prefixes: Vec::new(),
            attachment: None,
            requester_managed: true,
            described_for: None,
            tags: EniTags::default(),
        };
        let endpoint = Endpoint {
            id: "vpce-1".into(),
            service: "com.amazonaws.us-west-2.autoscaling".into(),
            available: true,
            private_dns: true,
            interface: true,
            enis: vec!["eni-1".into(), "eni-2".into()],
        };
        let inventory = Inventory {
            vpc_cidrs: vec![Cidr::parse("10.0.0.0/16").unwrap()],
            enis: vec![eni],
            endpoints: vec![endpoint],
            ..Inventory::default()
        };
        let network = network(Network::read(Path::new("/nonexistent")), &inventory, "10.100.0.1");
        let class = |address: &str| AddressClass::of(address.parse().unwrap(), &network);
        assert_eq!(class("10.0.7.7"), AddressClass::InterfaceEndpoint);
        assert_eq!((class("10.0.7.8"), class("10.1.0.1")), (AddressClass::Vpc, AddressClass::SplitHorizon));
        let servers: Vec<_> = network.nameservers().iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["169.254.169.253", "10.100.0.10"]);
        assert_eq!(cluster_dns("10.100.0.2"), None);
        assert_eq!(cluster_dns(""), None);
    }
}
