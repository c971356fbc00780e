//! In which subnets pods may land.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headroom_capacity::ids::SubnetId;

use crate::ledger::{Ledger, NodeAccount};

/// A workload none of whose pods is in a subnet is taken to stay out of it where chance would leave it out with less than this.
const CHANCE: f64 = 0.05;

/// Nodes and the subnets that they draw on.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    subnets: Vec<&'a SubnetId>,
    /// Of each node, how much of its pods' addresses comes from which of the subnets: 1 together.
    nodes: HashMap<&'a str, Vec<(usize, f64)>>,
    /// How much of all nodes is each subnet's: 1 together.
    shares: Vec<f64>,
}

/// Where pods of a workload are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Placed {
    pods: u32,
    by_subnet: BTreeMap<usize, f64>,
}

impl<'a> Ground<'a> {
    pub(super) fn of(ledger: &'a Ledger) -> Ground<'a> {
        let subnets: Vec<&SubnetId> = ledger.subnets.keys().collect();
        let mut shares = vec![0.0; subnets.len()];
        let mut nodes = HashMap::new();
        for (name, node) in ledger.nodes.iter().filter(|(_, node)| node.ipv4().is_some()) {
            let drawn = drawn(ledger, &subnets, node);
            for (at, weight) in &drawn {
                shares[*at] += weight;
            }
            if !drawn.is_empty() {
                nodes.insert(&**name, drawn);
            }
        }
        let total: f64 = shares.iter().sum();
        for share in &mut shares {
            *share /= total.max(1.0);
        }
        Ground { subnets, nodes, shares }
    }

    /// Counts a pod on `node`; one whose node has no pool is nowhere.
    pub(super) fn place(&self, placed: &mut Placed, node: &str) {
        let Some(drawn) = self.nodes.get(node) else { return };
        placed.pods += 1;
        for (at, weight) in drawn {
            *placed.by_subnet.entry(*at).or_default() += weight;
        }
    }

    /// In order; shares go by their places.
    pub(super) fn subnets(&self) -> &[&'a SubnetId] {
        &self.subnets
    }

    /// How much of the pods to come each subnet must expect: the larger of the share that it has of the workload's pods, and the share
    /// that it has of the nodes in all subnets that the workload may land in. More than 1 together where pods are spread unevenly.
    pub(super) fn shares(&self, placed: &Placed) -> Vec<(usize, f64)> {
        let pods = f64::from(placed.pods);
        let reached = |at: usize| placed.by_subnet.contains_key(&at) || (1.0 - self.shares[at]).powf(pods) >= CHANCE;
        let reached: Vec<usize> = (0..self.subnets.len()).filter(|at| self.shares[*at] > 0.0 && reached(*at)).collect();
        let total: f64 = reached.iter().map(|at| self.shares[*at]).sum();
        let share = |at: usize| {
            let of_pods = placed.by_subnet.get(&at).map_or(0.0, |here| here / pods.max(1.0));
            (at, of_pods.max(self.shares[at] / total))
        };
        reached.into_iter().map(share).collect()
    }
}

/// Of several subnets ipamd takes the one with the most free addresses for the next ENI (CNI `pkg/awsutils`, `GetVpcSubnets`), so
/// that they fill up in proportion to what is free.
fn drawn(ledger: &Ledger, subnets: &[&SubnetId], node: &NodeAccount) -> Vec<(usize, f64)> {
    let ids: BTreeSet<&SubnetId> = node.new_eni_subnets.iter().chain(node.free_slots.keys()).collect();
    let known = ids.into_iter().filter_map(|id| Some((subnets.binary_search(&id).ok()?, ledger.subnets.get(id)?)));
    let free: Vec<(usize, f64)> = known.map(|(at, subnet)| (at, f64::from(subnet.free_ips.get()))).collect();
    let total: f64 = free.iter().map(|(_, free)| free).sum();
    let even = 1.0 / f64::from(u32::try_from(free.len()).unwrap_or(u32::MAX).max(1));
    free.into_iter().map(|(at, free)| (at, if total > 0.0 { free / total } else { even })).collect()
}

#[cfg(test)]
mod tests {
    use headroom_capacity::settings::CniSettings;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::headroom::fixtures::{node, subnet};

    const SUBNETS: [&str; 4] = ["a", "b", "c", "d"];

    proptest! {
        #[test]
        fn no_pod_is_lost_and_no_subnet_expects_more_than_all(
            free in vec(0_u32..300, SUBNETS.len()),
            nodes in vec(vec(0..SUBNETS.len(), 1..3), 1..12),
            pods in vec(0_usize..12, 0..40),
        ) {
            let subnets = SUBNETS.iter().zip(&free).map(|(id, free)| (SubnetId::from(*id), subnet(*free, 0)));
            let mut ledger = Ledger { subnets: subnets.collect(), ..Ledger::default() };
            for (n, of) in nodes.iter().enumerate() {
                let new_eni_subnets = of.iter().map(|at| SubnetId::from(SUBNETS[*at])).collect();
                let one = node(&CniSettings::shipped(), 0);
                let one = NodeAccount { free_slots: BTreeMap::new(), new_eni_subnets, ..one };
                ledger.nodes.insert(n.to_string().into(), one);
            }
            let ground = Ground::of(&ledger);
            let mut placed = Placed::default();
            for node in &pods {
                ground.place(&mut placed, &node.to_string());
            }
            let shares: Vec<f64> = ground.shares(&placed).into_iter().map(|(_, share)| share).collect();
            prop_assert!(shares.iter().all(|share| (0.0..=1.0 + 1e-9).contains(share)), "{shares:?}");
            prop_assert!(shares.iter().sum::<f64>() >= 1.0 - 1e-9, "{shares:?}");
        }
    }
}
