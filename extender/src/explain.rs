//! The verdict for a pod, per node, with the figures behind it.

pub(crate) mod report;

use std::sync::Arc;

use headroom_capacity::budget::Budget;
use headroom_capacity::ids::PodUid;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips};
use headroom_capacity::verdict::{self, Demand, NodeState, Reason};

use crate::claims::Claims;
use crate::config::Config;
use crate::feed::Source;
use crate::filter::{Candidate, Room, nominated_before, offers};
use crate::snapshot::{NodeView, Snapshot};

/// Up to so many nodes asked for by name are told in detail. More would hold up filter calls, by looking for claims under their
/// lock, and make an answer larger than most gRPC clients take (4 MiB).
pub const DETAILED: usize = 16;

/// What a filter call for this pod would go by.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the pod needs.
    pub demand: Demand,
    /// When the state was last brought up to date.
    pub at: Time,
    /// Since when the watch of nodes or of pods has been failing.
    pub failing_since: Option<Time>,
    /// When EC2 was read for what the advisor's feed tells, where it counts.
    pub feed_observed_at: Option<Time>,
    /// Pods that hold a claim, on whatever node.
    pub claiming_pods: usize,
    /// The nodes that this pod holds a claim on.
    pub own_claim: Vec<Arc<str>>,
    /// Whether the accounts say who holds the claims.
    pub detailed: bool,
    /// One per node asked for, or every node by name.
    pub accounts: Vec<Account>,
    settings: Arc<CniSettings>,
}

/// What one node offers the pod.
#[derive(Clone, Debug)]
pub struct Account {
    /// The node's name.
    pub name: Arc<str>,
    /// The verdict.
    pub room: Room,
    /// Claims of other pods on it, of the kind that this pod needs.
    pub claims: u32,
    /// The pods that hold those claims, by UID; only of up to [`DETAILED`] nodes asked for.
    pub claimed_by: Vec<PodUid>,
    /// Pods nominated to it that come first and hold no claim on it.
    pub nominated: u32,
    /// The node, where it was seen.
    pub view: Option<Arc<NodeView>>,
}

impl Explanation {
    /// For `names`, or for every node of the snapshot if there are none.
    #[must_use]
    pub fn new(snapshot: &Snapshot, claims: &Claims, pod: &Candidate, names: &[&str], config: &Config) -> Explanation {
        let detailed = (1..=DETAILED).contains(&names.len());
        let mut all: Vec<&str> = Vec::new();
        if names.is_empty() {
            all.extend(snapshot.nodes.iter().map(|(_, view)| &*view.name));
            all.sort_unstable();
        }
        let names = if names.is_empty() { &all } else { names };
        let own = claims.held_by(&pod.claimant.uid);
        let account = |name: &&str, room: Room| {
            let Some((id, view)) = snapshot.nodes.find(name) else {
                return Account {
                    name: Arc::from(*name),
                    room,
                    claims: 0,
                    claimed_by: Vec::new(),
                    nominated: 0,
                    view: None,
                };
            };
            let uid = &pod.claimant.uid;
            let mut claimed_by: Vec<PodUid> = Vec::new();
            if detailed {
                let others = claims.holders(id, pod.claimant.demand).filter(|holder| *holder != uid);
                claimed_by.extend(others.cloned());
                claimed_by.sort_unstable();
            }
            Account {
                name: Arc::clone(&view.name),
                room,
                claims: claims.on(id, pod.claimant.demand).saturating_sub(u32::from(own.contains(&id))),
                claimed_by,
                nominated: nominated_before(view, id, claims, pod),
                view: Some(Arc::clone(view)),
            }
        };
        let offers = offers(snapshot, claims, pod, names, config);
        let own_claim = own.iter().filter_map(|id| Some(Arc::clone(&snapshot.nodes.view(*id)?.name)));
        Explanation {
            demand: pod.claimant.demand,
            at: snapshot.at,
            failing_since: snapshot.failing_since,
            feed_observed_at: snapshot.feed_observed_at,
            claiming_pods: claims.len(),
            own_claim: own_claim.collect(),
            detailed,
            accounts: names.iter().zip(offers).map(|(name, offer)| account(name, offer.room)).collect(),
            settings: Arc::clone(&snapshot.settings),
        }
    }

    /// Whether filter could offer one of the nodes.
    #[must_use]
    pub fn passes_any(&self) -> bool {
        self.accounts.iter().any(Account::passes)
    }

    /// The account of the node's pool in words, with where it comes from, claims and nominated pods taken off; `None` for a node that was
    /// not seen.
    #[must_use]
    pub fn figures(&self, account: &Account) -> Option<String> {
        let view = account.view.as_ref()?;
        let taken = account.claims.saturating_add(account.nominated);
        let (ips, branch_enis) = if self.demand == Demand::BranchEni { (0, taken) } else { (taken, 0) };
        let state = NodeState { claims: Ips(ips), branch_claims: Enis(branch_enis), ..view.state.clone() };
        let text = verdict::explain(&state, &self.settings, self.demand, self.at);
        // Its last line is the verdict on the pool alone; the account's also goes by evidence and policy.
        let lines = text.lines().filter(|line| !line.starts_with("verdict: ")).map(|line| format!("{line}\n"));
        Some([self.source(view)].into_iter().chain(lines).collect())
    }

    fn source(&self, view: &NodeView) -> String {
        match (view.source(), self.feed_observed_at) {
            (Source::Feed, Some(at)) => format!("source: feed, EC2 was read {} s ago\n", self.at.since(at).as_secs()),
            (source, _) => format!("source: {}, attached IPs are estimated, subnets not seen\n", source.label()),
        }
    }
}

impl Account {
    /// Whether filter could offer the node.
    #[must_use]
    pub fn passes(&self) -> bool {
        !matches!(self.room, Room::Closed(_))
    }

    /// Why not, or why it is not sure.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self.room {
            Room::Closed(reason) | Room::Open(Some(reason)) => Some(reason),
            Room::Unproven { .. } => Some(Reason::UnknownSubnet),
            Room::Now { .. } | Room::Soon { .. } | Room::Open(None) => None,
        }
    }

    /// Further pods that the node takes; `None` where nothing limits it, nothing is known, or it takes none.
    #[must_use]
    pub fn further_pods(&self) -> Option<u32> {
        match self.room {
            Room::Now { free } | Room::Soon { free } | Room::Unproven { free } => Some(free),
            Room::Open(_) | Room::Closed(_) => None,
        }
    }

    /// IPs that the node can have at most; `None` where that is not known or not limited.
    #[must_use]
    pub fn ip_limit(&self) -> Option<u32> {
        match &self.view.as_ref()?.state.budget {
            Budget::Ipv4(budget) => Some(budget.ceiling.get()),
            Budget::Windows { ceiling } => Some(ceiling.get()),
            _ => None,
        }
    }
}
