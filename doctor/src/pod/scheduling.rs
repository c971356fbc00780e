//! No node was found for it: what kube-scheduler says, node by node.

use std::collections::BTreeMap;

use headroom_capacity::verdict::{Demand, Reason, Verdict};

use super::{Place, of_reason, other};
use crate::bundle::{Bundle, Kind, Pod};
use crate::cause::Cause;
use crate::reason;
use crate::report::{Finding, Level, Report};
use crate::view::{View, not_read};

/// How long kube-scheduler may take to look at a pod, in milliseconds.
const PATIENCE_MS: u64 = 60_000;
/// What kube-scheduler itself says of limits that are about addresses (k/k `pkg/scheduler/framework/plugins/noderesources/fit.go`).
const TOO_MANY_PODS: &str = "Too many pods";
const NO_POD_ENI: &str = "Insufficient vpc.amazonaws.com/pod-eni";
const NO_WINDOWS_IP: &str = "Insufficient vpc.amazonaws.com/PrivateIPv4Address";

pub(super) fn look(bundle: &Bundle, pod: &Pod, report: &mut Report) {
    if !pod.gates.is_empty() {
        let says =
            format!("no scheduler looks at it before its scheduling gates are taken away: {}", pod.gates.join(", "));
        report.findings.push(other(says));
        return;
    }
    // The condition keeps the last attempt; the event may be of an earlier one, and stays where the condition is not written.
    let condition = pod.scheduled.as_ref().filter(|condition| !condition.holds && !condition.message.is_empty());
    let told =
        || pod.events.iter().find(|event| event.reason == "FailedScheduling").map(|event| event.message.as_str());
    let Some(message) = condition.map(|condition| condition.message.as_str()).or_else(told) else {
        let age_ms = bundle.collected_at_ms.saturating_sub(pod.created_at_ms);
        if age_ms < PATIENCE_MS {
            report.fine.push(format!("it was made {} s ago, and kube-scheduler has not complained", age_ms / 1000));
        } else {
            let says = "no scheduler has looked at it: is kube-scheduler running, and the one of spec.schedulerName?";
            report.findings.push(other(says.to_owned()));
        }
        return;
    };
    let Refusals { reasons, rest } = Refusals::of(message);
    let mut found: Vec<(u32, Finding)> = Vec::new();
    for (reason, nodes) in &reasons {
        found.extend(of_address(bundle, *reason, *nodes).into_iter().map(|finding| (*nodes, finding)));
    }
    for (text, nodes) in &rest {
        let cause = match text.as_str() {
            TOO_MANY_PODS => Cause::MaxPods,
            NO_POD_ENI => Cause::BranchEniLimit,
            NO_WINDOWS_IP => Cause::WindowsIpLimit,
            _ => continue,
        };
        found.push((*nodes, Finding::new(cause, Level::Fault, format!("{nodes} nodes: {}", meaning(cause)))));
    }
    // The cause of most nodes first.
    found.sort_by_key(|(nodes, _)| std::cmp::Reverse(*nodes));
    let mut findings: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
    let others = rest.iter().filter(|(text, _)| ![TOO_MANY_PODS, NO_POD_ENI, NO_WINDOWS_IP].contains(&text.as_str()));
    let others: Vec<String> = others.map(|(text, nodes)| format!("{nodes} {text}")).collect();
    if findings.is_empty() {
        findings.push(other(format!("kube-scheduler finds no node: {message}")));
    } else if !others.is_empty() {
        let says = format!("other nodes are refused for other reasons: {}", others.join(", "));
        findings.push(Finding::new(Cause::OtherTrouble, Level::Warning, says));
    }
    for finding in findings {
        report.findings.push(finding.seen("kube-scheduler", message));
    }
    if !reasons.is_empty() {
        report.findings.extend(unread(bundle));
    }
}

