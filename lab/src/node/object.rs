//! A node's Kubernetes objects.

use headroom_capacity::time::Time;
use serde_json::{Map, Value, json};

use super::identity::Identity;
use super::pod::POD_ENI;
use super::timestamp;

/// Why a node is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It takes pods.
    Ready,
    /// kubelet runs, ipamd does not yet.
    NetworkNotReady,
    /// Nothing was heard of kubelet for the node monitor's grace period.
    Unknown,
}

/// The Node object as kubelet registers it on EKS.
#[must_use]
pub fn node(identity: &Identity, readiness: Readiness, now: Time) -> Value {
    let taints = identity.taints.iter();
    let taints = taints.map(|taint| json!({ "key": taint.key, "value": taint.value, "effect": taint.effect.as_str() }));
    let taints: Vec<Value> = taints.collect();
    let mut node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": identity.name, "labels": labels(identity) },
        "spec": { "providerID": identity.provider_id(), "taints": taints },
        "status": {
            "capacity": resources(identity, false),
            "allocatable": resources(identity, true),
            "addresses": [
                { "type": "InternalIP", "address": identity.ip },
                { "type": "Hostname", "address": identity.name },
                { "type": "InternalDNS", "address": identity.name },
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.35.0-eks-1",
                "operatingSystem": "linux",
                "architecture": identity.arch(),
                "osImage": "Amazon Linux 2023",
                "containerRuntimeVersion": "containerd://2.1.4",
                "kernelVersion": "6.12.0-1.amzn2023",
                "kubeProxyVersion": "",
                "machineID": identity.instance.as_str(),
                "systemUUID": identity.instance.as_str(),
                "bootID": identity.instance.as_str(),
            },
        },
    });
    write_readiness(&mut node, readiness, now);
    node
}

/// Writes conditions and the taints that follow from them; other people's taints stay.
pub fn write_readiness(node: &mut Value, readiness: Readiness, now: Time) {
    let since = |kind: &str, status: &str| {
        let mut old = node["status"]["conditions"].as_array().into_iter().flatten();
        let same = old.find(|old| old["type"] == kind && old["status"] == status);
        same.map_or_else(|| json!(timestamp(now)), |same| same["lastTransitionTime"].clone())
    };
    let pressures = [
        ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ];
    let (ready, reason, message) = match readiness {
        Readiness::Ready => ("True", "KubeletReady", "kubelet is posting ready status"),
        Readiness::NetworkNotReady => (
            "False",
            "KubeletNotReady",
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady \
             message:Network plugin returns error: cni plugin not initialized",
        ),
        Readiness::Unknown => ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."),
    };
    let healthy = pressures.map(|(kind, reason, message)| match readiness {
        Readiness::Unknown => (kind, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."),
        Readiness::Ready | Readiness::NetworkNotReady => (kind, "False", reason, message),
    });
    let all = healthy.into_iter().chain([("Ready", ready, reason, message)]);
    let conditions: Vec<Value> = all
        .map(|(kind, status, reason, message)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": timestamp(now), "lastTransitionTime": since(kind, status),
            })
        })
        .collect();
    node["status"]["conditions"] = Value::Array(conditions);
    write_taints(node, readiness, now);
}

/// Taints by condition, as the node lifecycle controller keeps them (k/k `pkg/controller/nodelifecycle`).
fn write_taints(node: &mut Value, readiness: Readiness, now: Time) {
    const OURS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    let mut taints = match node["spec"]["taints"].take() {
        Value::Array(taints) => taints,
        _ => Vec::new(),
    };
    taints.retain(|taint| !OURS.iter().any(|key| taint["key"] == *key));
    let key = match readiness {
        Readiness::Ready => None,
        Readiness::NetworkNotReady => Some(OURS[0]),
        Readiness::Unknown => Some(OURS[1]),
    };
    for effect in ["NoSchedule", "NoExecute"] {
        taints.extend(key.map(|key| json!({ "key": key, "effect": effect, "timeAdded": timestamp(now) })));
    }
    if let Some(spec) = node["spec"].as_object_mut() {
        if taints.is_empty() {
            spec.remove("taints");
        } else {
            spec.insert("taints".into(), Value::Array(taints));
        }
    }
}

fn labels(identity: &Identity) -> Map<String, Value> {
    let own = [
        ("beta.kubernetes.io/arch", identity.arch()),
        ("beta.kubernetes.io/instance-type", &identity.instance_type),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", identity.arch()),
        ("kubernetes.io/hostname", &identity.name),
        ("kubernetes.io/os", "linux"),
        ("node.kubernetes.io/instance-type", &identity.instance_type),
        ("topology.kubernetes.io/zone", &identity.az),
        ("topology.kubernetes.io/region", &identity.region),
        ("failure-domain.beta.kubernetes.io/zone", &identity.az),
        ("failure-domain.beta.kubernetes.io/region", &identity.region),
        ("eks.amazonaws.com/nodegroup", &identity.group),
        ("eks.amazonaws.com/capacityType", "ON_DEMAND"),
    ];
    let given = identity.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    own.into_iter().chain(given).map(|(key, value)| (key.to_owned(), json!(value))).collect()
}

