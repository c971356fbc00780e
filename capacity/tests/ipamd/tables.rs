//! The tables of the CNI's `docs/eni-and-ip-target.md` and `docs/prefix-and-ip-target.md` (v1.23.2), row by row.

use headroom_capacity::steady::steady;
use headroom_capacity::units::{Enis, Ips, Prefixes};

use crate::ec2::{Node, budget, by_ips, limits, manifest, with_prefixes};

/// `docs/eni-and-ip-target.md`: instance type, `WARM_IP_TARGET` and `MINIMUM_IP_TARGET` (none: `WARM_ENI_TARGET=1`), pods; attached
/// ENIs, attached secondary IPs, unused IPs, IPs per ENI.
type IpRow = (&'static str, Option<(u32, u32)>, u32, u32, u32, u32, &'static [u32]);

const IP_ROWS: [IpRow; 16] = [
    ("t3.small", None, 0, 1, 3, 3, &[3]),
    ("t3.small", None, 5, 3, 9, 4, &[3, 3, 3]),
    ("t3.small", None, 9, 3, 9, 0, &[3, 3, 3]),
    ("t3.small", Some((1, 1)), 0, 1, 1, 1, &[1]),
    ("t3.small", Some((1, 1)), 5, 2, 6, 1, &[3, 3]),
    ("t3.small", Some((1, 1)), 9, 3, 9, 0, &[3, 3, 3]),
    ("t3.small", Some((2, 5)), 0, 2, 5, 5, &[2, 3]),
    ("t3.small", Some((2, 5)), 5, 3, 7, 2, &[3, 3, 1]),
    ("t3.small", Some((2, 5)), 9, 3, 9, 0, &[3, 3, 3]),
    ("p3dn.24xlarge", None, 0, 1, 49, 49, &[49]),
    ("p3dn.24xlarge", None, 3, 2, 98, 95, &[49, 49]),
    ("p3dn.24xlarge", None, 95, 3, 147, 52, &[49, 49, 49]),
    ("p3dn.24xlarge", Some((5, 10)), 0, 1, 10, 10, &[10]),
    ("p3dn.24xlarge", Some((5, 10)), 7, 1, 12, 5, &[12]),
    ("p3dn.24xlarge", Some((5, 10)), 15, 1, 20, 5, &[20]),
    ("p3dn.24xlarge", Some((5, 10)), 45, 2, 50, 5, &[49, 1]),
];

#[test]
fn secondary_ip_table() {
    for (instance_type, targets, pods, enis, ips, unused, per_eni) in IP_ROWS {
        let row = format!("{instance_type} {targets:?} {pods}");
        let settings = targets.map_or_else(manifest, |(warm, minimum)| by_ips(warm, minimum));
        let max_pods = limits(instance_type).enis.get() * (limits(instance_type).ipv4_per_eni - 1) + 2;
        let mut node = Node::roomy(instance_type, &settings, max_pods);
        assert_eq!(node.start_pods(pods), pods, "{row}");
        let stats = node.stats();
        assert_eq!((stats.enis, stats.total, stats.available()), (Enis(enis), Ips(ips), Ips(unused)), "{row}");
        assert_eq!(sorted(&node.slots()), sorted(per_eni), "{row}");
        let rest = steady(&settings, &budget(limits(instance_type), &settings, max_pods), pods);
        assert_eq!(
            (rest.enis, rest.ips_attached, rest.subnet_ips),
            (stats.enis, stats.total, Ips(ips + enis)),
            "{row}"
        );
    }
}

/// `docs/prefix-and-ip-target.md`: instance type, `WARM_IP_TARGET` and `MINIMUM_IP_TARGET` (none: `WARM_PREFIX_TARGET=1`), pods;
/// attached ENIs, attached prefixes, unused prefixes, unused IPs, prefixes per ENI.
type PrefixRow = (&'static str, Option<(u32, u32)>, u32, u32, u32, u32, u32, &'static [u32]);

