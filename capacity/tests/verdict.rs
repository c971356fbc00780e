//! Now, soon, never, unknown: each reason, its precedence, and what holds for every node.

use std::collections::BTreeSet;

use headroom_capacity::budget::{Budget, Ipv4Budget, Mode, NodeFacts, NodeKind, budget};
use headroom_capacity::instance::{LimitSource, lookup};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::{Demand, NodeState, Reason, Room, Verdict, explain, verdict};
use proptest::prelude::*;

const NOW: Time = Time::from_secs(1000);

fn budget_of(instance_type: &str, settings: &CniSettings, max_pods: u32) -> Budget {
    budget(&NodeFacts {
        kind: NodeKind::Linux,
        limits: lookup(instance_type),
        settings,
        max_pods,
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk_attached: false,
        windows_prefix_delegation: false,
    })
}

fn room(ips: u32, prefixes: u32) -> Room {
    Room::Known {
        on_attached_ips: Ips(ips),
        on_attached_prefixes: Prefixes(prefixes),
        for_new_eni_ips: Ips(ips),
        for_new_eni_prefixes: Prefixes(prefixes),
    }
}

fn node(budget: Budget, total: u32, assigned: u32, pod_enis: u32, room: Room) -> NodeState {
    NodeState {
        budget,
        total: Ips(total),
        assigned: Ips(assigned),
        cooling: Ips::ZERO,
        waiting: Ips::ZERO,
        claims: Ips::ZERO,
        pod_enis: Enis(pod_enis),
        free_slots: 0,
        room,
        cordoned: false,
        back_off_until: None,
        branch_used: Enis::ZERO,
        branch_claims: Enis::ZERO,
        windows_used: Ips::ZERO,
    }
}

/// c5.xlarge, 4 ENIs × 14 IPs, in a subnet with room.
fn c5(total: u32, assigned: u32, pod_enis: u32) -> NodeState {
    node(budget_of("c5.xlarge", &CniSettings::default(), 58), total, assigned, pod_enis, room(4000, 200))
}

fn ask(node: &NodeState, settings: &CniSettings) -> Verdict {
    verdict(node, settings, Demand::PodIp, NOW)
}

fn plain(node: &NodeState) -> Verdict {
    ask(node, &CniSettings::default())
}

#[test]
fn free_addresses_come_at_once() {
    assert_eq!(plain(&c5(14, 0, 1)), Verdict::Now(Ips(14)));
    let mut busy = c5(28, 20, 2);
    (busy.cooling, busy.waiting, busy.claims) = (Ips(3), Ips(2), Ips(1));
    assert_eq!(plain(&busy), Verdict::Now(Ips(2)));
}

#[test]
fn a_full_pool_grows_to_the_ceiling() {
    assert_eq!(plain(&c5(14, 14, 1)), Verdict::Soon(Ips(42)));
    let mut filling = c5(20, 20, 2);
    filling.free_slots = 8;
    assert_eq!(plain(&filling), Verdict::Soon(Ips(36)), "eight slots and two new ENIs");
    let mut crowded = c5(14, 14, 1);
    (crowded.waiting, crowded.claims) = (Ips(30), Ips(5));
    assert_eq!(plain(&crowded), Verdict::Soon(Ips(7)));
}

/// Two c5.xlarge, 100 pods and the system's: the ceiling is 56 each, whatever max-pods says.
#[test]
fn the_field_case_stops_at_the_ceiling() {
    assert_eq!(plain(&c5(56, 55, 4)), Verdict::Now(Ips(1)));
    assert_eq!(plain(&c5(56, 56, 4)), Verdict::Never(Reason::InstanceIpLimit));
}

