use std::collections::BTreeSet;

use headroom_capacity::ids::SubnetId;

use super::*;
use crate::aws::{ActivityStatus, Group, Hook, HookResult, LifecycleState, NewGroup, Transition, Where};

fn group_in(vpc: &mut Vpc, subnets: &[SubnetId], (min, desired, max): (u32, u32, u32)) {
    let new = NewGroup {
        name: "workers".into(),
        min,
        max,
        desired,
        subnets: subnets.to_vec(),
        instance_type: "c5.large".into(),
        tags: Tags::from([("team".into(), "a".into())]),
        protect_new: false,
        cooldown: Duration::from_secs(300),
    };
    vpc.create_group(new, T0).unwrap();
}

fn two_zones(sizes: (u32, u32, u32)) -> (Vpc, SubnetId, SubnetId) {
    let mut vpc = vpc();
    let a = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    let b = subnet(&mut vpc, "10.0.1.0/24", "us-west-2b");
    group_in(&mut vpc, &[a.clone(), b.clone()], sizes);
    vpc.advance(at(60));
    (vpc, a, b)
}

fn workers(vpc: &Vpc) -> &Group {
    vpc.group("workers").unwrap()
}

fn ids(vpc: &Vpc) -> Vec<InstanceId> {
    workers(vpc).active().map(|member| member.id.clone()).collect()
}

fn in_zone(vpc: &Vpc, az: &str) -> usize {
    workers(vpc).active().filter(|member| member.az == az).count()
}

fn desired(vpc: &mut Vpc, n: u32, secs: u64) -> Result<(), crate::aws::ApiError> {
    vpc.set_desired("workers", n, false, at(secs))
}

#[test]
fn members_wait_before_they_are_in_service() {
    let mut vpc = vpc();
    let a = subnet(&mut vpc, "10.0.0.0/24", "us-west-2a");
    group_in(&mut vpc, &[a], (0, 1, 2));
    vpc.advance(at(14));
    let state = |vpc: &Vpc| workers(vpc).members.values().next().unwrap().state;
    assert_eq!(state(&vpc), LifecycleState::Pending);
    assert_eq!(workers(&vpc).activities[0].status, ActivityStatus::InProgress);
    vpc.advance(at(15));
    assert_eq!(state(&vpc), LifecycleState::InService);
    assert_eq!(workers(&vpc).activities[0].status, ActivityStatus::Successful);
    let instance = vpc.instance(&ids(&vpc)[0]).unwrap();
    assert_eq!(instance.tags["team"], "a");
    assert_eq!(instance.tags["aws:autoscaling:groupName"], "workers");
}

#[test]
fn grows_and_shrinks_evenly_over_zones() {
    let (mut vpc, ..) = two_zones((0, 5, 8));
    assert_eq!((in_zone(&vpc, "us-west-2a"), in_zone(&vpc, "us-west-2b")), (3, 2));
    desired(&mut vpc, 2, 60).unwrap();
    vpc.advance(at(70));
    assert_eq!((in_zone(&vpc, "us-west-2a"), in_zone(&vpc, "us-west-2b")), (1, 1));
    assert_eq!(workers(&vpc).members.len(), 5, "three are terminating");
    vpc.advance(at(110));
    assert_eq!(workers(&vpc).members.len(), 2);
}

#[test]
fn desired_stays_between_min_and_max() {
    let (mut vpc, ..) = two_zones((1, 2, 3));
    let text = |result: Result<(), crate::aws::ApiError>| result.unwrap_err().to_string();
    assert_eq!(
        text(desired(&mut vpc, 4, 60)),
        "ValidationError: New SetDesiredCapacity value 4 is above max value 3 for the AutoScalingGroup."
    );
    assert_eq!(
        text(desired(&mut vpc, 0, 60)),
        "ValidationError: New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup."
    );
    assert_eq!(vpc.set_desired("nobody", 1, false, at(60)).unwrap_err().code, "ValidationError");
}

#[test]
fn cooldown_blocks_only_those_who_honour_it() {
    let (mut vpc, ..) = two_zones((0, 1, 4));
    let error = vpc.set_desired("workers", 2, true, at(100)).unwrap_err();
    assert_eq!(error.code, "ScalingActivityInProgress");
    vpc.set_desired("workers", 2, true, at(15 + 300)).unwrap();
    desired(&mut vpc, 3, 316).unwrap();
}

