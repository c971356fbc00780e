//! The texts that are known, by who writes them.
//!
//! Every one comes out of the source of its program or, where that is closed, out of a field report. What the comments name
//! is amazon-vpc-cni-k8s 1.23.2 and 1.1 to 1.9 where it says "before", Kubernetes 1.36, containerd 2, amazon-eks-ami,
//! Cluster Autoscaler 1.37, aws-sdk-go 1 and 2, and Go's `net`.

mod autoscaler;
mod cni;
mod node;

use super::row::Row;

/// All rows, those of one program together.
pub fn rows() -> impl Iterator<Item = Row> {
    [cni::IPAMD, cni::PLUGIN, node::KUBELET, node::CONTAINERD, node::BOOTSTRAP, autoscaler::AUTOSCALER]
        .into_iter()
        .chain([autoscaler::CORE_DNS, autoscaler::AWS])
        .flatten()
        .copied()
}
