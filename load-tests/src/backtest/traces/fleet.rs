//! Nodes of one subnet and the addresses that ipamd holds for them: the staircase that a subnet shows.

use std::collections::BTreeMap;

use headroom_capacity::budget::{Budget, Ipv4Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::instance::lookup;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::steady;
use headroom_capacity::units::{Enis, IPS_PER_PREFIX};

use super::workload::Step;

/// Addresses of load balancers, endpoints and the like.
const OTHERS: u32 = 8;
/// Nodes go below this share of their pods, about what Cluster Autoscaler does (`--scale-down-utilization-threshold`).
const SCALE_DOWN_BELOW: f64 = 0.6;
/// Steps from a node's cordon until it is gone: drained and terminated within 10 minutes.
const DRAIN_STEPS: u32 = 2;

/// aws-node's settings and the nodes under them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// m5.large as shipped, `WARM_ENI_TARGET=1`: steps of 10 addresses.
    WarmEni,
    /// m5.xlarge with `WARM_IP_TARGET=5` and `MINIMUM_IP_TARGET=12`.
    WarmIp,
    /// m5.2xlarge with prefixes, `WARM_PREFIX_TARGET=1`: steps of 16.
    Prefix,
}

impl Pool {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Pool::WarmEni => "m5.large, WARM_ENI_TARGET=1",
            Pool::WarmIp => "m5.xlarge, WARM_IP_TARGET=5 MINIMUM_IP_TARGET=12",
            Pool::Prefix => "m5.2xlarge, prefixes, WARM_PREFIX_TARGET=1",
        }
    }

    /// Settings, instance type, max-pods, and the pods that fit by processor and memory.
    fn parts(self) -> (CniSettings, &'static str, u32, u32) {
        let shipped = CniSettings::shipped();
        match self {
            Pool::WarmEni => (shipped, "m5.large", 29, 14),
            Pool::WarmIp => {
                let settings = CniSettings { warm_ip_target: Some(5), minimum_ip_target: Some(12), ..shipped };
                (settings, "m5.xlarge", 58, 24)
            }
            Pool::Prefix => (CniSettings { prefix_delegation: true, ..shipped }, "m5.2xlarge", 110, 40),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    pods: u32,
    /// Addresses taken in the subnet.
    held: u32,
    /// Steps left until it is gone.
    leaves_in: Option<u32>,
    /// Whether pods came or went, so that they lie on other ENIs than before.
    churned: bool,
}

/// The nodes of one subnet.
#[derive(Debug)]
pub(super) struct Fleet {
    settings: CniSettings,
    budget: Ipv4Budget,
    fit: u32,
    nodes: Vec<Node>,
    leaked: u32,
    /// What a node comes to rest with, by its pods.
    rests: BTreeMap<u32, u32>,
}

impl Fleet {
    pub(super) fn new(pool: Pool) -> Fleet {
        let (settings, instance_type, max_pods, fit) = pool.parts();
        let facts = NodeFacts {
            kind: NodeKind::Linux,
            limits: lookup(instance_type),
            settings: &settings,
            max_pods,
            unmanaged: Enis(0),
            excluded: Enis(0),
            trunk_attached: false,
            windows_prefix_delegation: false,
        };
        let Budget::Ipv4(budget) = budget(&facts) else { unreachable!("the CNI's table has {instance_type}") };
        Fleet { settings, budget, fit, nodes: Vec::new(), leaked: 0, rests: BTreeMap::new() }
    }

    /// Addresses used when the step is over, were there no end of them.
    pub(super) fn step(&mut self, step: &Step, rng: &mut fastrand::Rng) -> u32 {
        self.leak(step);
        self.leave();
        self.replace(step.replaced, rng);
        self.scale(step.pods);
        self.place(step.pods, rng);
        for at in 0..self.nodes.len() {
            self.nodes[at].churned |= step.churned;
            self.settle(at, rng);
        }
        OTHERS + self.leaked + self.nodes.iter().map(|node| node.held).sum::<u32>()
    }

    /// A leaked ENI keeps its secondary addresses, or one prefix.
    fn leak(&mut self, step: &Step) {
        let ips = if self.settings.prefix_delegation { IPS_PER_PREFIX } else { self.budget.slots_per_eni };
        self.leaked = if step.swept { 0 } else { self.leaked + step.leaked_enis * (1 + ips) };
    }

    fn leave(&mut self) {
        for left in self.nodes.iter_mut().filter_map(|node| node.leaves_in.as_mut()) {
            *left = left.saturating_sub(1);
        }
        self.nodes.retain(|node| node.leaves_in != Some(0));
    }

    /// A replacement is there before the node goes.
    fn replace(&mut self, chance: f64, rng: &mut fastrand::Rng) {
        let mut fresh = 0;
        for node in self.nodes.iter_mut().filter(|node| node.leaves_in.is_none()) {
            if chance > 0.0 && rng.f64() < chance {
                (node.leaves_in, node.pods) = (Some(DRAIN_STEPS), 0);
                fresh += 1;
            }
        }
        self.nodes.extend(std::iter::repeat_n(Node::default(), fresh));
    }

    fn scale(&mut self, pods: u32) {
        let staying = self.nodes.iter().filter(|node| node.leaves_in.is_none()).count();
        let needed = pods.div_ceil(self.fit).max(1) as usize;
        if staying < needed {
            self.nodes.extend(std::iter::repeat_n(Node::default(), needed - staying));
            return;
        }
        let share = f64::from(pods) / f64::from(self.fit * u32::try_from(staying).unwrap_or(u32::MAX));
        let emptiest = self.nodes.iter_mut().filter(|node| node.leaves_in.is_none()).min_by_key(|node| node.pods);
        if let Some(node) = emptiest.filter(|_| share < SCALE_DOWN_BELOW && staying > needed) {
            (node.leaves_in, node.pods) = (Some(DRAIN_STEPS), 0);
        }
    }

    /// New pods go where fewest are, as kube-scheduler spreads them; whichever end, end anywhere.
    fn place(&mut self, pods: u32, rng: &mut fastrand::Rng) {
        let mut there: u32 = self.nodes.iter().map(|node| node.pods).sum();
        while there < pods {
            let emptiest = self.nodes.iter_mut().filter(|node| node.leaves_in.is_none()).min_by_key(|node| node.pods);
            let Some(node) = emptiest else { return };
            node.pods += 1;
            node.churned = true;
            there += 1;
        }
        while there > pods {
            let at = rng.usize(..self.nodes.len());
            let node = &mut self.nodes[at];
            if node.pods > 0 {
                node.pods -= 1;
                node.churned = true;
                there -= 1;
            }
        }
    }

    /// Grows to the closed form at once. Gives back what ipamd can: single addresses under IP targets, otherwise an ENI or a prefix
    /// on which no pod happens to lie. Pods scatter, so that the footprint stays near its highest (the ratchet). Addresses cool
    /// down for 30 s, which is over by the next step; nothing is given back while none of the node's pods comes or goes.
    fn settle(&mut self, at: usize, rng: &mut fastrand::Rng) {
        let node = self.nodes[at];
        if node.leaves_in.is_some() {
            return;
        }
        let (settings, budget) = (&self.settings, &self.budget);
        let rest = *self.rests.entry(node.pods).or_insert_with(|| steady(settings, budget, node.pods).subnet_ips.get());
        let by_ips = settings.warm_ip_target.is_some();
        let block = if settings.prefix_delegation { IPS_PER_PREFIX } else { budget.slots_per_eni + 1 };
        let held = if node.held <= rest || by_ips {
            rest
        } else if node.churned && node.held >= rest + block && free_block(node.held / block, node.pods, rng) {
            node.held - block
        } else {
            node.held
        };
        self.nodes[at] = Node { held, churned: false, ..node };
    }
}

/// Whether none of the pods lies on one of so many blocks.
fn free_block(blocks: u32, pods: u32, rng: &mut fastrand::Rng) -> bool {
    let all_elsewhere = (1.0 - 1.0 / f64::from(blocks.max(1))).powf(f64::from(pods));
    rng.f64() < all_elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Step = Step { pods: 0, churned: false, leaked_enis: 0, swept: false, replaced: 0.0 };

    fn used(pool: Pool, steps: &[Step]) -> Vec<u32> {
        let (mut fleet, mut rng) = (Fleet::new(pool), fastrand::Rng::with_seed(7));
        steps.iter().map(|step| fleet.step(step, &mut rng) - OTHERS).collect()
    }

    fn pods(pods: u32) -> Step {
        Step { pods, ..QUIET }
    }

    #[test]
    fn addresses_are_held_as_the_closed_forms_say() {
        // m5.large: 10 idle, 20 from the first pod, 30 from the tenth, a second node from the 15th.
        assert_eq!(used(Pool::WarmEni, &[0, 1, 10, 15].map(pods)), [10, 20, 30, 50]);
        // 16 and the primary address, one prefix more as soon as a pod is there.
        assert_eq!(used(Pool::Prefix, &[0, 1, 17].map(pods)), [17, 33, 49]);
        // 12 at least, then five more than pods, each on one ENI of 14.
        assert_eq!(used(Pool::WarmIp, &[0, 7, 9, 10].map(pods)), [13, 13, 15, 17]);
    }

    #[test]
    fn whole_enis_stay_and_single_addresses_go() {
        let down = [pods(14), pods(10)];
        assert_eq!(used(Pool::WarmEni, &down), [30, 30]);
        assert_eq!(used(Pool::WarmIp, &down), [21, 17]);
    }

    #[test]
    fn leaks_stay_until_they_are_swept_and_a_replacement_comes_first() {
        let leak = Step { leaked_enis: 1, ..pods(1) };
        assert_eq!(used(Pool::WarmEni, &[leak, leak, Step { swept: true, ..pods(1) }]), [30, 40, 20]);
        let replaced = used(Pool::WarmEni, &[pods(1), Step { replaced: 1.0, ..pods(1) }, pods(1), pods(1)]);
        assert_eq!(replaced, [20, 40, 40, 20]);
    }
}
