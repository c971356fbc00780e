//! A node of a bundle as the model takes it.

use std::collections::BTreeSet;

use headroom_capacity::budget::{Budget, Ipv4Budget, Mode, NodeFacts, budget};
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::{Demand, NodeState, Room, Verdict, verdict};

use crate::bundle::{Bundle, Node, Pool, Subnet};
use crate::cause::Cause;
use crate::report::{Finding, Level};

/// A node of which everything is known that its verdict depends on.
pub(crate) struct View<'a> {
    pub(crate) node: &'a Node,
    pub(crate) pool: &'a Pool,
    pub(crate) settings: CniSettings,
    pub(crate) limits: Option<InstanceLimits>,
    pub(crate) budget: Budget,
    subnets: &'a [Subnet],
}

impl<'a> View<'a> {
    /// `Err` has a finding for each thing that was not read.
    pub(crate) fn of(bundle: &'a Bundle, node: &'a Node) -> Result<View<'a>, Vec<Finding>> {
        let (Some(cni), Some(pool), Some(subnets)) = (bundle.cni.get(), node.pool.get(), bundle.subnets.get()) else {
            let missing = [
                ("aws-node's settings", bundle.cni.why_not()),
                ("the node's ENIs", node.pool.why_not()),
                ("subnets", bundle.subnets.why_not()),
            ];
            return Err(missing.into_iter().filter_map(|(what, why)| Some(not_read(what, why?))).collect());
        };
        let (settings, _) = cni.settings();
        let limits = node.limits();
        let budget = budget(&NodeFacts {
            kind: node.kind.into(),
            limits: limits.as_ref(),
            settings: &settings,
            max_pods: node.max_pods,
            unmanaged: Enis(pool.unmanaged),
            excluded: Enis(pool.excluded),
            trunk_attached: pool.trunk,
            // A prefix on the node tells.
            windows_prefix_delegation: pool.prefixes > 0,
        });
        Ok(View { node, pool, settings, limits, budget, subnets })
    }

    /// What the node says to one more pod, when `waiting` come before it and so many of its free addresses cool down.
    pub(crate) fn verdict(&self, waiting: u32, cooling: u32, demand: Demand) -> Verdict {
        verdict(&self.state(waiting, cooling), &self.settings, demand, Time::ZERO)
    }

    pub(crate) fn state(&self, waiting: u32, cooling: u32) -> NodeState {
        let pool = self.pool;
        let free = |subnet: &Subnet| (Ips(subnet.free), Prefixes(subnet.free_prefixes));
        let on_attached = pool.free_slots.iter().map(|(id, slots)| {
            let (ips, prefixes) = self.subnet(id).map(free).unwrap_or_default();
            (*slots, ips, prefixes)
        });
        NodeState {
            budget: self.budget,
            total: Ips(pool.attached),
            assigned: Ips(pool.assigned),
            cooling: Ips(cooling),
            waiting: Ips(waiting),
            claims: Ips::ZERO,
            pod_enis: Enis(pool.pod_enis),
            free_slots: pool.free_slots.values().sum(),
            room: Room::known(on_attached, self.new_eni_subnet().map(free).unwrap_or_default()),
            cordoned: self.node.cordoned,
            back_off_until: None,
            branch_used: Enis(pool.branch),
            branch_claims: Enis::ZERO,
            windows_used: Ips(pool.assigned + pool.cooling),
        }
    }

    /// Attached addresses that no pod has.
    pub(crate) fn unassigned(&self) -> u32 {
        self.pool.attached.saturating_sub(self.pool.assigned)
    }

    pub(crate) fn ipv4(&self) -> Option<Ipv4Budget> {
        match self.budget {
            Budget::Ipv4(budget) => Some(budget),
            _ => None,
        }
    }

    pub(crate) fn prefixes(&self) -> bool {
        self.ipv4().is_some_and(|budget| budget.mode == Mode::Prefix)
    }

    /// Subnets that the node can take addresses from: of attached ENIs with a free slot, and for new ones.
    pub(crate) fn subnets(&self) -> Vec<&'a Subnet> {
        let new = self.pool.new_eni_subnets.iter().filter(|_| self.enis_left() > 0);
        let ids: BTreeSet<&String> = self.pool.free_slots.keys().chain(new).collect();
        ids.into_iter().filter_map(|id| self.subnet(id)).collect()
    }

    /// Other subnets of its zone with room, the emptiest first.
    pub(crate) fn others(&self) -> Vec<&'a Subnet> {
        let own = self.subnets();
        let zone = own.first().map(|subnet| subnet.zone.as_str()).or(self.node.zone.as_deref());
        let mut others: Vec<&Subnet> =
            self.subnets.iter().filter(|subnet| Some(subnet.zone.as_str()) == zone).collect();
        others.retain(|subnet| self.units(subnet) > 0 && own.iter().all(|own| own.id != subnet.id));
        others.sort_by_key(|subnet| std::cmp::Reverse(self.units(subnet)));
        others
    }

    /// The room of a subnet in what the node takes at a time: addresses, or /28s.
    pub(crate) fn units(&self, subnet: &Subnet) -> u32 {
        if self.prefixes() { subnet.free_prefixes } else { subnet.free }
    }

    pub(crate) fn enis_left(&self) -> u32 {
        self.ipv4().map_or(0, |budget| budget.pod_enis.get().saturating_sub(self.pool.pod_enis))
    }

    /// The subnet in which a new ENI finds most.
    pub(crate) fn new_eni_subnet(&self) -> Option<&'a Subnet> {
        let candidates = self.pool.new_eni_subnets.iter().filter_map(|id| self.subnet(id));
        candidates.max_by_key(|subnet| (self.units(subnet), subnet.free))
    }

    fn subnet(&self, id: &str) -> Option<&'a Subnet> {
        self.subnets.iter().find(|subnet| subnet.id == id)
    }
}

/// What is missing, and in whose words.
pub(crate) fn not_read(what: &str, why: &str) -> Finding {
    Finding::new(Cause::NotRead, Level::Unknown, format!("{what} could not be read: {why}")).about(what)
}
