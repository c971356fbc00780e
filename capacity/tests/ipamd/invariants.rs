//! What holds whatever happens, in whatever order, and whatever EC2 says.

use std::collections::BTreeSet;

use headroom_capacity::ids::PodUid;
use headroom_capacity::instance;
use headroom_capacity::ipamd::{Ec2Error, Event};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::Cidr;
use proptest::prelude::*;

use crate::ec2::{NODE_SUBNET, Node, Subnet, blocks, by_ips, manifest, uid, with_prefixes};

#[derive(Clone, Debug)]
enum Act {
    Add(u32),
    Del(u32),
    Tick,
    Answer,
    Refuse(Ec2Error),
    Wait(u64),
    Cordon(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let error = prop_oneof![
        Just(Ec2Error::InsufficientFreeAddressesInSubnet),
        Just(Ec2Error::InsufficientCidrBlocks),
        Just(Ec2Error::Other("RequestLimitExceeded".to_owned())),
    ];
    prop_oneof![
        6 => (0..60_u32).prop_map(Act::Add),
        3 => (0..60_u32).prop_map(Act::Del),
        4 => Just(Act::Tick),
        6 => Just(Act::Answer),
        1 => error.prop_map(Act::Refuse),
        2 => (1..70_u64).prop_map(Act::Wait),
        1 => any::<bool>().prop_map(Act::Cordon),
    ]
}

fn settings() -> impl Strategy<Value = CniSettings> {
    let targets = prop_oneof![
        Just(manifest()),
        Just(by_ips(2, 5)),
        Just(with_prefixes(manifest())),
        Just(with_prefixes(by_ips(3, 20))),
        Just(with_prefixes(CniSettings { warm_prefix_target: 0, ..manifest() })),
    ];
    (targets, any::<bool>(), any::<bool>()).prop_map(|(settings, custom_networking, pod_eni)| CniSettings {
        custom_networking,
        pod_eni,
        ..settings
    })
}

fn perform(node: &mut Node, act: Act) {
    match act {
        Act::Add(pod) => drop(node.add(pod)),
        Act::Del(pod) => drop(node.del(pod)),
        Act::Tick => drop(node.apply(Event::Tick)),
        Act::Answer => node.answer(),
        Act::Refuse(error) => {
            node.ec2.faults = [Some(error)].into();
            node.answer();
            node.ec2.faults.clear();
        }
        Act::Wait(secs) => node.wait(secs),
        Act::Cordon(cordoned) => drop(node.apply(Event::Cordoned(cordoned))),
    }
}

/// That there is one call at a time, the node itself asserts.
fn check(node: &Node) {
    let store = node.ipamd.store();
    let budget = &node.ipamd.config().budget;
    let stats = node.stats();
    assert!(stats.enis <= budget.pod_enis && store.enis().len() <= budget.max_enis.get() as usize);
    assert!(stats.assigned <= budget.ceiling && stats.total <= budget.ceiling);
    assert!(stats.assigned + stats.cooling <= stats.total);

    let held: BTreeSet<_> = node.ipamd.pods().map(|(_, ip)| ip).collect();
    assert_eq!(held.len(), node.ipamd.pods().len(), "an address in two places");
    assert_eq!(stats.assigned.get() as usize, held.len());

    let mut seen: BTreeSet<Cidr> = BTreeSet::new();
    for eni in store.enis() {
        let (_, attached) = &node.ec2.enis[&eni.spec().id];
        for block in blocks(eni) {
            assert!(seen.insert(block), "{block} is on two ENIs");
            assert!(attached.contains(&block), "{block} is not attached any more");
        }
        assert!(eni.slots_used() <= budget.slots_per_eni);
    }
    let on_a_block = |ip| seen.iter().any(|block| block.contains(ip));
    assert!(held.into_iter().all(on_a_block), "a pod's address is not attached");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold(
        settings in settings(),
        instance_type in prop_oneof![Just("t3.small"), Just("m5.large"), Just("c5.xlarge")],
        (ips, prefixes) in (0..60_u32, 0..6_u32),
        seed in any::<u64>(),
        acts in proptest::collection::vec(act(), 1..150),
    ) {
        let limits = instance::lookup(instance_type).unwrap();
        let pods = Subnet::new("subnet-pods", ips, prefixes).tagged("kubernetes.io/role/cni", "1");
        let subnets = vec![Subnet::new(NODE_SUBNET, ips, prefixes), pods];
        let mut node = Node::new(limits, &settings, 110, subnets).with_luck(seed);
        for act in acts {
            perform(&mut node, act);
            check(&node);
        }
        let free: u32 = node.ec2.subnets.iter().map(|subnet| subnet.ips + 16 * subnet.prefixes).sum();
        let attached = node.ec2.enis.values().flat_map(|(_, held)| held);
        let used: u32 = attached.map(|block| 1 << (32 - block.len())).sum();
        let enis = u32::try_from(node.ec2.enis.len()).unwrap() - 1;
        prop_assert_eq!(free + used + enis, 2 * (ips + 16 * prefixes), "addresses are conserved");
    }

    /// Left alone with room in the subnets, every pod that the node can hold gets an address in the end.
    #[test]
    fn every_pod_gets_its_address(
        settings in settings(),
        seed in any::<u64>(),
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        let limits = instance::lookup("m5.large").unwrap();
        let pods = Subnet::new("subnet-pods", 1_000, 1_000);
        let mut node = Node::new(limits, &settings, 110, vec![Subnet::new(NODE_SUBNET, 1_000, 1_000), pods]).with_luck(seed);
        for act in acts {
            perform(&mut node, act);
        }
        perform(&mut node, Act::Cordon(false));
        while node.in_flight.is_some() {
            node.answer();
        }
        let waiting: Vec<PodUid> = (0..node.ipamd.config().budget.ceiling.get().min(110)).map(uid).collect();
        let held: BTreeSet<PodUid> = node.ipamd.pods().map(|(pod, _)| pod.clone()).collect();
        for pod in held.iter().filter(|pod| !waiting.contains(pod)) {
            node.apply(Event::Del(pod.clone()));
        }
        let deadline = node.now + std::time::Duration::from_secs(600);
        while node.ipamd.pods().len() < waiting.len() && node.now < deadline {
            node.turn();
            for pod in &waiting {
                node.apply(Event::Add(pod.clone()));
            }
        }
        prop_assert_eq!(node.ipamd.pods().len(), waiting.len());
    }
}
