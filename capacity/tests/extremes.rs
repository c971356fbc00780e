//! Numbers that no real node has but an environment variable, a node object or an API answer can carry.

use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::budget::{Budget, Mode, NodeFacts, NodeKind, budget};
use headroom_capacity::datastore::{Datastore, EniSpec, WarmTargets};
use headroom_capacity::ids::EniId;
use headroom_capacity::instance::{BranchLimits, Hypervisor, InstanceLimits, LimitSource};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::steady;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::{Demand, NodeState, Room, explain};
use proptest::prelude::*;

/// A target is rounded up to whole prefixes, and the largest one is no multiple of 16.
#[test]
fn the_largest_targets_keep_every_eni() {
    let mut store = Datastore::new(Mode::Prefix, Duration::ZERO);
    for (id, device_index) in [("eni-0", 0), ("eni-1", 1)] {
        let (primary, subnet) = (device_index == 0, "subnet-a".into());
        let spec = EniSpec { id: id.into(), device_index, primary, trunk: false, efa: false, subnet, excluded: false };
        store.add_eni(spec, Time::ZERO).unwrap();
    }
    let now = Time::from_secs(3600);
    assert_eq!(store.deletable_enis(WarmTargets::default(), now), [EniId::from("eni-1")]);
    for (warm_ip, minimum_ip) in [(u32::MAX, 0), (0, u32::MAX)] {
        let targets = WarmTargets { warm_ip, minimum_ip, warm_prefix: 0 };
        assert_eq!(store.deletable_enis(targets, now), [], "{targets:?}");
    }
}

#[test]
fn a_block_may_be_the_whole_address_space() {
    let mut store = Datastore::new(Mode::Prefix, Duration::ZERO);
    let id = EniId::from("eni-0");
    let (primary, trunk, efa, excluded) = (true, false, false, false);
    let spec = EniSpec { id: id.clone(), device_index: 0, primary, trunk, efa, subnet: "subnet-a".into(), excluded };
    store.add_eni(spec, Time::ZERO).unwrap();
    store.add_cidr(&id, Cidr::new(Ipv4Addr::UNSPECIFIED, 0).unwrap()).unwrap();
    assert_eq!(store.stats(Time::ZERO).total, Ips(u32::MAX));
}

/// Small numbers, and numbers at the end of the range.
fn any_count() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..40u32, 1 => Just(u32::MAX), 1 => Just(i32::MAX.cast_unsigned()), 1 => any::<u32>()]
}

prop_compose! {
    fn any_settings()(
        targets in [any_count(), any_count(), any_count(), any_count(), any_count()],
        flags in any::<[bool; 4]>(),
    ) -> CniSettings {
        let [warm_eni_target, warm_prefix_target, warm_ip, minimum_ip, max_eni] = targets;
        let [prefix_delegation, custom_networking, pod_eni, subnet_discovery] = flags;
        let set = |count: u32| Some(count).filter(|count| *count > 0);
        CniSettings {
            warm_eni_target, warm_prefix_target, prefix_delegation, custom_networking, pod_eni, subnet_discovery,
            warm_ip_target: set(warm_ip), minimum_ip_target: set(minimum_ip), max_eni: set(max_eni),
            ..CniSettings::default()
        }
    }
}

prop_compose! {
    fn any_limits()(counts in [any_count(), any_count(), any_count()], bare_metal in any::<bool>()) -> InstanceLimits {
        let [enis, ipv4_per_eni, branch] = counts;
        InstanceLimits {
            enis: Enis(enis), ipv4_per_eni, bare_metal,
            hypervisor: Hypervisor::Xen, network_cards: 1, source: LimitSource::DescribeInstanceTypes,
            branch: Some(BranchLimits { max: Enis(branch), trunking: true }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the numbers, there is an answer, and a footprint that the limits allow.
    #[test]
    fn every_number_has_an_answer(
        settings in any_settings(),
        limits in any_limits(),
        kind in prop::sample::select(vec![NodeKind::Linux, NodeKind::Windows]),
        node in [any_count(), any_count(), any_count(), any_count(), any_count()],
        pool in [any_count(), any_count(), any_count(), any_count(), any_count()],
        subnets in [any_count(), any_count(), any_count(), any_count()],
        free_slots in 0..800u32,
        now in prop::sample::select(vec![0, u64::MAX]),
    ) {
        let [max_pods, unmanaged, excluded, pod_enis, pods] = node;
        let facts = NodeFacts {
            kind, limits: Some(&limits), settings: &settings, max_pods,
            unmanaged: Enis(unmanaged), excluded: Enis(excluded),
            trunk_attached: false, windows_prefix_delegation: true,
        };
        let budget = budget(&facts);
        if let Budget::Ipv4(ipv4) = budget {
            let rest = steady(&settings, &ipv4, pods);
            prop_assert!(rest.ips_attached <= ipv4.ceiling, "{rest:?}");
        }
        let [total, assigned, cooling, waiting, claims] = pool.map(Ips);
        let state = NodeState {
            budget, total, assigned, cooling, waiting, claims, free_slots,
            pod_enis: Enis(pod_enis),
            room: Room::Known {
                on_attached_ips: Ips(subnets[0]),
                on_attached_prefixes: Prefixes(subnets[1]),
                for_new_eni_ips: Ips(subnets[2]),
                for_new_eni_prefixes: Prefixes(subnets[3]),
            },
            cordoned: false,
            back_off_until: Some(Time::from_secs(u64::MAX)),
            branch_used: Enis(assigned.get()), branch_claims: Enis(claims.get()), windows_used: cooling,
        };
        for demand in [Demand::None, Demand::PodIp, Demand::BranchEni, Demand::WindowsIp] {
            let text = explain(&state, &settings, demand, Time::from_millis(now));
            prop_assert!(text.lines().last().is_some_and(|line| line.starts_with("verdict: ")));
        }
    }
}
