//! The in-tree part of a scheduling decision: which nodes fit by resources, and which of them is least loaded.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// What a pod asks for, or a node has: CPU in thousandths of a core, memory in bytes, and pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resources {
    pub(super) cpu_milli: u64,
    pub(super) memory_bytes: u64,
    pub(super) pods: u64,
}

impl Resources {
    fn plus(self, other: Resources) -> Resources {
        Resources {
            cpu_milli: self.cpu_milli + other.cpu_milli,
            memory_bytes: self.memory_bytes + other.memory_bytes,
            pods: self.pods + other.pods,
        }
    }

    /// The requests of a pod's containers: kube-scheduler's `PodRequests` without init containers and overhead, which the
    /// lab's workloads do not have.
    pub(super) fn of_pod(pod: &Pod) -> Resources {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let requests = containers.filter_map(|container| container.resources.as_ref()?.requests.as_ref());
        requests.map(Resources::of_list).fold(Resources { pods: 1, ..Resources::default() }, Resources::plus)
    }

    fn of_list(list: &BTreeMap<String, Quantity>) -> Resources {
        let amount = |name: &str| list.get(name).and_then(|quantity| thousandths(&quantity.0)).unwrap_or(0);
        Resources { cpu_milli: amount("cpu"), memory_bytes: amount("memory") / 1000, pods: amount("pods") / 1000 }
    }
}

