//! CIDR arithmetic and the occupancy ledger of a subnet.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use headroom_capacity::subnet::{Cidr, ReservationKind, SubnetError, SubnetLedger};
use headroom_capacity::units::{Ips, Prefixes};
use proptest::prelude::*;

fn cidr(text: &str) -> Cidr {
    Cidr::parse(text).expect("a CIDR")
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

fn first(_: usize) -> usize {
    0
}

fn last(n: usize) -> usize {
    n - 1
}

#[test]
fn cidr_parses_only_canonical_blocks() {
    for good in ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.16/28", "255.255.255.255/32"] {
        assert_eq!(cidr(good).to_string(), good);
    }
    let why = |text| Cidr::parse(text).unwrap_err().why;
    assert_eq!(why("10.0.0.1/24"), "host bits are set");
    assert_eq!(why("10.0.0.0/33"), "the length is above 32");
    assert_eq!(why("10.0.0.0/256"), "the length is above 32");
    assert_eq!(why("10.0.0.0/+8"), "the part after '/' is not a number");
    assert_eq!(why("10.0.0.0/"), "the part after '/' is not a number");
    assert_eq!(why("10.0.0/24"), "the part before '/' is not an IPv4 address");
    assert_eq!(why("10.0.0.0"), "there is no '/'");
    assert_eq!(
        Cidr::parse("10.0.0.1/24").unwrap_err().to_string(),
        "'10.0.0.1/24' is not an IPv4 CIDR such as 10.0.0.0/24: host bits are set"
    );
}

#[test]
fn cidr_containment_and_alignment() {
    let subnet = cidr("10.0.1.0/24");
    assert!(subnet.contains(ip("10.0.1.255")) && !subnet.contains(ip("10.0.2.0")));
    assert!(subnet.contains_cidr(cidr("10.0.1.240/28")) && !cidr("10.0.1.240/28").contains_cidr(subnet));
    assert!(cidr("10.0.1.240/28").overlaps(subnet) && !subnet.overlaps(cidr("10.0.2.0/28")));
    assert_eq!(Cidr::prefix_of(ip("10.0.1.37")), cidr("10.0.1.32/28"));
    assert_eq!(subnet.size(), 256);
    assert_eq!(cidr("0.0.0.0/0").size(), 1 << 32);
    assert_eq!(cidr("0.0.0.0/0").last(), ip("255.255.255.255"));
    assert_eq!(cidr("255.255.255.252/30").addresses().count(), 4);
}

/// Five addresses are AWS's, and they sit in two different /28s: at best 2^(28 - len) - 2 prefixes.
#[test]
fn empty_subnets_hold_what_aws_says() {
    let rows = [("10.0.0.0/24", 251, 14), ("10.0.0.0/22", 1019, 62), ("10.0.0.0/20", 4091, 254)];
    let ends = [("10.0.0.0/28", 11, 0), ("10.0.0.0/27", 27, 0), ("10.0.0.0/16", 65531, 4094)];
    for (text, ips, prefixes) in rows.into_iter().chain(ends) {
        let ledger = SubnetLedger::<u32>::new(cidr(text));
        assert_eq!((ledger.free_ips(), ledger.free_prefixes()), (Ips(ips), Prefixes(prefixes)), "{text}");
    }
    let tiny = SubnetLedger::<u32>::new(cidr("10.0.0.0/30"));
    assert_eq!((tiny.free_ips(), tiny.usable()), (Ips(0), Ips(0)));
}

#[test]
fn aws_addresses_cannot_be_taken() {
    let mut ledger = SubnetLedger::new(cidr("10.0.0.0/24"));
    for reserved in ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.255", "10.0.1.4"] {
        assert_eq!(ledger.occupy(ip(reserved), 1), Err(SubnetError::NotAvailable), "{reserved}");
    }
    assert_eq!(ledger.take_ip(1, &mut first), Ok(ip("10.0.0.4")));
    assert_eq!(ledger.take_ip(1, &mut last), Ok(ip("10.0.0.254")));
    assert_eq!(ledger.release(cidr("10.0.0.0/24")), Ips(2));
    assert_eq!(ledger.unused(), Ips(251), "releasing the whole subnet leaves the five reserved");
}

#[test]
fn a_stray_address_costs_a_prefix() {
    let mut ledger = SubnetLedger::new(cidr("10.0.0.0/24"));
    ledger.occupy(ip("10.0.0.37"), 1).unwrap();
    assert_eq!(ledger.free_prefixes(), Prefixes(13));
    assert_eq!(ledger.occupy_block(cidr("10.0.0.32/28"), 2), Err(SubnetError::NotAvailable));
    assert_eq!(ledger.owner_of(ip("10.0.0.36")), None, "a refused block takes nothing");
    assert_eq!(ledger.release(cidr("10.0.0.37/32")), Ips(1));
    assert_eq!(ledger.free_prefixes(), Prefixes(14));
}

