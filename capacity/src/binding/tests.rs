//! Nodes computed by hand.

mod properties;

use super::*;
use crate::budget::{Budget, NodeFacts, NodeKind, budget};
use crate::instance::{InstanceLimits, LimitSource, lookup};
use crate::settings::CniSettings;
use crate::units::Enis;
use crate::verdict::Demand;

const MIB: u64 = 1 << 20;

fn limits(name: &str) -> &'static InstanceLimits {
    lookup(name).unwrap()
}

fn budget_of(limits: &InstanceLimits, settings: &CniSettings, max_pods: u32) -> Budget {
    budget(&NodeFacts {
        kind: NodeKind::Linux,
        limits: Some(limits),
        settings,
        max_pods,
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk_attached: false,
        windows_prefix_delegation: false,
    })
}

fn requests(cpu_millis: u64, mib: u64, volumes: u32) -> Requests {
    Requests { cpu_millis, memory_bytes: mib * MIB, volumes }
}

fn allocatable(cpu_millis: u64, mib: u64) -> Allocatable {
    Allocatable { cpu_millis: Some(cpu_millis), memory_bytes: Some(mib * MIB), volumes: None }
}

fn mix_of(pods: &[Used]) -> Mix {
    let mut mix = Mix::default();
    pods.iter().for_each(|pod| mix.add(pod));
    mix
}

/// aws-node and kube-proxy.
fn agents() -> Used {
    let mut base = need(Demand::None, &requests(60, 0, 0));
    base.add(&base.clone());
    base
}

fn all_of(room: &PerResource<Limit>) -> Vec<Limit> {
    room.iter().map(|(_, limit)| *limit).collect()
}

/// An m5.large has 3 ENIs of 9 addresses for pods and takes 29 pods.
#[test]
fn cpu_runs_out_before_the_addresses_of_an_m5_large() {
    let settings = CniSettings::default();
    let offers = shape(&budget_of(limits("m5.large"), &settings, 29), &settings, 29, &allocatable(1930, 7000));
    let pod = need(Demand::PodIp, &requests(100, 256, 0));
    let mut used = agents();
    (0..10).for_each(|_| used.add(&pod));
    let room = room(&offers, &used, &mix_of(&[pod]));
    // (1930 - 1120) / 100 CPU, (7000 - 2560) / 256 memory, 29 - 12 pods.
    let (of, none) = (Limit::Of, Limit::Unlimited);
    assert_eq!(all_of(&room), [of(17), of(8), of(17), of(17), none, none]);
    assert_eq!(binds(&room), Some((Resource::Cpu, 8)));
    let utilisation = utilisation(&offers, &used);
    assert_eq!(utilisation[Resource::Ip], Some(10.0 / 27.0));
    assert_eq!((utilisation[Resource::BranchEni], utilisation[Resource::Volumes]), (None, None));
}

#[test]
fn of_address_and_max_pods_the_address_is_named_where_both_end_with_the_same_pod() {
    let settings = CniSettings::default();
    let offers = shape(&budget_of(limits("m5.large"), &settings, 29), &settings, 29, &allocatable(1930, 7000));
    let mix = mix_of(&[need(Demand::PodIp, &requests(10, 16, 0))]);
    assert_eq!(binds(&room(&offers, &agents(), &mix)), Some((Resource::Ip, 27)));
    let more_agents = need(Demand::None, &Requests::default());
    let mut used = agents();
    used.add(&more_agents);
    assert_eq!(binds(&room(&offers, &used, &mix)), Some((Resource::Pods, 26)));
}

