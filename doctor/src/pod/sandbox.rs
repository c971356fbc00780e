//! What kubelet says of a pod's sandbox and of the CNI.

use crate::bundle::{Bundle, Event, Node, Pod};
use crate::cause::Cause;
use crate::report::{Finding, Level};

/// What the plugin says when ipamd gave it no address, whatever the reason (CNI `cmd/routed-eni-cni-plugin/cni.go`, `add`).
const NO_ADDRESS: &str = "failed to assign an IP address to container";

/// What is said where ipamd or the plugin does not answer or is not there.
const CNI_DOWN: [&str; 8] = [
    // CNI `cmd/routed-eni-cni-plugin/cni.go`, `add`.
    "failed to connect to backend server",
    "Error received from AddNetwork gRPC call",
    // grpc-go, of ipamd's addresses before and since CNI v1.23.0.
    "127.0.0.1:50051",
    "ipamd.sock",
    // containerd `internal/cri/server`, and what kubelet makes of it.
    "cni plugin not initialized",
    "NetworkPluginNotReady",
    // containernetworking `pkg/invoke/find.go`.
    "failed to find plugin \"aws-cni\"",
    "failed to find plugin \"egress-cni\"",
];

/// How long ago the CNI may have been down to be so still, in milliseconds: kubelet tries again every second then, and where it
/// is a sandbox that fails every 15 s at the latest (k/k `pkg/kubelet/pod_workers.go`, `backOffPeriod`).
const LATELY_MS: u64 = 60_000;

/// What kubelet says only once there is a sandbox with its network.
const AFTER: [&str; 4] = ["Pulling", "Pulled", "Created", "Started"];

/// What kubelet's last event of the sandbox says.
pub(super) enum Said<'a> {
    /// There is none.
    Nothing,
    /// It is made.
    Made,
    /// The CNI had no address.
    Refused(&'a Event),
    /// The CNI does not answer.
    CniDown(&'a Event),
    /// Something else.
    Other(&'a Event),
}

impl<'a> Said<'a> {
    pub(super) const fn event(&self) -> Option<&'a Event> {
        match self {
            Said::Nothing | Said::Made => None,
            Said::Refused(event) | Said::CniDown(event) | Said::Other(event) => Some(event),
        }
    }
}

pub(super) fn said(pod: &Pod) -> Said<'_> {
    let of_sandbox = |event: &&Event| {
        let reason = event.reason.as_str();
        matches!(reason, "FailedCreatePodSandBox" | "NetworkNotReady") || AFTER.contains(&reason)
    };
    let Some(event) = pod.events.iter().filter(of_sandbox).max_by_key(|event| event.last_at_ms) else {
        return Said::Nothing;
    };
    if AFTER.contains(&event.reason.as_str()) {
        return Said::Made;
    }
    match event.message.as_str() {
        message if message.contains(NO_ADDRESS) => Said::Refused(event),
        message if names_cni(message) => Said::CniDown(event),
        _ => Said::Other(event),
    }
}

/// Whether a message says that the CNI is not there.
pub(super) fn names_cni(message: &str) -> bool {
    CNI_DOWN.iter().any(|text| message.contains(text))
}

/// The CNI is down on the node: its pod is not ready, or kubelet has said so of this pod a moment ago.
pub(super) fn cni_down(bundle: &Bundle, node: &Node, said: &Said<'_>) -> Option<Finding> {
    let event = match said {
        Said::CniDown(event) if bundle.collected_at_ms.saturating_sub(event.last_at_ms) <= LATELY_MS => Some(*event),
        _ => None,
    };
    let agent = node.agent.get().filter(|agent| !agent.ready);
    if event.is_none() && agent.is_none() {
        return None;
    }
    let says = match agent {
        Some(agent) if agent.pod.is_empty() => format!("no aws-node pod runs on node {}", node.name),
        Some(agent) => {
            let why = agent.reason.as_deref().unwrap_or("not ready");
            format!("{} on node {} does not run: {why}, {} restarts", agent.pod, node.name, agent.restarts)
        }
        None => format!("the CNI does not answer on node {}", node.name),
    };
    let finding = Finding::new(Cause::CniDown, Level::Fault, says).about(format!("node {}", node.name));
    let shown = event.or_else(|| said.event());
    Some(super::with_event(finding, shown).remedy(remedy(node)))
}

/// What to look at where the CNI is down.
pub(super) fn remedy(node: &Node) -> String {
    match node.agent.get().filter(|agent| !agent.pod.is_empty()) {
        Some(agent) => format!(
            "kubectl -n kube-system logs {0} --previous, and headroom-advisor doctor log on /var/log/aws-routed-eni/ipamd.log of \
             the node; kubectl -n kube-system describe pod {0}",
            agent.pod
        ),
        None => format!(
            "kubectl -n kube-system get pods -l k8s-app=aws-node --field-selector spec.nodeName={}; taints and a full node keep a \
             DaemonSet's pod away",
            node.name
        ),
    }
}
