use std::fmt;

/// Who gives pods on this node their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Linux with aws-node.
    Linux,
    /// Windows: the VPC resource controller, primary ENI only.
    Windows,
    /// `eks.amazonaws.com/compute-type=fargate`: one ENI a pod, no aws-node.
    Fargate,
    /// `eks.amazonaws.com/compute-type=auto`: EKS Auto Mode.
    Auto,
    /// `eks.amazonaws.com/compute-type=hybrid`: another CNI.
    Hybrid,
}

impl NodeKind {
    /// From a node's labels, of which `get("kubernetes.io/os")` and `get("eks.amazonaws.com/compute-type")` are asked, and
    /// where they say nothing from its `spec.providerID`: labels can be edited, and a node that has just registered may not
    /// have them all. Fargate writes `aws:///<zone>/<id>/fargate-<host>`, EKS Hybrid Nodes
    /// `eks-hybrid:///<region>/<cluster>/<mi-id>`.
    ///
    /// The compute types are those that the aws-node DaemonSet stays away from by its affinity (CNI Helm chart
    /// `aws-vpc-cni`, `values.yaml`).
    pub fn from_node<'a>(get: impl Fn(&str) -> Option<&'a str>, provider_id: Option<&str>) -> NodeKind {
        match get("eks.amazonaws.com/compute-type") {
            Some("fargate") => return NodeKind::Fargate,
            Some("auto") => return NodeKind::Auto,
            Some("hybrid") => return NodeKind::Hybrid,
            _ => {}
        }
        let provider_id = provider_id.unwrap_or_default();
        if provider_id.starts_with("eks-hybrid://") {
            return NodeKind::Hybrid;
        }
        if provider_id.rsplit('/').next().is_some_and(|host| host.starts_with("fargate-")) {
            return NodeKind::Fargate;
        }
        if get("kubernetes.io/os") == Some("windows") { NodeKind::Windows } else { NodeKind::Linux }
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NodeKind::Linux => "Linux",
            NodeKind::Windows => "Windows",
            NodeKind::Fargate => "Fargate",
            NodeKind::Auto => "EKS Auto Mode",
            NodeKind::Hybrid => "hybrid",
        })
    }
}
