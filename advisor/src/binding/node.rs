//! One node.

use std::sync::Arc;

use headroom_capacity::binding::{Allocatable, Limit, Resource, Shape, shape};
use headroom_capacity::budget::NodeKind;
use headroom_capacity::settings::CniSettings;

use super::Types;
use super::usage::{OnNode, Usage};
use crate::ledger::NodeAccount;
use crate::state::NodeInfo;

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

    /// Label `kubernetes.io/arch`.
    pub(super) fn architecture(&self) -> Option<&'a str> {
        self.info.node.labels.get("kubernetes.io/arch").map(String::as_str)
    }

    pub(super) fn shape(&self, settings: &CniSettings, types: &Types<'_>) -> Shape {
        let node = &self.info.node;
        let described = self.instance_type().and_then(|name| types.shapes.get(name)).and_then(|shape| shape.ebs);
        let volumes = node.allocatable.volumes.or_else(|| Some(described?.for_pods(self.account.enis.get())));
        let allocatable = Allocatable { volumes, ..node.allocatable };
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
