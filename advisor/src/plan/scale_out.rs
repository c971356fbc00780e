//! Which groups get nodes, and in which subnets.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::SubnetId;

use super::class::{self, Class, Zones};
use super::facts::Facts;
use super::gate;
use super::journal::Deed;
use super::node_cost::NodeCosts;
use super::refusal::{Because, Refusal};
use super::{Cause, ScaleOut, ScalingPlan, What};
use crate::in_flight::{OnEach, Units, has_template, of_node_to_come, spread};
use crate::inventory::{Group, Subnet};
use crate::ledger::InFlight;

const HOUR: Duration = Duration::from_secs(3600);
/// Kinds of pods that no group could have a node for, of which a plan tells.
const MOST_TOLD: usize = 20;

/// Adds what the shortage asks for, and then what is expected in each group.
pub(super) fn add<'a>(facts: &Facts<'a>, costs: &NodeCosts<'_>, classes: &mut [Class<'a>], plan: &mut ScalingPlan) {
    if !facts.policy.scale_out.enabled {
        return;
    }
    tell_nowhere(classes, plan);
    let coming = plan.shortage.coming;
    // Which group the nodes that come are of does not matter here: the next plan will know them.
    let expected = |name: &Arc<str>| facts.expected_short(name).saturating_sub(coming);
    let asked: Vec<_> =
        facts.managed().filter(|(name, _)| expected(name) > 0 || !class::wanted(classes, name).is_empty()).collect();
    if asked.is_empty() {
        return;
    }
    if let Err(because) = allowed(facts) {
        plan.refuse(What::ScaleOut, &Arc::from(""), because);
        return;
    }
    let budget = left(facts);
    if budget == 0 {
        let detail = format!("{} nodes", facts.policy.scale_out.max_per_hour);
        plan.refuse(What::ScaleOut, &Arc::from(""), Because::new(Refusal::HourlyBudget, detail));
        return;
    }
    let mut rooms = Rooms::of(facts);
    let mut nodes_left = budget.min(facts.policy.scale_out.max_step);
    let mut open = Vec::new();
    for (name, group) in asked {
        match may_grow(facts, costs, name, group) {
            Ok((pods, daemons)) => open.push(Candidate { name, group, pods, daemons }),
            Err(because) => plan.refuse(What::ScaleOut, name, because),
        }
    }
    // Most room first: what is left afterwards lasts longest.
    open.sort_by_key(|one| (Reverse(rooms.of_group(one.group)), Arc::clone(one.name)));
    for one in &open {
        if nodes_left == 0 {
            break;
        }
        match one.grow_for(facts, &mut rooms, classes, nodes_left) {
            Some(Ok(step)) => {
                nodes_left -= step.to - step.from;
                plan.scale_out.push(step);
            }
            Some(Err(because)) => plan.refuse(What::ScaleOut, one.name, because),
            None => {}
        }
    }
    for one in &open {
        let grown = plan.scale_out.iter().any(|step| step.group == *one.name);
        let pods = expected(one.name);
        if pods == 0 || grown || nodes_left == 0 {
            continue;
        }
        match one.grow(facts, &mut rooms, &Zones::All, pods, nodes_left) {
            Ok(step) => {
                nodes_left -= step.to - step.from;
                plan.scale_out.push(ScaleOut { cause: Cause::Forecast, ..step });
            }
            Err(because) => plan.refuse(What::ScaleOut, one.name, because),
        }
    }
}

