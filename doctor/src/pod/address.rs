//! Bound, needs an address of the node's pool, and has none.

use std::fmt;

use headroom_capacity::budget::{Budget, NodeFacts, budget};
use headroom_capacity::units::Enis;
use headroom_capacity::verdict::{Reason, Verdict};

use super::sandbox::Said;
use super::{PATIENCE_MS, Place, of_reason, with_event};
use crate::bundle::{Bundle, Ipamd, Node, Pod};
use crate::cause::Cause;
use crate::node::too_high;
use crate::report::{Finding, Level, Report};
use crate::room;
use crate::view::View;

/// EC2's codes where a subnet has too few addresses, or no whole /28: what makes ipamd back off (CNI `pkg/ipamd/ipamd.go`,
/// `containsInsufficientCIDRsOrSubnetIPs`).
const NO_ADDRESSES: &str = "InsufficientFreeAddressesInSubnet";
const NO_BLOCKS: &str = "InsufficientCidrBlocks";
/// Codes where ipamd may not call.
const DENIED: [&str; 5] =
    ["UnauthorizedOperation", "AccessDenied", "AuthFailure", "ExpiredToken", "InvalidClientTokenId"];
/// Codes where the account calls too often.
const THROTTLED: [&str; 3] = ["RequestLimitExceeded", "Throttling", "ThrottlingException"];

/// What the node's state makes of it. Without a word of kubelet's only what lasts is given.
pub(super) fn look(bundle: &Bundle, pod: &Pod, node: &Node, said: &Said<'_>, report: &mut Report) {
    let waited_ms = bundle.collected_at_ms.saturating_sub(bound_at_ms(pod));
    let view = match View::of(bundle, node) {
        Ok(view) => view,
        Err(missing) => {
            let finding = without_books(bundle, node, waited_ms);
            report.findings.extend(finding.map(|finding| with_event(finding, said.event())));
            report.findings.extend(missing);
            return;
        }
    };
    let refused = matches!(said, Said::Refused(_));
    // kubelet tries every 10 to 15 s. What is unassigned now could not be handed out a moment ago.
    let cooling = if refused { view.unassigned() } else { view.pool.cooling };
    let before = view.pool.waiting.saturating_sub(1);
    let finding = match view.verdict(before, cooling, pod.demand.into()) {
        Verdict::Never(Reason::CoolingDown) if refused && !released(&view) => growing(&view),
        Verdict::Never(reason) => of_reason(bundle, &view, reason, Level::Fault, Place::Bound),
        Verdict::Unknown(reason) => of_reason(bundle, &view, reason, Level::Unknown, Place::Bound),
        Verdict::Soon(_) if refused && view.unassigned() > 0 && released(&view) => {
            of_reason(bundle, &view, Reason::CoolingDown, Level::Fault, Place::Bound)
        }
        Verdict::Soon(_) if refused => soon(&view, waited_ms, report),
        Verdict::Now(_) if refused => growing(&view),
        Verdict::Soon(_) | Verdict::Now(_) => return,
    };
    let cause = finding.cause;
    let finding = refusals(&view, finding);
    report.findings.push(with_event(finding, said.event()));
    if matches!(cause, Cause::InstanceLimit | Cause::EniLimit) {
        report.findings.extend(too_high(&view, Level::Warning));
    }
    if !matches!(cause, Cause::SubnetEmpty | Cause::SubnetFragmented) {
        report.fine.extend(
            view.subnets()
                .iter()
                .filter(|subnet| view.units(subnet) > 0)
                .map(|subnet| room::of_subnet(subnet, view.prefixes())),
        );
    }
    report.fine.push(format!("node {} is ready", node.name));
}

/// Whether what is free can have been released lately: kubelet has stopped pods, or nothing else was left to come.
fn released(view: &View<'_>) -> bool {
    let most = view.ipv4().map_or(0, |budget| budget.ceiling.get().min(view.node.max_pods));
    view.pool.cooling > 0 || view.node.released.is_some_and(|pods| pods > 0) || view.pool.attached >= most
}

/// When it was bound. kube-scheduler's event is gone after an hour, and then the difference does not matter any more.
fn bound_at_ms(pod: &Pod) -> u64 {
    pod.events.iter().find(|event| event.reason == "Scheduled").map_or(pod.created_at_ms, |event| event.last_at_ms)
}

/// The pool is to grow within seconds and has not. What ipamd counts may explain it; where nothing but the count says so it is a
/// warning, and the cause stays that the pool grows.
fn soon(view: &View<'_>, waited_ms: u64, report: &mut Report) -> Finding {
    let Some(ipamd) = view.node.ipamd.get() else { return growing(view) };
    let node = &view.node.name;
    let subnets: Vec<String> = view.subnets().iter().map(|subnet| room::of_subnet(subnet, view.prefixes())).collect();
    let waits = format!(
        "EC2 has refused ipamd on node {node} addresses, after which it waits 120 s; now {}",
        subnets.join("; ")
    );
    let known: [(Cause, &[&str], String); 3] = [
        (Cause::Ec2Denied, &DENIED, format!("EC2 has denied ipamd on node {node} calls")),
        (Cause::IpamdBackOff, &[NO_ADDRESSES, NO_BLOCKS], waits),
        (Cause::Ec2Throttled, &THROTTLED, format!("EC2 has throttled ipamd on node {node}")),
    ];
    let empty = view.subnets().iter().any(|subnet| view.units(subnet) == 0);
    for (cause, codes, says) in known {
        let Some(refused) = Refused::of(ipamd, codes) else { continue };
        let level = if empty && cause == Cause::IpamdBackOff { Level::Fault } else { refused.level(waited_ms) };
        let finding = Finding::new(cause, level, format!("{says}; {refused}")).about(format!("node {node}"));
        if level == Level::Fault {
            return finding;
        }
        report.findings.push(finding);
    }
    growing(view)
}