#[test]
fn each_circumstance_that_stops_growth() {
    let settings = CniSettings::default();
    let mut cordoned = c5(14, 14, 1);
    cordoned.cordoned = true;
    assert_eq!(plain(&cordoned), Verdict::Never(Reason::Cordoned));
    let managed = CniSettings { manage_enis_non_schedulable: true, ..settings.clone() };
    assert_eq!(ask(&cordoned, &managed), Verdict::Soon(Ips(42)));

    let mut refused = c5(14, 14, 1);
    refused.back_off_until = Some(NOW);
    assert_eq!(plain(&refused), Verdict::Never(Reason::IpamdBackOff));
    refused.back_off_until = Some(Time::from_millis(NOW.as_millis() - 1));
    assert_eq!(plain(&refused), Verdict::Soon(Ips(42)));

    let disabled = CniSettings { provisioning_disabled: true, ..settings.clone() };
    assert_eq!(ask(&c5(14, 14, 1), &disabled), Verdict::Never(Reason::ProvisioningDisabled));

    let low_max_pods = node(budget_of("c5.xlarge", &settings, 14), 14, 10, 1, room(4000, 200));
    assert_eq!(plain(&low_max_pods), Verdict::Now(Ips(4)));
    assert_eq!(plain(&NodeState { assigned: Ips(14), ..low_max_pods }), Verdict::Never(Reason::MaxPods));
}

/// CNI `datastoreTargetState`: without WARM_IP_TARGET the pool stops at MINIMUM_IP_TARGET.
#[test]
fn a_minimum_without_a_warm_target_stops_the_pool() {
    let (settings, _) = CniSettings::from_env([("MINIMUM_IP_TARGET", "20")]);
    assert_eq!(ask(&c5(14, 14, 1), &settings), Verdict::Soon(Ips(6)));
    assert_eq!(ask(&c5(20, 20, 2), &settings), Verdict::Never(Reason::PoolNotGrowing));
    let (both, _) = CniSettings::from_env([("MINIMUM_IP_TARGET", "20"), ("WARM_IP_TARGET", "1")]);
    assert_eq!(ask(&c5(20, 20, 2), &both), Verdict::Soon(Ips(28)), "two ENIs without a free slot, two to come");
}

/// Cooling addresses are not assignable and still keep the pool from looking low.
#[test]
fn cooling_addresses_hold_back_growth() {
    let (settings, _) = CniSettings::from_env([("WARM_IP_TARGET", "5")]);
    let mut cooling = c5(20, 14, 2);
    (cooling.cooling, cooling.free_slots) = (Ips(6), 8);
    assert_eq!(ask(&cooling, &settings), Verdict::Never(Reason::CoolingDown));
    cooling.cooling = Ips(4);
    assert_eq!(ask(&cooling, &settings), Verdict::Now(Ips(2)));
    (cooling.assigned, cooling.cooling) = (Ips(16), Ips(4));
    assert_eq!(ask(&cooling, &settings), Verdict::Soon(Ips(36)), "four available are below the target of five");

    let mut full = c5(56, 53, 4);
    full.cooling = Ips(3);
    assert_eq!(plain(&full), Verdict::Never(Reason::CoolingDown), "at the ceiling, and three addresses come back");
    full.waiting = Ips(3);
    assert_eq!(plain(&full), Verdict::Never(Reason::InstanceIpLimit), "they are for the pods that wait");
}

#[test]
fn subnets_without_room() {
    let with = |room| NodeState { room, ..c5(14, 14, 1) };
    assert_eq!(plain(&with(room(15, 0))), Verdict::Soon(Ips(14)));
    assert_eq!(
        plain(&with(room(14, 0))),
        Verdict::Never(Reason::SubnetExhausted),
        "an ENI takes an address for itself"
    );
    assert_eq!(plain(&with(room(31, 0))), Verdict::Soon(Ips(28)));
    let (few, _) = CniSettings::from_env([("WARM_IP_TARGET", "2")]);
    assert_eq!(ask(&with(room(3, 0)), &few), Verdict::Soon(Ips(2)), "two wanted, two asked for");
    assert_eq!(ask(&with(room(2, 0)), &few), Verdict::Never(Reason::SubnetExhausted));

    let mut slots = c5(20, 20, 2);
    (slots.free_slots, slots.room) = (8, room(1, 0));
    assert_eq!(plain(&slots), Verdict::Soon(Ips(1)), "an ENI that is there takes single addresses");
    slots.room = room(0, 0);
    assert_eq!(plain(&slots), Verdict::Never(Reason::SubnetExhausted));
}

