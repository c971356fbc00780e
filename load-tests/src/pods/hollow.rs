//! Nodes and pods without a kubelet: objects on the API server that kube-scheduler takes for real ones.

use serde_json::{Value, json};

/// Zones of every cluster here, in which nodes take turns.
pub const ZONES: [&str; 3] = ["us-west-2a", "us-west-2b", "us-west-2c"];

/// An instance type with its vCPUs and memory; ENI and IP limits are those of `headroom_capacity::instance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Instance type.
    pub name: &'static str,
    /// vCPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// kubelet's `--max-pods`.
    pub max_pods: u32,
}

/// CPU that kubelet keeps from pods here, in millicores; EKS reserves 60 to 190 by the size.
const RESERVED_CPU_MILLIS: u32 = 80;

impl Machine {
    /// What pods may request.
    #[must_use]
    pub fn allocatable_cpu_millis(&self) -> u32 {
        self.cpus * 1000 - RESERVED_CPU_MILLIS
    }
}

/// 8 ENIs x 29 secondary addresses: 232 pod IPs, max-pods of EKS's `eni-max-pods.txt`.
pub const C5_4XLARGE: Machine = Machine { name: "c5.4xlarge", cpus: 16, memory_mib: 32_768, max_pods: 234 };
/// 4 ENIs x 14 secondary addresses: 56 pod IPs.
pub const C5_XLARGE: Machine = Machine { name: "c5.xlarge", cpus: 4, memory_mib: 8_192, max_pods: 58 };
/// 3 ENIs x 9 secondary addresses: 27 pod IPs.
pub const M5_LARGE: Machine = Machine { name: "m5.large", cpus: 2, memory_mib: 8_192, max_pods: 29 };
/// 2 ENIs x 1 secondary address: 2 pod IPs, the fewest there are, and with kubelet's own default of 110 max-pods, so that
/// kube-scheduler sees room where there is no IP.
pub const T3_NANO: Machine = Machine { name: "t3.nano", cpus: 2, memory_mib: 512, max_pods: 110 };

/// Most nodes of a cluster here: beyond, an octet of the name would not fit.
pub const MOST_NODES: usize = 15_600;

/// Name of the `n`th node, 42 characters as they are on EKS. Names sort by `n`, so kube-scheduler lists nodes in this order: its
/// tree takes zones in turn (k/k `pkg/scheduler/backend/cache/node_tree.go`), and so do [`node`]s.
///
/// # Panics
/// When `n` is not below [`MOST_NODES`].
#[must_use]
pub fn node_name(n: usize) -> String {
    assert!(n < MOST_NODES, "node {n}: an octet is at most 255");
    format!("ip-10-1-{}-{}.us-west-2.compute.internal", 100 + n / 100, 100 + n % 100)
}

/// The zone of the `n`th node.
#[must_use]
pub fn zone(n: usize) -> &'static str {
    ZONES[n % ZONES.len()]
}

