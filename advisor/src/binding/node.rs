//! One node.

use std::sync::Arc;

use headroom_capacity::binding::{Allocatable, Limit, Resource, Shape, TypeShape, shape};
use headroom_capacity::budget::NodeKind;

use super::Types;
use super::usage::{OnNode, Usage};
use crate::ledger::NodeAccount;
use crate::state::{ClusterState, NodeInfo};

/// The NodePool of a node that Karpenter started.
const NODE_POOL: &str = "karpenter.sh/nodepool";

/// A node that runs pods of more than one.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) info: &'a NodeInfo,
    pub(super) account: &'a NodeAccount,
    pub(super) group: Option<Arc<str>>,
    pub(super) usage: OnNode,
    /// kube-scheduler would place a pod here.
    pub(super) open: bool,
}

impl<'a> Member<'a> {
    /// `None` for a Fargate node: it is one pod's.
    pub(super) fn new(info: &'a NodeInfo, account: &'a NodeAccount, usage: &Usage<'_>) -> Option<Member<'a>> {
        let node = &info.node;
        if node.kind == NodeKind::Fargate {
            return None;
        }
        let pool = || node.labels.get(NODE_POOL).map(|pool| Arc::from(pool.as_str()));
        Some(Member {
            name: &node.name,
            group: account.group.clone().or_else(pool),
            usage: usage.on(&node.name),
            open: node.ready && !node.unschedulable,
            info,
            account,
        })
    }

    pub(super) fn instance_type(&self) -> Option<&'a Arc<str>> {
        self.info.node.instance_type.as_ref()
    }

    /// Label `kubernetes.io/arch`, or what EC2 says of its type.
    pub(super) fn architecture(&self, types: &Types<'_>) -> Option<&'a str> {
        let described = || Some(self.described(types)?.architecture.label());
        self.info.node.labels.get("kubernetes.io/arch").map(String::as_str).or_else(described)
    }

    fn described(&self, types: &Types<'_>) -> Option<TypeShape> {
        types.offers.get(self.instance_type()?)?.shape
    }

    /// The volumes that it can have for pods, by those who count them: the EBS CSI driver, or kubelet before there was one.
    pub(super) fn volumes(&self, state: &ClusterState) -> Option<u32> {
        state.ebs_volumes.get(self.name).copied().or(self.info.node.allocatable.volumes)
    }

    pub(super) fn shape(&self, state: &ClusterState, types: &Types<'_>) -> Shape {
        let (node, settings) = (&self.info.node, &state.settings);
        let described = || Some(self.described(types)?.ebs?.for_pods(self.account.enis.get()));
        let allocatable = Allocatable { volumes: self.volumes(state).or_else(described), ..node.allocatable };
        let mut shape = shape(&self.account.budget, settings, node.max_pods, &allocatable);
        // ipamd attaches nothing: what is there is all.
        if settings.provisioning_disabled && matches!(shape[Resource::Ip], Limit::Of(_)) {
            shape[Resource::Ip] = Limit::Of(self.account.attached.get().into());
        }
        // What kube-scheduler goes by, and the only word on types that the table does not know.
        if let Some(told) = node.pod_enis {
            shape[Resource::BranchEni] = Limit::Of(told.into());
        }
        shape
    }
}