/// One pod in four has a branch ENI, one in two a volume: an m5.large has 9 branch ENIs, and one ENI less for its pool.
#[test]
fn what_only_some_pods_take_lasts_for_more_of_them() {
    let settings = CniSettings { pod_eni: true, ..CniSettings::default() };
    let volumes = Allocatable { volumes: Some(10), ..allocatable(100_000, 100_000) };
    let offers = shape(&budget_of(limits("m5.large"), &settings, 110), &settings, 110, &volumes);
    let pod = |demand, volumes| need(demand, &requests(1, 1, volumes));
    let mix = mix_of(&[pod(Demand::BranchEni, 1), pod(Demand::PodIp, 1), pod(Demand::PodIp, 0), pod(Demand::PodIp, 0)]);
    let room = room(&offers, &Used::default(), &mix);
    assert_eq!((room[Resource::BranchEni], room[Resource::Volumes]), (Limit::Of(36), Limit::Of(20)));
    assert_eq!(room[Resource::Ip], Limit::Of(24), "18 addresses for three pods of four");
    assert_eq!(binds(&room), Some((Resource::Volumes, 20)));
}

#[test]
fn what_nobody_told_is_unknown_and_what_ipv6_has_is_unlimited() {
    let settings = CniSettings::default();
    let observed = InstanceLimits { source: LimitSource::Observed, ..*limits("m5.large") };
    let unknown = shape(&budget_of(&observed, &settings, 0), &settings, 0, &Allocatable::default());
    let without = [Limit::Unknown, Limit::Unknown, Limit::Unknown, Limit::Unknown, Limit::Of(0), Limit::Unknown];
    assert_eq!(all_of(&unknown), without);
    let mix = mix_of(&[need(Demand::PodIp, &requests(1, 1, 0))]);
    assert_eq!(binds(&room(&unknown, &Used::default(), &mix)), None);
    assert_eq!(binds(&room(&unknown, &Used::default(), &Mix::default())), None, "nothing to come");
    let six = CniSettings { ipv6: true, prefix_delegation: true, ..settings };
    let six_budget = budget_of(limits("m5.large"), &six, 110);
    assert_eq!(shape(&six_budget, &six, 110, &Allocatable::default())[Resource::Ip], Limit::Unlimited);
}

/// c5.xlarge and m5.xlarge have 4 ENIs of 14 addresses for pods, so room for 58 pods, and the same CPUs.
#[test]
fn a_type_with_more_memory_is_worth_it_until_addresses_end_it() {
    let settings = CniSettings::default();
    let base = agents();
    let setup = Setup { kind: NodeKind::Linux, settings: &settings, windows_prefix_delegation: false, base: &base };
    let pods = [need(Demand::PodIp, &requests(40, 64, 0)), need(Demand::PodIp, &requests(60, 192, 0))];
    let c5 = fit(&setup, limits("c5.xlarge"), 58, &allocatable(3920, 7000), &mix_of(&pods));
    assert_eq!((c5.resource, c5.pods), (Some(Resource::Memory), Some(54)));
    assert!(!c5.is_ip_bound() && c5.is_complete() && c5.holds_largest);
    // 54 pods of 50m and the agents' 120m, 54 of 128 Mi.
    assert!((c5.stranded_cpu.unwrap() - 1100.0 / 3920.0).abs() < 1e-9, "{c5:?}");
    assert!((c5.stranded_memory.unwrap() - 88.0 / 7000.0).abs() < 1e-9, "{c5:?}");
    assert_eq!((c5.subnet_ips, c5.ips_per_pod()), (Some(4 * 15), Some(60.0 / 54.0)));
    let m5 = fit(&setup, limits("m5.xlarge"), 58, &allocatable(3920, 14_500), &mix_of(&pods));
    assert_eq!((m5.resource, m5.pods), (Some(Resource::Ip), Some(56)));
    assert!(m5.is_ip_bound() && m5.stranded() > c5.stranded());

    let prefixes = CniSettings { prefix_delegation: true, ..CniSettings::shipped() };
    let setup = Setup { settings: &prefixes, ..setup };
    let dense = fit(&setup, limits("m5.xlarge"), 110, &allocatable(3920, 14_500), &mix_of(&pods));
    assert_eq!((dense.resource, dense.pods), (Some(Resource::Cpu), Some(76)));
    // Five prefixes for 76 pods and a warm one, on one ENI.
    assert_eq!(dense.subnet_ips, Some(6 * 16 + 1));
}

