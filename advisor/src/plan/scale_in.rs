//! Which node could go.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::binding::{shape, utilisation};
use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;

use super::class::{self, Class};
use super::facts::Facts;
use super::fit::{self, Room};
use super::gate;
use super::refusal::{Because, Refusal};
use super::{ScaleIn, ScalingPlan, What};
use crate::binding::usage::Usage;
use crate::inventory::Group;
use crate::ledger::NodeAccount;
use crate::state::NodeInfo;

/// Annotation by which an owner keeps a node (Cluster Autoscaler `core/scaledown/eligibility`, `ScaleDownDisabledKey`).
const DISABLED: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";
/// Nodes for whose pods a place is looked for in one plan, and which are looked at closely: each is a walk over all other nodes.
const MOST_TRIED: usize = 3;

/// Since when each node has been spare. Lost with the process: then nodes stay a while longer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unneeded(BTreeMap<Arc<str>, Time>);

#[cfg(test)]
impl Unneeded {
    pub(super) fn since(nodes: &[&str], since: Time) -> Unneeded {
        Unneeded(nodes.iter().map(|node| (Arc::from(*node), since)).collect())
    }
}

/// A node that is used little.
struct Spare<'a> {
    name: &'a Arc<str>,
    account: &'a NodeAccount,
    group: (&'a Arc<str>, &'a Group),
    utilisation: f64,
    since: Time,
}

/// Adds at most one node, and says of the others why they stay.
pub(super) fn add(facts: &Facts<'_>, classes: &[Class<'_>], before: &Unneeded, plan: &mut ScalingPlan) -> Unneeded {
    if !facts.policy.scale_in.enabled {
        return Unneeded::default();
    }
    let usage = Usage::of(facts.cluster);
    let mut spare = spare(facts, &usage, before);
    let after = Unneeded(spare.iter().map(|one| (Arc::clone(one.name), one.since)).collect());
    if spare.is_empty() {
        return after;
    }
    // Addresses are wanted: nothing goes.
    if plan.shortage.servable() > 0 || !plan.scale_out.is_empty() {
        let detail = format!("{} pods lack an address", plan.shortage.servable());
        plan.refuse(What::ScaleIn, &Arc::from(""), Because::new(Refusal::NodesWanted, detail));
        return after;
    }
    if let Err(because) = gate::begin(facts) {
        plan.refuse(What::ScaleIn, &Arc::from(""), because);
        return after;
    }
    spare.sort_by(|a, b| a.utilisation.total_cmp(&b.utilisation).then_with(|| a.name.cmp(b.name)));
    let mut tried = 0;
    for one in &spare {
        if let Err(because) = one.may_go(facts).and_then(|()| one.is_not_waited_for(facts, classes)) {
            plan.refuse(What::ScaleIn, one.name, because);
            continue;
        }
        if tried == MOST_TRIED {
            break;
        }
        tried += 1;
        match one.place(facts, &usage) {
            Err(because) => plan.refuse(What::ScaleIn, one.name, because),
            Ok(pods) => match facts.findings.of(one.name, facts.now) {
                Some(Ok(())) => {
                    plan.scale_in = one.scale_in(pods);
                    break;
                }
                Some(Err(because)) => plan.refuse(What::ScaleIn, one.name, because.clone()),
                None => {
                    plan.refuse(What::ScaleIn, one.name, Refusal::NotInspected);
                    plan.to_inspect.push(Arc::clone(one.name));
                }
            },
        }
    }
    after
}

/// Managed nodes that kube-scheduler uses, below the threshold.
fn spare<'a>(facts: &Facts<'a>, usage: &Usage<'_>, before: &Unneeded) -> Vec<Spare<'a>> {
    let most = f64::from(facts.policy.scale_in.utilisation_percent) / 100.0;
    let managed: BTreeMap<&Arc<str>, &Group> = facts.managed().collect();
    let mut spare = Vec::new();
    for (name, account) in &facts.ledger.nodes {
        let group = account.group.as_ref().and_then(|group| managed.get_key_value(group));
        let (Some((group, of_group)), Some(info)) = (group, facts.cluster.nodes.get(name)) else { continue };
        if !info.node.ready {
            continue;
        }
        let shape = shape(&account.budget, &facts.cluster.settings, info.node.max_pods, &info.node.allocatable);
        let parts = utilisation(&shape, &usage.on(name).used());
        let utilisation = parts.iter().filter_map(|(_, part)| *part).fold(0.0, f64::max);
        if utilisation <= most {
            let since = before.0.get(name).copied().unwrap_or(facts.now);
            spare.push(Spare { name, account, group: (group, of_group), utilisation, since });
        }
    }
    spare
}

