//! Which of the groups asked for can feed what would be added to them.

mod judge;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::ids::SubnetId;

use super::read::Asked;
use super::rooms::Rooms;
use crate::in_flight::Units;
use crate::metrics::labels;
use judge::judge;

/// What of the configuration decides, and what Cluster Autoscaler understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Addresses that are to stay free in each subnet.
    pub spare_ips: u32,
    /// Groups that run out as late as the best one count as good as it down to so many percent less room.
    pub tolerance_percent: u32,
    /// An answer without any group means that no node is added: Cluster Autoscaler 1.32 and later. Before, it means that nothing was
    /// said.
    pub can_veto: bool,
}

labels! {
    /// What an answer comes to.
    Outcome {
        /// Some groups can feed all their nodes; the best of them.
        Fits = "fits",
        /// None is known to; those of which too little is known.
        Unknown = "unknown",
        /// None can, but one feeds some of its nodes: the one that feeds most.
        Partial = "partial",
        /// None feeds a single node, and none is to be added.
        Veto = "veto",
        /// The same, and Cluster Autoscaler would not understand: the one with most room.
        LeastBad = "least_bad",
        /// Nothing was asked.
        NoOptions = "no_options",
    }
}

labels! {
    /// What a group comes to.
    Reason {
        /// It can feed all its nodes and is among the best.
        Best = "best",
        /// It can, and another has more room or longer to go.
        LessRoom = "less_room",
        /// It can feed some of its nodes.
        TooFewIps = "too_few_ips",
        /// It cannot feed one: too few addresses are free.
        SubnetExhausted = "subnet_exhausted",
        /// It cannot feed one: addresses are free, and too few whole /28s.
        SubnetFragmented = "subnet_fragmented",
        /// The books have no such group.
        UnknownGroup = "unknown_group",
        /// The books have none of its subnets, or not the one that its ENIConfig names.
        UnknownSubnet = "unknown_subnet",
        /// Nothing says what its nodes take: no template, or an instance type without known limits.
        UnknownNode = "unknown_node",
        /// The request names it twice; the first one counts.
        Duplicate = "duplicate",
    }
}

/// One of the groups asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it comes to.
    pub reason: Reason,
    /// Nodes that would be added.
    pub nodes: u32,
    /// Of these, those that find what they will take.
    pub fed: u32,
    /// Pods with an address on each, DaemonSets' included.
    pub pods_per_node: u32,
    /// Addresses that would be left in the fullest of its subnets, beyond those to stay free.
    pub left: u32,
    /// How long until it runs out; 0 within the hour.
    runs_out: u8,
    /// The subnet that feeds the fewest.
    pub tightest: Option<SubnetId>,
    /// What is promised with it.
    wanted: Option<Wanted>,
}

/// Addresses that nodes of a group will take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The group.
    pub group: Arc<str>,
    /// Nodes.
    pub nodes: u32,
    /// For all of them.
    pub takes: BTreeMap<SubnetId, Units>,
    /// What of it the books count once the group wants the nodes.
    pub in_books: BTreeMap<SubnetId, Units>,
    /// Instances that the group had or wanted.
    pub had: u32,
    /// Nodes of it that had registered.
    pub had_nodes: u32,
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it comes to.
    pub outcome: Outcome,
    /// Places of the groups to go on with in the request, the best first.
    pub kept: Vec<usize>,
    /// Of each group asked for, in the request's order.
    pub judged: Vec<Judged>,
}

impl Answer {
    /// What is promised: the places in the request and what each takes. One of them will be grown.
    pub fn promised(&self) -> impl Iterator<Item = (usize, &Wanted)> {
        self.kept.iter().filter_map(|at| Some((*at, self.judged[*at].wanted.as_ref()?)))
    }
}

/// Decides by the books and by what earlier answers hold.
///
/// A group fits if every node finds, in the subnet that it lands in, what it takes once it runs its pods, with
/// [`Rules::spare_ips`] left over. Of those that fit the ones that run out last are best, and of these the ones that leave most; all
/// within the tolerance are kept, so that the next expander of the chain can choose by price or size.
#[must_use]
pub fn decide(rooms: &Rooms, held: &BTreeMap<SubnetId, Units>, asked: &[Asked], rules: &Rules) -> Answer {
    let mut judged: Vec<Judged> = asked.iter().map(|asked| judge(rooms, held, asked, rules.spare_ips)).collect();
    let (outcome, kept) = choose(&judged, asked, rules);
    if outcome == Outcome::Fits {
        for (at, group) in judged.iter_mut().enumerate() {
            if group.reason == Reason::Best && !kept.contains(&at) {
                group.reason = Reason::LessRoom;
            }
        }
    }
    Answer { outcome, kept, judged }
}

fn choose(judged: &[Judged], asked: &[Asked], rules: &Rules) -> (Outcome, Vec<usize>) {
    let with = |wanted: fn(Reason) -> bool| -> Vec<usize> {
        (0..judged.len()).filter(|at| wanted(judged[*at].reason)).collect()
    };
    let mut fits = with(|reason| reason == Reason::Best);
    fits.sort_by_key(|at| Reverse((judged[*at].runs_out, judged[*at].left)));
    if let Some(best) = fits.first().map(|at| &judged[*at]) {
        let least = u64::from(best.left) * u64::from(100_u32.saturating_sub(rules.tolerance_percent)) / 100;
        let as_good = |group: &Judged| group.runs_out == best.runs_out && u64::from(group.left) >= least;
        fits.retain(|at| as_good(&judged[*at]));
        return (Outcome::Fits, fits);
    }
    let unknown = with(|reason| matches!(reason, Reason::UnknownGroup | Reason::UnknownSubnet | Reason::UnknownNode));
    if !unknown.is_empty() {
        return (Outcome::Unknown, unknown);
    }
    let judgeable = with(|reason| reason != Reason::Duplicate);
    // The pods that would find an address, by the share of nodes that do.
    let served = |at: &usize| {
        let (group, pods) = (&judged[*at], u64::from(asked[*at].pods.with_ip.max(1)));
        pods * u64::from(group.fed) / u64::from(group.nodes.max(1))
    };
    let partial = judgeable.iter().copied().filter(|at| judged[*at].fed > 0);
    if let Some(best) = partial.min_by_key(|at| Reverse((served(at), judged[*at].left))) {
        return (Outcome::Partial, vec![best]);
    }
    match judgeable.into_iter().min_by_key(|at| Reverse(judged[*at].left)) {
        None => (Outcome::NoOptions, Vec::new()),
        Some(_) if rules.can_veto => (Outcome::Veto, Vec::new()),
        Some(best) => (Outcome::LeastBad, vec![best]),
    }
}
