//! What happens when.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use headroom_lab::aws::FaultKind;
use headroom_lab::net::Mode;

use crate::scaling::{TROUBLES, Trouble};

/// Faults begin and advisors are killed within it, and a spare node would be removed.
pub(super) const HORIZON_SECS: u64 = 240;
/// The call that ends an instance.
const TERMINATE: &str = "TerminateInstanceInAutoScalingGroup";

/// What keeps one call from its effect, or its answer from the advisor. The last one is late by more than the advisor waits.
const CALLS: [Trouble; 8] = [
    Trouble::Call(TERMINATE, FaultKind::LoseAnswer),
    Trouble::Call(TERMINATE, FaultKind::Drop),
    Trouble::Call(TERMINATE, FaultKind::Throttle),
    Trouble::Call(TERMINATE, FaultKind::Busy),
    Trouble::Call("DescribeAutoScalingGroups", FaultKind::Drop),
    Trouble::Call("DescribeAutoScalingGroups", FaultKind::Unavailable),
    Trouble::Call("DescribeInstances", FaultKind::Unavailable),
    Trouble::Call(TERMINATE, FaultKind::Slow(Duration::from_secs(60))),
];

/// Everything that happens in one run; times are the lab's, from the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// What it was drawn from.
    pub seed: u64,
    /// The cluster.
    pub form: Form,
    /// Advisors at once.
    pub advisors: usize,
    /// Whether a Lease says which of them acts; a single one may go without.
    pub elected: bool,
    /// Faults, in order of their beginning.
    pub spells: Vec<Spell>,
    /// Deaths of advisors.
    pub kills: Vec<Kill>,
}

/// A cluster, and where it must end.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// The nodes' type.
    pub instance_type: &'static str,
    /// Nodes at first.
    pub nodes: u32,
    /// The group's minimum.
    pub min: u32,
    /// Pods.
    pub pods: u32,
    /// The desired capacity may never be lower: the minimum, or what the pods' addresses take.
    pub floor: u32,
    /// Nodes at last.
    pub ends_with: RangeInclusive<u32>,
    /// What the PodDisruptionBudget asks for. A node is only removed where all of its pods may go at once.
    pub min_available: u32,
}

/// Something is wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spell {
    /// From when.
    pub from: Duration,
    /// For how long.
    pub lasts: Duration,
    /// What.
    pub what: Trouble,
}

/// An advisor gets SIGKILL, and is started again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kill {
    /// When.
    pub when: When,
    /// Which of them.
    pub whom: usize,
    /// How long there is none in its place.
    pub down: Duration,
}

/// When an advisor is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// At this time.
    At(Duration),
    /// So long after a scale-in has begun that no earlier kill has answered.
    Begun(Duration),
}

impl Form {
    /// The minimum keeps the last nodes: two m5.large would do.
    fn least(rng: &mut Rng) -> Form {
        let nodes = rng.u32(4..=5);
        let (min, pods) = (3, 8);
        Form { instance_type: "m5.large", nodes, min, pods, floor: min, ends_with: min..=min, min_available: 5 }
    }

    /// The pods do: a t3.small has 9 addresses for them, and with 5 and two of the system's 7 of its 11 places are taken.
    fn need() -> Form {
        Form { instance_type: "t3.small", nodes: 4, min: 1, pods: 16, floor: 2, ends_with: 2..=3, min_available: 11 }
    }

    /// As a scenario file.
    #[must_use]
    pub fn scenario(&self) -> String {
        let Form { instance_type, nodes, min, pods, .. } = self;
        format!(
            "vpc: {{ cidr: 10.0.0.0/16 }}
subnets: [{{ name: a, az: us-west-2a, cidr: 10.0.0.0/24 }}]
nodeGroups: [{{ name: workers, instanceType: {instance_type}, min: {min}, max: 6, desired: {nodes}, subnets: [a] }}]
workloads: [{{ name: web, replicas: {pods}, replace: true, cpu: 10m, memory: 16Mi }}]
"
        )
    }
}

/// The schedule of a seed.
#[must_use]
pub fn draw(seed: u64) -> Schedule {
    let mut rng = Rng::with_seed(seed);
    let form = if rng.bool() { Form::least(&mut rng) } else { Form::need() };
    let (advisors, elected) = match rng.u32(0..10) {
        0..5 => (1, false),
        5..7 => (1, true),
        _ => (2, true),
    };
    let mut spells: Vec<Spell> = (0..rng.u32(1..=4)).map(|_| spell(&mut rng)).collect();
    spells.sort_by_key(|spell| spell.from);
    let spells = one_at_a_time(spells);
    let kills = (0..rng.u32(0..=3)).map(|_| kill(&mut rng, advisors)).collect();
    Schedule { seed, form, advisors, elected, spells, kills }
}

fn secs(rng: &mut Rng, range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.u64(range.start() * 1000..=range.end() * 1000))
}

fn spell(rng: &mut Rng) -> Spell {
    let what = match rng.u32(0..10) {
        0..7 => TROUBLES[rng.usize(..TROUBLES.len())].1,
        7..9 => CALLS[rng.usize(..CALLS.len())],
        // All connections are cut, and others can be made at once.
        _ => Trouble::Way(Mode::Pass),
    };
    let what = match what {
        Trouble::Dns { fault, .. } => Trouble::Dns { fault, cut: rng.bool() },
        other => other,
    };
    let lasts = if rng.bool() { secs(rng, 2..=40) } else { secs(rng, 80..=240) };
    Spell { from: secs(rng, 0..=HORIZON_SECS), lasts, what }
}

/// What is made to misbehave in one place cannot do so in two ways at once.
fn one_at_a_time(spells: Vec<Spell>) -> Vec<Spell> {
    // Nameserver and gate count as one place: where connections are cut with a fault of DNS, it is both.
    let on_the_way = |spell: &Spell| !matches!(spell.what, Trouble::Api(_) | Trouble::Call(..));
    let mut free_from = Duration::ZERO;
    let mut kept = spells;
    kept.retain(|one| {
        let fits = !on_the_way(one) || one.from >= free_from;
        if fits && on_the_way(one) {
            free_from = one.from + one.lasts;
        }
        fits
    });
    kept
}

fn kill(rng: &mut Rng, advisors: usize) -> Kill {
    let when = if rng.u32(0..3) == 0 {
        When::At(secs(rng, 0..=HORIZON_SECS))
    } else {
        // The settling, the evictions, the termination and what follows.
        When::Begun(secs(rng, 0..=90))
    };
    Kill { when, whom: rng.usize(..advisors), down: secs(rng, 0..=30) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_schedule_and_all_of_them_draw_everything() {
        let all: Vec<Schedule> = (1..=1000).map(draw).collect();
        assert_eq!(all[6], draw(7));
        let drawn: BTreeSet<String> =
            all.iter().flat_map(|one| &one.spells).map(|spell| format!("{:?}", spell.what)).collect();
        // DNS faults with and without a cut.
        assert_eq!(drawn.len(), TROUBLES.len() + 4 + CALLS.len() + 1, "{drawn:#?}");
        let begun = all.iter().flat_map(|one| &one.kills).filter(|kill| matches!(kill.when, When::Begun(_))).count();
        assert!(begun > 500, "{begun} kills in the middle of a scale-in");
    }
}
