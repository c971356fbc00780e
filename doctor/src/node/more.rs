//! What more pods on a node would need.

use std::fmt;

use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;
use headroom_capacity::verdict::{Demand, NodeState, Reason, Verdict, verdict};
use serde::Serialize;

use crate::view::View;

/// What so many more pods would need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct More {
    /// The pods.
    pub pods: u32,
    /// Of these, those that find an address that is attached.
    pub at_once: u32,
    /// Those that get one when ipamd has attached more.
    pub soon: u32,
    /// ENIs that ipamd attaches for them.
    pub new_enis: u32,
    /// Pods for which there is no address on this node.
    pub lacking: u32,
    /// Why not, by the reason's label; `None` where all fit.
    pub why: Option<&'static str>,
    /// The reason in words.
    #[serde(skip)]
    reason: Option<Reason>,
    /// Addresses, or /28s, that the subnets lack for those that the node itself could take.
    pub subnets_lack: u32,
    /// More nodes like this one, empty, that the lacking pods need.
    pub nodes: u32,
    prefixes: bool,
}

impl More {
    pub(super) fn of(view: &View<'_>, pods: u32) -> Option<More> {
        let (pool, budget) = (view.pool, view.ipv4()?);
        let state = view.state(pool.waiting, pool.cooling);
        let ask = |state: &NodeState| verdict(state, &view.settings, Demand::PodIp, Time::ZERO);
        // As if they were bound already.
        let with = |ips: Ips| NodeState { waiting: state.waiting + ips, ..state.clone() };
        let (at_once, last) = match ask(&state) {
            Verdict::Now(ips) => (ips, ask(&with(ips))),
            other => (Ips::ZERO, other),
        };
        // kubelet admits no more than this.
        let admitted = pods.min(view.node.max_pods.saturating_sub(view.node.pods));
        let granted = at_once + last.grants();
        let at_once = at_once.get().min(admitted);
        let soon = last.grants().get().min(admitted - at_once);
        let lacking = pods - at_once - soon;
        let unit = budget.mode.ips_per_slot();
        let slots = soon.div_ceil(unit).saturating_sub(state.free_slots);
        let reason = match ask(&with(granted)) {
            _ if lacking == 0 => None,
            _ if at_once + soon == admitted => Some(Reason::MaxPods),
            Verdict::Never(reason) | Verdict::Unknown(reason) => Some(reason),
            Verdict::Now(_) | Verdict::Soon(_) => None,
        };
        let holds = budget.ceiling.get().saturating_sub(pool.assigned + pool.waiting).min(admitted);
        let of_subnets = matches!(reason, Some(Reason::SubnetExhausted | Reason::SubnetFragmented));
        let subnets_lack = if of_subnets { holds.saturating_sub(at_once + soon).div_ceil(unit) } else { 0 };
        let each = budget.ceiling.get().min(view.node.max_pods.saturating_sub(view.node.host_pods)).max(1);
        Some(More {
            pods,
            at_once,
            soon,
            new_enis: slots.div_ceil(budget.slots_per_eni.max(1)),
            lacking,
            why: reason.map(Reason::label),
            reason,
            subnets_lack,
            nodes: lacking.div_ceil(each),
            prefixes: view.prefixes(),
        })
    }
}

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let More { pods, at_once, soon, new_enis, lacking, nodes, subnets_lack, .. } = self;
        write!(f, "  {pods} more pods: {at_once} at once, {soon} when ipamd has attached more")?;
        if *new_enis > 0 {
            write!(f, " (new ENIs: {new_enis})")?;
        }
        match (lacking, self.reason) {
            (0, _) => writeln!(f, "; all fit"),
            (lacking, Some(Reason::MaxPods)) => {
                writeln!(f, "; {lacking} do not fit under max-pods: nodes like this one that they need: {nodes}")
            }
            (lacking, reason) => {
                write!(f, "; {lacking} do not fit: nodes like this one that they need: {nodes}")?;
                if *subnets_lack > 0 {
                    let unit = if self.prefixes { "/28s" } else { "addresses" };
                    write!(f, ", or {subnets_lack} {unit} more in its subnets")?;
                }
                writeln!(f, " ({})", reason.map_or("unknown", Reason::label))
            }
        }
    }
}
