//! One node's part of the index.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::budget::{Budget, NodeFacts, budget};
use headroom_capacity::floor::{Floor, Growth, Observed, Seen};
use headroom_capacity::ids::PodUid;
use headroom_capacity::instance::{self, InstanceLimits};
use headroom_capacity::settings::{CniSettings, ControllerSettings};
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips};
use headroom_capacity::verdict::{Demand, Reason};
use headroom_cluster::{CniNode, Node};

use super::estimate::{Pool, estimate};
use super::feed::{Growing, Told};
use crate::snapshot::{NodeView, Nominee, Slots, Zone};

/// How long a deleted branch ENI keeps counting (VPC resource controller, `branch-eni-cooldown` default 60 s), and its queue is
/// swept every 30 s.
const BRANCH_COOLDOWN: Duration = Duration::from_secs(90);
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
    /// What is attached at least.
    pub(super) floor: Floor,
    /// Since `floor` was last advanced: the fewest pods with an address, and whether one was released.
    fewest: Option<u32>,
    /// The growth that a timer was set for.
    timer: Option<Time>,
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
            Demand::WindowsIp => (&mut self.cooling.windows_ips, ControllerSettings::WINDOWS_COOLDOWN),
        };
        let until = now + period;
        queue.push_back(until);
        if demand == Demand::PodIp {
            self.fewest = Some(self.fewest.unwrap_or(u32::MAX).min(self.assigned));
        }
        until
    }

    /// The CNI had no address for this pod.
    pub(super) fn refused(&mut self, uid: PodUid, until: Time) {
        self.failing.insert(uid, until);
        self.floor = mem::take(&mut self.floor).refused();
    }

    /// When the pool will have grown, once for each time.
    pub(super) fn next_growth(&mut self, step: Duration) -> Option<Time> {
        let due = self.floor.due(step);
        let news = due.filter(|_| due != self.timer);
        self.timer = due;
        news
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
    pub(super) fn view(&mut self, around: &Around<'_>, zone: Zone, now: Time) -> Option<NodeView> {
        let settings = around.settings;
        let budget = self.budget(around)?;
        let reach = self.advance(&budget, around, now);
        let info = self.info.as_ref()?;
        let pool = Pool {
            attached: self.floor.held(),
            assigned: self.assigned,
            waiting: self.waiting,
            cooling: len(&self.cooling.pod_ips),
            branch: self.branch + len(&self.cooling.branch_enis),
            windows: self.windows + len(&self.cooling.windows_ips),
            cordoned: info.unschedulable,
        };
        let state = estimate(budget, pool, around.told.pool);
        let pod_ip = if self.failing.is_empty() {
            within(Slots::of(&state, settings, Demand::PodIp, now), pool, reach)
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

    /// Takes to the floor what happened since the last time; what the pool reaches in one more step, `None` where no pool of
    /// ipamd's is on the node.
    fn advance(&mut self, budget: &Budget, around: &Around<'_>, now: Time) -> Option<Ips> {
        let Budget::Ipv4(ipv4) = budget else { return None };
        let growth = Growth::new(around.settings, ipv4);
        let seen = self.seen(around.settings)?;
        self.floor.limit(around.told.pool.map(super::feed::Pool::most));
        self.floor = mem::take(&mut self.floor).advance(&seen, &growth, now, around.step);
        Some(self.floor.reach(&growth, around.step, seen.grows))
    }

    /// What the pods did since this was asked for the last time.
    fn seen(&mut self, settings: &CniSettings) -> Option<Seen> {
        let info = self.info.as_ref()?;
        let cordoned = info.unschedulable && !settings.manage_enis_non_schedulable;
        let fewest = self.fewest.take();
        Some(Seen {
            assigned: Ips(self.assigned),
            fewest: Ips(fewest.unwrap_or(self.assigned).min(self.assigned)),
            released: fewest.is_some(),
            grows: info.ready && !cordoned && self.failing.is_empty(),
        })
    }

    /// EC2 was read at `at`, and showed this pool. What the node may still take, `None` where no pool of ipamd's is on it; and whether what counts as
    /// attached is other than before.
    pub(super) fn observe(&mut self, around: &Around<'_>, at: Time, now: Time) -> Option<(Growing, bool)> {
        let Budget::Ipv4(ipv4) = self.budget(around)? else { return None };
        let attached = around.told.enis?.attached;
        let before = (self.floor.held(), self.floor.due(around.step));
        if !self.floor.agrees(attached) {
            let growth = Growth::new(around.settings, &ipv4);
            let seen = self.seen(around.settings)?;
            // What the subnets hold for it is divided anew after this.
            self.floor.limit(Some(Ips(u32::MAX)));
            let floor = mem::take(&mut self.floor);
            self.floor = floor.observed(&Observed { at, attached }, &seen, &growth, now, around.step);
        }
        let growing = Growing {
            held: self.floor.held(),
            assigned: self.assigned,
            cooling: len(&self.cooling.pod_ips),
            waiting: self.waiting,
            ..Growing::new(ipv4, around.settings)
        };
        Some((growing, (self.floor.held(), self.floor.due(around.step)) != before))
    }

    fn budget(&self, around: &Around<'_>) -> Option<Budget> {
        let info = self.info.as_ref()?;
        let cni_trunk = self.cni.as_ref().is_some_and(|cni| cni.security_groups_for_pods);
        let limits = info.instance_type.as_deref().and_then(|name| instance::lookup(name).or((around.limits)(name)));
        let enis = around.told.enis;
        let facts = NodeFacts {
            kind: info.kind,
            limits,
            settings: around.settings,
            max_pods: if info.max_pods == 0 { DEFAULT_MAX_PODS } else { info.max_pods },
            // Which ENIs ipamd leaves alone is told by EC2 tags, which Kubernetes does not show.
            unmanaged: enis.map_or(Enis::ZERO, |enis| enis.unmanaged),
            excluded: enis.map_or(Enis::ZERO, |enis| enis.excluded),
            // More addresses than the primary ENI has single ones: the resource controller delegates prefixes.
            windows_prefix_delegation: info
                .windows_ips
                .zip(limits)
                .is_some_and(|(published, limits)| published >= limits.ipv4_per_eni),
            trunk_attached: info.trunk_label
                || cni_trunk
                || info.pod_enis.is_some_and(|enis| enis > 0)
                || enis.is_some_and(|enis| enis.trunk),
        };
        Some(budget(&facts))
    }
}

/// What a node's view depends on beside the node itself.
pub(super) struct Around<'a> {
    /// aws-node's settings.
    pub(super) settings: &'a CniSettings,
    /// How long ipamd may take for one step.
    pub(super) step: Duration,
    /// Limits of instance types that the table does not know.
    pub(super) limits: &'a dyn Fn(&str) -> Option<&'a InstanceLimits>,
    /// What the advisor says of it.
    pub(super) told: Told<'a>,
}

/// No more growth than one step brings: kubelet's second or third try comes after it, and the next step is promised when this
/// one is there.
fn within(slots: Slots, pool: Pool, reach: Option<Ips>) -> Slots {
    let Some(reach) = reach else { return slots };
    let taken = [pool.assigned, pool.cooling, pool.waiting, slots.now].into_iter().fold(0, u32::saturating_add);
    let growth = reach.get().saturating_sub(taken);
    let soon = slots.soon.min(growth);
    let unproven = slots.unproven.min(growth - soon);
    let later = slots.soon + slots.unproven > 0 && slots.now + soon + unproven == 0;
    Slots { soon, unproven, reason: if later { Reason::PoolGrowing } else { slots.reason }, ..slots }
}

fn len(queue: &VecDeque<Time>) -> u32 {
    u32::try_from(queue.len()).unwrap_or(u32::MAX)
}
