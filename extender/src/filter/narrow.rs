//! Which of the nodes that pass are worth naming: kube-scheduler decodes and scores every name that it gets back.

use std::cmp::Reverse;

use crate::snapshot::Zone;

/// A node that passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    /// Its position in the request.
    pub(super) at: usize,
    pub(super) zone: Zone,
    /// How soon it has an IP, then how many; larger is better.
    pub(super) rank: (u8, u32),
}

/// The positions of the `keep` best, ascending. Nodes that have an IP sooner go first; of equally soon ones each zone gets its share,
/// so that a pod that spreads over zones still finds every zone in the answer; within a zone the most free IPs go first, and among
/// equals the position, which kube-scheduler rotates from pod to pod.
pub(super) fn narrow(passing: Vec<Passing>, keep: usize) -> Vec<usize> {
    let mut chosen = if keep < passing.len() { best(&passing, keep) } else { passing };
    chosen.sort_unstable_by_key(|passing| passing.at);
    chosen.into_iter().map(|passing| passing.at).collect()
}

fn best(passing: &[Passing], keep: usize) -> Vec<Passing> {
    let mut classes: Vec<u8> = passing.iter().map(|passing| passing.rank.0).collect();
    classes.sort_unstable_by_key(|&class| Reverse(class));
    classes.dedup();
    let mut chosen = Vec::with_capacity(keep);
    for class in classes {
        let here: Vec<Passing> = passing.iter().filter(|passing| passing.rank.0 == class).copied().collect();
        let room = keep - chosen.len();
        if here.len() <= room {
            chosen.extend(here);
        } else {
            chosen.extend(share(here, room));
        }
        if chosen.len() == keep {
            break;
        }
    }
    chosen
}

/// `keep` of them, which are fewer than all.
fn share(mut passing: Vec<Passing>, keep: usize) -> Vec<Passing> {
    let mut zones: Vec<(Zone, usize)> = Vec::new();
    for Passing { zone, .. } in &passing {
        match zones.iter_mut().find(|(known, _)| known == zone) {
            Some((_, nodes)) => *nodes += 1,
            None => zones.push((*zone, 1)),
        }
    }
    if zones.len() == 1 || keep < zones.len() {
        most_free(&mut passing, keep);
        return passing;
    }
    // The smallest zones first: what they do not fill is shared by the others.
    zones.sort_unstable_by_key(|&(zone, nodes)| (nodes, zone));
    let mut chosen = Vec::with_capacity(keep);
    let mut left = zones.len();
    for (zone, _) in zones {
        let mut here: Vec<Passing> = passing.iter().filter(|passing| passing.zone == zone).copied().collect();
        most_free(&mut here, (keep - chosen.len()).div_ceil(left));
        chosen.extend(here);
        left -= 1;
    }
    chosen
}

fn most_free(passing: &mut Vec<Passing>, keep: usize) {
    if keep < passing.len() {
        passing.select_nth_unstable_by_key(keep, |passing| (Reverse(passing.rank), passing.at));
        passing.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(at: usize, zone: u16, rank: (u8, u32)) -> Passing {
        Passing { at, zone: Zone(zone), rank }
    }

    #[test]
    fn each_zone_keeps_its_share_and_the_most_free_of_it() {
        // Zone 0 has the most free IPs everywhere, zone 2 a single node.
        let alternating = (0..10_u16).map(|at| {
            let free = if at % 2 == 0 { 100 } else { 50 } + u32::from(at);
            node(usize::from(at), at % 2, (2, free))
        });
        let nodes: Vec<Passing> = alternating.chain([node(10, 2, (2, 1))]).collect();
        assert_eq!(narrow(nodes.clone(), 5), [6, 7, 8, 9, 10]);
        assert_eq!(narrow(nodes.clone(), 2), [6, 8], "fewer than zones: the most free");
        assert_eq!(narrow(nodes, 11).len(), 11);
    }

    #[test]
    fn an_ip_at_once_comes_before_the_zones_share() {
        let nodes =
            vec![node(0, 0, (1, 90)), node(1, 1, (2, 1)), node(2, 1, (2, 1)), node(3, 0, (1, 80)), node(4, 1, (1, 99))];
        assert_eq!(narrow(nodes.clone(), 2), [1, 2]);
        assert_eq!(narrow(nodes, 4), [0, 1, 2, 4]);
    }

    #[test]
    fn equals_go_by_position() {
        let nodes = (0..6).map(|at| node(at, 0, (2, 7))).collect();
        assert_eq!(narrow(nodes, 3), [0, 1, 2]);
    }
}
