use proptest::prelude::*;

use super::*;
use crate::budget::{Budget, Ipv4Budget};
use crate::instance::LimitSource;
use crate::settings::CniSettings;
use crate::time::Time;
use crate::verdict::{Demand, NodeState, Verdict, verdict};

fn grower(free_slots: &[(usize, u32)], new_enis: u32) -> Grower {
    Grower {
        mode: Mode::SecondaryIp,
        slots_per_eni: 14,
        request: 14,
        free_slots: free_slots.to_vec(),
        new_enis: Enis(new_enis),
        new_eni_subnets: vec![0],
        useful: u32::MAX,
        grown: 0,
        urgent: false,
    }
}

fn free(ips: u32, prefixes: u32) -> Free {
    Free { ips: Ips(ips), prefixes: Prefixes(prefixes) }
}

#[test]
fn a_scarce_subnet_serves_a_few_with_whole_enis_and_those_first_whose_pods_wait() {
    let mut nodes = vec![grower(&[], 2); 3];
    nodes[2].urgent = true;
    let shares = allot(&mut [free(31, 0)], &nodes);
    let enis: Vec<&[u32]> = shares.iter().map(|share| share.new_enis.as_slice()).collect();
    assert_eq!(enis, [&[14][..], &[], &[14]], "15 each, and one address for nobody");
    assert!(shares.iter().all(|share| share.spare == Ips(1)));
}

#[test]
fn what_has_grown_already_comes_first_and_the_rest_is_shared_step_by_step() {
    let mut nodes = vec![grower(&[(0, 10)], 0); 3];
    nodes.iter_mut().for_each(|node| node.request = 2);
    nodes[2].grown = 5;
    let slots: Vec<u32> = allot(&mut [free(12, 0)], &nodes).iter().map(|share| share.slots).collect();
    assert_eq!(slots, [2, 2, 8], "three steps for what has grown, then one for everybody");
}

#[test]
fn new_enis_go_to_the_subnet_that_ipamd_would_take() {
    let mut node = grower(&[(0, 3)], 2);
    node.new_eni_subnets = vec![0, 1, 2];
    let mut subnets = [free(40, 0), free(45, 0), free(30, 0)];
    let share = &allot(&mut subnets, &[node])[0];
    assert_eq!((share.slots, share.new_enis.as_slice()), (3, &[14, 14][..]));
    assert_eq!(subnets.map(|subnet| subnet.ips), [Ips(22), Ips(30), Ips(30)]);
}

#[test]
fn without_a_28_there_is_no_prefix_however_many_addresses_are_free() {
    let node = Grower { mode: Mode::Prefix, request: 1, ..grower(&[(0, 3)], 1) };
    let share = &allot(&mut [free(200, 0)], std::slice::from_ref(&node))[0];
    assert_eq!((share.total(), share.spare), (0, Ips(200)));
    let share = &allot(&mut [free(200, 2)], std::slice::from_ref(&node))[0];
    assert_eq!((share.slots, share.new_enis.len()), (2, 0));
}

/// What so much growth costs the subnets: the slots, and an address for each ENI that it takes.
fn cost(node: &Grower, slots: u32) -> u32 {
    let attached: u32 = node.free_slots.iter().map(|(_, slots)| slots).sum();
    slots * node.mode.ips_per_slot() + slots.saturating_sub(attached).div_ceil(node.slots_per_eni)
}

/// The node with so many pods bound to it, as the extender puts it together, all growth predicted that its share allows for.
fn state(node: &Grower, share: &Share, attached: u32, pods: u32) -> NodeState {
    let unit = node.mode.ips_per_slot();
    let grown = pods.saturating_sub(attached).div_ceil(unit).min(share.total());
    let ahead = share.ahead(node, grown, 0);
    let slots = attached / unit + node.free_slots.iter().map(|(_, slots)| slots).sum::<u32>();
    let enis = Enis(slots.div_ceil(node.slots_per_eni));
    let pod_enis = enis + node.new_enis;
    NodeState {
        budget: Budget::Ipv4(Ipv4Budget {
            mode: node.mode,
            prefix_fallback: false,
            prefixes_supported: true,
            max_enis: pod_enis,
            pod_enis,
            slots_per_eni: node.slots_per_eni,
            ceiling: Ips(pod_enis.get() * node.slots_per_eni * unit),
            max_pods: 1000,
            branch: None,
            source: LimitSource::CniTable,
        }),
        total: Ips(attached + grown * unit),
        assigned: Ips(pods.min(attached + grown * unit)),
        cooling: Ips::ZERO,
        waiting: Ips(pods.saturating_sub(attached + grown * unit)),
        claims: Ips::ZERO,
        pod_enis: enis + ahead.made,
        free_slots: ahead.free_slots,
        room: ahead.room,
        cordoned: false,
        back_off_until: None,
        branch_used: Enis::ZERO,
        branch_claims: Enis::ZERO,
        windows_used: Ips::ZERO,
    }
}