/// CNI `tryAssignIPs`, `tryAssignPrefixes`: without discovery a refusal ends the step, before an ENI is made elsewhere.
#[test]
fn without_discovery_a_full_subnet_keeps_ipamd_from_the_next_one() {
    let elsewhere = |attached: u32| Room::Known {
        on_attached_ips: Ips(attached),
        on_attached_prefixes: Prefixes(attached / 16),
        for_new_eni_ips: Ips(4000),
        for_new_eni_prefixes: Prefixes(200),
    };
    let mut half = c5(20, 20, 2);
    half.free_slots = 8;
    let off = CniSettings { subnet_discovery: false, ..CniSettings::default() };
    // Free addresses in the subnet of the attached ENIs; more pods with discovery, and without.
    for (attached, with, without) in [(8, 36, 36), (7, 35, 7), (1, 29, 1)] {
        half.room = elsewhere(attached);
        assert_eq!((plain(&half), ask(&half, &off)), (Verdict::Soon(Ips(with)), Verdict::Soon(Ips(without))));
    }
    half.room = elsewhere(0);
    assert_eq!(plain(&half), Verdict::Soon(Ips(28)));
    assert_eq!(ask(&half, &off), Verdict::Never(Reason::SubnetExhausted));
    half.free_slots = 0;
    assert_eq!(ask(&half, &off), Verdict::Soon(Ips(28)), "no slot to ask for, so a new ENI is next");

    let prefixes = CniSettings { prefix_delegation: true, ..off };
    let budget = budget_of("c5.xlarge", &prefixes, 250);
    let mut full = NodeState { free_slots: 1, room: elsewhere(15), ..node(budget, 208, 208, 1, Room::Unknown) };
    assert_eq!(ask(&full, &prefixes), Verdict::Never(Reason::SubnetExhausted), "the other subnet's room is no help");
    full.room = elsewhere(0);
    full.free_slots = 0;
    assert_eq!(ask(&full, &prefixes), Verdict::Soon(Ips(42)));
}

#[test]
fn prefix_mode_needs_aligned_blocks() {
    let (settings, _) = CniSettings::from_env([("ENABLE_PREFIX_DELEGATION", "true"), ("WARM_PREFIX_TARGET", "1")]);
    let t3 = |total, assigned, slots, room| {
        let mut node = node(budget_of("t3.small", &settings, 110), total, assigned, 1, room);
        node.free_slots = slots;
        node
    };
    assert_eq!(
        ask(&t3(16, 16, 2, room(4000, 200)), &settings),
        Verdict::Soon(Ips(94)),
        "max-pods before the ceiling of 144"
    );
    assert_eq!(ask(&t3(16, 16, 2, room(235, 0)), &settings), Verdict::Never(Reason::SubnetFragmented));
    assert_eq!(ask(&t3(16, 16, 2, room(15, 0)), &settings), Verdict::Never(Reason::SubnetExhausted));
    assert_eq!(ask(&t3(16, 16, 2, room(16, 1)), &settings), Verdict::Soon(Ips(16)));
    assert_eq!(
        ask(&t3(48, 48, 0, room(0, 5)), &settings),
        Verdict::Never(Reason::SubnetExhausted),
        "no address for the ENI"
    );
    assert_eq!(ask(&t3(144, 110, 0, room(4000, 200)), &settings), Verdict::Never(Reason::MaxPods));
}

#[test]
fn claims_are_named_only_when_they_are_what_stands_in_the_way() {
    let mut claimed = c5(56, 54, 4);
    claimed.claims = Ips(2);
    assert_eq!(plain(&claimed), Verdict::Never(Reason::Claimed));
    claimed.waiting = Ips(2);
    assert_eq!(plain(&claimed), Verdict::Never(Reason::InstanceIpLimit));
    let mut growing = c5(14, 14, 1);
    growing.claims = Ips(42);
    assert_eq!(plain(&growing), Verdict::Never(Reason::Claimed), "the growth to come is claimed too");
}

#[test]
fn lasting_reasons_come_before_passing_ones() {
    let settings = CniSettings { provisioning_disabled: true, ..CniSettings::default() };
    let mut all = c5(56, 56, 4);
    (all.cordoned, all.back_off_until, all.room) = (true, Some(NOW), room(0, 0));
    assert_eq!(ask(&all, &settings), Verdict::Never(Reason::InstanceIpLimit));
    (all.total, all.assigned, all.pod_enis) = (Ips(14), Ips(14), Enis(1));
    assert_eq!(ask(&all, &settings), Verdict::Never(Reason::ProvisioningDisabled));
    assert_eq!(plain(&all), Verdict::Never(Reason::SubnetExhausted));
    all.room = room(100, 0);
    assert_eq!(plain(&all), Verdict::Never(Reason::Cordoned));
    all.cordoned = false;
    assert_eq!(plain(&all), Verdict::Never(Reason::IpamdBackOff));
}

