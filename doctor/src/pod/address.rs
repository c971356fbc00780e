//! Bound, needs an address of the node's pool, and has none.

use headroom_capacity::budget::{Budget, NodeFacts, budget};
use headroom_capacity::units::Enis;
use headroom_capacity::verdict::{Reason, Verdict};

use super::sandbox::Said;
use super::{of_reason, with_event};
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
    let view = match View::of(bundle, node) {
        Ok(view) => view,
        Err(missing) => {
            report.findings.extend(without_books(bundle, node).map(|finding| with_event(finding, said.event())));
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
        Verdict::Never(reason) => of_reason(bundle, &view, reason, Level::Fault),
        Verdict::Unknown(reason) => of_reason(bundle, &view, reason, Level::Unknown),
        Verdict::Soon(_) if refused && view.unassigned() > 0 && released(&view) => {
            of_reason(bundle, &view, Reason::CoolingDown, Level::Fault)
        }
        Verdict::Soon(_) if refused => soon(&view),
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

/// The pool is to grow within seconds and has not.
fn soon(view: &View<'_>) -> Finding {
    let node = &view.node.name;
    let about = |cause, says| Finding::new(cause, Level::Fault, says).about(format!("node {node}"));
    let Some(ipamd) = view.node.ipamd.get() else { return growing(view) };
    if let Some(code) = first(ipamd, &DENIED) {
        return about(Cause::Ec2Denied, format!("EC2 refuses ipamd on node {node}: {code}"));
    }
    if first(ipamd, &[NO_ADDRESSES, NO_BLOCKS]).is_some() {
        let free: Vec<String> = view.subnets().iter().map(|subnet| room::of_subnet(subnet, view.prefixes())).collect();
        let says = format!(
            "EC2 refused ipamd on node {node} addresses, and it asks again after 120 s; now {}",
            free.join("; ")
        );
        return about(Cause::IpamdBackOff, says);
    }
    if let Some(code) = first(ipamd, &THROTTLED) {
        return about(Cause::Ec2Throttled, format!("EC2 throttles ipamd on node {node}: {code}"));
    }
    growing(view)
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

fn first<'a>(ipamd: &'a Ipamd, codes: &[&str]) -> Option<&'a str> {
    ipamd.errors.keys().map(String::as_str).find(|code| codes.contains(code))
}

/// What ipamd's figures and the table tell where EC2 could not be read.
fn without_books(bundle: &Bundle, node: &Node) -> Option<Finding> {
    let name = &node.name;
    let about = |cause, says| Finding::new(cause, Level::Fault, says).about(format!("node {name}"));
    let ipamd = node.ipamd.get();
    let most = ceiling(bundle, node);
    let full = ipamd.is_none_or(|ipamd| ipamd.assigned >= ipamd.total);
    let finding = if most.is_some_and(|most| full && node.with_ip >= most) {
        let says =
            format!("{} pods of node {name} have an address, and it takes {}", node.with_ip, most.unwrap_or_default());
        about(Cause::InstanceLimit, says)
    } else {
        let ipamd = ipamd.filter(|ipamd| ipamd.assigned >= ipamd.total)?;
        if first(ipamd, &[NO_BLOCKS]).is_some() {
            about(
                Cause::SubnetFragmented,
                format!("EC2 had no free /28 for node {name}, and all its addresses are taken"),
            )
        } else if first(ipamd, &[NO_ADDRESSES]).is_some() {
            about(
                Cause::SubnetEmpty,
                format!("EC2 had no free address for node {name}, and all its addresses are taken"),
            )
        } else if let Some(code) = first(ipamd, &DENIED) {
            about(Cause::Ec2Denied, format!("EC2 refuses ipamd on node {name}: {code}"))
        } else {
            return None;
        }
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