fn resources(identity: &Identity, allocatable: bool) -> Map<String, Value> {
    let shape = if allocatable { identity.shape.allocatable(identity.max_pods) } else { identity.shape };
    let mut resources = Map::new();
    let cpu = if shape.cpu_milli.is_multiple_of(1000) {
        (shape.cpu_milli / 1000).to_string()
    } else {
        format!("{}m", shape.cpu_milli)
    };
    resources.insert("cpu".into(), json!(cpu));
    resources.insert("memory".into(), json!(format!("{}Ki", shape.memory_bytes / 1024)));
    resources.insert("pods".into(), json!(identity.max_pods.to_string()));
    if let Some(count) = identity.branch_enis {
        resources.insert(POD_ENI.into(), json!(count.to_string()));
    }
    resources
}

/// The CNINode object (VPC resource controller, `apis/vpcresources/v1alpha1`).
#[must_use]
pub fn cni_node(identity: &Identity) -> Value {
    let branch = identity.branch_enis.map(|_| json!({ "name": "SecurityGroupsForPods" }));
    let custom = identity.eni_config.as_ref().map(|name| json!({ "name": "CustomNetworking", "value": name }));
    let features: Vec<Value> = branch.into_iter().chain(custom).collect();
    json!({
        "apiVersion": "vpcresources.k8s.aws/v1alpha1",
        "kind": "CNINode",
        "metadata": { "name": identity.name },
        "spec": { "features": features, "managedBy": "vpc-resource-controller" },
    })
}

/// The CSINode object as kubelet writes it: without the EBS CSI driver it lists none.
#[must_use]
pub fn csi_node(identity: &Identity) -> Value {
    let driver = |volumes| {
        json!({
            "name": "ebs.csi.aws.com",
            "nodeID": identity.instance.as_str(),
            "topologyKeys": ["topology.ebs.csi.aws.com/zone"],
            "allocatable": { "count": volumes },
        })
    };
    let drivers: Vec<Value> = identity.ebs_volumes.into_iter().map(driver).collect();
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSINode",
        "metadata": { "name": identity.name },
        "spec": { "drivers": drivers },
    })
}

/// A DaemonSet's pod on the host network, bound to its node as the DaemonSet controller and the scheduler would.
#[must_use]
pub fn daemon_pod(identity: &Identity, daemon_set: &str, owner_uid: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": format!("{daemon_set}-"),
            "namespace": "kube-system",
            "labels": { "k8s-app": daemon_set },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "DaemonSet", "name": daemon_set, "uid": owner_uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "nodeName": identity.name,
            "hostNetwork": true,
            "priorityClassName": "system-node-critical",
            "priority": 2_000_001_000,
            "terminationGracePeriodSeconds": 10,
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{
                "name": daemon_set,
                "image": format!("{daemon_set}:lab"),
                "resources": { "requests": { "cpu": if daemon_set == "aws-node" { "50m" } else { "100m" } } },
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::identity::Placement;
    use crate::node::shape::Shape;
    use crate::scenario::Scenario;

    fn identity() -> Identity {
        let text = "{vpc: {cidr: 10.0.0.0/16}, subnets: [{name: a, az: us-west-2a, cidr: 10.0.0.0/24}], nodeGroups: \
                    [{name: workers, instanceType: c6g.xlarge, count: 1, subnets: [a], taints: [{key: own, effect: NoSchedule}]}]}";
        let scenario = Scenario::parse("t.yaml", text).unwrap();
        let placement = Placement {
            instance: "i-1".into(),
            ip: "10.0.1.23".parse().unwrap(),
            az: "us-west-2a".into(),
            region: "us-west-2".into(),
        };
        Identity::new(&scenario.node_groups[0], placement)
    }

    #[test]
    fn a_node_looks_as_on_eks() {
        let node = node(&identity(), Readiness::Ready, Time::ZERO);
        assert_eq!(node["metadata"]["name"], "ip-10-0-1-23.us-west-2.compute.internal");
        assert_eq!(node["spec"]["providerID"], "aws:///us-west-2a/i-1");
        assert_eq!(node["metadata"]["labels"]["kubernetes.io/arch"], "arm64");
        assert_eq!(node["status"]["capacity"]["pods"], "58");
        assert_eq!(
            (&node["status"]["capacity"]["cpu"], &node["status"]["allocatable"]["cpu"]),
            (&json!("4"), &json!("3920m"))
        );
        assert!(identity().shape.memory_bytes < Shape { cpu_milli: 0, memory_bytes: 8 << 30 }.memory_bytes);
    }

    #[test]
    fn a_csi_node_has_the_ebs_driver_where_the_group_has_it() {
        let drivers = |ebs_volumes| csi_node(&Identity { ebs_volumes, ..identity() })["spec"]["drivers"].clone();
        assert_eq!(drivers(None), json!([]));
        assert_eq!(drivers(Some(25))[0]["allocatable"], json!({ "count": 25 }));
    }

    #[test]
    fn taints_follow_readiness_and_others_stay() {
        let identity = identity();
        let keys = |node: &Value| -> Vec<String> {
            node["spec"]["taints"]
                .as_array()
                .unwrap()
                .iter()
                .map(|taint| taint["key"].as_str().unwrap().to_owned())
                .collect()
        };
        let mut node = node(&identity, Readiness::NetworkNotReady, Time::ZERO);
        assert_eq!(keys(&node), ["own", "node.kubernetes.io/not-ready", "node.kubernetes.io/not-ready"]);
        write_readiness(&mut node, Readiness::Ready, Time::from_secs(5));
        assert_eq!(keys(&node), ["own"]);
        let ready = node["status"]["conditions"].as_array().unwrap().last().unwrap();
        assert_eq!((&ready["status"], &ready["lastTransitionTime"]), (&json!("True"), &json!("1970-01-01T00:00:05Z")));
    }
}
