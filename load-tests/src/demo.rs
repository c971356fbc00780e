//! The same workload on the same lab twice: scheduled plainly, and with Headroom in the path.

mod run;
mod settle;
mod view;

use headroom_lab::world::Report;
use serde::Serialize;

pub use run::{Options, Running, start};
pub use view::{frame, progress, summary};

/// Who filters the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The scheduler alone: it knows CPU, memory and max-pods.
    Plain,
    /// The scheduler asks the extender too.
    Headroom,
}

impl Mode {
    /// `plain` or `headroom`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Mode::Plain => "plain",
            Mode::Headroom => "headroom",
        }
    }
}

/// How a run ended. Counts are of pods that need an IP of their own, system pods among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who filtered.
    pub mode: Mode,
    /// The lab's last state.
    pub report: Report,
    /// What kube-scheduler's condition says of the pods that are not bound, and of how many it says so.
    pub reasons: Vec<(String, usize)>,
    /// Whether the figures stood still before the time was up.
    pub settled: bool,
}

/// What `--output json` prints of a run without Headroom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PlainCounts {
    /// Pods bound to a node.
    pub bound: u32,
    /// Of those, the ones without an IP for which kubelet has asked in vain.
    pub hanging: u32,
}

/// What `--output json` prints of a run with Headroom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HeadroomCounts {
    /// Pods bound to a node.
    pub bound: u32,
    /// Of those, the ones without an IP for which kubelet has asked in vain.
    pub hanging: u32,
    /// Pods that no node was found for: they wait as unschedulable.
    pub waiting: u32,
}

/// Both runs in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Without Headroom.
    pub plain: PlainCounts,
    /// With Headroom.
    pub headroom: HeadroomCounts,
}

impl Comparison {
    /// From the two outcomes.
    #[must_use]
    pub fn of(plain: &Outcome, headroom: &Outcome) -> Comparison {
        let (without, with) = (plain.report.totals, headroom.report.totals);
        Comparison {
            plain: PlainCounts { bound: without.bound, hanging: without.hanging },
            headroom: HeadroomCounts { bound: with.bound, hanging: with.hanging, waiting: with.unbound },
        }
    }
}
