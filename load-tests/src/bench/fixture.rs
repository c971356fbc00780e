//! A cluster on paper: EKS nodes and Deployment pods as kube-apiserver would send them, as many as wanted, each a function of
//! its number.

use serde::Serialize;
use serde_json::{Value, json};

/// Addresses that an m5.4xlarge has for pods: 8 ENIs of 30, less their primary ones.
pub const IPS_PER_NODE: u64 = 8 * 29;

/// Images that kubelet reports of a node at most (k/k `pkg/kubelet/apis/config/v1beta1/defaults.go`, `NodeStatusMaxImages`).
const IMAGES: u32 = 50;

/// How large a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Nodes.
    pub nodes: u32,
    /// Pods, spread evenly; all of them run and have an IP.
    pub pods: u32,
}

/// The objects of a cluster, rendered on request: 100,000 pods would be 700 MB.
#[derive(Debug)]
pub struct Fixture {
    size: Size,
    node: String,
    pod: String,
}

impl Fixture {
    /// For a cluster of this size.
    #[must_use]
    pub fn new(size: Size) -> Fixture {
        let mut node = parse(include_str!("fixture/node.json"));
        node["status"]["images"] = (0..IMAGES).map(image).collect();
        Fixture { size, node: node.to_string(), pod: parse(include_str!("fixture/pod.json")).to_string() }
    }

    /// How large it is.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Node `n` as of this resource version, which also moves its heartbeat.
    #[must_use]
    pub fn node(&self, n: u32, version: u64) -> String {
        let zone = ["eu-central-1a", "eu-central-1b", "eu-central-1c"][n as usize % 3];
        fill(
            &self.node,
            &[
                ("@NAME@", &node_name(n)),
                ("@UID@", &format!("40de0000-0000-4000-8000-{n:012x}")),
                ("@VERSION@", &version.to_string()),
                ("@ZONE@", zone),
                ("@INSTANCE@", &format!("i-{n:017x}")),
                (
                    "@HEARTBEAT@",
                    &format!("2026-11-25T{:02}:{:02}:{:02}Z", version / 3600 % 24, version / 60 % 60, version % 60),
                ),
            ],
        )
    }

    /// Pod `n` at a stage of its life.
    #[must_use]
    pub fn pod_at(&self, n: u32, version: u64, stage: Stage) -> String {
        let mut pod = parse(&self.pod(n, version));
        staged(&mut pod, stage);
        pod.to_string()
    }

    /// Pod `n` as of this resource version: running, with an address.
    #[must_use]
    pub fn pod(&self, n: u32, version: u64) -> String {
        fill(
            &self.pod,
            &[
                ("@NAME@", &format!("checkout-api-6d9c5b7f4d-{n:05x}")),
                ("@UID@", &format!("90d00000-0000-4000-8000-{n:012x}")),
                ("@VERSION@", &version.to_string()),
                ("@NODE@", &node_name(n % self.size.nodes)),
                ("@IP@", &format!("10.{}.{}.{}", 64 + n / 62_500, n / 250 % 250, n % 250 + 4)),
            ],
        )
    }
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Created, without a node.
    Pending,
    /// kube-scheduler has bound it.
    Bound,
    /// kubelet reports its address.
    Running,
}

/// What a pod that is asked about says of where it wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// Nothing: the extender answers briefly.
    Plain,
    /// It would rather be spread over the zones, which kube-scheduler weighs among the nodes that it gets back.
    Preferring,
}

impl Wish {
    /// Both.
    pub const ALL: [Wish; 2] = [Wish::Plain, Wish::Preferring];

    /// Its name in reports and for the serial driver.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Wish::Plain => "plain",
            Wish::Preferring => "preferring",
        }
    }
}

