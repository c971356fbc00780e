//! What to do about what the books and the outlook say: a [`ScalingPlan`], made anew every few seconds.
//!
//! ```text
//! books, outlook ──shortage──> scale_out ─┐
//!              └──spare nodes─> scale_in ─┼─> ScalingPlan ──> whoever acts, without a choice of its own
//! reachability, journal, policy ──gate────┘
//! ```
//! Pure: the time and everything known come in as [`Facts`]. A plan names what it was made from and why each thing is done or is not.

mod class;
mod evict;
mod facts;
mod filters;
mod fit;
mod gate;
mod inspect;
mod journal;
mod node_cost;
mod refusal;
pub mod report;
mod scale_in;
mod scale_out;
mod shortage;
mod text;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::{PodUid, SubnetId};
use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;

use crate::config::Mode;
use crate::inventory::InstanceId;

pub use facts::{Ahead, Facts, Reach};
pub use fit::Room;
pub use gate::{drain_budget, go_on as may_go_on};
pub use inspect::{Findings, Inspected, inspect, may_leave};
pub use journal::{Deed, Entry, Journal, Launch};
pub use refusal::{Because, Refusal};
pub use scale_in::Unneeded;
pub use shortage::Shortage;

/// What is to be done, and what is not and why. Whoever carries it out makes no choices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalingPlan {
    /// One more with each plan of this process.
    pub generation: u64,
    /// When it was made.
    pub made_at: Time,
    /// When the books were made that it goes by.
    pub books_at: Time,
    /// Whether it is carried out.
    pub mode: Mode,
    /// What lacks addresses.
    pub shortage: Shortage,
    /// Nodes to add.
    pub scale_out: Vec<ScaleOut>,
    /// The node to remove.
    pub scale_in: Option<ScaleIn>,
    /// Stuck pods to evict.
    pub evictions: Vec<Eviction>,
    /// What is not done.
    pub refused: Vec<Refused>,
    /// Nodes that are spare as far as the books tell, whose pods and budgets have to be looked at, best first.
    pub to_inspect: Vec<Arc<str>>,
}

/// Nodes to add to a group.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleOut {
    /// The group.
    pub group: Arc<str>,
    /// Its desired capacity as it was read. Somebody else may have changed it since; then nothing is done.
    pub from: u32,
    /// What it is raised to.
    pub to: u32,
    /// The one subnet that they must be launched in, because others of the group could not feed them; `None` leaves it to the group.
    pub subnet: Option<SubnetId>,
    /// Pods that they are for.
    pub pods: u32,
    /// Whose pods.
    pub cause: Cause,
}

/// Why nodes are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Pods wait for addresses.
    Waiting,
    /// Pods are expected.
    Forecast,
}

impl Cause {
    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Cause::Waiting => "waiting",
            Cause::Forecast => "forecast",
        }
    }
}

/// A node to remove.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleIn {
    /// Its group.
    pub group: Arc<str>,
    /// The group's desired capacity as it was read.
    pub desired: u32,
    /// The node.
    pub node: Arc<str>,
    /// Its instance.
    pub instance: InstanceId,
    /// Pods that have to move.
    pub pods: u32,
    /// The part that is used of what it uses most of, 0 to 1.
    pub utilisation: f64,
    /// Since when it has been spare.
    pub since: Time,
    /// Addresses that come back.
    pub frees: Ips,
}

/// A pod to evict so that it is made anew elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The pod.
    pub uid: PodUid,
    /// `namespace/name`.
    pub name: Arc<str>,
    /// Its node.
    pub node: Arc<str>,
    /// For how long it has had no address.
    pub waiting: Duration,
}

/// Something that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What would have been.
    pub what: What,
    /// Its group, node or pod; empty for all of them.
    pub of: Arc<str>,
    /// Why not.
    pub why: Because,
}

/// Kinds of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Adding nodes.
    ScaleOut,
    /// Removing a node.
    ScaleIn,
    /// Evicting a stuck pod.
    Evict,
}

impl What {
    /// All of them.
    pub const ALL: [What; 3] = [What::ScaleOut, What::ScaleIn, What::Evict];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            What::ScaleOut => "scale_out",
            What::ScaleIn => "scale_in",
            What::Evict => "evict",
        }
    }
}

/// A plan, and since when nodes have been spare, which the next one goes by.
#[must_use]
pub fn plan(facts: &Facts<'_>, generation: u64, unneeded: &Unneeded) -> (ScalingPlan, Unneeded) {
    let costs = node_cost::NodeCosts::new(facts.known);
    let (shortage, mut classes) = shortage::shortage(facts, &costs);
    let mut plan = ScalingPlan {
        generation,
        made_at: facts.now,
        books_at: facts.ledger.at,
        mode: facts.policy.mode,
        shortage,
        ..ScalingPlan::default()
    };
    scale_out::add(facts, &costs, &mut classes, &mut plan);
    let unneeded = scale_in::add(facts, &classes, unneeded, &mut plan);
    evict::add(facts, &mut plan);
    (plan, unneeded)
}

impl ScalingPlan {
    fn refuse(&mut self, what: What, of: &Arc<str>, why: impl Into<Because>) {
        self.refused.push(Refused { what, of: Arc::clone(of), why: why.into() });
    }

    /// How often each thing is refused for each reason.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<(What, Refusal), u32> {
        let mut count = BTreeMap::new();
        for refused in &self.refused {
            *count.entry((refused.what, refused.why.refusal)).or_default() += 1;
        }
        count
    }

    /// Whether it would do anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scale_out.is_empty() && self.scale_in.is_none() && self.evictions.is_empty()
    }
}
