//! Can this node give an IP to one more pod: now, within seconds, or not?

use std::fmt;

use crate::budget::Budget;
use crate::settings::CniSettings;
use crate::time::Time;
use crate::units::{Enis, Ips, Prefixes};

/// The answer for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// So many more pods get an address at once.
    Now(Ips),
    /// None at once; ipamd will attach more within seconds, and so many more pods can come.
    Soon(Ips),
    /// No address until something changes.
    Never(Reason),
    /// It cannot be told; the caller's policy decides.
    Unknown(Reason),
}

/// Why a node gets no pod, or why it cannot be told: a closed set. `as_str` is the kube-scheduler message, `label` the metric
/// label; both are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Every ENI slot of the instance type is used: only a pod's end frees an IP.
    InstanceIpLimit,
    /// Addresses are there but all still cooling.
    CoolingDown,
    /// No reachable subnet has a free address.
    SubnetExhausted,
    /// Addresses are free in the subnet but no aligned /28.
    SubnetFragmented,
    /// ipamd waits 120 s after EC2 refused for want of addresses.
    IpamdBackOff,
    /// Cordoned: ipamd does not grow the pool.
    Cordoned,
    /// The pool holds max-pods addresses and does not grow.
    MaxPods,
    /// Every free address is spoken for by pods that are on their way.
    Claimed,
    /// Warm-pool targets keep the pool where it is.
    PoolNotGrowing,
    /// `DISABLE_NETWORK_RESOURCE_PROVISIONING` or IMDS-only: ipamd never allocates.
    ProvisioningDisabled,
    /// A pod of the node asked the CNI for an address and got none, and still has none.
    AssignFailed,
    /// Every branch ENI of the node is used or cooling.
    BranchEniLimit,
    /// Every Windows pod address is used.
    WindowsIpLimit,
    /// Neither the tables nor EC2 nor observation know the instance type.
    UnknownInstanceType,
    /// The node is not in our state.
    UnknownNode,
    /// Our state is older than allowed.
    StaleState,
    /// The subnet's free addresses are not known.
    UnknownSubnet,
}

impl Reason {
    /// All reasons, for pre-registered metrics and generated docs.
    pub const ALL: [Reason; 17] = [
        Reason::InstanceIpLimit,
        Reason::CoolingDown,
        Reason::SubnetExhausted,
        Reason::SubnetFragmented,
        Reason::IpamdBackOff,
        Reason::Cordoned,
        Reason::MaxPods,
        Reason::Claimed,
        Reason::PoolNotGrowing,
        Reason::ProvisioningDisabled,
        Reason::AssignFailed,
        Reason::BranchEniLimit,
        Reason::WindowsIpLimit,
        Reason::UnknownInstanceType,
        Reason::UnknownNode,
        Reason::StaleState,
        Reason::UnknownSubnet,
    ];

    /// The message in kube-scheduler's event: constant, because kube-scheduler groups nodes by distinct text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::InstanceIpLimit => "no pod IP left: instance type's ENI and IP limit reached",
            Reason::CoolingDown => "no pod IP left: released IPs are cooling down",
            Reason::SubnetExhausted => "no pod IP left: no free IP in any subnet of the node",
            Reason::SubnetFragmented => "no pod IP left: no free /28 prefix in any subnet of the node",
            Reason::IpamdBackOff => "no pod IP left: ipamd is backing off after EC2 refused addresses",
            Reason::Cordoned => "no pod IP left: node is cordoned and its pool does not grow",
            Reason::MaxPods => "no pod IP left: pool already holds max-pods IPs",
            Reason::Claimed => "no pod IP left: free IPs are claimed by pods on their way",
            Reason::PoolNotGrowing => "no pod IP left: warm-pool targets keep the pool from growing",
            Reason::ProvisioningDisabled => "no pod IP left: ipamd's provisioning is disabled",
            Reason::AssignFailed => "no pod IP left: CNI failed to assign one to a pod of this node",
            Reason::BranchEniLimit => "no branch ENI left: limit of the instance type reached",
            Reason::WindowsIpLimit => "no pod IP left: Windows node's primary ENI is full",
            Reason::UnknownInstanceType => "pod IP capacity unknown: instance type has no known limits",
            Reason::UnknownNode => "pod IP capacity unknown: node not seen yet",
            Reason::StaleState => "pod IP capacity unknown: cluster state is stale",
            Reason::UnknownSubnet => "pod IP capacity unknown: subnet not seen yet",
        }
    }

    /// The metric label: `snake_case` of the variant.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Reason::InstanceIpLimit => "instance_ip_limit",
            Reason::CoolingDown => "cooling_down",
            Reason::SubnetExhausted => "subnet_exhausted",
            Reason::SubnetFragmented => "subnet_fragmented",
            Reason::IpamdBackOff => "ipamd_back_off",
            Reason::Cordoned => "cordoned",
            Reason::MaxPods => "max_pods",
            Reason::Claimed => "claimed",
            Reason::PoolNotGrowing => "pool_not_growing",
            Reason::ProvisioningDisabled => "provisioning_disabled",
            Reason::AssignFailed => "assign_failed",
            Reason::BranchEniLimit => "branch_eni_limit",
            Reason::WindowsIpLimit => "windows_ip_limit",
            Reason::UnknownInstanceType => "unknown_instance_type",
            Reason::UnknownNode => "unknown_node",
            Reason::StaleState => "stale_state",
            Reason::UnknownSubnet => "unknown_subnet",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a node's pool can still grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Nobody has looked at the subnets (no capacity feed).
    Unknown,
    /// What the subnets that this node can use still hold.
    Known {
        /// Free addresses in the subnets of ENIs that have a free slot.
        on_attached_ips: Ips,
        /// Free aligned /28s there.
        on_attached_prefixes: Prefixes,
        /// The largest number of free addresses in one subnet that a new ENI could be made in.
        for_new_eni_ips: Ips,
        /// Free aligned /28s in that subnet.
        for_new_eni_prefixes: Prefixes,
    },
}

/// One node's pool and the demand on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Its hard limits.
    pub budget: Budget,
    /// Attached addresses usable for pods, whatever their state.
    pub total: Ips,
    /// Held by pods.
    pub assigned: Ips,
    /// Released and not yet usable again.
    pub cooling: Ips,
    /// Pods bound here that still wait for theirs.
    pub waiting: Ips,
    /// Claims of pods on their way here.
    pub claims: Ips,
    /// ENIs attached that take pod addresses.
    pub pod_enis: Enis,
    /// Free slots on attached ENIs, in units of the mode.
    pub free_slots: u32,
    /// Room in the subnets.
    pub room: Room,
    /// Cordoned (`spec.unschedulable`).
    pub cordoned: bool,
    /// Until when ipamd makes no call, where it is known.
    pub back_off_until: Option<Time>,
    /// Branch ENIs used, those that cool included.
    pub branch_used: Enis,
    /// Windows pod addresses used, those that cool included.
    pub windows_used: Ips,
}

/// What kind of address the pod needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// Host network: none.
    None,
    /// A secondary IP or one out of a prefix.
    PodIp,
    /// A branch ENI (`vpc.amazonaws.com/pod-eni`).
    BranchEni,
    /// `vpc.amazonaws.com/PrivateIPv4Address`.
    WindowsIp,
}

/// The verdict on `node` for one more pod. Monotone: more free addresses, fewer claims or fewer waiting pods never make it
/// worse.
#[must_use]
pub fn verdict(_node: &NodeState, _settings: &CniSettings, _demand: Demand, _now: Time) -> Verdict {
    unimplemented!("capacity-budget")
}