const PREFIX_ROWS: [PrefixRow; 20] = [
    ("t3.small", None, 0, 1, 1, 1, 16, &[1]),
    ("t3.small", None, 5, 1, 2, 1, 27, &[2]),
    ("t3.small", None, 16, 1, 2, 1, 16, &[2]),
    ("t3.small", None, 17, 1, 3, 1, 31, &[3]),
    ("t3.small", None, 58, 2, 5, 1, 22, &[3, 2]),
    ("t3.small", Some((1, 1)), 0, 1, 1, 1, 16, &[1]),
    ("t3.small", Some((1, 1)), 5, 1, 1, 0, 11, &[1]),
    ("t3.small", Some((1, 1)), 17, 1, 2, 0, 15, &[2]),
    ("t3.small", Some((1, 1)), 58, 2, 4, 0, 6, &[3, 1]),
    ("t3.small", Some((7, 20)), 0, 1, 1, 1, 16, &[2]),
    ("t3.small", Some((7, 20)), 5, 1, 2, 1, 27, &[2]),
    ("t3.small", Some((7, 20)), 17, 1, 2, 0, 15, &[2]),
    ("t3.small", Some((7, 20)), 58, 2, 5, 1, 22, &[3, 2]),
    ("p3dn.24xlarge", None, 0, 1, 1, 1, 16, &[1]),
    ("p3dn.24xlarge", None, 3, 2, 2, 1, 29, &[2, 0]),
    ("p3dn.24xlarge", None, 95, 3, 7, 1, 17, &[7, 0, 0]),
    ("p3dn.24xlarge", Some((5, 10)), 0, 1, 1, 1, 16, &[1]),
    ("p3dn.24xlarge", Some((5, 10)), 7, 1, 1, 0, 9, &[1]),
    ("p3dn.24xlarge", Some((5, 10)), 15, 1, 2, 1, 17, &[2]),
    ("p3dn.24xlarge", Some((5, 10)), 45, 2, 4, 1, 19, &[4, 0]),
];

/// What the code does where the page contradicts itself or the code: `MINIMUM_IP_TARGET=20` is two prefixes, as the page's own
/// text and its "prefixes per ENI" say; and ENIs without a prefix are not made while an attached one has a free slot.
fn corrected(row: PrefixRow) -> PrefixRow {
    let (instance_type, targets, pods, enis, prefixes, free, unused, per_eni) = row;
    let (enis, prefixes, free, unused, per_eni) = match (instance_type, pods) {
        ("t3.small", 0) if targets == Some((7, 20)) => (enis, 2, 2, 32, per_eni),
        ("p3dn.24xlarge", 3 | 95 | 45) => (1, prefixes, free, unused, &per_eni[..1]),
        _ => (enis, prefixes, free, unused, per_eni),
    };
    (instance_type, targets, pods, enis, prefixes, free, unused, per_eni)
}

#[test]
fn prefix_table() {
    for printed in PREFIX_ROWS {
        let (instance_type, targets, pods, enis, prefixes, unused_prefixes, unused, per_eni) = corrected(printed);
        let row = format!("{instance_type} {targets:?} {pods}");
        let settings = with_prefixes(targets.map_or_else(manifest, |(warm, minimum)| by_ips(warm, minimum)));
        let mut node = Node::roomy(instance_type, &settings, 250);
        assert_eq!(node.start_pods(pods), pods, "{row}");
        let stats = node.stats();
        assert_eq!(
            (stats.enis, stats.prefixes, stats.available()),
            (Enis(enis), Prefixes(prefixes), Ips(unused)),
            "{row}"
        );
        assert_eq!(node.ipamd.store().free_prefixes(), Prefixes(unused_prefixes), "{row}");
        assert_eq!(sorted(&node.slots()), sorted(per_eni), "{row}");
        let rest = steady(&settings, &budget(limits(instance_type), &settings, 250), pods);
        let subnet_ips = Ips(prefixes * 16 + enis);
        assert_eq!((rest.enis, rest.prefixes, rest.subnet_ips), (stats.enis, stats.prefixes, subnet_ips), "{row}");
    }
}

fn sorted(counts: &[u32]) -> Vec<u32> {
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    counts
}