/// The pod that kube-scheduler asks about: as it comes out of its informer, which drops managedFields.
#[must_use]
pub fn pending_pod(wish: Wish) -> Value {
    let text =
        fill(include_str!("fixture/pod.json"), &[("@NAME@", "checkout-api-6d9c5b7f4d-pending"), ("@VERSION@", "7")]);
    let mut pod = parse(&text);
    staged(&mut pod, Stage::Pending);
    if let Some(metadata) = pod["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if wish == Wish::Plain
        && let Some(spec) = pod["spec"].as_object_mut()
    {
        spec.remove("topologySpreadConstraints");
    }
    pod
}

/// Takes from a running pod what it does not have yet at `stage`.
fn staged(pod: &mut Value, stage: Stage) {
    if stage == Stage::Pending
        && let Some(spec) = pod["spec"].as_object_mut()
    {
        spec.remove("nodeName");
    }
    if stage != Stage::Running {
        pod["status"] = json!({"phase": "Pending", "qosClass": "Burstable"});
    }
}

/// As EKS names a node: 41 to 44 characters.
#[must_use]
pub fn node_name(n: u32) -> String {
    format!("ip-10-{}-{}-{}.eu-central-1.compute.internal", n / 62_500, n / 250 % 250, n % 250 + 4)
}

/// The UID of the pod of call `n`; as in `control-plane/cmd/serial-driver`.
#[must_use]
pub fn call_uid(n: u64) -> String {
    format!("ca115000-0000-4000-8000-{n:012x}")
}

/// The DaemonSet kube-system/aws-node with the settings of the CNI's manifest.
#[must_use]
pub fn aws_node() -> String {
    parse(include_str!("fixture/aws-node.json")).to_string()
}

/// The CNINode that the VPC resource controller keeps for node `n`.
#[must_use]
pub fn cni_node(n: u32) -> String {
    json!({
        "apiVersion": "vpcresources.k8s.aws/v1alpha1",
        "kind": "CNINode",
        "metadata": {"name": node_name(n), "uid": format!("c0de0000-0000-4000-8000-{n:012x}"), "resourceVersion": "1"},
        "spec": {"tags": {"eks:eni:owner": "eks-vpc-resource-controller", "kubernetes.io/cluster/shop": "owned"}},
    })
    .to_string()
}

fn image(n: u32) -> Value {
    let repository = format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/service-{n:02}");
    json!({"names": [format!("{repository}@sha256:{n:064x}"), format!("{repository}:4.17.{n}")], "sizeBytes": 50_000_000 + n})
}

fn fill(template: &str, fields: &[(&str, &str)]) -> String {
    fields.iter().fold(template.to_owned(), |text, (field, value)| text.replace(field, value))
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("the files in fixture/ are JSON, and what is filled in needs no escaping")
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Node, Pod};

    #[test]
    fn objects_are_what_kubernetes_takes_for_one() {
        let fixture = Fixture::new(Size { nodes: 100, pods: 2000 });
        let node: Node = serde_json::from_str(&fixture.node(99, 7)).unwrap();
        assert_eq!(node.metadata.name.as_deref(), Some("ip-10-0-0-103.eu-central-1.compute.internal"));
        let pod = fixture.pod(199, 7);
        assert!(!pod.contains('@') || !pod.contains("@I"), "{pod}");
        let pod: Pod = serde_json::from_str(&pod).unwrap();
        assert_eq!(pod.spec.unwrap().node_name, node.metadata.name);
        assert!(pod.status.unwrap().pod_ip.is_some());
    }

    #[test]
    fn the_pod_of_a_call_is_as_large_as_one_of_a_real_deployment() {
        for wish in Wish::ALL {
            let pod = pending_pod(wish);
            assert!((2000..4000).contains(&pod.to_string().len()), "{} bytes", pod.to_string().len());
            let pod: Pod = serde_json::from_value(pod).unwrap();
            let spec = pod.spec.unwrap();
            assert!(spec.node_name.is_none() && pod.metadata.managed_fields.is_none());
            assert_eq!(spec.topology_spread_constraints.is_some(), wish == Wish::Preferring);
        }
    }

    #[test]
    fn no_two_nodes_share_a_name() {
        let names: std::collections::HashSet<String> = (0..15_000).map(node_name).collect();
        assert_eq!(names.len(), 15_000);
        assert!(names.iter().all(|name| (41..=44).contains(&name.len())));
    }
}
