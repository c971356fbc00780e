//! What a node can give, and whether it is set up to.

mod audit;
mod figures;
mod more;
#[cfg(test)]
mod tests;

use headroom_capacity::budget::Budget;
use headroom_capacity::verdict::{Demand, Verdict};
use serde::Serialize;

use crate::bundle::{Bundle, Kind, Node};
use crate::cause::Cause;
use crate::pod::{Place, of_reason};
use crate::report::{Finding, Level, Report};
use crate::room;
use crate::view::{View, not_read};
pub(crate) use audit::too_high;
pub use figures::Figures;
pub use more::More;

/// A report with the node's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeReport {
    /// What is wrong.
    #[serde(flatten)]
    pub report: Report,
    /// What it has and can have; `None` where that was not read, or the VPC CNI gives the node nothing.
    pub figures: Option<Figures>,
    /// What more pods need, where it was asked for.
    pub more: Option<More>,
}

/// One node, and what `more` pods would need there.
#[must_use]
pub fn diagnose(bundle: &Bundle, name: &str, more: Option<u32>) -> NodeReport {
    let mut answer = NodeReport { report: Report::new(format!("node {name}")), figures: None, more: None };
    let report = &mut answer.report;
    let Some(nodes) = bundle.nodes.get() else {
        report.findings.extend(bundle.nodes.why_not().map(|why| not_read("nodes", why)));
        return answer;
    };
    let Some(node) = bundle.node(name) else {
        let names: Vec<&str> = nodes.iter().take(3).map(|node| node.name.as_str()).collect();
        let why = format!("it is not there; {} others are, such as {}", nodes.len(), names.join(", "));
        report.findings.push(not_read("the node", &why).remedy("see to its name: kubectl get nodes"));
        return answer;
    };
    condition(node, report);
    if matches!(node.kind, Kind::Fargate | Kind::Auto | Kind::Hybrid) {
        let kind = headroom_capacity::budget::NodeKind::from(node.kind);
        report.fine.push(format!("it is of {kind}: the VPC CNI gives its pods no address"));
        return answer;
    }
    settings(bundle, report);
    match View::of(bundle, node) {
        Ok(view) => {
            look(bundle, &view, report);
            answer.figures = Figures::of(&view);
            answer.more = more.and_then(|pods| More::of(&view, pods));
        }
        Err(missing) => report.findings.extend(missing),
    }
    answer.report.findings.sort_by_key(|finding| finding.level);
    answer
}

/// Whether it is ready, and its aws-node.
fn condition(node: &Node, report: &mut Report) {
    let agent = node.agent.get().filter(|agent| !agent.ready && matches!(node.kind, Kind::Linux));
    if let Some(agent) = agent {
        let says = match agent.pod.as_str() {
            "" => "no aws-node pod runs on it".to_owned(),
            pod => {
                let why = agent.reason.as_deref().unwrap_or("not ready");
                format!("{pod} does not run: {why}, {} restarts", agent.restarts)
            }
        };
        report.findings.push(Finding::new(Cause::CniDown, Level::Fault, says));
    }
    match (node.ready, node.not_ready.as_deref()) {
        (true, _) => report.fine.push("it is ready".to_owned()),
        (false, why) => {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            report.findings.push(Finding::new(Cause::NodeNotReady, Level::Fault, format!("it is not ready{why}")));
        }
    }
    if node.cordoned {
        report.fine.push("it is cordoned".to_owned());
    }
}

/// Values of aws-node that ipamd does not take at their word.
fn settings(bundle: &Bundle, report: &mut Report) {
    for problem in bundle.cni.get().map(|cni| cni.settings().1).unwrap_or_default() {
        let says = format!("{}={}: {}", problem.variable, problem.value, problem.effect);
        report.findings.push(Finding::new(Cause::SettingNotTaken, Level::Warning, says).about("aws-node"));
    }
}

fn look(bundle: &Bundle, view: &View<'_>, report: &mut Report) {
    let (node, pool) = (view.node, view.pool);
    let verdict = view.verdict(pool.waiting, pool.cooling, Demand::PodIp);
    let level = if pool.waiting > 0 { Level::Fault } else { Level::Warning };
    match verdict {
        Verdict::Now(ips) | Verdict::Soon(ips) => match view.budget {
            Budget::Ipv4(_) | Budget::Windows { .. } => report.fine.push(format!("{ips} more pods can get an address")),
            _ => report.fine.push("its pods take IPv6 addresses: only max-pods ends them".to_owned()),
        },
        // With as many pods as it is meant for a node is full, and nothing is wrong.
        Verdict::Never(_) if node.max_pods <= node.pods && pool.waiting == 0 => {
            report.fine.push(format!("it is full: {} pods of max-pods {}", node.pods, node.max_pods));
        }
        Verdict::Never(reason) => report.findings.push(of_reason(bundle, view, reason, level, Place::Bound)),
        Verdict::Unknown(reason) => report.findings.push(of_reason(bundle, view, reason, Level::Unknown, Place::Bound)),
    }
    audit::max_pods(view, level, report);
    for subnet in view.subnets() {
        let leaked: u32 = subnet.leaks.iter().map(|leak| leak.ips).sum();
        if leaked > 0 {
            let names: Vec<&str> = subnet.leaks.iter().map(|leak| leak.eni.as_str()).collect();
            let says = format!("{} ENIs that nothing uses hold {leaked} addresses of {}", names.len(), subnet.label());
            let finding = Finding::new(Cause::LeakedEnis, Level::Warning, says).about(subnet.id.clone());
            report.findings.push(finding.seen(format!("EC2, {}", subnet.id), names.join(", ")));
        }
        if view.units(subnet) > 0 {
            report.fine.push(room::of_subnet(subnet, view.prefixes()));
        }
    }
}

impl std::fmt::Display for NodeReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.report)?;
        if let Some(figures) = &self.figures {
            write!(f, "{figures}")?;
        }
        if let Some(more) = &self.more {
            write!(f, "{more}")?;
        }
        Ok(())
    }
}