#[test]
fn a_full_subnet_is_a_failed_activity_and_the_other_zone_helps() {
    let mut vpc = vpc();
    let a = subnet(&mut vpc, "10.0.0.0/28", "us-west-2a");
    let b = subnet(&mut vpc, "10.0.1.0/24", "us-west-2b");
    eni(&mut vpc, &a, 10);
    group_in(&mut vpc, &[a.clone(), b], (0, 1, 2));
    vpc.advance(at(60));
    assert_eq!(in_zone(&vpc, "us-west-2b"), 1);
    let failed = &workers(&vpc).activities[1];
    assert_eq!(failed.status, ActivityStatus::Failed);
    assert_eq!(
        failed.message.as_deref().unwrap(),
        format!(
            "There are not enough free addresses in subnet '{a}' to satisfy the requested number of instances. Launching EC2 \
             instance failed."
        )
    );
}

#[test]
fn failed_launches_are_tried_again() {
    let mut vpc = vpc();
    let a = subnet(&mut vpc, "10.0.0.0/28", "us-west-2a");
    let hog = eni(&mut vpc, &a, 10).id;
    group_in(&mut vpc, &[a], (0, 1, 2));
    vpc.advance(at(30));
    vpc.delete_eni(&hog, at(30)).unwrap();
    vpc.advance(at(59));
    assert_eq!(ids(&vpc).len(), 0);
    vpc.advance(at(60));
    assert_eq!(ids(&vpc).len(), 1);
}

#[test]
fn suspended_processes_do_nothing() {
    let (mut vpc, ..) = two_zones((0, 2, 4));
    let only = |process: &str| vec![process.to_owned()];
    vpc.set_suspended("workers", &only("Launch"), true, at(60)).unwrap();
    desired(&mut vpc, 4, 60).unwrap();
    vpc.advance(at(200));
    assert_eq!(ids(&vpc).len(), 2);
    vpc.set_suspended("workers", &[], false, at(200)).unwrap();
    vpc.advance(at(260));
    assert_eq!(ids(&vpc).len(), 4);
    vpc.set_suspended("workers", &only("Terminate"), true, at(260)).unwrap();
    desired(&mut vpc, 1, 260).unwrap();
    vpc.advance(at(400));
    assert_eq!(ids(&vpc).len(), 4);
    assert_eq!(vpc.set_suspended("workers", &only("Lunch"), true, at(400)).unwrap_err().code, "ValidationError");
}

#[test]
fn terminate_with_decrement_takes_that_one() {
    let (mut vpc, ..) = two_zones((1, 2, 4));
    let gone = ids(&vpc)[1].clone();
    vpc.set_protection("workers", std::slice::from_ref(&gone), true).unwrap();
    let activity = vpc.terminate_in_group(&gone, true, at(60)).unwrap();
    assert_eq!(activity.status, ActivityStatus::InProgress);
    assert_eq!(vpc.terminate_in_group(&gone, false, at(61)).unwrap_err().code, "ScalingActivityInProgress");
    let left = ids(&vpc)[0].clone();
    let error = vpc.terminate_in_group(&left, true, at(61)).unwrap_err();
    assert!(error.message.starts_with("Currently, desiredSize equals minSize (1)."), "{error}");
    vpc.advance(at(300));
    assert_eq!(ids(&vpc), [left]);
    assert_eq!(workers(&vpc).desired, 1);
    assert_eq!(vpc.terminate_in_group(&gone, false, at(300)).unwrap_err().code, "ValidationError");
}

#[test]
fn terminate_without_decrement_is_replaced_and_so_is_what_ec2_takes() {
    let (mut vpc, ..) = two_zones((1, 2, 4));
    let old = ids(&vpc);
    vpc.terminate_in_group(&old[0], false, at(60)).unwrap();
    vpc.terminate_instance(&old[1], at(60)).unwrap();
    vpc.advance(at(300));
    let new: BTreeSet<_> = ids(&vpc).into_iter().collect();
    assert_eq!(new.len(), 2);
    assert!(old.iter().all(|id| !new.contains(id)));
    assert_eq!((in_zone(&vpc, "us-west-2a"), in_zone(&vpc, "us-west-2b")), (1, 1));
}

#[test]
fn protection_keeps_members_from_scale_in() {
    let (mut vpc, ..) = two_zones((0, 3, 4));
    let all = ids(&vpc);
    vpc.set_protection("workers", &all[..2], true).unwrap();
    desired(&mut vpc, 0, 60).unwrap();
    vpc.advance(at(300));
    assert_eq!(ids(&vpc), &all[..2]);
    assert_eq!(workers(&vpc).desired, 0);
}