/// The `n`th node as an EKS managed node registers it and kubelet reports it, with further `labels`.
#[must_use]
pub fn node(n: usize, machine: Machine, labels: &[(&str, &str)]) -> Value {
    let (name, zone) = (node_name(n), zone(n));
    let resources = |reserved_cpu: u32, reserved_mib: u32| {
        json!({
            "cpu": format!("{}m", machine.cpus * 1000 - reserved_cpu),
            "memory": format!("{}Mi", machine.memory_mib - reserved_mib),
            "ephemeral-storage": "80Gi",
            "pods": machine.max_pods.to_string(),
        })
    };
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "Kubelet", "message": "as kubelet reports it"});
    let mut all = json!({
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": machine.name,
        "beta.kubernetes.io/os": "linux",
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "eks.amazonaws.com/nodegroup": "workers",
        "eks.amazonaws.com/nodegroup-image": "ami-0a1b2c3d4e5f60718",
        "failure-domain.beta.kubernetes.io/region": "us-west-2",
        "failure-domain.beta.kubernetes.io/zone": zone,
        "k8s.io/cloud-provider-aws": "0123456789abcdef0123456789abcdef",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": machine.name,
        "topology.k8s.aws/zone-id": format!("usw2-az{}", 1 + n % ZONES.len()),
        "topology.kubernetes.io/region": "us-west-2",
        "topology.kubernetes.io/zone": zone,
    });
    for (key, value) in labels {
        all[*key] = json!(value);
    }
    json!({
        "metadata": {"name": name, "labels": all},
        "spec": {"providerID": format!("aws:///{zone}/i-{n:017x}")},
        "status": {
            "capacity": resources(0, 0),
            "allocatable": resources(RESERVED_CPU_MILLIS, 128),
            "conditions": [
                condition("MemoryPressure", "False"),
                condition("DiskPressure", "False"),
                condition("PIDPressure", "False"),
                condition("Ready", "True"),
            ],
            "addresses": [
                {"type": "InternalIP", "address": format!("10.1.{}.{}", n / 250, n % 250 + 4)},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "machineID": format!("{n:032x}"), "systemUUID": format!("{n:032x}"), "bootID": format!("{n:032x}"),
                "kernelVersion": "6.12.40-64.114.amzn2023.x86_64", "osImage": "Amazon Linux 2023.8.20250818",
                "containerRuntimeVersion": "containerd://1.7.27", "kubeletVersion": "v1.36.3",
                "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64",
            },
        },
    })
}

/// A pod of a Deployment's size, with requests of so many millicores and MiB.
#[must_use]
pub fn pod(name: &str, app: &str, cpu_millis: u32, memory_mib: u32) -> Value {
    json!({
        "metadata": {
            "name": name,
            "labels": {"app": app, "pod-template-hash": "6b7c5d9f4"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main",
                "image": "registry.example/team/service:1.42.0",
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "REGION", "value": "us-west-2"}],
                "resources": {
                    "requests": {"cpu": format!("{cpu_millis}m"), "memory": format!("{memory_mib}Mi")},
                    "limits": {"memory": format!("{memory_mib}Mi")},
                },
            }],
        },
    })
}

/// The `aws-node` DaemonSet of the CNI's manifest (`config/master/aws-k8s-cni.yaml`) with the variables that bear on IPs, at the
/// manifest's values.
#[must_use]
pub fn aws_node() -> Value {
    let env = [
        ("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "false"),
        ("ENABLE_IPv4", "true"),
        ("ENABLE_IPv6", "false"),
        ("ENABLE_POD_ENI", "false"),
        ("ENABLE_PREFIX_DELEGATION", "false"),
        ("ENABLE_SUBNET_DISCOVERY", "true"),
        ("WARM_ENI_TARGET", "1"),
        ("WARM_PREFIX_TARGET", "1"),
    ]
    .map(|(name, value)| json!({"name": name, "value": value}));
    let labels = json!({"k8s-app": "aws-node"});
    json!({
        "metadata": {"name": "aws-node", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostNetwork": true,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [{"name": "aws-node", "image": "amazon-k8s-cni", "env": env}],
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_42_characters_and_sort_by_number() {
        let names: Vec<String> = (0..MOST_NODES).map(node_name).collect();
        assert!(names.iter().all(|name| name.len() == 42));
        assert!(names.is_sorted());
    }

    #[test]
    fn nodes_and_pods_are_what_the_api_knows() {
        let node: k8s_openapi::api::core::v1::Node =
            serde_json::from_value(node(4, C5_XLARGE, &[("pool", "fast")])).unwrap();
        let labels = node.metadata.labels.unwrap();
        assert_eq!(labels["topology.kubernetes.io/zone"], "us-west-2b");
        assert_eq!(labels["pool"], "fast");
        let pod: k8s_openapi::api::core::v1::Pod = serde_json::from_value(pod("a", "web", 10, 16)).unwrap();
        assert_eq!(pod.spec.unwrap().containers.len(), 1);
    }
}
