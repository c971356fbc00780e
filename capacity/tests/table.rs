//! The limits table against the CNI's own files and against rows that are known from the field.

use headroom_capacity::instance::{self, CNI_VERSION, Hypervisor, InstanceLimits, LimitSource, VRC_VERSION};
use headroom_capacity::units::Enis;

/// Written by `capacity/oracle/cmd/limits` from the CNI's `misc/eni-max-pods.txt`.
const MAX_PODS: &str = include_str!("table/eni-max-pods.txt");

fn limits(name: &str) -> &'static InstanceLimits {
    instance::lookup(name).unwrap_or_else(|| panic!("{name} is not in the table"))
}

#[test]
fn max_pods_of_every_type_are_those_of_the_cni() {
    let rows = MAX_PODS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').unwrap());
    let mut compared = 0;
    for (name, pods) in rows {
        let limits = limits(name);
        assert_eq!(limits.source, LimitSource::CniTable, "{name}");
        assert_eq!(limits.default_max_pods().to_string(), pods, "max-pods of {name}");
        compared += 1;
    }
    println!("rows compared: {compared}");
    assert_eq!(compared, 1391);
    assert_eq!(compared, instance::all().filter(|(_, limits)| limits.source == LimitSource::CniTable).count());
}

#[test]
fn rows_known_from_the_field() {
    let rows = [
        ("t2.large", 3, 12, Hypervisor::Xen, 35),
        ("t3.medium", 3, 6, Hypervisor::Nitro, 17),
        ("c5.large", 3, 10, Hypervisor::Nitro, 29),
        ("c5.xlarge", 4, 15, Hypervisor::Nitro, 58),
        ("m5.large", 3, 10, Hypervisor::Nitro, 29),
        ("m5.xlarge", 4, 15, Hypervisor::Nitro, 58),
        ("r5.2xlarge", 4, 15, Hypervisor::Nitro, 58),
    ];
    for (name, enis, ipv4_per_eni, hypervisor, max_pods) in rows {
        let limits = limits(name);
        let have = (limits.enis, limits.ipv4_per_eni, limits.hypervisor, limits.default_max_pods());
        assert_eq!(have, (Enis(enis), ipv4_per_eni, hypervisor, max_pods), "{name}");
    }
}

#[test]
fn several_network_cards_are_not_added_up() {
    let cni = limits("p5.48xlarge");
    assert_eq!((cni.network_cards, cni.enis, cni.ipv4_per_eni, cni.default_max_pods()), (32, Enis(2), 50, 100));
}

#[test]
fn prefixes_need_nitro_or_bare_metal() {
    let supported = |name| limits(name).supports_prefixes();
    assert!(!supported("t2.large"), "xen");
    assert!(supported("c5.xlarge"), "nitro");
    assert!(supported("m5.metal"), "bare metal, hypervisor unknown");
    assert_eq!(limits("m5.metal").hypervisor, Hypervisor::Unknown);
    assert!(!supported("hs1.8xlarge"), "hypervisor unknown, not bare metal");
}

#[test]
fn branch_limits_come_from_the_resource_controller() {
    let branch = limits("m5.large").branch.unwrap();
    assert_eq!((branch.max, branch.trunking), (Enis(9), true));
    assert!(!limits("t3.medium").branch.unwrap().trunking, "t3 cannot trunk");
    assert_eq!(limits("bmn-sf1.metal").branch, None, "unknown to the resource controller");
    let mut only_there = instance::all().filter(|(_, limits)| limits.source == LimitSource::VrcTable).peekable();
    assert!(only_there.peek().is_some());
    assert!(only_there.all(|(_, limits)| limits.branch.is_some()));
}

#[test]
fn look_up_finds_every_row_and_nothing_else() {
    let names: Vec<&str> = instance::all().map(|(name, _)| name).collect();
    assert!(names.is_sorted_by(|a, b| a < b));
    assert!(names.iter().all(|name| instance::lookup(name).is_some()));
    assert_eq!(instance::lookup("m5.humongous"), None);
    assert!(CNI_VERSION.starts_with("v1.") && VRC_VERSION.starts_with("v1."));
}