#[test]
fn terminating_hook_holds_the_addresses() {
    let (mut vpc, a, b) = two_zones((0, 1, 4));
    let hook = Hook {
        name: "drain".into(),
        transition: Transition::Terminating,
        heartbeat: Duration::from_secs(100),
        default_result: HookResult::Abandon,
    };
    vpc.put_hook("workers", hook).unwrap();
    let before = free(&vpc, &a) + free(&vpc, &b);
    let id = ids(&vpc)[0].clone();
    vpc.terminate_in_group(&id, true, at(60)).unwrap();
    assert_eq!(workers(&vpc).members[&id].state, LifecycleState::TerminatingWait);
    vpc.record_heartbeat("workers", "drain", &id, at(150)).unwrap();
    vpc.advance(at(240));
    assert_eq!(workers(&vpc).members[&id].state, LifecycleState::TerminatingWait);
    assert_eq!(free(&vpc, &a) + free(&vpc, &b), before);
    vpc.complete_action("workers", "drain", &id, HookResult::Continue, at(240)).unwrap();
    assert_eq!(workers(&vpc).members[&id].state, LifecycleState::TerminatingProceed);
    vpc.advance(at(280));
    assert!(workers(&vpc).members.is_empty());
    assert_eq!(free(&vpc, &a) + free(&vpc, &b), before + 1);
}

#[test]
fn unanswered_hooks_take_their_default() {
    let (mut vpc, ..) = two_zones((0, 0, 4));
    let hook = Hook {
        name: "boot".into(),
        transition: Transition::Launching,
        heartbeat: Duration::from_secs(30),
        default_result: HookResult::Continue,
    };
    vpc.put_hook("workers", hook).unwrap();
    desired(&mut vpc, 1, 60).unwrap();
    vpc.advance(at(107));
    assert_eq!(workers(&vpc).members.values().next().unwrap().state, LifecycleState::PendingWait);
    vpc.advance(at(108));
    assert_eq!(workers(&vpc).members.values().next().unwrap().state, LifecycleState::InService);
}

#[test]
fn launch_instances_chooses_the_subnet() {
    let (mut vpc, a, b) = two_zones((0, 1, 4));
    let launched = vpc.launch_instances("workers", 2, &Where::Subnet(b.clone()), at(60)).unwrap();
    assert_eq!((launched.instances.len(), launched.failure), (2, None));
    assert_eq!(workers(&vpc).desired, 3);
    assert_eq!(in_zone(&vpc, "us-west-2b"), 2);
    assert_eq!(vpc.launch_instances("workers", 2, &Where::Subnet(a), at(60)).unwrap_err().code, "ValidationError");
    let hog = free(&vpc, &b);
    for _ in 0..hog / 40 {
        eni(&mut vpc, &b, 39);
    }
    eni(&mut vpc, &b, hog % 40 - 1);
    let launched = vpc.launch_instances("workers", 1, &Where::Subnet(b), at(60)).unwrap();
    assert_eq!(launched.failure.unwrap().code, "InsufficientFreeAddressesInSubnet");
    assert_eq!(workers(&vpc).desired, 3);
}

#[test]
fn rebalance_launches_before_it_terminates() {
    let (mut vpc, _, b) = two_zones((0, 4, 4));
    let in_b: Vec<_> = workers(&vpc).active().filter(|member| member.subnet == b).map(|one| one.id.clone()).collect();
    for id in &in_b {
        vpc.terminate_in_group(id, true, at(60)).unwrap();
    }
    vpc.advance(at(64));
    assert_eq!(ids(&vpc).len(), 3, "one more than desired while the new one boots");
    vpc.advance(at(300));
    assert_eq!((in_zone(&vpc, "us-west-2a"), in_zone(&vpc, "us-west-2b")), (1, 1));
}

#[test]
fn launch_instances_takes_a_hundred_at_most() {
    let (mut vpc, ..) = two_zones((0, 1, 200));
    for wrong in [0, 101, u32::MAX] {
        let result = vpc.launch_instances("workers", wrong, &Where::Anywhere, at(60));
        assert_eq!(result.unwrap_err().code, "ValidationError", "{wrong}");
    }
}

#[test]
fn only_members_in_service_can_be_protected() {
    let (mut vpc, ..) = two_zones((0, 1, 4));
    desired(&mut vpc, 2, 60).unwrap();
    vpc.advance(at(64));
    let is_pending = |id: &&InstanceId| workers(&vpc).members[*id].state == LifecycleState::Pending;
    let pending = ids(&vpc).iter().find(is_pending).cloned().unwrap();
    let error = vpc.set_protection("workers", std::slice::from_ref(&pending), true).unwrap_err();
    let message = format!("The instance {pending} is not in InService or EnteringStandby or Standby.");
    assert_eq!((error.code, error.message), ("ValidationError", message));
    vpc.advance(at(120));
    vpc.set_protection("workers", &[pending], true).unwrap();
}
