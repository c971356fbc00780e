//! Members of the cluster.

use std::net::Ipv4Addr;

use headroom_capacity::budget::NodeKind;
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::settings::CniSettings;

use crate::inventory::{Instance, InstanceId, InstanceState};
use crate::state::NodeInfo;

/// An instance of the cluster, or a node without one that could be told (Fargate, HyperPod).
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) id: Option<&'a InstanceId>,
    pub(crate) instance: Option<&'a Instance>,
    pub(crate) node: Option<&'a NodeInfo>,
    /// Of its type, where a table or EC2 knows it.
    pub(crate) limits: Option<InstanceLimits>,
    pub(in crate::ledger) gives: Gives,
    /// Addresses of the live pods that are bound to it, ascending. Those of another member's pods do not count here: a pod whose
    /// node is gone stays in Kubernetes for minutes, while its address may be on another node's ENI already.
    pub(super) pod_ips: Vec<Ipv4Addr>,
    /// Pods bound to it that need an address of its pool.
    pub(crate) pods: u32,
    /// Those without one.
    pub(crate) waiting: u32,
}

/// What pods on a node can get addresses from; leftovers of the other mode serve nobody (CNI `GetIPStats`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Gives {
    pub(in crate::ledger) singles: bool,
    pub(in crate::ledger) prefixes: bool,
}

impl Member<'_> {
    pub(crate) fn kind(&self) -> NodeKind {
        self.node.map_or(NodeKind::Linux, |node| node.node.kind)
    }

    /// Its ipamd runs or will.
    pub(crate) fn lives(&self) -> bool {
        self.instance.is_some_and(|one| matches!(one.state, InstanceState::Pending | InstanceState::Running))
    }
}

impl Gives {
    /// One unit on Linux, that of the effective mode; either where others than aws-node give addresses, or the type is not known.
    pub(super) fn new(kind: NodeKind, limits: Option<&InstanceLimits>, settings: &CniSettings) -> Gives {
        match limits {
            _ if kind != NodeKind::Linux => Gives { singles: true, prefixes: true },
            _ if settings.ipv6 => Gives { singles: false, prefixes: false },
            None => Gives { singles: true, prefixes: true },
            Some(limits) => {
                let prefixes = settings.prefix_delegation && limits.supports_prefixes();
                Gives { singles: !prefixes, prefixes }
            }
        }
    }
}
