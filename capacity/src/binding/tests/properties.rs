//! What holds for any node and any mix.

use proptest::prelude::*;

use super::*;

fn a_limit() -> impl Strategy<Value = Limit> {
    prop_oneof![4 => (0..1000_u64).prop_map(Limit::Of), 1 => Just(Limit::Unlimited), 1 => Just(Limit::Unknown)]
}

fn a_pod() -> impl Strategy<Value = Used> {
    let demand = prop_oneof![Just(Demand::None), Just(Demand::PodIp), Just(Demand::BranchEni)];
    (demand, 0..50_u64, 0..50_u64, 0..3_u32).prop_map(|(demand, cpu_millis, memory_bytes, volumes)| {
        need(demand, &Requests { cpu_millis, memory_bytes, volumes })
    })
}

prop_compose! {
    fn a_node()(limits in proptest::array::uniform6(a_limit()), used in proptest::array::uniform6(0..600_u64),
        pods in prop::collection::vec(a_pod(), 0..12)) -> (Shape, Used, Mix) {
        let shape = Shape::from_fn(|resource| limits[resource as usize]);
        (shape, Used::from_fn(|resource| used[resource as usize]), mix_of(&pods))
    }
}

proptest! {
    #[test]
    fn the_binding_resource_has_the_least_room((shape, used, mix) in a_node()) {
        let room = room(&shape, &used, &mix);
        let known: Vec<u64> = room.iter().filter_map(|(_, limit)| limit.get()).collect();
        match binds(&room) {
            Some((resource, pods)) => {
                prop_assert_eq!(room[resource], Limit::Of(pods));
                prop_assert!(known.iter().all(|other| *other >= pods));
            }
            None => prop_assert!(known.is_empty()),
        }
    }

    /// Room is what fits, and one pod more does not.
    #[test]
    fn room_is_exact((shape, used, mix) in a_node()) {
        for (resource, pods) in room(&shape, &used, &mix).iter() {
            let (Some(pods), Some(limit)) = (pods.get(), shape[resource].get()) else { continue };
            let free = limit.saturating_sub(used[resource]);
            prop_assert!(mix.of(pods, resource) <= free && mix.of(pods + 1, resource) > free);
        }
    }

    #[test]
    fn more_of_the_binding_resource_never_means_fewer_pods((shape, used, mix) in a_node(), more in 0..5000_u64) {
        let Some((resource, before)) = binds(&room(&shape, &used, &mix)) else { return Ok(()) };
        let mut roomier = shape;
        roomier[resource] = Limit::Of(shape[resource].get().unwrap() + more);
        let (_, after) = binds(&room(&roomier, &used, &mix)).unwrap();
        prop_assert!(after >= before);
        for (other, limit) in room(&roomier, &used, &mix).iter().filter(|(other, _)| *other != resource) {
            prop_assert_eq!(*limit, room(&shape, &used, &mix)[other]);
        }
    }

    /// A fresh node is never said to take more than its max-pods or its pool allow.
    #[test]
    fn a_full_node_is_within_its_limits(
        pods in prop::collection::vec(a_pod(), 1..12),
        (prefix, custom, branch) in any::<(bool, bool, bool)>(),
        name in prop::sample::select(&["t3.small", "m5.large", "c5.xlarge", "m4.large", "m5.24xlarge"][..]),
    ) {
        let settings =
            CniSettings { prefix_delegation: prefix, custom_networking: custom, pod_eni: branch, ..CniSettings::shipped() };
        let base = agents();
        let setup = Setup { kind: NodeKind::Linux, settings: &settings, windows_prefix_delegation: false, base: &base };
        let (most, mix) = (max_pods(limits(name), &settings, None), mix_of(&pods));
        let fit = fit(&setup, limits(name), most, &allocatable(100_000, 100_000), &mix);
        let pods = fit.pods.unwrap();
        prop_assert!(pods + 2 <= u64::from(most));
        prop_assert!(mix.of(pods, Resource::Ip) <= fit.shape[Resource::Ip].get().unwrap());
        prop_assert!(fit.subnet_ips.unwrap() >= mix.of(pods, Resource::Ip) + mix.of(pods, Resource::BranchEni));
        prop_assert!(fit.stranded_cpu.is_some_and(|share| (0.0..=1.0).contains(&share)));
    }
}
