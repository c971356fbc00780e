//! What a request reads: one immutable view of every node.

mod table;

use std::sync::Arc;

use headroom_capacity::ids::PodUid;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::verdict::{Demand, NodeState, Reason, Room, Verdict, verdict};
use headroom_capacity::{budget::Budget, units::Ips};
use headroom_cluster::Kind;

use crate::feed::Source;

pub(crate) use table::{DEMANDS, class};
pub use table::{NodeId, NodeTable, Row, Tally};

/// All nodes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Every node.
    pub nodes: NodeTable,
    /// aws-node's settings, by which the slots were worked out.
    pub settings: Arc<CniSettings>,
    /// Kinds whose first list is not complete; empty means ready.
    pub missing: Vec<Kind>,
    /// Since when the watch of nodes or of pods has been failing.
    pub failing_since: Option<Time>,
    /// When EC2 was read for what the advisor's feed tells; `None` where there is no feed, or it is too old to count.
    pub feed_observed_at: Option<Time>,
    /// When it was made.
    pub at: Time,
}

impl Snapshot {
    /// Whether the first list of every kind is complete.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty()
    }
}

/// A zone's number, the same for as long as the process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone(pub u16);

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeView {
    /// Its name.
    pub name: Arc<str>,
    /// Its zone's number; all nodes without a zone share one.
    pub zone: Zone,
    /// The figures behind the slots; `explain` shows them.
    pub state: NodeState,
    /// Pods that asked the CNI for an IP here and got none.
    pub failing: u32,
    /// Room for pods that need a pod IP.
    pub pod_ip: Slots,
    /// Room for pods that need a branch ENI.
    pub branch: Slots,
    /// Room for pods that need a Windows address.
    pub windows: Slots,
    /// Pending pods that are nominated here: they take a slot from every pod of at most their priority.
    pub nominees: Vec<Nominee>,
}

impl NodeView {
    /// Where what is said of it comes from.
    #[must_use]
    pub fn source(&self) -> Source {
        if self.state.room == Room::Unknown { Source::Kubernetes } else { Source::Feed }
    }

    /// The room for a pod with this demand; `None` for a pod that needs no address.
    #[must_use]
    pub fn slots(&self, demand: Demand) -> Option<&Slots> {
        match demand {
            Demand::None => None,
            Demand::PodIp => Some(&self.pod_ip),
            Demand::BranchEni => Some(&self.branch),
            Demand::WindowsIp => Some(&self.windows),
        }
    }
}

/// A pending pod with `status.nominatedNodeName`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nominee {
    /// The pod.
    pub uid: PodUid,
    /// Its priority.
    pub priority: i32,
    /// What it needs.
    pub demand: Demand,
}

/// How many more pods a node takes, claims not yet subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// With an address at once.
    pub now: u32,
    /// With an address within seconds, beyond `now`.
    pub soon: u32,
    /// Beyond both: room by the instance type's limit in subnets that nobody has looked at.
    pub unproven: u32,
    /// Nothing can be said about this node; the counts are 0.
    pub unknown: Option<Reason>,
    /// Not limited by addresses (IPv6, or not the VPC CNI's node); the counts are 0.
    pub unlimited: bool,
    /// Why there is no more, where all counts are 0.
    pub reason: Reason,
}

impl Slots {
    const NONE: Slots =
        Slots { now: 0, soon: 0, unproven: 0, unknown: None, unlimited: false, reason: Reason::InstanceIpLimit };

    /// No room, for `reason`.
    #[must_use]
    pub fn none(reason: Reason) -> Slots {
        Slots { reason, ..Slots::NONE }
    }

    /// Why there is no room at all, claims and policy aside; `None` where there is some, or where nothing can be said.
    #[must_use]
    pub fn closed(&self) -> Option<Reason> {
        let none = self.now == 0 && self.soon == 0 && self.unproven == 0;
        (none && !self.unlimited && self.unknown.is_none()).then_some(self.reason)
    }

    /// The verdict turned into counts, so that a request only compares them with its claims: the verdict is asked once as things
    /// are and once with every address of `Now` claimed.
    #[must_use]
    pub fn of(state: &NodeState, settings: &CniSettings, demand: Demand, now: Time) -> Slots {
        let free_of_limits = match state.budget {
            Budget::NotManaged(_) => true,
            Budget::Ipv6 { .. } => demand == Demand::PodIp,
            _ => false,
        };
        if free_of_limits {
            return Slots { unlimited: true, ..Slots::NONE };
        }
        let unclaimed = NodeState { claims: Ips::ZERO, ..state.clone() };
        let (at_once, growth) = match verdict(&unclaimed, settings, demand, now) {
            Verdict::Now(free) => {
                let claimed = NodeState { claims: free, ..unclaimed };
                let growth = match verdict(&claimed, settings, demand, now) {
                    Verdict::Soon(more) => more,
                    Verdict::Now(_) | Verdict::Never(_) | Verdict::Unknown(_) => Ips::ZERO,
                };
                (free, growth)
            }
            Verdict::Soon(more) => (Ips::ZERO, more),
            Verdict::Never(reason) => return Slots::none(reason),
            Verdict::Unknown(reason) => return Slots { unknown: Some(reason), ..Slots::none(reason) },
        };
        let (soon, unproven) = if state.room == Room::Unknown { (0, growth.get()) } else { (growth.get(), 0) };
        Slots { now: at_once.get(), soon, unproven, reason: Reason::Claimed, ..Slots::NONE }
    }
}