/// Pods that would wait for ever are told.
fn tell_nowhere(classes: &[Class<'_>], plan: &mut ScalingPlan) {
    let nowhere = classes.iter().filter(|class| class.need > 0 && class.groups.is_empty());
    for class in nowhere.take(MOST_TOLD) {
        let detail = format!("{} pods with the same node selector, affinity and tolerations", class.need);
        plan.refuse(What::ScaleOut, class.first, Because::new(Refusal::NoGroupForPod, detail));
    }
}

/// What holds for every group.
fn allowed(facts: &Facts<'_>) -> Result<(), Because> {
    if facts.books_are_stale() {
        return Err(Refusal::StaleBooks.into());
    }
    facts.reach.scale_out.clone()
}

/// Nodes that the hour still has.
fn left(facts: &Facts<'_>) -> u32 {
    let spent = facts.journal.count(Deed::ScaleOut, HOUR, facts.now);
    facts.policy.scale_out.max_per_hour.saturating_sub(spent)
}

/// Pods that a node of the group has addresses for, beside those of DaemonSets.
fn may_grow(
    facts: &Facts<'_>,
    costs: &NodeCosts<'_>,
    name: &Arc<str>,
    group: &Group,
) -> Result<(u32, OnEach), Because> {
    if facts.is_autoscalers(group) {
        return Err(Refusal::ClusterAutoscaler.into());
    }
    if group.suspended.iter().any(|process| process == "Launch") {
        return Err(Refusal::LaunchSuspended.into());
    }
    if group.desired >= group.max {
        return Err(Because::new(Refusal::MaxSize, group.max.to_string()));
    }
    if let Some(until) = facts.journal.back_off_until(name, facts.now) {
        return Err(Because::new(Refusal::BackOff, format!("{} s to go", until.since(facts.now).as_secs())));
    }
    let pause = Duration::from_secs(facts.policy.scale_out.cool_down_secs);
    if facts.journal.last(Deed::ScaleOut, Some(name)).is_some_and(|at| facts.now.since(at) < pause) {
        return Err(Refusal::CoolDown.into());
    }
    if !has_template(facts.known, group) {
        return Err(Refusal::UnknownTemplate.into());
    }
    let daemons = costs.daemons(group);
    match costs.pods_per_node(group) {
        None => Err(Refusal::UnknownType.into()),
        Some(0) => {
            let detail =
                format!("its {} pods of DaemonSets take all that a node has", daemons.with_ip + daemons.on_host);
            Err(Because::new(Refusal::NoSubnetRoom, detail))
        }
        Some(pods) => Ok((pods, daemons)),
    }
}

struct Candidate<'a> {
    name: &'a Arc<str>,
    group: &'a Group,
    /// Pods that a node has addresses for beside those of DaemonSets.
    pods: u32,
    daemons: OnEach,
}