/// What the figures of the nodes would have come from. One node that EC2 does not show says nothing of the others.
fn unread(bundle: &Bundle) -> Vec<Finding> {
    let nodes = bundle.nodes.get().map(Vec::as_slice).unwrap_or_default();
    let pools = || nodes.iter().filter(|node| node.kind == Kind::Linux).map(|node| node.pool.why_not());
    let missing = [
        ("nodes", bundle.nodes.why_not()),
        ("aws-node's settings", bundle.cni.why_not()),
        ("subnets", bundle.subnets.why_not()),
        ("the nodes' ENIs", pools().flatten().next().filter(|_| pools().all(|why| why.is_some()))),
    ];
    missing.into_iter().filter_map(|(what, why)| Some(not_read(what, why?))).collect()
}

/// What the extender's reason comes to, with the figures of the nodes that it holds for.
fn of_address(bundle: &Bundle, reason: Reason, nodes: u32) -> Vec<Finding> {
    let views: Vec<View<'_>> = bundle
        .nodes
        .get()
        .into_iter()
        .flatten()
        .filter(|node| node.ready)
        .filter_map(|node| View::of(bundle, node).ok())
        .filter(|view| view.ipv4().is_some())
        .collect();
    let mut by_reason: BTreeMap<Reason, Vec<&View<'_>>> = BTreeMap::new();
    for view in &views {
        let found = view.verdict(view.pool.waiting, view.pool.cooling, Demand::PodIp);
        if let Verdict::Never(reason) | Verdict::Unknown(reason) = found {
            by_reason.entry(reason).or_default().push(view);
        }
    }
    let Some(cause) = reason::cause(reason) else {
        // It says only that there are several, or that a pod of the node hangs: the nodes themselves tell.
        let several = by_reason.iter().filter(|(reason, _)| reason::cause(**reason).is_some());
        let found: Vec<Finding> =
            several.map(|(reason, of)| of_reason(bundle, of[0], *reason, Level::Fault, Place::Waiting)).collect();
        return if found.is_empty() { vec![unsure(reason, nodes)] } else { found };
    };
    if cause == Cause::ExtenderUnsure {
        return vec![unsure(reason, nodes)];
    }
    let mut finding = match by_reason.get(&reason).and_then(|of| of.first()) {
        Some(view) => of_reason(bundle, view, reason, Level::Fault, Place::Waiting),
        None => Finding::new(cause, Level::Fault, meaning(cause)),
    };
    finding.says = format!("on {nodes} {}: {}", if nodes == 1 { "node" } else { "nodes" }, finding.says);
    vec![finding]
}

fn unsure(reason: Reason, nodes: u32) -> Finding {
    let says = format!("Headroom kept it from {nodes} nodes: {}", reason.as_str());
    Finding::new(Cause::ExtenderUnsure, Level::Fault, says)
}