/// The scheduler must be able to go on where nobody watches the subnets.
#[test]
fn unseen_subnets_are_taken_to_have_room() {
    let unseen = |total, assigned| NodeState { room: Room::Unknown, ..c5(total, assigned, 0) };
    assert_eq!(plain(&unseen(14, 14)), Verdict::Soon(Ips(42)));
    assert_eq!(plain(&unseen(56, 56)), Verdict::Never(Reason::InstanceIpLimit));
}

#[test]
fn observed_limits_never_say_never() {
    let Budget::Ipv4(known) = budget_of("c5.xlarge", &CniSettings::default(), 58) else { panic!("IPv4") };
    let observed = Ipv4Budget { source: LimitSource::Observed, ..known };
    let full = |budget| NodeState { budget: Budget::Ipv4(budget), ..c5(56, 56, 4) };
    assert_eq!(plain(&full(observed)), Verdict::Unknown(Reason::UnknownInstanceType));
    assert_eq!(plain(&full(known)), Verdict::Never(Reason::InstanceIpLimit));
}

#[test]
fn other_demands_use_their_own_budgets() {
    let sgp = CniSettings { pod_eni: true, ..CniSettings::default() };
    let mut m5 = node(budget_of("m5.large", &sgp, 29), 18, 18, 2, room(0, 0));
    let branch = |node: &NodeState, settings: &CniSettings| verdict(node, settings, Demand::BranchEni, NOW);
    (m5.branch_used, m5.branch_claims) = (Enis(6), Enis(1));
    assert_eq!(branch(&m5, &sgp), Verdict::Now(Ips(2)));
    m5.branch_claims = Enis(3);
    assert_eq!(branch(&m5, &sgp), Verdict::Never(Reason::BranchEniLimit));
    assert_eq!(branch(&c5(14, 0, 1), &CniSettings::default()), Verdict::Never(Reason::BranchEniLimit), "switched off");
    let unlisted = node(budget_of("c5a.metal", &sgp, 100), 14, 0, 1, room(0, 0));
    assert_eq!(branch(&unlisted, &sgp), Verdict::Unknown(Reason::UnknownInstanceType));

    let mut windows = node(Budget::Windows { ceiling: Ips(9) }, 0, 0, 0, Room::Unknown);
    (windows.windows_used, windows.claims) = (Ips(7), Ips(1));
    let settings = CniSettings::default();
    assert_eq!(verdict(&windows, &settings, Demand::WindowsIp, NOW), Verdict::Now(Ips(1)));
    windows.waiting = Ips(1);
    assert_eq!(verdict(&windows, &settings, Demand::WindowsIp, NOW), Verdict::Never(Reason::WindowsIpLimit));
    assert_eq!(verdict(&c5(14, 0, 1), &settings, Demand::WindowsIp, NOW), Verdict::Never(Reason::WindowsIpLimit));
}

#[test]
fn nodes_and_pods_that_need_nothing_pass() {
    let settings = CniSettings::default();
    let full = c5(56, 56, 4);
    let pass = Verdict::Now(Ips(u32::MAX));
    assert_eq!(verdict(&full, &settings, Demand::None, NOW), pass);
    let auto = NodeState { budget: Budget::NotManaged(NodeKind::Auto), ..full.clone() };
    assert_eq!(ask(&auto, &settings), pass);
    let unknown = NodeState { budget: Budget::Unknown(Reason::UnknownInstanceType), ..full.clone() };
    assert_eq!(ask(&unknown, &settings), Verdict::Unknown(Reason::UnknownInstanceType));
    assert_eq!(verdict(&unknown, &settings, Demand::None, NOW), pass);
    let mut ipv6 = NodeState { budget: Budget::Ipv6 { max_pods: 60, branch: None }, ..full };
    assert_eq!(ask(&ipv6, &settings), Verdict::Now(Ips(4)));
    ipv6.claims = Ips(4);
    assert_eq!(ask(&ipv6, &settings), Verdict::Never(Reason::MaxPods));
}

