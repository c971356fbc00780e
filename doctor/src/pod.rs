//! Why a pod is Pending or ContainerCreating.
//!
//! ```text
//! pod ─┬─ ended ─────────────────> fine, or kubelet's reason
//!      ├─ no node ──> scheduling ─> what kube-scheduler says, by the closed set of the extender's reasons
//!      ├─ address ───────────────> fine, or why its containers do not run
//!      └─ node, no address ──┬─> sandbox: what kubelet says of the CNI
//!                            └─> address: the model's verdict on the node
//! ```

mod address;
mod branch;
mod finding;
mod sandbox;
mod scheduling;
#[cfg(test)]
mod tests;

use headroom_capacity::budget::NodeKind;

use crate::bundle::{Bundle, Demand, Event, Kind, Node, Pod};
use crate::cause::Cause;
use crate::report::{Finding, Level, Report};
use crate::view::not_read;
pub(crate) use finding::{Place, of_reason};
use sandbox::Said;

/// kubelet answers for a pod that has just come within this time, in milliseconds.
const PATIENCE_MS: u64 = 120_000;
/// How old kubelet's last word of a volume may be to hold still, in milliseconds: it tries again after 122 s at the latest (k/k
/// `pkg/util/goroutinemap/exponentialbackoff`, `maxDurationBeforeRetry`), and a try takes its time.
const STALL_MS: u64 = 180_000;

/// What is wrong with one pod.
#[must_use]
pub fn diagnose(bundle: &Bundle, namespace: &str, name: &str) -> Report {
    let mut report = Report::new(format!("pod {namespace}/{name}"));
    let Some(pods) = bundle.pods.get() else {
        report.findings.extend(bundle.pods.why_not().map(|why| not_read("pods", why)));
        return report;
    };
    let Some(pod) = bundle.pod(namespace, name) else {
        let why = format!("it is not there; {} other pods were collected", pods.len());
        report.findings.push(not_read("the pod", &why).remedy("see to its namespace and name: kubectl get pods -A"));
        return report;
    };
    Doctor { bundle, pod }.look(&mut report);
    report.findings.sort_by_key(|finding| finding.level);
    report
}

/// A pod that is looked at.
struct Doctor<'a> {
    bundle: &'a Bundle,
    pod: &'a Pod,
}