fn meaning(cause: Cause) -> String {
    let mut chars = cause.meaning().chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// `0/5 nodes are available: 2 no pod IP left: ..., 3 Insufficient cpu. preemption: ...`, taken apart (k/k
/// `pkg/scheduler/framework/types.go`, `FitError.Error`): so many nodes for each of the extender's reasons, and for each other text.
/// What PostFilter plugins say follows the full stop: preemption, and since 1.34 DynamicResources before it.
#[derive(Debug, PartialEq, Eq)]
struct Refusals {
    reasons: Vec<(Reason, u32)>,
    rest: Vec<(String, u32)>,
}

impl Refusals {
    fn of(message: &str) -> Refusals {
        let text = message.split_once("nodes are available: ").map_or("", |(_, text)| text);
        let mut text =
            text.split(" preemption: ").next().unwrap_or_default().trim_end().trim_end_matches('.').to_owned();
        let mut reasons = Vec::new();
        // First the extender's: one of them has a comma in it.
        for reason in Reason::ALL {
            let Some((before, after)) = text.split_once(reason.as_str()) else { continue };
            let (before, count) = last_word(before);
            let Ok(count) = count.parse() else { continue };
            reasons.push((reason, count));
            text = format!("{before} {after}");
        }
        let parts = text.split(", ").map(|part| part.trim_matches([' ', ','])).filter_map(|part| part.split_once(' '));
        // Cut at the full stop only here: a foreign reason may have one in it, and the extender's may stand behind that.
        let told = |text: &str| text.split(". ").next().unwrap_or_default().to_owned();
        let rest = parts.filter_map(|(count, text)| Some((told(text), count.parse().ok()?))).collect();
        Refusals { reasons, rest }
    }
}

/// `"3 Insufficient cpu, 2 "` -> `("3 Insufficient cpu, ", "2")`.
fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim_end();
    text.rsplit_once(' ').map_or(("", text), |(before, word)| (before, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_apart_by_the_reasons_of_the_extender() {
        let all = Reason::ALL.into_iter();
        for (first, second) in all.clone().flat_map(|first| all.clone().map(move |second| (first, second))) {
            let message = format!(
                "0/9 nodes are available: 1 {}, 2 node(s) had untolerated taint {{a: b}}, 3 {}, 3 Insufficient cpu. preemption: 0/9 \
                 nodes are available: 9 No preemption victims found for incoming pod.",
                first.as_str(),
                second.as_str(),
            );
            if first == second {
                continue;
            }
            let mut refusals = Refusals::of(&message);
            refusals.reasons.sort_by_key(|(_, count)| *count);
            assert_eq!(refusals.reasons, [(first, 1), (second, 3)]);
            let rest = [("node(s) had untolerated taint {a: b}".to_owned(), 2), ("Insufficient cpu".to_owned(), 3)];
            assert_eq!(refusals.rest, rest, "{message}");
        }
    }

    /// What follows the reasons: by no plugin, by preemption, and by DynamicResources before it (1.34).
    const ENDS: [&str; 4] = [
        ".",
        ". preemption: 0/9 nodes are available: 9 No preemption victims found for incoming pod.",
        ". no new claims to deallocate, preemption: 0/9 nodes are available: 9 No preemption victims found for incoming pod.",
        ". no new claims to deallocate",
    ];

    #[test]
    fn the_last_reason_ends_where_another_plugin_speaks() {
        for end in ENDS {
            for last in [TOO_MANY_PODS, NO_POD_ENI, NO_WINDOWS_IP, "Insufficient cpu"] {
                let message = format!("0/9 nodes are available: 1 {}, 3 {last}{end}", Reason::CoolingDown);
                let expected = Refusals { reasons: vec![(Reason::CoolingDown, 1)], rest: vec![(last.to_owned(), 3)] };
                assert_eq!(Refusals::of(&message), expected, "{message}");
            }
            for last in Reason::ALL {
                let message = format!("0/9 nodes are available: 1 {TOO_MANY_PODS}, 3 {last}{end}");
                let expected = Refusals { reasons: vec![(last, 3)], rest: vec![(TOO_MANY_PODS.to_owned(), 1)] };
                assert_eq!(Refusals::of(&message), expected, "{message}");
            }
        }
    }

    #[test]
    fn a_full_stop_in_a_foreign_reason_hides_none_behind_it() {
        let message = format!("0/5 nodes are available: 1 bad disk. See it, 4 {}. preemption: x", Reason::MaxPods);
        let expected = Refusals { reasons: vec![(Reason::MaxPods, 4)], rest: vec![("bad disk".to_owned(), 1)] };
        assert_eq!(Refusals::of(&message), expected);
    }

    #[test]
    fn a_message_of_another_form_gives_nothing() {
        for message in ["", "running PreFilter plugin: persistentvolumeclaim \"x\" not found", "nodes are available: x"]
        {
            assert_eq!(Refusals::of(message), Refusals { reasons: Vec::new(), rest: Vec::new() });
        }
    }
}
