//! Why something is not done.

use std::fmt;

/// One row a refusal, so that none can lack its label or its text.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $text:literal;)*) => {
        /// Why a group gets no node, or a node stays: a closed set. `label` is the metric label, `as_str` the text in plan and event;
        /// both are stable. Where Cluster Autoscaler has a word for the same (`simulator/cluster.go`, `UnremovableReason`), it is meant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refusal {
            $($(#[$doc])* $name,)*
        }

        impl Refusal {
            /// All of them, for metrics and documents.
            pub const ALL: [Refusal; [$($label),*].len()] = [$(Refusal::$name),*];

            /// What people read.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Refusal::$name => $text,)*
                }
            }

            /// The metric label: `snake_case` of the variant.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Refusal::$name => $label,)*
                }
            }
        }
    };
}

refusals! {
    /// The books are too old to decide by.
    StaleBooks = "stale_books", "what was read of AWS or of the cluster is too old";
    /// A stage of the way to AWS fails, or has not passed often enough in a row.
    EndpointNotReachable = "endpoint_not_reachable", "AWS has not been reached often enough in a row";
    /// The credentials end before the drain would.
    CredentialsExpiring = "credentials_expiring", "the credentials end before a drain would";
    /// Something is being done already.
    Busy = "busy", "another action is under way";
    /// A blackout window of the configuration.
    Blackout = "blackout", "a blackout window lasts";
    /// Too soon after the last one.
    CoolDown = "cool_down", "too soon after the last action";
    /// As many as an hour may have, of evictions a minute.
    HourlyBudget = "hourly_budget", "as many as an hour (evictions: a minute) may have were done";
    /// As large a part of the nodes as an hour may take.
    ShareSpent = "share_spent", "as large a share of the nodes as an hour may take is gone";
    /// Cluster Autoscaler scales the group.
    ClusterAutoscaler = "cluster_autoscaler", "Cluster Autoscaler manages the group";
    /// `Launch` is suspended.
    LaunchSuspended = "launch_suspended", "process Launch is suspended";
    /// `Terminate` is suspended.
    TerminateSuspended = "terminate_suspended", "process Terminate is suspended";
    /// Desired capacity is at its maximum.
    MaxSize = "node_group_max_size_reached", "the group is at its maximum";
    /// Desired capacity is at its minimum.
    MinSize = "node_group_min_size_reached", "the group is at its minimum";
    /// No subnet of the group can feed a node with its pool.
    NoSubnetRoom = "no_subnet_room", "no subnet of the group can feed a node and its warm pool";
    /// Node selector, required node affinity and taints keep it from the nodes of every group that is scaled.
    NoGroupForPod = "no_group_for_pod", "no group that is scaled (tag scaling.group_tag) has nodes that the pod may be on";
    /// Nothing is known of what a node of the group takes.
    UnknownType = "unknown_instance_type", "what a node of the group takes is not known";
    /// A managed node group without a Ready node: its labels and taints are EKS's to tell, and no tag does.
    UnknownTemplate = "unknown_node_template", "which labels and taints a node of the group has is not known";
    /// Launches failed.
    BackOff = "back_off", "launches of the group failed lately";
    /// The zones would be out of balance, and AZRebalance would end another node undrained.
    AzRebalance = "az_rebalance", "without the node the zones are out of balance, and AZRebalance is not suspended";
    /// `scale-down-disabled` annotation.
    Disabled = "scale_down_disabled_annotation", "the node is annotated scale-down-disabled";
    /// Cordoned by somebody else.
    Cordoned = "cordoned", "the node was cordoned by somebody else";
    /// Not in service, or on its way out.
    NotInService = "not_in_service", "the instance is not in service";
    /// `ProtectedFromScaleIn`.
    Protected = "protected_from_scale_in", "the instance is protected from scale-in";
    /// Too young.
    TooYoung = "too_young", "the instance is too young";
    /// Not for long enough.
    NotUnneededLongEnough = "not_unneeded_long_enough", "not unneeded for long enough";
    /// Nodes have to be added.
    NodesWanted = "nodes_wanted", "pods lack addresses, or nodes are being added";
    /// Its addresses are for pods that are expected.
    Expected = "expected_pods", "its addresses are needed for pods that are expected";
    /// Its pods would find no addresses on other nodes.
    NoIpsElsewhere = "no_ips_elsewhere", "other nodes have no addresses for its pods";
    /// Its pods would find no room on other nodes.
    NoPlaceElsewhere = "no_place_to_move_pods", "its pods do not fit elsewhere";
    /// It was not looked at closely yet.
    NotInspected = "not_inspected", "its pods and budgets are being looked at";
    /// Pods or budgets could not be read.
    InspectionFailed = "inspection_failed", "its pods and budgets could not be read";
    /// A pod that nothing makes anew.
    PodNotReplicated = "pod_not_replicated", "a pod of it would not be made anew";
    /// A pod that must not be moved.
    PodNotSafeToEvict = "pod_not_safe_to_evict", "a pod of it is annotated safe-to-evict=false";
    /// A pod with local storage.
    PodLocalStorage = "pod_local_storage", "a pod of it has local storage";
    /// A pod with a namespace selector or with resource claims.
    PodDependsOnOthers = "pod_depends_on_others", "where a pod of it may be depends on what is not simulated";
    /// A pod that would come back.
    PodToleratesTaint = "pod_tolerates_taint", "a pod of it tolerates every taint and would come back";
    /// A budget allows no disruption.
    DisruptionBudget = "disruption_budget", "a PodDisruptionBudget allows no disruption";
    /// The last ready replica of the cluster's DNS.
    LastCoreDns = "last_core_dns", "it has the last ready CoreDNS replica";
    /// This advisor runs there.
    OwnPod = "own_pod", "this advisor runs on it";
    /// The pods were not gone in time.
    DrainTimeout = "drain_timeout", "its pods were not gone in time";
    /// The group is not what the plan was made from.
    GroupChanged = "group_changed", "somebody else has changed the group meanwhile";
    /// Another advisor leads, or none.
    NotLeading = "not_leading", "this advisor does not lead";
    /// It would find no address elsewhere.
    NothingGained = "nothing_gained", "no other node has an address for it";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal with what it was seen by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// Which one.
    pub refusal: Refusal,
    /// The figures or names; empty where the refusal says it all.
    pub detail: String,
}

impl Because {
    /// With figures or names.
    #[must_use]
    pub fn new(refusal: Refusal, detail: impl Into<String>) -> Because {
        Because { refusal, detail: detail.into() }
    }
}

impl From<Refusal> for Because {
    fn from(refusal: Refusal) -> Because {
        Because { refusal, detail: String::new() }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.as_str() {
            "" => write!(f, "{}", self.refusal),
            detail => write!(f, "{}: {detail}", self.refusal),
        }
    }
}
