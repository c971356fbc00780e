use headroom_capacity::ids::EniId;

use super::*;
use crate::aws::EniStatus;

#[test]
fn assigns_all_or_nothing() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/28", "us-west-2a");
    let one = eni(&mut vpc, &id, 0);
    assert_eq!(free(&vpc, &id), 10);
    let error = vpc.assign_private_ips(&one.id, 11, at(10)).unwrap_err();
    assert_eq!((error.code, error.status), ("InsufficientFreeAddressesInSubnet", 400));
    assert_eq!(free(&vpc, &id), 10);
    assert_eq!(vpc.assign_private_ips(&one.id, 10, at(10)).unwrap().len(), 10);
    assert_eq!(free(&vpc, &id), 0);
}

#[test]
fn limits_hold_from_the_attachment_on() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = running(&mut vpc, "c5.large", &id);
    let second = eni(&mut vpc, &id, 9);
    vpc.attach_eni(&second.id, &node, 1, at(10)).unwrap();
    let code = |result: Result<_, crate::aws::ApiError>| result.unwrap_err().code;
    assert_eq!(code(vpc.assign_private_ips(&second.id, 1, at(10)).map(drop)), "PrivateIpAddressLimitExceeded");
    let third = eni(&mut vpc, &id, 10);
    assert_eq!(code(vpc.attach_eni(&third.id, &node, 2, at(10)).map(drop)), "PrivateIpAddressLimitExceeded");
    vpc.unassign(&third.id, &third.blocks()[1..2], at(10)).unwrap();
    assert_eq!(code(vpc.attach_eni(&third.id, &node, 1, at(10)).map(drop)), "InvalidParameterValue");
    vpc.attach_eni(&third.id, &node, 2, at(10)).unwrap();
    let fourth = eni(&mut vpc, &id, 0);
    let error = vpc.attach_eni(&fourth.id, &node, 3, at(10)).unwrap_err();
    assert_eq!(error.to_string(), "AttachmentLimitExceeded: Interface count 4 exceeds the limit for c5.large");
}

#[test]
fn a_prefix_takes_one_slot_and_sixteen_addresses() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = running(&mut vpc, "c5.large", &id);
    let primary = vpc.instance(&node).unwrap().primary_eni.clone();
    let before = free(&vpc, &id);
    assert_eq!(vpc.assign_prefixes(&primary, 9, at(10)).unwrap().len(), 9);
    assert_eq!(before - free(&vpc, &id), 144);
    assert_eq!(vpc.assign_prefixes(&primary, 1, at(10)).unwrap_err().code, "PrivateIpAddressLimitExceeded");
}

#[test]
fn xen_takes_no_prefixes() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = running(&mut vpc, "t2.large", &id);
    let primary = vpc.instance(&node).unwrap().primary_eni.clone();
    assert_eq!(vpc.assign_prefixes(&primary, 1, at(10)).unwrap_err().code, "InvalidParameterCombination");
}

#[test]
fn create_with_prefixes_fails_with_the_code_that_the_cni_does_not_know() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/28", "us-west-2a");
    let before = free(&vpc, &id);
    let new = NewEni { prefixes: 1, ..NewEni::in_subnet(id.clone()) };
    assert_eq!(vpc.create_eni(new, at(10)).unwrap_err().code, "InvalidParameterValue");
    assert_eq!(free(&vpc, &id), before, "the primary address is given back");
}

#[test]
fn lives_from_create_to_delete() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = running(&mut vpc, "c5.large", &id);
    let before = free(&vpc, &id);
    let eni = eni(&mut vpc, &id, 3).id;
    let status = |vpc: &Vpc| vpc.eni(&eni).unwrap().status();
    assert_eq!(status(&vpc), EniStatus::Available);
    vpc.attach_eni(&eni, &node, 1, at(10)).unwrap();
    assert_eq!(status(&vpc), EniStatus::Attaching);
    vpc.advance(at(12));
    assert_eq!(status(&vpc), EniStatus::InUse);
    assert_eq!(vpc.delete_eni(&eni, at(12)).unwrap_err().code, "InvalidParameterValue");
    vpc.detach_eni(&eni, at(12)).unwrap();
    assert_eq!(status(&vpc), EniStatus::Detaching);
    assert_eq!(vpc.delete_eni(&eni, at(13)).unwrap_err().code, "InvalidParameterValue");
    assert_eq!(free(&vpc, &id), before - 4, "a detached ENI keeps its addresses");
    vpc.delete_eni(&eni, at(16)).unwrap();
    assert_eq!(free(&vpc, &id), before);
    assert_eq!(vpc.delete_eni(&eni, at(16)).unwrap_err().code, "InvalidNetworkInterfaceID.NotFound");
}

