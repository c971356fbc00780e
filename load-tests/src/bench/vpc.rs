//! A VPC on paper: what EC2 and Auto Scaling say about a cluster, as large as wanted, each thing a function of its number.
//!
//! Node `n` is instance `n`, in subnet `n` modulo their number. ENI `e` is on instance `e` modulo their number, so that the first
//! ones are the primary ENIs. All are ipamd's and attached.

pub mod answer;
pub mod kubernetes;
pub mod serve;

use std::net::Ipv4Addr;

use anyhow::ensure;
use clap::Args;

/// Name of the cluster.
pub const CLUSTER: &str = "shop";
/// Where it is.
pub const REGION: &str = "eu-central-1";
/// Has 8 ENIs of 30 addresses (EC2 user guide, "Maximum IP addresses per network interface").
pub const INSTANCE_TYPE: &str = "m5.4xlarge";
const ID: &str = "vpc-0123456789abcdef0";

/// Each subnet is a /20.
const SUBNET_LEN: u32 = 4096;
/// Addresses of a subnet before this one are nobody's.
const FIRST: u32 = 16;
const IPS_PER_PREFIX: u32 = 16;
/// Members of a group.
const PER_GROUP: u32 = 100;

/// How large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Size {
    /// Nodes, which are instances.
    #[arg(long, value_name = "N", default_value = "5000", value_parser = clap::value_parser!(u32).range(1..))]
    pub nodes: u32,
    /// Subnets of three zones.
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub subnets: u32,
    /// ENIs, spread evenly over the nodes.
    #[arg(long, value_name = "N", default_value = "30000")]
    pub enis: u32,
    /// Pods with an address, likewise.
    #[arg(long, value_name = "N", default_value = "100000")]
    pub pods: u32,
    /// Addresses of an ENI, its primary one included.
    #[arg(long, value_name = "N", default_value = "15", value_parser = clap::value_parser!(u32).range(1..=30))]
    pub addresses: u32,
    /// Prefixes of an ENI.
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=29))]
    pub prefixes: u32,
}

impl Size {
    /// Whether there is room for it.
    ///
    /// # Errors
    /// When a subnet has fewer addresses, an instance fewer ENIs or the ENIs fewer addresses than asked for.
    pub fn check(&self) -> anyhow::Result<()> {
        let enis = self.enis.div_ceil(self.nodes);
        ensure!((1..=8).contains(&enis), "--enis {}: {enis} for each node, must be 1 to 8", self.enis);
        let of_subnet = self.per_subnet() * enis;
        let needed = self.first_prefix() + of_subnet * self.prefixes * IPS_PER_PREFIX;
        ensure!(needed < SUBNET_LEN, "a subnet needs {needed} addresses and is a /20: give more --subnets");
        let (pods, places) = (self.pods.div_ceil(self.nodes), self.pod_ips_per_eni() * (self.enis / self.nodes));
        ensure!(
            pods <= places,
            "--pods {}: {pods} for each node, whose ENIs have {places} addresses for them",
            self.pods
        );
        Ok(())
    }

    /// Nodes in a subnet.
    fn per_subnet(&self) -> u32 {
        self.nodes.div_ceil(self.subnets)
    }

    /// From where on a subnet's addresses are in prefixes.
    fn first_prefix(&self) -> u32 {
        let singles = FIRST + self.per_subnet() * self.enis.div_ceil(self.nodes) * self.addresses;
        singles.next_multiple_of(IPS_PER_PREFIX)
    }

    fn pod_ips_per_eni(&self) -> u32 {
        self.addresses - 1 + self.prefixes * IPS_PER_PREFIX
    }

    /// Auto Scaling groups.
    #[must_use]
    pub fn groups(&self) -> u32 {
        self.nodes.div_ceil(PER_GROUP)
    }

    fn node_of(&self, eni: u32) -> u32 {
        eni % self.nodes
    }

