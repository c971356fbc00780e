//! What holds in every cluster, whatever EC2 tells.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use headroom_capacity::subnet::{Cidr, ReservationKind};
use headroom_capacity::units::{Ips, Prefixes};
use proptest::prelude::*;

use super::super::{Ledger, Owner, SubnetAccount};
use super::fixture::Fixture;
use super::generate::{Shape, addresses, generate, held};
use crate::inventory::{Inventory, Subnet};

fn shape() -> impl Strategy<Value = Shape> {
    let sizes = (1..6u32, 22..29u8, 0..12u32, 1..5u32, 0..12u32, 0..100u32);
    (sizes, any::<[bool; 3]>(), any::<u64>()).prop_map(|(sizes, flags, seed)| {
        let (subnets, subnet_len, nodes, enis, addresses, pods_percent) = sizes;
        let [prefixes, custom_networking, conflicts] = flags;
        Shape {
            subnets,
            subnet_len,
            nodes,
            enis,
            addresses,
            pods_percent,
            prefixes,
            custom_networking,
            conflicts,
            seed,
        }
    })
}

/// The addresses of a subnet that are taken, each once.
fn taken(inventory: &Inventory, subnet: &Subnet) -> BTreeSet<Ipv4Addr> {
    let here = inventory.enis.iter().filter(|eni| eni.subnet == subnet.id);
    here.flat_map(addresses).filter(|ip| subnet.cidr.contains(*ip) && !is_aws(subnet.cidr, *ip)).collect()
}

fn is_aws(cidr: Cidr, ip: Ipv4Addr) -> bool {
    ip.to_bits() - cidr.base().to_bits() < 4 || ip == cidr.last()
}

fn free_prefixes(inventory: &Inventory, subnet: &Subnet, taken: &BTreeSet<Ipv4Addr>) -> Prefixes {
    let reservations = inventory.reservations.get(&subnet.id).map_or(&[][..], Vec::as_slice);
    let explicit =
        |block: Cidr| reservations.iter().any(|one| one.kind == ReservationKind::Explicit && one.cidr.overlaps(block));
    let bases = subnet.cidr.addresses().step_by(16);
    let blocks = bases.map(|base| Cidr::new(base, 28).unwrap()).filter(|block| subnet.cidr.contains_cidr(*block));
    let free = blocks.filter(|block| !explicit(*block));
    let free = free.filter(|block| block.addresses().all(|ip| !taken.contains(&ip) && !is_aws(subnet.cidr, ip)));
    Prefixes(u32::try_from(free.count()).unwrap())
}

fn sum(ledger: &Ledger, of: impl Fn(&SubnetAccount) -> Ips) -> Ips {
    ledger.subnets.values().map(of).sum()
}

fn check(fixture: &Fixture) {
    let ledger = fixture.ledger();
    let inventory = &fixture.inventory;
    for (id, account) in &ledger.subnets {
        let subnet = &inventory.subnets[id];
        let taken = taken(inventory, subnet);
        let parts = account.used() + account.free_ips + account.cidr_reserved + account.reserved;
        assert_eq!(u64::from(parts.get()), subnet.cidr.size(), "{id}: every address is in one column");
        assert_eq!(account.used().get() as usize, taken.len(), "{id}");
        assert_eq!(account.free_prefixes, free_prefixes(inventory, subnet, &taken), "{id}");
    }
    let told = sum(&ledger, |subnet| subnet.used() + subnet.conflicts);
    assert_eq!(told, held(fixture), "an address is held or in conflict, none is dropped");

    let nodes = || ledger.nodes.values();
    let pairs = [
        (Owner::Pod, nodes().map(|node| node.assigned).sum::<Ips>()),
        (Owner::Cooling, nodes().map(|node| node.cooling).sum()),
        (Owner::Warm, nodes().map(|node| node.warm()).sum()),
    ];
    for (owner, by_node) in pairs {
        assert_eq!(sum(&ledger, |subnet| subnet.held_by(owner)), by_node, "{owner:?}");
    }
    let of_leaks: Ips = ledger.leaks.iter().map(|leak| leak.ips).sum();
    assert_eq!(sum(&ledger, |subnet| subnet.held_by(Owner::Leaked)), of_leaks);
    let in_flight =
        |node: &super::super::NodeAccount| node.in_flight.iter().map(|one| one.ips + one.prefixes.ips()).sum::<Ips>();
    assert_eq!(sum(&ledger, |subnet| subnet.in_flight_ips), nodes().map(in_flight).sum());
}

proptest! {
    #[test]
    fn every_address_has_one_owner_and_all_sums_agree(shape in shape()) {
        check(&generate(shape));
    }
}