#[test]
fn the_primary_eni_stays_and_zones_do_not_mix() {
    let mut vpc = vpc();
    let a = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let b = subnet(&mut vpc, "10.0.1.0/24", "us-west-2b");
    let node = running(&mut vpc, "c5.large", &a);
    let primary = vpc.instance(&node).unwrap().primary_eni.clone();
    assert_eq!(vpc.detach_eni(&primary, at(10)).unwrap_err().code, "OperationNotPermitted");
    let far = eni(&mut vpc, &b, 0).id;
    assert_eq!(vpc.attach_eni(&far, &node, 1, at(10)).unwrap_err().code, "InvalidParameterCombination");
}

#[test]
fn unassign_takes_all_blocks_or_none() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let eni = eni(&mut vpc, &id, 2);
    let blocks = eni.blocks();
    assert_eq!(vpc.unassign(&eni.id, &blocks, at(10)).unwrap_err().code, "InvalidParameterValue", "primary");
    assert_eq!(vpc.eni(&eni.id).unwrap().secondary_ips.len(), 2);
    vpc.unassign(&eni.id, &blocks[1..], at(10)).unwrap();
    assert_eq!(free(&vpc, &id), 250);
    let unknown = EniId::from("eni-1");
    assert_eq!(vpc.unassign(&unknown, &blocks[1..], at(10)).unwrap_err().code, "InvalidNetworkInterfaceID.NotFound");
}

#[test]
fn a_service_holds_a_named_address() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let held = NewEni {
        primary_ip: Some("10.0.0.20".parse().unwrap()),
        interface_type: "network_load_balancer",
        requester_managed: true,
        ..NewEni::in_subnet(id.clone())
    };
    let eni = vpc.create_eni(held.clone(), T0).unwrap();
    assert_eq!(eni.status(), EniStatus::InUse);
    assert_eq!(vpc.create_eni(held, T0).unwrap_err().code, "InvalidIPAddress.InUse");
    let endpoint = vpc.create_endpoint("autoscaling", std::slice::from_ref(&id), T0).unwrap();
    assert_eq!(endpoint.service, "com.amazonaws.us-west-2.autoscaling");
    assert_eq!(free(&vpc, &id), 249);
}

#[test]
fn unassign_takes_nothing_but_addresses_and_slash_28s() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/28", "us-west-2a");
    let full = eni(&mut vpc, &id, 10);
    let block = Cidr::parse("10.0.0.8/29").unwrap();
    assert!(full.secondary_ips.contains(&block.base()));
    assert_eq!(vpc.unassign(&full.id, &[block], at(10)).unwrap_err().code, "InvalidParameterValue");
    assert_eq!(free(&vpc, &id), 0, "the other addresses of the block are still held");
}

#[test]
fn create_takes_a_count_of_addresses_or_of_prefixes() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let both = NewEni { secondary_ips: 1, prefixes: 1, ..NewEni::in_subnet(id) };
    assert_eq!(vpc.create_eni(both, at(10)).unwrap_err().code, "InvalidParameterCombination");
}

#[test]
fn xen_takes_no_eni_with_prefixes() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = running(&mut vpc, "t2.large", &id);
    let with_prefix = vpc.create_eni(NewEni { prefixes: 1, ..NewEni::in_subnet(id) }, at(10)).unwrap();
    assert_eq!(vpc.attach_eni(&with_prefix.id, &node, 1, at(10)).unwrap_err().code, "InvalidParameterCombination");
}