#[test]
fn explains_in_numbers() {
    let mut busy = c5(56, 52, 4);
    (busy.cooling, busy.waiting, busy.claims) = (Ips(1), Ips(2), Ips(1));
    let text = explain(&busy, &CniSettings::default(), Demand::PodIp, NOW);
    let expected = "\
now = 56 attached − 52 assigned − 1 cooling − 2 waiting − 1 claimed = 0
limit = 4 ENIs × 14 IPs = 56, max-pods 58
for one more pod the pool must reach 57 IPs; it can reach, by
  instance_ip_limit         56  stops here
  max_pods                  58
  provisioning_disabled    any
  pool_not_growing         any
  subnet_exhausted          56
  cordoned                 any
  ipamd_back_off           any
verdict: never: no pod IP left: free IPs are claimed by pods on their way
";
    assert_eq!(text, expected);

    let windows = node(Budget::Windows { ceiling: Ips(9) }, 0, 0, 0, Room::Unknown);
    assert_eq!(
        explain(&windows, &CniSettings::default(), Demand::WindowsIp, NOW),
        "now = 9 on the primary ENI − 0 used − 0 waiting − 0 claimed = 9\nverdict: now, 9 more\n"
    );
    let auto = NodeState { budget: Budget::NotManaged(NodeKind::Auto), ..windows };
    assert_eq!(
        explain(&auto, &CniSettings::default(), Demand::PodIp, NOW),
        "pods of EKS Auto Mode nodes get no address from the VPC CNI\nverdict: now, without limit\n"
    );
}

#[test]
fn reasons_are_distinct_and_well_formed() {
    let texts: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let labels: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
    assert_eq!((texts.len(), labels.len()), (Reason::ALL.len(), Reason::ALL.len()));
    for reason in Reason::ALL {
        let variant = format!("{reason:?}").to_lowercase();
        assert_eq!(reason.label().replace('_', ""), variant);
        assert!(reason.label().chars().all(|c| c == '_' || c.is_ascii_lowercase()));
        assert!(reason.as_str().len() <= 80, "kube-scheduler joins these texts: {reason}");
    }
}

fn any_settings() -> impl Strategy<Value = CniSettings> {
    let target = |most: u32| prop_oneof![3 => Just(None), 2 => (1..=most).prop_map(Some), 1 => Just(Some(u32::MAX))];
    (0..3u32, target(20), target(80), 0..3u32, any::<[bool; 4]>()).prop_map(|(enis, warm, minimum, prefixes, flags)| {
        CniSettings {
            warm_eni_target: enis,
            warm_ip_target: warm,
            minimum_ip_target: minimum,
            warm_prefix_target: prefixes,
            prefix_delegation: flags[0],
            manage_enis_non_schedulable: flags[1],
            custom_networking: flags[2],
            subnet_discovery: flags[3],
            ..CniSettings::default()
        }
    })
}

fn any_room() -> impl Strategy<Value = Room> {
    let known = (0..70u32, 0..5u32, 0..70u32, 0..5u32).prop_map(|(ips, prefixes, new_ips, new_prefixes)| Room::Known {
        on_attached_ips: Ips(ips),
        on_attached_prefixes: Prefixes(prefixes),
        for_new_eni_ips: Ips(new_ips),
        for_new_eni_prefixes: Prefixes(new_prefixes),
    });
    prop_oneof![1 => Just(Room::Unknown), 4 => known]
}

