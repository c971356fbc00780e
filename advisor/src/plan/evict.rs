//! Stuck pods: bound to a node that has no address for them.

use std::time::Duration;

use super::facts::Facts;
use super::journal::Deed;
use super::refusal::{Because, Refusal};
use super::shortage::is_stuck;
use super::{Eviction, ScalingPlan, What};
use crate::headroom::grants_without;

const MINUTE: Duration = Duration::from_secs(60);

/// Adds the pods that have waited longest, as many as the minute still has and as other nodes have addresses for.
pub(super) fn add(facts: &Facts<'_>, plan: &mut ScalingPlan) {
    let policy = &facts.policy.stuck_pods;
    if !policy.evict {
        return;
    }
    let grace = Duration::from_secs(policy.grace_secs);
    let movable = facts.cluster.pods.iter().filter(|(uid, pod)| !pod.over && !facts.unmovable.contains(*uid));
    let stuck = movable.filter(|(_, pod)| is_stuck(pod, grace, facts));
    let mut stuck: Vec<Eviction> = stuck
        .filter_map(|(uid, pod)| {
            let waiting = facts.now.since(pod.waiting_since?);
            Some(Eviction { uid: uid.clone(), name: pod.name.clone(), node: pod.node.clone()?, waiting })
        })
        .collect();
    if stuck.is_empty() {
        return;
    }
    if facts.books_are_stale() {
        plan.refuse(What::Evict, &"".into(), Refusal::StaleBooks);
        return;
    }
    stuck.sort_by(|a, b| b.waiting.cmp(&a.waiting).then_with(|| a.uid.cmp(&b.uid)));
    let mut left = policy.max_per_minute.saturating_sub(facts.journal.count(Deed::Evict, MINUTE, facts.now));
    let mut taken = 0;
    for pod in stuck {
        if left == 0 {
            let detail = format!("{} a minute", policy.max_per_minute);
            plan.refuse(What::Evict, &pod.name, Because::new(Refusal::HourlyBudget, detail));
            continue;
        }
        let grants = grants_without(facts.ledger, facts.cluster, &pod.node, facts.now);
        let placement = facts.cluster.pods.get(&pod.uid).map(|info| &info.scheduling.placement);
        let lets = |node: &str| {
            let info = facts.cluster.nodes.get(node);
            info.zip(placement).is_some_and(|(info, placement)| placement.allows(&info.node))
        };
        let elsewhere: u32 = grants.iter().filter(|(node, _)| lets(node)).map(|(_, ips)| *ips).sum();
        if elsewhere <= taken {
            plan.refuse(What::Evict, &pod.name, Refusal::NothingGained);
            continue;
        }
        left -= 1;
        taken += 1;
        plan.evictions.push(pod);
    }
}
