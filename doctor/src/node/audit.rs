//! max-pods against what the node has addresses for: images and their tables drift from instance types and settings.

use headroom_capacity::instance::LimitSource;

use crate::cause::Cause;
use crate::report::{Finding, Level, Report};
use crate::view::View;

/// Pods on the host's network that the formula allows for: aws-node and kube-proxy (header of CNI `misc/eni-max-pods.txt`).
const ON_HOST: u32 = 2;

/// What EKS caps max-pods at where it computes the value itself: managed node groups, and the calculator of the AL2 image
/// (amazon-eks-ami, `templates/al2/runtime/max-pods-calculator.sh`).
const fn cap(vcpus: u32) -> u32 {
    if vcpus > 30 { 250 } else { 110 }
}

/// What max-pods should be: with secondary addresses a pod for each of them and two on the host's network, with prefixes not more
/// than EKS's cap. `None` where the type's limits are not known.
pub(super) fn recommended(view: &View<'_>) -> Option<u32> {
    let budget = view.ipv4().filter(|budget| budget.source != LimitSource::Observed)?;
    let most = budget.ceiling.get().saturating_add(ON_HOST);
    Some(if view.prefixes() { most.min(cap(view.node.vcpus)) } else { most })
}

/// Whether kubelet admits what the node has no addresses for.
pub(crate) fn too_high(view: &View<'_>, level: Level) -> Option<Finding> {
    let (budget, wanted) = (view.ipv4()?, recommended(view)?);
    let node = view.node;
    let most = budget.ceiling.get().saturating_add(node.host_pods.max(ON_HOST));
    let excess = node.max_pods.checked_sub(most).filter(|excess| *excess > 0)?;
    let says = format!(
        "max-pods of node {} is {}: {excess} pods more than it has addresses for, and they would hang",
        node.name, node.max_pods
    );
    let finding = Finding::new(Cause::MaxPodsTooHigh, level, says).about(format!("node {}", node.name));
    let finding = finding.seen("limits", formula(view, wanted));
    Some(finding.remedy(remedy(view, wanted)))
}

/// Both ways.
pub(super) fn max_pods(view: &View<'_>, level: Level, report: &mut Report) {
    let node = view.node;
    let (Some(budget), Some(wanted)) = (view.ipv4(), recommended(view)) else { return };
    if node.max_pods == 0 {
        report.fine.push("kubelet has not said its max-pods yet".to_owned());
        return;
    }
    if let Some(finding) = too_high(view, level) {
        report.findings.push(finding);
        return;
    }
    // Managed node groups cap the value with secondary addresses too.
    let least = wanted.min(cap(node.vcpus));
    if node.max_pods < least {
        let unused = least - node.max_pods;
        let says = format!("max-pods is {}: {unused} pods fewer than the node has addresses for", node.max_pods);
        let finding = Finding::new(Cause::MaxPodsTooLow, Level::Warning, says).seen("limits", formula(view, wanted));
        report.findings.push(finding.remedy(remedy(view, wanted)));
        return;
    }
    report.fine.push(format!("max-pods {} is right for {} addresses", node.max_pods, budget.ceiling));
}

fn formula(view: &View<'_>, wanted: u32) -> String {
    let Some(budget) = view.ipv4() else { return String::new() };
    let (enis, slots, unit) = (budget.pod_enis, budget.slots_per_eni, budget.mode.ips_per_slot());
    let blocks = if unit > 1 { format!(" × {unit}") } else { String::new() };
    let capped = if wanted < budget.ceiling.get() + ON_HOST { format!(", capped at {wanted}") } else { String::new() };
    format!("{enis} ENIs × {slots}{blocks} + {ON_HOST} = {}{capped}", budget.ceiling.get() + ON_HOST)
}

fn remedy(view: &View<'_>, wanted: u32) -> String {
    let group = view.pool.group.as_deref().map_or_else(String::new, |group| format!(" of group {group}"));
    format!(
        "set max-pods to {wanted} (nodeadm: spec.kubelet.config.maxPods; bootstrap.sh: --use-max-pods false --kubelet-extra-args \
         '--max-pods={wanted}'), and replace the nodes{group}"
    )
}
