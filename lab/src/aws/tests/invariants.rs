//! Whatever is asked in whatever order, no address is lost or given twice.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::aws::NewGroup;

/// A request; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    CreateEni { subnet: usize, ips: u32, prefixes: u32 },
    AssignIps { eni: usize, count: u32 },
    AssignPrefixes { eni: usize, count: u32 },
    Unassign { eni: usize, block: usize },
    Attach { eni: usize, instance: usize, index: u32 },
    Detach { eni: usize },
    Delete { eni: usize },
    Run { subnet: usize, count: u32 },
    Terminate { instance: usize },
    SetDesired { n: u32 },
    Wait { secs: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..1000usize;
    prop_oneof![
        (any.clone(), 0..20u32, 0..4u32).prop_map(|(subnet, ips, prefixes)| Step::CreateEni { subnet, ips, prefixes }),
        (any.clone(), 1..12u32).prop_map(|(eni, count)| Step::AssignIps { eni, count }),
        (any.clone(), 1..5u32).prop_map(|(eni, count)| Step::AssignPrefixes { eni, count }),
        (any.clone(), any.clone()).prop_map(|(eni, block)| Step::Unassign { eni, block }),
        (any.clone(), any.clone(), 1..4u32).prop_map(|(eni, instance, index)| Step::Attach { eni, instance, index }),
        any.clone().prop_map(|eni| Step::Detach { eni }),
        any.clone().prop_map(|eni| Step::Delete { eni }),
        (any.clone(), 1..3u32).prop_map(|(subnet, count)| Step::Run { subnet, count }),
        any.prop_map(|instance| Step::Terminate { instance }),
        (0..9u32).prop_map(|n| Step::SetDesired { n }),
        (1..90u64).prop_map(|secs| Step::Wait { secs }),
    ]
}

fn nth<T: Clone>(mut all: impl Iterator<Item = T> + Clone, at: usize) -> Option<T> {
    let count = all.clone().count();
    all.nth(at.checked_rem(count)?)
}

/// Does a step; refusals are as good as successes here.
fn take(vpc: &mut Vpc, step: &Step, now: Time) -> Option<()> {
    let subnets: Vec<SubnetId> = vpc.subnets.keys().cloned().collect();
    let eni_at = |vpc: &Vpc, at| nth(vpc.enis.keys(), at).cloned();
    let instance_at = |vpc: &Vpc, at| nth(vpc.instances.keys(), at).cloned();
    match *step {
        Step::CreateEni { subnet, ips, prefixes } => {
            let subnet = subnets[subnet % subnets.len()].clone();
            let new = NewEni { secondary_ips: ips, prefixes, ..NewEni::in_subnet(subnet) };
            vpc.create_eni(new, now).ok().map(drop)
        }
        Step::AssignIps { eni, count } => vpc.assign_private_ips(&eni_at(vpc, eni)?, count, now).ok().map(drop),
        Step::AssignPrefixes { eni, count } => vpc.assign_prefixes(&eni_at(vpc, eni)?, count, now).ok().map(drop),
        Step::Unassign { eni, block } => {
            let id = eni_at(vpc, eni)?;
            let block = nth(vpc.eni(&id).ok()?.blocks().into_iter(), block)?;
            vpc.unassign(&id, &[block], now).ok()
        }
        Step::Attach { eni, instance, index } => {
            vpc.attach_eni(&eni_at(vpc, eni)?, &instance_at(vpc, instance)?, index, now).ok().map(drop)
        }
        Step::Detach { eni } => vpc.detach_eni(&eni_at(vpc, eni)?, now).ok(),
        Step::Delete { eni } => vpc.delete_eni(&eni_at(vpc, eni)?, now).ok(),
        Step::Run { subnet, count } => {
            vpc.run_instances(&launch("c5.large", &subnets[subnet % subnets.len()], count), now).ok().map(drop)
        }
        Step::Terminate { instance } => vpc.terminate_instance(&instance_at(vpc, instance)?, now).ok(),
        Step::SetDesired { n } => vpc.set_desired("workers", n, false, now).ok(),
        Step::Wait { .. } => None,
    }
}

/// Every address of every ENI is held once, by that ENI, and all others are free.
fn check(vpc: &Vpc) {
    let mut held = BTreeSet::new();
    for eni in vpc.enis() {
        let subnet = vpc.subnet(&eni.subnet).unwrap();
        for ip in eni.blocks().into_iter().flat_map(Cidr::addresses) {
            assert!(held.insert(ip), "{ip} is given twice");
            assert_eq!(subnet.owner_of(ip), Some(&eni.id), "{ip}");
        }
    }
    let in_ledgers: usize = vpc.subnets.values().map(|subnet| subnet.held()).sum();
    assert_eq!(in_ledgers, held.len(), "an address is lost");
    for instance in vpc.instances().filter(|instance| !instance.state.is_ending()) {
        let limits = vpc.limits(&instance.instance_type).unwrap();
        let enis: Vec<&Eni> = vpc.enis_of(&instance.id).collect();
        assert!(enis.len() <= limits.enis.get() as usize);
        assert!(enis.iter().all(|eni| eni.slots() <= limits.ipv4_per_eni as usize));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_address_is_lost_or_given_twice(steps in vec(step(), 1..60)) {
        let mut vpc = vpc();
        let a = subnet(&mut vpc, "10.0.0.0/26", "us-west-2a");
        let b = subnet(&mut vpc, "10.0.1.0/27", "us-west-2b");
        let group = NewGroup {
            name: "workers".into(),
            min: 0,
            max: 8,
            desired: 1,
            subnets: vec![a, b],
            instance_type: "c5.large".into(),
            tags: Tags::new(),
            protect_new: false,
            cooldown: Duration::ZERO,
        };
        vpc.create_group(group, T0).unwrap();
        let mut now = T0;
        for step in &steps {
            if let Step::Wait { secs } = step {
                now = now + Duration::from_secs(*secs);
                vpc.advance(now);
            }
            take(&mut vpc, step, now);
            check(&vpc);
        }
        let group = vpc.group("workers").unwrap();
        prop_assert!(group.active().count() <= group.max as usize + 1, "one more than max while it rebalances");
    }
}