/// A code of EC2's that ipamd has met, and how often. It counts from its start, weeks ago perhaps, and does not tell when.
struct Refused<'a> {
    code: &'a str,
    times: u64,
}

impl<'a> Refused<'a> {
    /// The one of `codes` that was met most often.
    fn of(ipamd: &'a Ipamd, codes: &[&str]) -> Option<Refused<'a>> {
        let met = ipamd.errors.iter().filter(|(code, times)| codes.contains(&code.as_str()) && **times > 0);
        met.max_by_key(|(_, times)| **times).map(|(code, times)| Refused { code, times: *times })
    }

    /// How much it weighs for a pod that has waited so long. A pool that may grow does so within seconds, and where it is refused
    /// ipamd asks again: every few seconds, or after 120 s when it backs off. Who still waits then, with more than one refusal
    /// counted, waits for that.
    const fn level(&self, waited_ms: u64) -> Level {
        if waited_ms >= PATIENCE_MS && self.times > 1 { Level::Fault } else { Level::Warning }
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = if self.times == 1 { "time" } else { "times" };
        write!(f, "{} {} {times} since ipamd started", self.code, self.times)
    }
}

fn growing(view: &View<'_>) -> Finding {
    let node = &view.node.name;
    let says = format!("ipamd on node {node} is attaching more addresses: {} so far", view.pool.attached);
    Finding::new(Cause::PoolGrowing, Level::Fault, says).about(format!("node {node}"))
}

/// What ipamd itself counts of refusals.
fn refusals(view: &View<'_>, finding: Finding) -> Finding {
    let Some(ipamd) = view.node.ipamd.get() else { return finding };
    finding.seen(format!("ipamd, node {}", view.node.name), counts(ipamd))
}

fn counts(ipamd: &Ipamd) -> String {
    let errors: Vec<String> = ipamd.errors.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let errors = if errors.is_empty() { String::new() } else { format!("; errors of EC2: {}", errors.join(", ")) };
    format!(
        "{} of {} addresses assigned, {} pods refused since it started{errors}",
        ipamd.assigned, ipamd.total, ipamd.refused
    )
}

/// What ipamd's figures and the table tell where EC2 could not be read.
fn without_books(bundle: &Bundle, node: &Node, waited_ms: u64) -> Option<Finding> {
    let name = &node.name;
    let about = |cause, level, says| Finding::new(cause, level, says).about(format!("node {name}"));
    let ipamd = node.ipamd.get();
    let most = ceiling(bundle, node);
    let full = ipamd.is_none_or(|ipamd| ipamd.assigned >= ipamd.total);
    let finding = if most.is_some_and(|most| full && node.with_ip >= most) {
        let says =
            format!("{} pods of node {name} have an address, and it takes {}", node.with_ip, most.unwrap_or_default());
        about(Cause::InstanceLimit, Level::Fault, says)
    } else {
        let ipamd = ipamd.filter(|ipamd| ipamd.assigned >= ipamd.total)?;
        let known: [(Cause, &[&str], String); 3] = [
            (Cause::SubnetFragmented, &[NO_BLOCKS], format!("EC2 had no free /28 for node {name}")),
            (Cause::SubnetEmpty, &[NO_ADDRESSES], format!("EC2 had no free address for node {name}")),
            (Cause::Ec2Denied, &DENIED, format!("EC2 has denied ipamd on node {name} calls")),
        ];
        let found = known.into_iter().filter_map(|(cause, codes, says)| {
            let refused = Refused::of(ipamd, codes)?;
            let says = format!("{says}, and all its addresses are taken; {refused}");
            Some(about(cause, refused.level(waited_ms), says))
        });
        found.min_by_key(|finding| finding.level)?
    };
    Some(match ipamd {
        Some(ipamd) => finding.seen(format!("ipamd, node {name}"), counts(ipamd)),
        None => finding,
    })
}

/// What the node can hold at most if every ENI of it is ipamd's.
fn ceiling(bundle: &Bundle, node: &Node) -> Option<u32> {
    let (settings, _) = bundle.cni.get()?.settings();
    let limits = node.limits();
    let facts = NodeFacts {
        kind: node.kind.into(),
        limits: limits.as_ref(),
        settings: &settings,
        max_pods: node.max_pods,
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk_attached: false,
        windows_prefix_delegation: false,
    };
    match budget(&facts) {
        Budget::Ipv4(budget) => Some(budget.ceiling.get()),
        _ => None,
    }
}
