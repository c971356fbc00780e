//! How many pods each workload may still ask for.

use std::collections::HashMap;
use std::sync::Arc;

use headroom_cluster::{Autoscaler, Kind, Workload};

use super::Cause;
use super::ground::Placed;
use super::sources::{Source, Sources, is_foreign, kind_name};
use crate::state::Declarations;

/// Pods to come of one workload for one cause.
#[derive(Debug, PartialEq)]
pub(super) struct Wave<'a> {
    pub(super) cause: Cause,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) pods: u32,
    /// Where its pods are.
    pub(super) placed: &'a Placed,
}

/// Of all workloads, those with none left out.
pub(super) fn waves<'a>(declared: &'a Declarations, sources: &'a Sources<'a>) -> Vec<Wave<'a>> {
    let mut maxima: HashMap<(&str, &str), u32> = HashMap::new();
    // What is scaled to nothing is left alone (k/k `pkg/controller/podautoscaler/horizontal.go`, `reconcileAutoscaler`).
    let idle = |of: &Autoscaler| {
        let scales = |kind: Kind| kind_name(kind) == &*of.target_kind;
        let workload = [Kind::Deployment, Kind::StatefulSet].into_iter().find(|kind| scales(*kind));
        let workload = workload.and_then(|kind| declared.workloads.get(&(kind, Arc::clone(&of.target))));
        workload.is_some_and(|workload| workload.wanted == 0)
    };
    for autoscaler in declared.autoscalers.values().filter(|of| of.from_zero || !idle(of)) {
        let most = maxima.entry((&*autoscaler.target_kind, &*autoscaler.target)).or_default();
        *most = autoscaler.most.max(*most);
    }
    let mut waves = Vec::new();
    let mut add = |source: Option<&'a Source<'a>>, cause, pods| {
        if let Some(source) = source.filter(|_| pods > 0) {
            waves.push(Wave { cause, kind: source.kind, name: source.name, pods, placed: &source.placed });
        }
    };
    for ((kind, name), workload) in declared.workloads.iter().filter(|(_, workload)| !workload.host_network) {
        let source = sources.get(kind_name(*kind), name);
        let most = maxima.get(&(kind_name(*kind), &**name)).copied().unwrap_or(0);
        let (cause, scaled, surged) = of_workload(workload, most);
        add(source, cause, scaled);
        add(source, Cause::Rollout, surged);
    }
    for autoscaler in declared.autoscalers.values().filter(|of| is_foreign(&of.target_kind)) {
        let source = sources.get(&autoscaler.target_kind, &autoscaler.target);
        add(source, Cause::Autoscaler, autoscaler.most.saturating_sub(autoscaler.current));
    }
    for job in declared.cron_jobs.values() {
        let source = sources.get(kind_name(Kind::CronJob), &job.name);
        let running = source.map_or(0, |source| source.pods);
        // The run that is under way goes before the next one, or does not.
        add(source, Cause::CronJob, if job.overlaps { job.pods } else { job.pods.saturating_sub(running) });
    }
    for source in sources.iter() {
        add(Some(source), Cause::Pending, source.pending);
    }
    waves
}

/// Pods that it may ask for beyond those that are there: by scaling, and why; and by rolling. `most` is its autoscaler's maximum, 0 without
/// one.
fn of_workload(workload: &Workload, most: u32) -> (Cause, u32, u32) {
    let Workload { wanted, current, surge, rolls, .. } = workload;
    let scaled = most.max(*wanted);
    // No rollout makes more new pods than are wanted (k/k `pkg/controller/deployment/util`, `NewRSNewReplicas`).
    let surge = if *rolls { surge.of(scaled).min(scaled) } else { 0 };
    let to_come = scaled.saturating_add(surge).saturating_sub(*current);
    let surged = surge.min(to_come);
    let cause = if scaled > *wanted { Cause::Autoscaler } else { Cause::Replicas };
    (cause, to_come - surged, surged)
}

#[cfg(test)]
mod tests {
    use headroom_cluster::Surge;

    use super::*;

    fn workload(wanted: u32, current: u32) -> Workload {
        let surge = Surge::Percent(25);
        Workload { name: "shop/web".into(), host_network: false, wanted, current, surge, rolls: false, placement: None }
    }

    #[test]
    fn an_autoscaler_may_go_to_its_maximum() {
        assert_eq!(of_workload(&workload(10, 10), 50), (Cause::Autoscaler, 40, 0));
        assert_eq!(of_workload(&workload(10, 12), 10), (Cause::Replicas, 0, 0), "one that is there already");
    }

    #[test]
    fn pods_that_are_wanted_and_not_there_come_too() {
        assert_eq!(of_workload(&workload(10, 7), 0), (Cause::Replicas, 3, 0));
    }

    #[test]
    fn a_rollout_has_a_quarter_more_rounded_up() {
        let rolling = |wanted, current| Workload { rolls: true, ..workload(wanted, current) };
        assert_eq!(of_workload(&rolling(10, 10), 0), (Cause::Replicas, 0, 3));
        assert_eq!(of_workload(&rolling(10, 12), 0), (Cause::Replicas, 0, 1), "two of them are there");
        assert_eq!(of_workload(&rolling(10, 10), 50), (Cause::Autoscaler, 40, 13), "of what it may be scaled to");
        let many = Workload { surge: Surge::Pods(20), ..rolling(4, 4) };
        assert_eq!(of_workload(&many, 0), (Cause::Replicas, 0, 4), "never more new pods than are wanted");
    }
}