/// A Kubernetes quantity in thousandths: `"250m"` is 250, `"2"` is 2000, `"1Ki"` is 1024000. `None` for other notations.
fn thousandths(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let factor = match text.strip_prefix(digits)? {
        "m" => 1,
        "" => 1000,
        "k" => 1000 * 1000,
        "M" => 1000 * 1000_u64.pow(2),
        "G" => 1000 * 1000_u64.pow(3),
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A node and the pods that are on it or assumed to be.
#[derive(Debug, Default)]
pub(super) struct NodeInfo {
    allocatable: Resources,
    unschedulable: bool,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    pods: HashMap<String, Resources>,
}

impl NodeInfo {
    /// Takes over what the node object says; pods stay. Tells whether anything changed that matters for scheduling
    /// (`framework/events.go`, `NodeSchedulingPropertiesChange`): heartbeats do not.
    pub(super) fn update(&mut self, node: &Node) -> bool {
        let spec = node.spec.as_ref();
        let unschedulable = spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
        let taints = spec.and_then(|spec| spec.taints.clone()).unwrap_or_default();
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        let allocatable = allocatable.map(Resources::of_list).unwrap_or_default();
        let labels = node.metadata.labels.clone().unwrap_or_default();
        let now = (unschedulable, labels, taints, allocatable);
        let before = (
            std::mem::replace(&mut self.unschedulable, now.0),
            std::mem::replace(&mut self.labels, now.1.clone()),
            std::mem::replace(&mut self.taints, now.2.clone()),
            std::mem::replace(&mut self.allocatable, now.3),
        );
        before != now
    }

    pub(super) fn add(&mut self, uid: String, request: Resources) {
        self.pods.insert(uid, request);
    }

    pub(super) fn remove(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    fn used(&self) -> Resources {
        self.pods.values().copied().fold(Resources::default(), Resources::plus)
    }

    /// Why the node is filtered out, in kube-scheduler's words (`plugins/noderesources/fit.go`,
    /// `plugins/nodeunschedulable`, `plugins/nodeaffinity`, `plugins/tainttoleration`).
    pub(super) fn reject(&self, pod: &Pod, request: Resources) -> Option<String> {
        if self.unschedulable {
            return Some("node(s) were unschedulable".to_owned());
        }
        let selector = pod.spec.iter().flat_map(|spec| spec.node_selector.iter().flatten());
        if selector.into_iter().any(|(key, value)| self.labels.get(key) != Some(value)) {
            return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
        }
        if let Some(taint) = self.taints.iter().find(|taint| blocks(taint) && !tolerated(pod, taint)) {
            let value = taint.value.as_deref().unwrap_or_default();
            return Some(format!("node(s) had untolerated taint {{{}: {value}}}", taint.key));
        }
        let wanted = self.used().plus(request);
        if wanted.pods > self.allocatable.pods {
            Some("Too many pods".to_owned())
        } else if wanted.cpu_milli > self.allocatable.cpu_milli {
            Some("Insufficient cpu".to_owned())
        } else if wanted.memory_bytes > self.allocatable.memory_bytes {
            Some("Insufficient memory".to_owned())
        } else {
            None
        }
    }

    /// 0 to 100, higher for emptier: the mean free share of CPU and memory (`noderesources/least_allocated.go`), and of
    /// pods, so that pods without requests spread too, as `PodTopologySpread`'s defaults make them.
    pub(super) fn score(&self, request: Resources) -> u64 {
        let wanted = self.used().plus(request);
        let free = |used: u64, of: u64| (of.saturating_sub(used) * 100).checked_div(of).unwrap_or(0);
        (free(wanted.cpu_milli, self.allocatable.cpu_milli)
            + free(wanted.memory_bytes, self.allocatable.memory_bytes)
            + free(wanted.pods, self.allocatable.pods))
            / 3
    }
}

fn blocks(taint: &Taint) -> bool {
    taint.effect == "NoSchedule" || taint.effect == "NoExecute"
}

fn tolerated(pod: &Pod, taint: &Taint) -> bool {
    let tolerations = pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten());
    tolerations.into_iter().any(|toleration| {
        let key = toleration.key.as_deref().is_none_or(|key| key == taint.key);
        let effect = toleration.effect.as_deref().is_none_or(|effect| effect == taint.effect);
        let value = toleration.operator.as_deref() == Some("Exists") || toleration.value == taint.value;
        key && effect && value
    })
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods.`, as kube-scheduler's `FitError` prints it: distinct reasons
/// counted and sorted.
pub(super) fn fit_error(nodes: usize, reasons: impl IntoIterator<Item = String>) -> String {
    let mut histogram = BTreeMap::<String, usize>::new();
    for reason in reasons {
        *histogram.entry(reason).or_default() += 1;
    }
    let mut parts: Vec<String> = histogram.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    if parts.is_empty() {
        return "no nodes available to schedule pods".to_owned();
    }
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(cpu: &str, pods: &str) -> NodeInfo {
        let object = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "n"},
            "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": pods}},
        }));
        let mut info = NodeInfo::default();
        info.update(&object.unwrap());
        info
    }

    fn request(cpu_milli: u64) -> Resources {
        Resources { cpu_milli, memory_bytes: 0, pods: 1 }
    }

    #[test]
    fn quantities() {
        for (text, want) in
            [("250m", Some(250)), ("4", Some(4000)), ("1Ki", Some(1_024_000)), ("1e3", None), ("x", None)]
        {
            assert_eq!(thousandths(text), want, "{text}");
        }
    }

    #[test]
    fn pods_and_cpu_bind() {
        let mut info = node("2", "2");
        info.add("a".into(), request(1500));
        assert_eq!(info.reject(&Pod::default(), request(600)).as_deref(), Some("Insufficient cpu"));
        assert_eq!(info.reject(&Pod::default(), request(500)), None);
        info.add("b".into(), request(0));
        assert_eq!(info.reject(&Pod::default(), request(0)).as_deref(), Some("Too many pods"));
        info.remove("a");
        assert_eq!(info.reject(&Pod::default(), request(600)), None);
    }

    #[test]
    fn emptier_node_scores_higher() {
        let (empty, mut loaded) = (node("4", "58"), node("4", "58"));
        loaded.add("a".into(), request(1000));
        assert!(empty.score(request(100)) > loaded.score(request(100)));
    }

    #[test]
    fn message_counts_distinct_reasons() {
        let reasons = ["Too many pods", "Insufficient cpu", "Too many pods"].map(str::to_owned);
        assert_eq!(fit_error(3, reasons), "0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods.");
    }
}