/// A subnet with hundreds of free addresses and no prefix, which is how prefix delegation fails in the field.
#[test]
fn a_fragmented_subnet_has_ips_and_no_prefix() {
    let mut ledger = SubnetLedger::new(cidr("10.0.0.0/24"));
    for block in 0..16u8 {
        ledger.occupy(Ipv4Addr::new(10, 0, 0, block * 16 + 7), 1).unwrap();
    }
    assert_eq!((ledger.free_ips(), ledger.free_prefixes()), (Ips(235), Prefixes(0)));
    assert_eq!(ledger.take_prefix(1, &mut first), Err(SubnetError::InsufficientCidrBlocks));
}

#[test]
fn prefix_reservations_come_first_and_keep_single_addresses_out() {
    let mut ledger = SubnetLedger::new(cidr("10.0.0.0/24"));
    ledger.reserve(cidr("10.0.0.128/27"), ReservationKind::Prefix).unwrap();
    assert_eq!((ledger.free_ips(), ledger.unused(), ledger.free_prefixes()), (Ips(219), Ips(251), Prefixes(14)));
    assert_eq!(ledger.take_prefix(1, &mut last), Ok(cidr("10.0.0.144/28")));
    assert_eq!(ledger.take_prefix(1, &mut last), Ok(cidr("10.0.0.128/28")));
    assert_eq!(ledger.take_prefix(1, &mut last), Ok(cidr("10.0.0.224/28")), "then from outside");
    ledger.release(cidr("10.0.0.128/27"));
    while let Ok(address) = ledger.take_ip(2, &mut first) {
        assert!(!cidr("10.0.0.128/27").contains(address), "{address} is reserved for prefixes");
    }
    assert_eq!(ledger.free_prefixes(), Prefixes(2));
    ledger.occupy(ip("10.0.0.130"), 3).unwrap();
    assert_eq!(ledger.free_prefixes(), Prefixes(1), "an address named by the caller may still land inside");
}

#[test]
fn explicit_reservations_give_nothing_by_themselves() {
    let mut ledger = SubnetLedger::new(cidr("10.0.0.0/24"));
    ledger.reserve(cidr("10.0.0.64/30"), ReservationKind::Explicit).unwrap();
    assert_eq!((ledger.free_ips(), ledger.free_prefixes()), (Ips(247), Prefixes(13)));
    ledger.occupy(ip("10.0.0.64"), 1).unwrap();
    for bad in ["10.0.0.64/28", "10.0.0.66/32", "10.0.1.0/28"] {
        assert_eq!(ledger.reserve(cidr(bad), ReservationKind::Prefix), Err(SubnetError::NotAvailable), "{bad}");
    }
}

#[derive(Clone, Debug)]
enum Op {
    TakeIp(u8, usize),
    TakePrefix(u8, usize),
    Occupy(u8, u16),
    OccupyBlock(u8, u16),
    Release(u16, u8),
    Reserve(u16, u8, bool),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (any::<u8>(), any::<usize>()).prop_map(|(owner, nth)| Op::TakeIp(owner, nth)),
        2 => (any::<u8>(), any::<usize>()).prop_map(|(owner, nth)| Op::TakePrefix(owner, nth)),
        2 => (any::<u8>(), 0..300u16).prop_map(|(owner, at)| Op::Occupy(owner, at)),
        1 => (any::<u8>(), 0..20u16).prop_map(|(owner, block)| Op::OccupyBlock(owner, block)),
        3 => (0..300u16, 25..=32u8).prop_map(|(at, len)| Op::Release(at, len)),
        1 => (0..256u16, 26..=30u8, any::<bool>()).prop_map(|(at, len, prefix)| Op::Reserve(at, len, prefix)),
    ]
}

/// The same rules over a map, by scanning everything each time.
struct Model {
    subnet: Cidr,
    held: BTreeMap<Ipv4Addr, u8>,
    reserved: Vec<(Cidr, ReservationKind)>,
}

impl Model {
    fn aws(&self, address: Ipv4Addr) -> bool {
        let offset = address.to_bits() - self.subnet.base().to_bits();
        offset < 4 || address == self.subnet.last()
    }

    fn free(&self, address: Ipv4Addr) -> bool {
        self.subnet.contains(address) && !self.aws(address) && !self.held.contains_key(&address)
    }

