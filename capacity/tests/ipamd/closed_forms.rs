//! The loop, driven pod by pod with room in every subnet, ends where the closed forms say.

use std::collections::BTreeSet;

use headroom_capacity::budget::Mode;
use headroom_capacity::instance::{self, Hypervisor, InstanceLimits};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::{Steady, steady};
use headroom_capacity::units::{Enis, Ips};
use proptest::prelude::*;

use crate::ec2::{Node, budget, by_ips, manifest, roomy_subnets, with_prefixes};

/// Types that differ in what the pool depends on.
fn shapes() -> Vec<&'static InstanceLimits> {
    let mut seen = BTreeSet::new();
    let shape = |limits: &InstanceLimits| {
        let trunking = limits.branch.is_none_or(|branch| branch.trunking);
        (limits.enis, limits.ipv4_per_eni, limits.supports_prefixes(), trunking)
    };
    instance::all().map(|(_, limits)| limits).filter(|limits| seen.insert(shape(limits))).collect()
}

fn footprint(node: &Node) -> Steady {
    let stats = node.stats();
    let custom = node.ipamd.config().settings.custom_networking;
    Steady {
        enis: stats.enis,
        prefixes: stats.prefixes,
        ips_attached: stats.total,
        subnet_ips: stats.total + Ips(stats.enis.get()),
        node_subnet_ips: Ips(u32::from(custom)),
    }
}

/// Whether ipamd comes to rest at all: with a target of 0 it gives back what it has just taken.
fn rests(settings: &CniSettings, mode: Mode, per_eni: u32, pods: u32) -> bool {
    let by_ips = settings.warm_ip_target.is_some() || settings.minimum_ip_target.is_some();
    by_ips
        || match mode {
            Mode::SecondaryIp => settings.warm_eni_target > 0 || !pods.is_multiple_of(per_eni),
            Mode::Prefix => settings.warm_prefix_target > 0,
        }
}

/// Starts pods, compares, and compares again after two minutes in which everything has had time to be given back.
fn check(limits: &InstanceLimits, settings: &CniSettings, max_pods: u32, pods: u32, luck: Option<u64>) {
    let budget = budget(limits, settings, max_pods);
    let mut node = Node::new(limits, settings, max_pods, roomy_subnets());
    if let Some(seed) = luck {
        node = node.with_luck(seed);
    }
    let held = node.start_pods(pods);
    let expected = steady(settings, &budget, held);
    let context = || format!("{limits:?} {settings:?} max-pods {max_pods}, {held} of {pods} pods");
    assert_eq!(footprint(&node), expected, "{}", context());
    assert_eq!(steady(settings, &budget, pods), expected, "pods that got no address: {}", context());
    if rests(settings, budget.mode, budget.slots_per_eni, held) {
        assert_eq!(node.run(120), [], "{}", context());
    }
}

prop_compose! {
    fn settings()(
        targets in prop_oneof![
            2 => Just((0, 0)), 1 => (0..40_u32, 0..150_u32), 1 => (1..20_u32, Just(0)), 1 => (Just(0), 1..40_u32)
        ],
        warm_eni_target in 0..4_u32,
        warm_prefix_target in 1..5_u32,
        flags in any::<[bool; 4]>(),
        max_eni in proptest::option::weighted(0.3, 1..6_u32),
    ) -> CniSettings {
        let [prefix_delegation, custom_networking, pod_eni, subnet_discovery] = flags;
        CniSettings {
            warm_eni_target, warm_prefix_target, prefix_delegation, custom_networking, pod_eni, subnet_discovery, max_eni,
            ..by_ips(targets.0, targets.1)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn loop_ends_in_closed_form(
        limits in proptest::sample::select(shapes()),
        settings in settings(),
        max_pods in prop_oneof![Just(None), (1..260_u32).prop_map(Some)],
        pods in prop_oneof![0..20_u32, 0..120_u32],
        seed in any::<u64>(),
    ) {
        // With several warm prefixes a step depends on how many prefixes the pods left free.
        let scatters = settings.warm_prefix_target > 1 && settings.prefix_delegation;
        let luck = Some(seed).filter(|_| !scatters);
        check(limits, &settings, max_pods.unwrap_or_else(|| limits.default_max_pods()), pods, luck);
    }
}

#[test]
fn every_shape_full_to_its_limits() {
    for limits in shapes() {
        let ips = limits.enis.get() * (limits.ipv4_per_eni - 1);
        for settings in [manifest(), by_ips(2, 10), with_prefixes(manifest()), with_prefixes(by_ips(5, 20))] {
            let pods = if ips > 240 { 3 } else { ips + 1 };
            check(limits, &settings, ips + 2, pods, None);
        }
    }
}

#[test]
fn widely_known_footprints() {
    let m5_large = instance::lookup("m5.large").unwrap();
    let rest = |settings: &CniSettings, pods| steady(settings, &budget(m5_large, settings, 29), pods);
    let used: Vec<u32> = [0, 1, 9, 10, 27].map(|pods| rest(&manifest(), pods).subnet_ips.get()).to_vec();
    assert_eq!(used, [10, 20, 20, 30, 30]);

    let custom = CniSettings { custom_networking: true, ..manifest() };
    let full = rest(&custom, 18);
    assert_eq!((full.enis, full.ips_attached, full.node_subnet_ips), (Enis(2), Ips(18), Ips(1)));
}

#[test]
fn unsupported_prefixes_fall_back() {
    let xen =
        InstanceLimits { hypervisor: Hypervisor::Xen, bare_metal: false, ..*instance::lookup("m5.large").unwrap() };
    check(&xen, &with_prefixes(manifest()), 29, 12, None);
}

#[test]
fn zero_targets_never_rest() {
    // One /28 is taken, given back at the next turn, and taken again: giving back is allowed every 30 s only.
    let settings = with_prefixes(CniSettings { warm_prefix_target: 0, ..manifest() });
    let mut node = Node::roomy("m5.large", &settings, 29);
    let totals: Vec<u32> = (0..12)
        .map(|_| {
            node.turn();
            node.stats().total.get()
        })
        .collect();
    assert_eq!(totals, [16, 0, 16, 16, 16, 16, 16, 16, 0, 16, 16, 16]);

    // An ENI is taken when the others are full, and given back when it is a minute old and still unused.
    let settings = CniSettings { warm_eni_target: 0, ..manifest() };
    let mut node = Node::roomy("m5.large", &settings, 29);
    assert_eq!(node.start_pods(9), 9);
    assert_eq!(node.stats().enis, Enis(2));
    let sizes: BTreeSet<u32> = (0..24)
        .map(|_| {
            node.turn();
            node.stats().enis.get()
        })
        .collect();
    assert_eq!(sizes, BTreeSet::from([1, 2]));
}