impl Spare<'_> {
    /// What speaks against it that needs no look at other nodes.
    fn may_go(&self, facts: &Facts<'_>) -> Result<(), Because> {
        let (policy, now) = (&facts.policy.scale_in, facts.now);
        let info = facts.cluster.nodes.get(self.name);
        gate::group(facts, self.group.1)?;
        node(info)?;
        let id = self.account.instance.as_ref();
        let member = id.and_then(|id| self.group.1.members.iter().find(|member| member.instance == *id));
        let instance = id.and_then(|id| facts.inventory.instances.get(id));
        let (Some(member), Some(instance)) = (member, instance) else { return Err(Refusal::NotInService.into()) };
        if &*member.lifecycle != "InService" {
            return Err(Because::new(Refusal::NotInService, &*member.lifecycle));
        }
        if member.protected {
            return Err(Refusal::Protected.into());
        }
        let secs = |time: Time| now.since(time).as_secs();
        for (refusal, is, must) in [
            (Refusal::TooYoung, secs(instance.launched_at), policy.min_age_secs),
            (Refusal::NotUnneededLongEnough, secs(self.since), policy.unneeded_secs),
        ] {
            if is < must {
                return Err(Because::new(refusal, format!("{is} of {must} s")));
            }
        }
        gate::balance(facts, self.group.1, &member.instance)
    }

    /// Room on it counts for the pods that wait and may be on it, also where no group could have another node for them.
    fn is_not_waited_for(&self, facts: &Facts<'_>, classes: &[Class<'_>]) -> Result<(), Because> {
        let info = facts.cluster.nodes.get(self.name);
        match info.map_or(0, |info| class::may_come(classes, &info.node)) {
            0 => Ok(()),
            pods => Err(Because::new(Refusal::NodesWanted, format!("{pods} pods that lack an address may be on it"))),
        }
    }

    /// How many pods have to move, if they find a place, and the pods that are expected in the group find one beside them.
    fn place(&self, facts: &Facts<'_>, usage: &Usage<'_>) -> Result<u32, Because> {
        let pods = fit::moving(facts, self.name);
        let rooms = fit::rooms(facts, usage, self.name);
        fit::place(&pods, &rooms, fit::Anywhere)?;
        let moving = u32::try_from(pods.len()).unwrap_or(u32::MAX);
        let of_group =
            |room: &&Room| facts.ledger.nodes.get(&room.node).is_some_and(|node| node.group == self.account.group);
        let left = rooms.iter().filter(of_group).map(Room::ips).fold(0, u64::saturating_add);
        let expected = facts.ahead.get(self.group.0).copied().unwrap_or(0);
        if expected > 0 && left < u64::from(moving) + u64::from(expected) {
            return Err(Because::new(Refusal::Expected, format!("{expected} more within a while, room for {left}")));
        }
        Ok(moving)
    }

    fn scale_in(&self, pods: u32) -> Option<ScaleIn> {
        Some(ScaleIn {
            group: Arc::clone(self.group.0),
            desired: self.group.1.desired,
            node: Arc::clone(self.name),
            instance: self.account.instance.clone()?,
            pods,
            utilisation: self.utilisation,
            since: self.since,
            // The primary addresses of its ENIs too.
            frees: self.account.attached + Ips(self.account.enis.get()),
        })
    }
}

/// What the node itself says.
fn node(info: Option<&NodeInfo>) -> Result<(), Because> {
    let Some(info) = info else { return Err(Refusal::NotInService.into()) };
    if info.node.annotations.get(DISABLED).is_some_and(|value| value == "true") {
        return Err(Refusal::Disabled.into());
    }
    if info.node.scale_in.is_some() {
        return Err(Because::new(Refusal::Busy, "it is being emptied"));
    }
    if info.node.unschedulable {
        return Err(Refusal::Cordoned.into());
    }
    Ok(())
}
