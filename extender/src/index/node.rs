//! One node's part of the index.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::budget::{NodeFacts, budget};
use headroom_capacity::ids::PodUid;
use headroom_capacity::instance;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::units::Enis;
use headroom_capacity::verdict::{Demand, Reason};
use headroom_cluster::{CniNode, Node};

use super::estimate::{Pool, estimate};
use crate::snapshot::{NodeView, Nominee, Slots, Zone};

/// How long a deleted branch ENI keeps counting (VPC resource controller, `branch-eni-cooldown` default 60 s), and its queue is
/// swept every 30 s.
const BRANCH_COOLDOWN: Duration = Duration::from_secs(90);
/// The VPC resource controller's cool-down of Windows addresses (`pkg/provider/ip`).
const WINDOWS_COOLDOWN: Duration = Duration::from_secs(30);
/// Before kubelet reports `status.capacity.pods`, ipamd too goes by this where its table has nothing better.
const DEFAULT_MAX_PODS: u32 = 110;

#[derive(Debug, Default)]
pub(super) struct NodeEntry {
    pub(super) info: Option<Node>,
    pub(super) cni: Option<CniNode>,
    pub(super) nominees: Vec<Nominee>,
    /// Pods that the CNI had no IP for, and until when that counts.
    pub(super) failing: HashMap<PodUid, Time>,
    pub(super) cooling: Cooling,
    assigned: u32,
    waiting: u32,
    branch: u32,
    windows: u32,
}

/// When each released address is usable again, soonest first.
#[derive(Debug, Default)]
pub(super) struct Cooling {
    pod_ips: VecDeque<Time>,
    branch_enis: VecDeque<Time>,
    windows_ips: VecDeque<Time>,
}

impl NodeEntry {
    pub(super) fn count(&mut self, demand: Demand, assigned: bool, by: i32) {
        let count = match demand {
            Demand::None => return,
            Demand::PodIp if assigned => &mut self.assigned,
            Demand::PodIp => &mut self.waiting,
            Demand::BranchEni => &mut self.branch,
            Demand::WindowsIp => &mut self.windows,
        };
        *count = count.saturating_add_signed(by);
    }

    /// An address was released; when it is usable again.
    pub(super) fn cool(&mut self, demand: Demand, ip_cooldown: Duration, now: Time) -> Time {
        let (queue, period) = match demand {
            Demand::None | Demand::PodIp => (&mut self.cooling.pod_ips, ip_cooldown),
            Demand::BranchEni => (&mut self.cooling.branch_enis, BRANCH_COOLDOWN),
            Demand::WindowsIp => (&mut self.cooling.windows_ips, WINDOWS_COOLDOWN),
        };
        let until = now + period;
        queue.push_back(until);
        until
    }

    /// Drops what no longer counts.
    pub(super) fn forget(&mut self, now: Time) {
        let Cooling { pod_ips, branch_enis, windows_ips } = &mut self.cooling;
        for queue in [pod_ips, branch_enis, windows_ips] {
            // Not only from the front: IP_COOLDOWN_PERIOD may have been shortened meanwhile.
            queue.retain(|until| *until > now);
        }
        self.failing.retain(|_, until| *until > now);
    }

    /// Whether nothing refers to the node any more.
    pub(super) fn is_empty(&self) -> bool {
        self.info.is_none()
            && self.cni.is_none()
            && self.nominees.is_empty()
            && self.assigned + self.waiting + self.branch + self.windows == 0
    }

    /// What requests see of it; `None` while there is no such node.
    pub(super) fn view(&self, settings: &CniSettings, zone: Zone, now: Time) -> Option<NodeView> {
        let info = self.info.as_ref()?;
        let cni_trunk = self.cni.as_ref().is_some_and(|cni| cni.security_groups_for_pods);
        let limits = info.instance_type.as_deref().and_then(instance::lookup);
        let facts = NodeFacts {
            kind: info.kind,
            limits,
            settings,
            max_pods: if info.max_pods == 0 { DEFAULT_MAX_PODS } else { info.max_pods },
            // Which ENIs ipamd leaves alone is told by EC2 tags, which Kubernetes does not show.
            unmanaged: Enis::ZERO,
            excluded: Enis::ZERO,
            // More addresses than the primary ENI has single ones: the resource controller delegates prefixes.
            windows_prefix_delegation: info
                .windows_ips
                .zip(limits)
                .is_some_and(|(published, limits)| published >= limits.ipv4_per_eni),
            trunk_attached: info.trunk_label || cni_trunk || info.pod_enis.is_some_and(|enis| enis > 0),
        };
        let pool = Pool {
            assigned: self.assigned,
            waiting: self.waiting,
            cooling: len(&self.cooling.pod_ips),
            branch: self.branch + len(&self.cooling.branch_enis),
            windows: self.windows + len(&self.cooling.windows_ips),
            cordoned: info.unschedulable,
        };
        let state = estimate(budget(&facts), settings, pool);
        let pod_ip = if self.failing.is_empty() {
            Slots::of(&state, settings, Demand::PodIp, now)
        } else {
            Slots::none(Reason::AssignFailed)
        };
        Some(NodeView {
            name: Arc::clone(&info.name),
            zone,
            pod_ip,
            branch: Slots::of(&state, settings, Demand::BranchEni, now),
            windows: Slots::of(&state, settings, Demand::WindowsIp, now),
            failing: u32::try_from(self.failing.len()).unwrap_or(u32::MAX),
            state,
            nominees: self.nominees.clone(),
        })
    }
}

fn len(queue: &VecDeque<Time>) -> u32 {
    u32::try_from(queue.len()).unwrap_or(u32::MAX)
}
