//! Which subnets the next instances of a group land in, as far as that can be told.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Of `nodes` more the most that each of the group's subnets gets, in the order of their zones `azs`; `have` says how many instances a
/// zone has.
///
/// Auto Scaling starts each instance in the zone that has fewest (user guide, "Distribute instances across Availability Zones"). Of
/// zones with equally many any may be next, and so may any subnet of a zone: where it cannot be told, each counts as the one, so
/// that the sum may be more than `nodes`.
pub(crate) fn spread(azs: &[&Arc<str>], have: impl Fn(&Arc<str>) -> u32, nodes: u32) -> Vec<u32> {
    let mut zones: BTreeMap<&Arc<str>, (u32, u32)> = BTreeMap::new();
    for az in azs {
        zones.entry(az).or_insert((have(az), 0)).1 += 1;
    }
    let level = level(zones.values().map(|(have, _)| *have), nodes);
    let of = |az: &Arc<str>| zones.get(az).map_or(0, |(have, subnets)| level.saturating_sub(*have).div_ceil(*subnets));
    azs.iter().map(|az| of(az)).collect()
}

/// The lowest number of instances to which all zones can be filled up with `nodes` more.
fn level(have: impl Iterator<Item = u32>, nodes: u32) -> u32 {
    let mut have: Vec<u32> = have.collect();
    have.sort_unstable();
    let mut filled = 0_u64;
    let mut level = 0_u64;
    for (zones, least) in (0_u64..).zip(&have) {
        let least = u64::from(*least);
        // With the zones before this one filled up to where it begins.
        if zones > 0 && level < least && filled + u64::from(nodes) < zones * least {
            break;
        }
        filled += least;
        level = (filled + u64::from(nodes)).div_ceil(zones + 1).max(least);
    }
    u32::try_from(level).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lands(zones: &[(&str, u32)], subnets: &[&str], nodes: u32) -> Vec<u32> {
        let azs: Vec<Arc<str>> = subnets.iter().map(|az| Arc::from(*az)).collect();
        let have = |az: &Arc<str>| zones.iter().find(|(zone, _)| **zone == **az).map_or(0, |(_, have)| *have);
        spread(&azs.iter().collect::<Vec<_>>(), have, nodes)
    }

    #[test]
    fn zones_with_fewer_instances_are_filled_first() {
        let lands = |zones: &[(&str, u32)], nodes| lands(zones, &["a", "b", "c"], nodes);
        assert_eq!(lands(&[], 6), [2, 2, 2]);
        assert_eq!(lands(&[], 7), [3, 3, 3], "any of them may get the seventh");
        assert_eq!(lands(&[("a", 5), ("b", 1)], 1), [0, 0, 1]);
        assert_eq!(lands(&[("a", 5), ("b", 1)], 3), [0, 1, 2]);
        assert_eq!(lands(&[("a", 5), ("b", 1)], 10), [1, 5, 6], "ten to 16 or 17 in all");
        assert_eq!(super::tests::lands(&[], &[], 3), [0_u32; 0]);
    }

    #[test]
    fn any_subnet_of_a_zone_may_get_the_odd_one() {
        assert_eq!(lands(&[], &["a", "a", "b"], 6), [2, 2, 3]);
    }

    proptest! {
        /// Filled one by one, no zone gets more than it is said to get at most.
        #[test]
        fn no_zone_gets_more(have in proptest::collection::vec(0_u32..30, 1..5), nodes in 1_u32..60, seed: u64) {
            let names: Vec<String> = (0..have.len()).map(|at| at.to_string()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let zones: Vec<(&str, u32)> = names.iter().copied().zip(have.iter().copied()).collect();
            let most = lands(&zones, &names, nodes);
            let mut now = have.clone();
            let mut random = seed;
            for _ in 0..nodes {
                let least = *now.iter().min().unwrap();
                let tied: Vec<usize> = (0..now.len()).filter(|at| now[*at] == least).collect();
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                now[tied[usize::try_from(random >> 33).unwrap() % tied.len()]] += 1;
            }
            for at in 0..have.len() {
                prop_assert!(now[at] - have[at] <= most[at], "{have:?} + {nodes}: {now:?}, said {most:?}");
            }
            let all: u32 = most.iter().sum();
            prop_assert!(all >= nodes && all < nodes + u32::try_from(have.len()).unwrap(), "{have:?} + {nodes}: {most:?}");
        }
    }
}
