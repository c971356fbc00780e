use headroom_capacity::subnet::ReservationKind;
use headroom_capacity::units::Ips;

use super::*;

#[test]
fn shows_the_count_of_a_while_ago() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    eni(&mut vpc, &id, 4);
    let shown = |vpc: &Vpc, secs| vpc.describe_subnets_in("us-west-2a", at(secs))[0].available_ips;
    assert_eq!(vpc.subnets(at(10)).next().unwrap().free_ips, Ips(246));
    assert_eq!(shown(&vpc, 39), Ips(251), "30 s lag: the ENI of second 10 is not seen yet");
    assert_eq!(shown(&vpc, 40), Ips(246));
    vpc.create_eni(NewEni::in_subnet(id), at(40)).unwrap();
    assert_eq!(shown(&vpc, 40), Ips(246), "history is kept as long as it may be shown");
}

#[test]
fn zone_of_another_subnet_is_not_shown() {
    let mut vpc = vpc();
    subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let b = subnet(&mut vpc, "10.0.1.0/24", "us-west-2b");
    let seen: Vec<_> = vpc.describe_subnets_in("us-west-2b", T0).into_iter().map(|subnet| subnet.id).collect();
    assert_eq!(seen, [b]);
}

#[test]
fn refuses_overlap_and_blocks_outside() {
    let mut vpc = vpc();
    subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let mut code = |cidr: &str| {
        let new = NewSubnet { cidr: Cidr::parse(cidr).unwrap(), az: "us-west-2a".into(), tags: Tags::new() };
        vpc.create_subnet(new, T0).unwrap_err().code
    };
    assert_eq!(code("10.0.0.128/25"), "InvalidSubnet.Conflict");
    assert_eq!(code("10.1.0.0/24"), "InvalidSubnet.Range");
    assert_eq!(code("10.0.4.0/29"), "InvalidSubnet.Range");
}

#[test]
fn prefix_reservation_keeps_single_addresses_out() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/26", "us-west-2a");
    let block = Cidr::parse("10.0.0.16/28").unwrap();
    vpc.create_reservation(&id, block, ReservationKind::Prefix, T0).unwrap();
    assert_eq!(vpc.reservations(&id).unwrap()[0].cidr, block);
    let eni = eni(&mut vpc, &id, 42);
    assert!(eni.blocks().iter().all(|ip| !block.contains_cidr(*ip)));
    assert_eq!(vpc.assign_private_ips(&eni.id, 1, at(10)).unwrap_err().code, "InsufficientFreeAddressesInSubnet");
    let prefixes = vpc.assign_prefixes(&eni.id, 1, at(10)).unwrap();
    assert!(prefixes.iter().all(|prefix| block.contains_cidr(*prefix)));
    assert_eq!(vpc.assign_prefixes(&eni.id, 1, at(10)).unwrap_err().code, "InsufficientCidrBlocks");
}

#[test]
fn explicit_reservations_count_as_available_and_prefix_ones_do_not() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let shown = |vpc: &Vpc| vpc.subnets(at(600)).next().unwrap().available_ips;
    let reserve = |vpc: &mut Vpc, cidr: &str, kind| vpc.create_reservation(&id, Cidr::parse(cidr).unwrap(), kind, T0);
    reserve(&mut vpc, "10.0.0.0/28", ReservationKind::Explicit).unwrap();
    assert_eq!(shown(&vpc), Ips(251));
    reserve(&mut vpc, "10.0.0.64/26", ReservationKind::Prefix).unwrap();
    assert_eq!(shown(&vpc), Ips(187));
    let message = |result: Result<_, crate::aws::ApiError>| result.map(drop).unwrap_err().message;
    let overlap = message(reserve(&mut vpc, "10.0.0.64/28", ReservationKind::Prefix));
    assert_eq!(overlap, "Reservation CIDR 10.0.0.64/28 has overlap with existing reserved CIDR block");
    let outside = message(reserve(&mut vpc, "10.0.1.0/28", ReservationKind::Prefix));
    assert_eq!(outside, "Reservation CIDR should be within subnet CIDR block (10.0.0.0/24)");
}
