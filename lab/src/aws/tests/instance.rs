use super::*;
use crate::aws::{EniStatus, InstanceState, VpcEvent};

#[test]
fn boots_and_ends_in_its_own_time() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = vpc.run_instances(&launch("c5.large", &id, 1), T0).unwrap().remove(0);
    assert_eq!(vpc.instance(&node).unwrap().state, InstanceState::Pending);
    assert_eq!(vpc.next_due(), Some(at(10)));
    assert_eq!(vpc.advance(at(9)), []);
    let events = vpc.advance(at(10));
    assert!(matches!(&events[..], [VpcEvent::InstanceRunning { instance }] if instance.id == node));
    vpc.terminate_instance(&node, at(20)).unwrap();
    vpc.terminate_instance(&node, at(21)).unwrap();
    assert_eq!(vpc.advance(at(59)), [VpcEvent::InstanceShuttingDown { id: node.clone() }]);
    assert_eq!(free(&vpc, &id), 250, "its address is held until it is gone");
    assert_eq!(vpc.advance(at(60)), [VpcEvent::InstanceTerminated { id: node, group: None }]);
    assert_eq!(free(&vpc, &id), 251);
    assert_eq!(vpc.next_due(), None);
}

#[test]
fn enis_without_delete_on_termination_leak() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = running(&mut vpc, "c5.large", &id);
    let (kept, leaked) = (eni(&mut vpc, &id, 9).id, eni(&mut vpc, &id, 9).id);
    vpc.attach_eni(&kept, &node, 1, at(10)).unwrap();
    vpc.attach_eni(&leaked, &node, 2, at(10)).unwrap();
    vpc.set_delete_on_termination(&kept, true).unwrap();
    vpc.terminate_instance(&node, at(20)).unwrap();
    vpc.advance(at(60));
    assert_eq!(
        vpc.enis().map(|eni| (eni.id.clone(), eni.status())).collect::<Vec<_>>(),
        [(leaked, EniStatus::Available)]
    );
    assert_eq!(free(&vpc, &id), 241);
}

#[test]
fn stopped_instances_keep_their_addresses() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = running(&mut vpc, "c5.large", &id);
    vpc.stop_instance(&node, at(10)).unwrap();
    vpc.advance(at(600));
    assert_eq!(vpc.instance(&node).unwrap().state, InstanceState::Stopped);
    assert_eq!(free(&vpc, &id), 250);
}

#[test]
fn min_and_max_count_meet_a_nearly_full_subnet() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/28", "us-west-2a");
    let request = Launch { min_count: 1, ..launch("c5.large", &id, 20) };
    assert_eq!(vpc.run_instances(&request, T0).unwrap().len(), 11);
    let error = vpc.run_instances(&request, T0).unwrap_err();
    assert_eq!(error.code, "InsufficientFreeAddressesInSubnet");
    assert_eq!(
        error.message,
        format!("There are not enough free addresses in subnet '{id}' to satisfy the requested number of instances.")
    );
}

#[test]
fn unknown_types_need_limits() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    assert_eq!(vpc.run_instances(&launch("z99.large", &id, 1), T0).unwrap_err().code, "InvalidInstanceType");
    let limits = *vpc.limits("c5.large").unwrap();
    vpc.config.limits.insert("z99.large".into(), limits);
    vpc.run_instances(&launch("z99.large", &id, 1), T0).unwrap();
}

#[test]
fn what_a_request_brings_about_is_due_at_once() {
    let mut vpc = vpc();
    let id = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let node = vpc.run_instances(&launch("c5.large", &id, 1), T0).unwrap().remove(0);
    eni(&mut vpc, &id, 0);
    assert_eq!(vpc.next_due(), Some(at(10)), "creating the ENI has let the instance boot");
    assert!(matches!(&vpc.advance(at(10))[..], [VpcEvent::InstanceRunning { instance }] if instance.id == node));
    assert_eq!(vpc.next_due(), None);
}