#[test]
fn branch_enis_and_their_trunk_take_addresses_too() {
    let settings = CniSettings { pod_eni: true, ..CniSettings::default() };
    let base = Used::default();
    let setup = Setup { kind: NodeKind::Linux, settings: &settings, windows_prefix_delegation: false, base: &base };
    let mix = mix_of(&[need(Demand::BranchEni, &requests(100, 1, 0)), need(Demand::PodIp, &requests(100, 1, 0))]);
    let fit = fit(&setup, limits("m5.large"), 29, &allocatable(1000, 7000), &mix);
    assert_eq!((fit.resource, fit.pods), (Some(Resource::Cpu), Some(10)));
    // Five of ten in the pool: 2 ENIs of 10 with the warm one. Five branch ENIs and the trunk.
    assert_eq!(fit.subnet_ips, Some(20 + 5 + 1));
}

#[test]
fn a_type_that_the_largest_pod_does_not_fit_on_says_so() {
    let settings = CniSettings::default();
    let base = agents();
    let setup = Setup { kind: NodeKind::Linux, settings: &settings, windows_prefix_delegation: false, base: &base };
    let small = need(Demand::PodIp, &requests(10, 64, 0));
    let mut pods = vec![small; 9];
    pods.push(need(Demand::PodIp, &requests(1900, 64, 0)));
    let on = |cpu| fit(&setup, limits("m5.large"), 29, &allocatable(cpu, 7000), &mix_of(&pods)).holds_largest;
    assert!(!on(1930) && on(2020), "120 are the agents'");
}

#[test]
fn eks_reserves_by_cores_and_by_pods() {
    let m5_large =
        TypeShape { vcpus: 2, memory_mib: 8192, architecture: Architecture::Amd64, ebs: Some(EbsLimit::Shared(27)) };
    let offers = m5_large.allocatable(29, 3);
    // 70m of 2 cores; 615 MiB for the hypervisor, 255 + 29 x 11 + 100 for kubelet.
    assert_eq!((offers.cpu_millis, offers.memory_bytes), (Some(1930), Some(6903 * MIB)));
    assert_eq!(offers.volumes, Some(24), "two further ENIs and the root volume");
    let large = TypeShape { vcpus: 96, memory_mib: 393_216, ebs: Some(EbsLimit::Dedicated(128)), ..m5_large };
    assert_eq!(large.allocatable(737, 15).cpu_millis, Some(96_000 - 60 - 10 - 10 - 230));
    assert_eq!(large.allocatable(737, 15).volumes, Some(127));
    let nothing = TypeShape { vcpus: 0, memory_mib: 0, ebs: None, ..m5_large };
    assert_eq!(nothing.allocatable(110, 1), Allocatable { volumes: None, ..allocatable(0, 0) });
}

#[test]
fn max_pods_follows_the_mode() {
    let of = |name: &str, settings: &CniSettings, vcpus| max_pods(limits(name), settings, vcpus);
    let plain = CniSettings::default();
    let prefixes = CniSettings { prefix_delegation: true, ..CniSettings::default() };
    let custom = CniSettings { custom_networking: true, ..prefixes.clone() };
    assert_eq!((of("m5.large", &plain, Some(2)), of("m5.large", &prefixes, Some(2))), (29, 110));
    assert_eq!((of("m5.24xlarge", &prefixes, Some(96)), of("m5.24xlarge", &prefixes, None)), (250, 110));
    assert_eq!((of("t3.nano", &prefixes, Some(2)), of("t3.nano", &custom, Some(2))), (34, 18));
    assert_eq!(of("m4.large", &prefixes, Some(2)), 20, "xen has no prefixes");
}