    fn automatic(&self) -> Vec<Ipv4Addr> {
        let outside = |address: &Ipv4Addr| !self.reserved.iter().any(|(block, _)| block.contains(*address));
        self.subnet.addresses().filter(|address| self.free(*address)).filter(outside).collect()
    }

    /// Free blocks inside prefix reservations, and outside of them.
    fn prefixes(&self) -> (Vec<Cidr>, Vec<Cidr>) {
        let explicit = |block: &Cidr| {
            self.reserved.iter().any(|(other, kind)| *kind == ReservationKind::Explicit && other.overlaps(*block))
        };
        let blocks = self.subnet.addresses().step_by(16).map(Cidr::prefix_of);
        let free = blocks.filter(|block| block.addresses().all(|address| self.free(address)));
        free.filter(|block| !explicit(block)).partition(|block| {
            let holds = |(other, kind): &(Cidr, ReservationKind)| {
                *kind == ReservationKind::Prefix && other.contains_cidr(*block)
            };
            self.reserved.iter().any(holds)
        })
    }
}

fn at(offset: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(ip("10.0.0.0").to_bits() + u32::from(offset))
}

fn aligned(offset: u16, len: u8) -> Cidr {
    let mask = u32::MAX << (32 - u32::from(len));
    Cidr::new(Ipv4Addr::from_bits(at(offset).to_bits() & mask), len).expect("host bits masked")
}

fn step(ledger: &mut SubnetLedger<u8>, model: &mut Model, op: &Op) {
    match *op {
        Op::TakeIp(owner, nth) => {
            let free = model.automatic();
            let taken = ledger.take_ip(owner, &mut |n| {
                assert_eq!(n, free.len());
                nth % n
            });
            let expected = if free.is_empty() { None } else { Some(free[nth % free.len()]) };
            assert_eq!(taken.ok(), expected);
            model.held.extend(expected.map(|address| (address, owner)));
        }
        Op::TakePrefix(owner, nth) => {
            let (reserved, open) = model.prefixes();
            let free = if reserved.is_empty() { open } else { reserved };
            let taken = ledger.take_prefix(owner, &mut |n| nth % n);
            let expected = if free.is_empty() { None } else { Some(free[nth % free.len()]) };
            assert_eq!(taken.ok(), expected);
            model.held.extend(expected.into_iter().flat_map(Cidr::addresses).map(|address| (address, owner)));
        }
        Op::Occupy(owner, offset) => {
            let expected = model.free(at(offset));
            assert_eq!(ledger.occupy(at(offset), owner).is_ok(), expected);
            if expected {
                model.held.insert(at(offset), owner);
            }
        }
        Op::OccupyBlock(owner, block) => {
            let block = aligned(block * 16, 28);
            let expected = block.addresses().all(|address| model.free(address));
            assert_eq!(ledger.occupy_block(block, owner).is_ok(), expected);
            if expected {
                model.held.extend(block.addresses().map(|address| (address, owner)));
            }
        }
        Op::Release(offset, len) => {
            let block = aligned(offset, len);
            let before = model.held.len();
            model.held.retain(|address, _| !block.contains(*address));
            assert_eq!(ledger.release(block).get() as usize, before - model.held.len());
        }
        Op::Reserve(offset, len, prefix) => {
            let kind = if prefix { ReservationKind::Prefix } else { ReservationKind::Explicit };
            let block = aligned(offset, len);
            if ledger.reserve(block, kind).is_ok() {
                model.reserved.push((block, kind));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// After any history the ledger equals the naive model: owners, both free counts, and
    /// free + held = size - 5.
    #[test]
    fn ledger_agrees_with_a_naive_model(ops in prop::collection::vec(op(), 1..60)) {
        let subnet = cidr("10.0.0.0/24");
        let mut ledger = SubnetLedger::new(subnet);
        let mut model = Model { subnet, held: BTreeMap::new(), reserved: Vec::new() };
        for op in &ops {
            step(&mut ledger, &mut model, op);
            let held: BTreeMap<Ipv4Addr, u8> = ledger.iter().map(|(address, owner)| (address, *owner)).collect();
            prop_assert_eq!(&held, &model.held);
            prop_assert_eq!(ledger.unused().get() as usize + held.len(), 251);
            let (reserved, open) = model.prefixes();
            prop_assert_eq!(ledger.free_prefixes().get() as usize, reserved.len() + open.len());
            prop_assert_eq!(ledger.free_ips().get() as usize, model.automatic().len());
        }
    }
}
