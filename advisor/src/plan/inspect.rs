//! A close look at a node that could go: its pods as the API server has them now, their budgets, and who must not be moved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::binding::{Used, need};
use headroom_capacity::time::Time;
use headroom_cluster::drain::{Disruption, Owner, Tenant};

use super::facts::Facts;
use super::filters::{Stands, Subject};
use super::fit::{self, Filters};
use super::refusal::{Because, Refusal};
use crate::binding::usage::Usage;

/// How long a node that may go may do so on the strength of one look.
const FRESH: Duration = Duration::from_secs(60);
/// How long one that may not is left alone (Cluster Autoscaler `core/scaledown/planner`, `unremovableTimeout`).
const UNREMOVABLE: Duration = Duration::from_secs(300);

/// What was read of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspected {
    /// Its pods.
    pub tenants: Vec<Tenant>,
    /// Every PodDisruptionBudget.
    pub disruptions: Vec<Disruption>,
    /// Ready CoreDNS replicas, by node.
    pub dns: Vec<Arc<str>>,
    /// `namespace/name` of the pod that this process runs in, where it knows.
    pub own_pod: Option<String>,
}

/// What closer looks found, by node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings(BTreeMap<Arc<str>, (Time, Result<(), Because>)>);

impl Findings {
    /// Keeps what a look found, and forgets what is too old to count.
    pub fn add(&mut self, node: &Arc<str>, found: Result<(), Because>, now: Time) {
        self.0.retain(|_, (at, _)| now.since(*at) < UNREMOVABLE);
        self.0.insert(Arc::clone(node), (now, found));
    }

    /// What is known of a node; `None` where it has to be looked at.
    pub(super) fn of(&self, node: &str, now: Time) -> Option<&Result<(), Because>> {
        let (at, found) = self.0.get(node)?;
        let lasts = if found.is_ok() { FRESH } else { UNREMOVABLE };
        (now.since(*at) < lasts).then_some(found)
    }
}

/// Whether every pod of `node` may move and finds a place.
///
/// # Errors
/// The first thing that speaks against it, with the pod's name.
pub fn inspect(facts: &Facts<'_>, node: &str, inspected: &Inspected) -> Result<(), Because> {
    let moving: Vec<&Tenant> = inspected.tenants.iter().filter(|pod| pod.must_leave()).collect();
    may_leave(&inspected.tenants, inspected.own_pod.as_deref())?;
    budgets(&moving, &inspected.disruptions)?;
    dns(node, inspected)?;
    let needs: Vec<Used> = moving.iter().map(|pod| need(pod.demand, &pod.requests)).collect();
    let usage = Usage::of(facts.cluster);
    let zone = facts.cluster.nodes.get(node).and_then(|info| info.node.zone.clone());
    let moves = Moves { facts, moving: &moving, zone, stands: Stands::new(facts.cluster, node) };
    fit::place(&needs, &fit::rooms(facts, &usage, node), moves)
}

/// Where each pod of a node may be, as kube-scheduler's filters say.
struct Moves<'a> {
    facts: &'a Facts<'a>,
    moving: &'a [&'a Tenant],
    /// The node's.
    zone: Option<Arc<str>>,
    stands: Stands<'a>,
}

fn subject(pod: &Tenant) -> Subject<'_> {
    Subject { namespace: &pod.namespace, labels: &pod.labels, placement: &pod.placement, ties: &pod.ties }
}

impl Filters for Moves<'_> {
    fn lets(&self, at: usize) -> impl Fn(&str) -> bool {
        let pod = self.moving[at];
        let filter = self.stands.filter(subject(pod));
        move |node| {
            let Some(info) = self.facts.cluster.nodes.get(node) else { return false };
            // An EBS volume stays in its zone; what stays on its node was refused before.
            let reaches = pod.requests.volumes == 0 || info.node.zone == self.zone;
            reaches && pod.placement.allows(&info.node) && filter.lets_on(&info.node)
        }
    }

    fn placed(&mut self, at: usize, node: &Arc<str>) {
        self.stands.place(subject(self.moving[at]), node);
    }
}

/// Whether each pod that has to leave may be moved at all. Asked again of a node that is being emptied: pods may have come to it since
/// the first look.
///
/// # Errors
/// The first pod that may not, with its name.
pub fn may_leave(tenants: &[Tenant], own_pod: Option<&str>) -> Result<(), Because> {
    tenants.iter().filter(|pod| pod.must_leave() && !pod.deleting).try_for_each(|pod| may_move(pod, own_pod))
}

/// Cluster Autoscaler's rules (`simulator/drainability/rules`): an annotation `safe-to-evict=true` answers for storage and for what nothing
/// makes anew.
fn may_move(pod: &Tenant, own_pod: Option<&str>) -> Result<(), Because> {
    let refuse = |refusal| Err(Because::new(refusal, pod.full_name()));
    if own_pod == Some(&*pod.full_name()) {
        return refuse(Refusal::OwnPod);
    }
    match pod.safe_to_evict {
        Some(false) => return refuse(Refusal::PodNotSafeToEvict),
        Some(true) => {}
        None if pod.owner == Owner::Nobody => return refuse(Refusal::PodNotReplicated),
        None if pod.local_storage => return refuse(Refusal::PodLocalStorage),
        None => {}
    }
    // Whoever allows that it is moved has not moved its data: it would wait for its node for ever.
    if let Some(why) = &pod.pinned {
        return Err(Because::new(Refusal::PodLocalStorage, format!("{}: {why}", pod.full_name())));
    }
    if pod.placement.tolerates_everything() {
        return refuse(Refusal::PodToleratesTaint);
    }
    if pod.ties.beyond { refuse(Refusal::PodDependsOnOthers) } else { Ok(()) }
}

/// Each budget must allow a disruption: the pods leave one after the other as it allows, but a drain that cannot begin is not begun. The
/// eviction API refuses a pod with two budgets for ever.
fn budgets(moving: &[&Tenant], disruptions: &[Disruption]) -> Result<(), Because> {
    for pod in moving {
        let of_pod: Vec<&Disruption> = disruptions.iter().filter(|budget| budget.protects(pod)).collect();
        if of_pod.len() > 1 {
            let detail = format!("{} has {}", pod.full_name(), of_pod.len());
            return Err(Because::new(Refusal::DisruptionBudget, detail));
        }
    }
    for budget in disruptions {
        let pods = moving.iter().filter(|pod| budget.protects(pod)).count();
        if pods > 0 && budget.allowed == 0 {
            let detail = format!("{}/{} protects {pods} pods", budget.namespace, budget.name);
            return Err(Because::new(Refusal::DisruptionBudget, detail));
        }
    }
    Ok(())
}

/// Who resolves names for everybody else, this advisor's own calls included, must be somewhere else too.
fn dns(node: &str, inspected: &Inspected) -> Result<(), Because> {
    let here = inspected.dns.iter().filter(|at| ***at == *node).count();
    if here > 0 && here == inspected.dns.len() {
        return Err(Because::new(Refusal::LastCoreDns, format!("{here} replicas")));
    }
    Ok(())
}