impl Candidate<'_> {
    /// The step for the pods that wait, taken off their classes: where it serves most of them, or else where it serves any. `None` where
    /// none could be here.
    fn grow_for(
        &self,
        facts: &Facts<'_>,
        rooms: &mut Rooms<'_>,
        classes: &mut [Class<'_>],
        most: u32,
    ) -> Option<Result<ScaleOut, Because>> {
        let mut first = None;
        for (zones, pods) in class::wanted(classes, self.name) {
            match self.grow(facts, rooms, &zones, pods, most) {
                Ok(step) => {
                    class::serve(classes, self.name, &zones, step.pods);
                    return Some(Ok(step));
                }
                Err(because) => first = first.or(Some(Err(because))),
            }
        }
        first
    }

    /// The step for `need` pods that may be in `zones`, taken out of the rooms. Where that is everywhere and every subnet of the group can
    /// feed its part of the nodes, Auto Scaling may spread them; else all go to the subnet that can feed most.
    fn grow(
        &self,
        facts: &Facts<'_>,
        rooms: &mut Rooms<'_>,
        zones: &Zones<'_>,
        need: u32,
        most: u32,
    ) -> Result<ScaleOut, Because> {
        let nodes = need.div_ceil(self.pods).min(most).min(self.group.max - self.group.desired);
        let on_each = need.div_ceil(nodes.max(1)).min(self.pods);
        let with_ip = on_each.saturating_add(self.daemons.with_ip);
        let takes = |subnet: &SubnetId| of_node_to_come(facts.known, self.group, subnet, with_ip);
        // A subnet that was not read has no room that is known.
        let read = self.group.subnets.iter().filter_map(|id| facts.inventory.subnets.get(id));
        let open: Vec<&Subnet> = read.filter(|subnet| zones.has(&subnet.az)).collect();
        let costs: Vec<(&SubnetId, Vec<InFlight>)> = open.iter().map(|one| (&one.id, takes(&one.id))).collect();
        let step = |nodes: u32, subnet: Option<&SubnetId>| ScaleOut {
            group: Arc::clone(self.name),
            from: self.group.desired,
            to: self.group.desired + nodes,
            subnet: subnet.cloned(),
            pods: need.min(nodes.saturating_mul(self.pods)),
            cause: Cause::Waiting,
        };
        if costs.is_empty() || nodes == 0 {
            return Err(Refusal::NoSubnetRoom.into());
        }
        let members = gate::zones(facts, self.group, None);
        let azs: Vec<&Arc<str>> = open.iter().map(|subnet| &subnet.az).collect();
        let shares = spread(&azs, |az| members.get(az).copied().unwrap_or(0), nodes);
        let mut spread = rooms.clone();
        let feeds = |((_, cost), share): (&(&SubnetId, Vec<InFlight>), &u32)| (0..*share).all(|_| spread.take(cost));
        if *zones == Zones::All && costs.iter().zip(&shares).all(feeds) {
            *rooms = spread;
            return Ok(step(nodes, None));
        }
        // All in one subnet, as many as leave the zones in balance: AZRebalance would end others undrained.
        let balanced = |az: &Arc<str>| {
            let others = members.iter().filter(|(zone, _)| ***zone != *az).map(|(_, count)| *count).min();
            let room = others.map(|least| (least + 1).saturating_sub(members.get(az).copied().unwrap_or(0)));
            room.filter(|_| gate::rebalances(self.group)).unwrap_or(u32::MAX).min(nodes)
        };
        let fits = costs.iter().zip(&azs).map(|((subnet, cost), az)| (rooms.nodes(cost, balanced(az)), subnet, cost));
        match fits.max_by_key(|(fit, subnet, _)| (*fit, Reverse(subnet.as_str()))) {
            Some((fit @ 1.., subnet, cost)) => {
                for _ in 0..fit {
                    rooms.take(cost);
                }
                Ok(ScaleOut { pods: need.min(fit.saturating_mul(on_each)), ..step(fit, Some(subnet)) })
            }
            _ if costs.iter().any(|(_, cost)| rooms.nodes(cost, 1) > 0) => {
                Err(Because::new(Refusal::AzRebalance, "only some of its subnets can feed a node"))
            }
            _ => {
                let least = costs
                    .iter()
                    .map(|(_, cost)| cost.iter().map(|one| (one.ips + one.prefixes.ips()).get()).sum::<u32>());
                let detail = format!("{} addresses for a node with {with_ip} pods", least.min().unwrap_or(0));
                Err(Because::new(Refusal::NoSubnetRoom, detail))
            }
        }
    }
}

/// What the subnets have left beyond what is on its way.
#[derive(Clone)]
struct Rooms<'a>(BTreeMap<&'a SubnetId, Units>);

impl<'a> Rooms<'a> {
    fn of(facts: &Facts<'a>) -> Rooms<'a> {
        Rooms(facts.ledger.subnets.iter().map(|(id, subnet)| (id, Units::left(subnet))).collect())
    }

    fn of_group(&self, group: &Group) -> u32 {
        group.subnets.iter().filter_map(|subnet| self.0.get(subnet)).map(|left| left.ips).sum()
    }

    /// Nodes at this cost, up to `most`.
    fn nodes(&self, cost: &[InFlight], most: u32) -> u32 {
        let feeds = |one: &InFlight| self.0.get(&one.subnet).map_or(0, |left| left.feeds(Units::from(one)));
        cost.iter().map(feeds).min().unwrap_or(0).min(most)
    }

    /// Takes a node's addresses, if they are there.
    fn take(&mut self, cost: &[InFlight]) -> bool {
        let fits = self.nodes(cost, 1) > 0;
        for one in cost.iter().filter(|_| fits) {
            if let Some(left) = self.0.get_mut(&one.subnet) {
                *left = left.less(Units::from(one));
            }
        }
        fits
    }
}