prop_compose! {
    fn any_node(subnets: usize, mode: Mode)(
        slots_per_eni in 1..15u32,
        request in 1..15u32,
        slots in prop::collection::vec(0..12u32, subnets),
        new_enis in 0..4u32,
        new_eni_subnets in prop::sample::subsequence((0..subnets).collect::<Vec<_>>(), 0..=subnets),
        grown in prop_oneof![3 => Just(0), 1 => 0..20u32],
        urgent in any::<bool>(),
    ) -> Grower {
        let free_slots = slots.into_iter().enumerate().filter(|(_, slots)| *slots > 0).collect();
        let new_enis = Enis(if new_eni_subnets.is_empty() { 0 } else { new_enis });
        let request = request.min(slots_per_eni);
        Grower { mode, slots_per_eni, request, free_slots, new_enis, new_eni_subnets, useful: 1000, grown, urgent }
    }
}

/// Nodes of one mode, what the subnets hold, and what is attached to each.
fn any_world() -> impl Strategy<Value = (Vec<Free>, Vec<(Grower, u32)>)> {
    let mode = prop_oneof![Just(Mode::SecondaryIp), Just(Mode::Prefix)];
    (1..4usize, mode).prop_flat_map(|(subnets, mode)| {
        let free = (0..60u32, 0..12u32, any::<bool>()).prop_map(move |(outside, prefixes, none)| {
            let ips = if mode == Mode::Prefix { prefixes * 16 + outside } else { outside };
            if none { Free::default() } else { free(ips, if mode == Mode::Prefix { prefixes } else { ips / 20 }) }
        });
        let attached = (0..3u32).prop_map(move |units| units * mode.ips_per_slot());
        let nodes = prop::collection::vec((any_node(subnets, mode), attached), 1..8);
        (prop::collection::vec(free, subnets), nodes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Pods come to any node that the verdict lets them on, in any order, and pools grow in between.
    #[test]
    fn no_interleaving_lets_predicted_growth_exceed_what_is_free(
        (subnets, nodes) in any_world(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
    ) {
        let settings = CniSettings { prefix_delegation: nodes[0].0.mode == Mode::Prefix, ..CniSettings::default() };
        let growers: Vec<Grower> = nodes.iter().map(|(node, _)| node.clone()).collect();
        let before: u32 = subnets.iter().map(|subnet| subnet.ips.get()).sum();
        let mut left = subnets;
        let shares = allot(&mut left, &growers);
        let taken = before - left.iter().map(|subnet| subnet.ips.get()).sum::<u32>();
        // Pods that had waited when the reading was made are on nodes already.
        let mut pods: Vec<u32> = nodes.iter().map(|(_, attached)| *attached).collect();
        for index in order {
            let at = index.index(nodes.len());
            let (node, attached) = &nodes[at];
            let state = state(node, &shares[at], *attached, pods[at]);
            if let Verdict::Now(_) | Verdict::Soon(_) = verdict(&state, &settings, Demand::PodIp, Time::ZERO) {
                pods[at] += 1;
            }
        }
        let needed: u32 = nodes.iter().zip(&pods).map(|((node, attached), pods)| {
            cost(node, (pods - attached).div_ceil(node.mode.ips_per_slot()))
        }).sum();
        prop_assert!(needed <= taken, "{needed} of {taken}: {shares:?} {pods:?}");
        prop_assert!(taken <= before);
    }

    /// In one subnet, where the sum tells all: neither addresses nor /28s are given twice.
    #[test]
    fn shares_of_a_subnet_never_add_up_to_more_than_it_holds((subnets, nodes) in any_world()) {
        let subnet = subnets[0];
        let mut growers: Vec<Grower> = nodes.into_iter().map(|(node, _)| node).collect();
        for grower in &mut growers {
            grower.free_slots.retain(|(at, _)| *at == 0);
            grower.new_eni_subnets = vec![0];
        }
        let shares = allot(&mut [subnet], &growers);
        let slots: u32 = shares.iter().map(Share::total).sum();
        let enis: usize = shares.iter().map(|share| share.new_enis.len()).sum();
        let ips = slots * growers[0].mode.ips_per_slot() + u32::try_from(enis).unwrap();
        prop_assert!(ips <= subnet.ips.get());
        prop_assert!(growers[0].mode == Mode::SecondaryIp || slots <= subnet.prefixes.get());
        for (share, node) in shares.iter().zip(&growers) {
            prop_assert!(share.slots <= node.free_slots.iter().map(|(_, slots)| slots).sum());
            prop_assert!(share.new_enis.iter().all(|slots| (node.request..=node.slots_per_eni).contains(slots)));
        }
    }
}