prop_compose! {
    /// Any node, those that no CNI would bring about included.
    fn any_node()(
        settings in any_settings(),
        name in prop::sample::select(vec!["t3.small", "m5.large", "c5.xlarge", "t2.large", "m5.4xlarge"]),
        max_pods in 0..120u32,
        pool in (0..80u32, 0..60u32, 0..10u32, 0..6u32, 0..6u32),
        shape in (0..5u32, 0..12u32),
        room in any_room(),
        cordoned in prop::bool::weighted(0.1),
        back_off in prop::bool::weighted(0.1),
    ) -> (NodeState, CniSettings) {
        let (total, assigned, cooling, waiting, claims) = pool;
        let budget = budget_of(name, &settings, max_pods);
        // Whatever is assigned or cooling is attached, and a prefix is attached as a whole.
        let total = total.max(assigned + cooling).next_multiple_of(unit(budget));
        let mut node = node(budget, total, assigned, shape.0, room);
        (node.cooling, node.waiting, node.claims) = (Ips(cooling), Ips(waiting), Ips(claims));
        (node.free_slots, node.cordoned) = (shape.1, cordoned);
        node.back_off_until = back_off.then_some(NOW);
        (node, settings)
    }
}

/// The addresses that come at once.
fn unit(budget: Budget) -> u32 {
    match budget {
        Budget::Ipv4(budget) => budget.mode.ips_per_slot(),
        other => panic!("{other:?} is not IPv4"),
    }
}

/// How good an answer is: now before soon before the rest, then by number.
fn rank(verdict: Verdict) -> (u8, u32) {
    match verdict {
        Verdict::Now(ips) => (2, ips.get()),
        Verdict::Soon(ips) => (1, ips.get()),
        Verdict::Never(_) | Verdict::Unknown(_) => (0, 0),
    }
}

/// The same node with one thing better.
fn improved(node: &NodeState, what: usize, by: u32) -> NodeState {
    let mut better = node.clone();
    let less = |count: Ips| count.saturating_sub(Ips(by));
    match what {
        0 => better.total += Ips(by * unit(node.budget)),
        1 => better.assigned = less(better.assigned),
        2 => better.cooling = less(better.cooling),
        3 => better.waiting = less(better.waiting),
        4 => better.claims = less(better.claims),
        5 => better.back_off_until = None,
        6 => better.cordoned = false,
        _ => {
            if let Room::Known { on_attached_ips, on_attached_prefixes, for_new_eni_ips, for_new_eni_prefixes } =
                &mut better.room
            {
                match what {
                    7 => *on_attached_ips += Ips(by),
                    8 => *on_attached_prefixes += Prefixes(by),
                    9 => *for_new_eni_ips += Ips(by),
                    _ => *for_new_eni_prefixes += Prefixes(by),
                }
            }
        }
    }
    better
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn better_circumstances_never_make_it_worse((node, settings) in any_node(), what in 0..11usize, by in 1..20u32) {
        let better = improved(&node, what, by);
        let (before, after) = (ask(&node, &settings), ask(&better, &settings));
        prop_assert!(rank(after) >= rank(before), "{before} turned into {after}\n{}{}",
            explain(&node, &settings, Demand::PodIp, NOW), explain(&better, &settings, Demand::PodIp, NOW));
    }

    #[test]
    fn nothing_is_promised_twice((node, settings) in any_node()) {
        let Budget::Ipv4(budget) = node.budget else { panic!("IPv4") };
        let granted = ask(&node, &settings);
        let promised = node.assigned + node.waiting + node.claims;
        if granted.grants() > Ips::ZERO {
            let all = promised + granted.grants();
            prop_assert!(all <= budget.ceiling && all.get() <= budget.max_pods, "{granted}");
        }
        if let Verdict::Now(ips) = granted {
            prop_assert!(promised + node.cooling + ips <= node.total);
        }
        // Granting one more and claiming it must leave exactly one less.
        if granted.grants() > Ips(1) {
            let claimed = NodeState { claims: node.claims + Ips(1), ..node.clone() };
            prop_assert_eq!(ask(&claimed, &settings).grants(), granted.grants() - Ips(1));
        }
        prop_assert!(granted.grants() > Ips::ZERO || granted.reason().is_some());
    }

    #[test]
    fn the_explanation_ends_with_the_verdict((node, settings) in any_node()) {
        let text = explain(&node, &settings, Demand::PodIp, NOW);
        let answer = format!("verdict: {}\n", ask(&node, &settings));
        prop_assert!(text.ends_with(&answer));
        prop_assert!(text.lines().filter(|line| line.ends_with("stops here")).count() <= 1);
        let prefix = text.contains("prefixes × 16");
        prop_assert_eq!(prefix, matches!(node.budget, Budget::Ipv4(budget) if budget.mode == Mode::Prefix));
    }
}