    fn enis_of(&self, node: u32) -> impl Iterator<Item = u32> {
        (node..self.enis).step_by(self.nodes as usize)
    }

    fn subnet_of(&self, node: u32) -> u32 {
        node % self.subnets
    }

    /// The ENI's place among those of its subnet.
    fn place(&self, eni: u32) -> u32 {
        self.node_of(eni) / self.subnets + eni / self.nodes * self.per_subnet()
    }

    fn ip(&self, eni: u32, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from(base(self.subnet_of(self.node_of(eni))) + offset)
    }

    /// Where in its subnet an ENI's primary address is; the others that are in no prefix follow.
    fn first_of(&self, eni: u32) -> u32 {
        FIRST + self.place(eni) * self.addresses
    }

    /// Addresses of an ENI, the primary one first.
    fn singles(&self, eni: u32) -> impl Iterator<Item = Ipv4Addr> {
        let first = self.first_of(eni);
        (first..first + self.addresses).map(move |offset| self.ip(eni, offset))
    }

    /// First addresses of an ENI's prefixes.
    fn prefixes(&self, eni: u32) -> impl Iterator<Item = Ipv4Addr> {
        let first = self.first_prefix() + self.place(eni) * self.prefixes * IPS_PER_PREFIX;
        (0..self.prefixes).map(move |at| self.ip(eni, first + at * IPS_PER_PREFIX))
    }

    /// A pod's address: those of a node take the addresses of its first ENI, then those of the next.
    fn pod_ip(&self, pod: u32) -> Ipv4Addr {
        let (node, place) = (pod % self.nodes, pod / self.nodes);
        let (eni, at) = (node + place / self.pod_ips_per_eni() * self.nodes, place % self.pod_ips_per_eni());
        let first = match at.checked_sub(self.addresses - 1) {
            None => self.first_of(eni) + 1 + at,
            Some(at) => self.first_prefix() + self.place(eni) * self.prefixes * IPS_PER_PREFIX + at,
        };
        self.ip(eni, first)
    }
}

/// The first address of a subnet.
fn base(subnet: u32) -> u32 {
    u32::from(Ipv4Addr::new(10, 0, 0, 0)) + subnet * SUBNET_LEN
}

fn zone(subnet: u32) -> &'static str {
    ["eu-central-1a", "eu-central-1b", "eu-central-1c"][subnet as usize % 3]
}

fn instance_id(node: u32) -> String {
    format!("i-{node:017x}")
}

fn subnet_id(subnet: u32) -> String {
    format!("subnet-{subnet:017x}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_address_is_given_twice_and_pods_have_those_of_their_node() {
        for (addresses, prefixes) in [(4, 0), (1, 2), (3, 1)] {
            let size = Size { nodes: 7, subnets: 2, enis: 14, pods: 42, addresses, prefixes };
            size.check().unwrap();
            let mut all = HashSet::new();
            let mut of_nodes = vec![HashSet::new(); 7];
            for eni in 0..size.enis {
                let blocks =
                    size.prefixes(eni).flat_map(|first| (0..16).map(move |n| Ipv4Addr::from(u32::from(first) + n)));
                let for_pods: Vec<Ipv4Addr> = size.singles(eni).skip(1).chain(blocks).collect();
                for ip in size.singles(eni).take(1).chain(for_pods.iter().copied()) {
                    assert!(all.insert(ip), "{ip}");
                }
                of_nodes[(eni % 7) as usize].extend(for_pods);
            }
            let pods: HashSet<Ipv4Addr> = (0..42).map(|pod| size.pod_ip(pod)).collect();
            assert_eq!(pods.len(), 42);
            for pod in 0..42 {
                assert!(of_nodes[(pod % 7) as usize].contains(&size.pod_ip(pod)), "{pod}");
            }
        }
        let size = Size { nodes: 5, subnets: 1, enis: 5, pods: 6, addresses: 2, prefixes: 0 };
        assert!(size.check().unwrap_err().to_string().starts_with("--pods 6: 2 for each node"));
    }
}