impl Doctor<'_> {
    fn look(&self, report: &mut Report) {
        let pod = self.pod;
        if pod.over() {
            return self.ended(report);
        }
        if pod.deleting {
            report.fine.push("it is being deleted".to_owned());
        }
        let Some(name) = &pod.node else { return scheduling::look(self.bundle, pod, report) };
        if pod.demand == Demand::HostNetwork {
            report.fine.push(format!("it is on the network of node {name} and needs no address"));
            return self.containers(report);
        }
        if let Some(ip) = pod.ips.first() {
            report.fine.push(format!("it has the address {ip} on node {name}"));
            return self.containers(report);
        }
        // The condition came with Kubernetes 1.29.
        let made = pod.sandbox == Some(true) || (pod.sandbox.is_none() && matches!(sandbox::said(pod), Said::Made));
        // A container has started, and none does without a sandbox.
        if made || pod.phase == "Running" {
            report.fine.push(format!("its sandbox on node {name} has a network"));
            return self.containers(report);
        }
        let Some(nodes) = self.bundle.nodes.get() else {
            report.findings.extend(self.bundle.nodes.why_not().map(|why| not_read("nodes", why)));
            return;
        };
        match nodes.iter().find(|node| node.name == *name) {
            Some(node) => self.without_address(node, report),
            None => {
                let gone =
                    Finding::new(Cause::NodeNotReady, Level::Fault, format!("its node {name} is not there any more"));
                report.findings.push(
                    gone.about(format!("node {name}")).remedy("delete the pod, so that it is made anew elsewhere"),
                );
            }
        }
    }

    /// kubelet, or whoever evicted it, has written why.
    fn ended(&self, report: &mut Report) {
        let pod = self.pod;
        match pod.reason.as_deref() {
            Some("OutOfpods") => {
                let node = pod.node.as_deref().unwrap_or_default();
                let most =
                    self.bundle.node(node).map_or_else(String::new, |node| format!(", which are {}", node.max_pods));
                let says = format!("kubelet refused it: node {node} has as many pods as max-pods admits{most}");
                report
                    .findings
                    .push(Finding::new(Cause::MaxPods, Level::Fault, says).seen("status.reason", "OutOfpods"));
            }
            Some(reason) if pod.phase == "Failed" => report.findings.push(other(format!("it has failed: {reason}"))),
            _ if pod.phase == "Failed" => report.findings.push(other("it has failed".to_owned())),
            _ => report.fine.push("it has succeeded".to_owned()),
        }
    }

    /// It has what it needs of the network.
    fn containers(&self, report: &mut Report) {
        let pod = self.pod;
        let waiting: Vec<&str> = pod
            .waiting
            .iter()
            .map(String::as_str)
            .filter(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing"))
            .collect();
        if !waiting.is_empty() {
            report.findings.push(other(format!("its containers wait: {}", waiting.join(", "))));
            return;
        }
        let stalled = stalled(pod, self.bundle.collected_at_ms);
        match (pod.phase.as_str(), pod.ready) {
            (_, true) => report.fine.push("it is ready".to_owned()),
            ("Running", false) => report.fine.push("it runs, and is not ready".to_owned()),
            _ if stalled.is_empty() => report.fine.push("its containers are being created".to_owned()),
            _ => report.findings.push(other(format!("its containers do not start: {}", stalled.join(", ")))),
        }
    }

    /// Bound, and without an address.
    fn without_address(&self, node: &Node, report: &mut Report) {
        let pod = self.pod;
        let said = sandbox::said(pod);
        match node.kind {
            Kind::Linux | Kind::Windows => {}
            Kind::Fargate | Kind::Auto | Kind::Hybrid => {
                let kind = NodeKind::from(node.kind);
                let finding = other(format!("node {} is of {kind}: the VPC CNI gives it no address", node.name));
                report.findings.push(with_event(finding, said.event()));
                return;
            }
        }
        if !node.ready {
            let why = node.not_ready.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            let says = format!("node {} is not ready{why}", node.name);
            // Until the CNI is installed kubelet says so, and then the CNI is the cause.
            let (cause, remedy) = match node.not_ready.as_deref().is_some_and(sandbox::names_cni) {
                true => (Cause::CniDown, sandbox::remedy(node)),
                false => (Cause::NodeNotReady, Cause::NodeNotReady.remedy().to_owned()),
            };
            let finding = Finding::new(cause, Level::Fault, says).about(format!("node {}", node.name)).remedy(remedy);
            report.findings.push(with_event(finding, said.event()));
            return;
        }
        if let Some(finding) = sandbox::cni_down(self.bundle, node, &said) {
            report.findings.push(finding);
            return;
        }
        match said {
            Said::Other(event) => {
                let finding = other(format!(
                    "its sandbox cannot be made, for another reason than its address: {}",
                    event.message
                ));
                report.findings.push(with_event(finding, Some(event)));
            }
            Said::Refused(_) if pod.demand == Demand::BranchEni => branch::look(self.bundle, pod, node, &said, report),
            Said::Refused(_) => address::look(self.bundle, pod, node, &said, report),
            Said::Nothing | Said::Made | Said::CniDown(_) => self.silent(node, report),
        }
    }

    /// kubelet has said nothing of its sandbox, or nothing lately.
    fn silent(&self, node: &Node, report: &mut Report) {
        let pod = self.pod;
        let stalled = stalled(pod, self.bundle.collected_at_ms);
        if !stalled.is_empty() {
            report.findings.push(other(format!("kubelet does not get as far as its sandbox: {}", stalled.join(", "))));
            return;
        }
        let age_ms = self.bundle.collected_at_ms.saturating_sub(pod.created_at_ms);
        if age_ms < PATIENCE_MS {
            report.fine.push(format!("it was made {} s ago, and kubelet has not complained", age_ms / 1000));
            return;
        }
        // Events are kept for an hour, and kubelet repeats itself: nothing is left to go by but the node.
        if pod.demand == Demand::BranchEni {
            branch::look(self.bundle, pod, node, &Said::Nothing, report);
        } else {
            address::look(self.bundle, pod, node, &Said::Nothing, report);
        }
        if report.findings.is_empty() {
            let minutes = age_ms / 60_000;
            let says = format!("it has had no address for {minutes} min, and no event says why");
            let finding = Finding::new(Cause::NotRead, Level::Unknown, says).about("events");
            report.findings.push(
                finding.remedy(format!("read kubelet's log on node {}, with headroom-advisor doctor log", node.name)),
            );
        }
    }
}

/// What keeps kubelet before the sandbox, by the reasons of its recent events.
fn stalled(pod: &Pod, now_ms: u64) -> Vec<&str> {
    const STALLS: [&str; 4] = ["FailedMount", "FailedAttachVolume", "FailedMapVolume", "Failed"];
    let recent = pod.events.iter().filter(|event| now_ms.saturating_sub(event.last_at_ms) <= STALL_MS);
    let mut reasons: Vec<&str> =
        recent.map(|event| event.reason.as_str()).filter(|reason| STALLS.contains(reason)).collect();
    reasons.dedup();
    reasons
}

/// Something is wrong, and it is not an address.
pub(crate) fn other(says: String) -> Finding {
    Finding::new(Cause::OtherTrouble, Level::Fault, format!("not an address problem: {says}"))
}

/// The same with what kubelet or kube-scheduler said.
pub(crate) fn with_event(finding: Finding, event: Option<&Event>) -> Finding {
    match event {
        Some(event) => {
            let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
            finding.seen(format!("event {}{times}", event.reason), event.message.clone())
        }
        None => finding,
    }
}
