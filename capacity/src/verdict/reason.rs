use std::fmt;

/// One row a reason, so that none can lack its label, its message or its place in `ALL`.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $message:literal;)*) => {
        /// Why a node gets no pod, or why it cannot be told: a closed set. `as_str` is the kube-scheduler message, `label` the
        /// metric label; both are stable. [`verdict`](super::verdict()) documents which one wins where several hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All reasons, for pre-registered metrics and generated docs.
            pub const ALL: [Reason; [$($label),*].len()] = [$(Reason::$name),*];

            /// The message in kube-scheduler's event: constant, because kube-scheduler groups nodes by distinct text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => $message,)*
                }
            }

            /// The metric label: `snake_case` of the variant.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Reason::$name => $label,)*
                }
            }
        }
    };
}

reasons! {
    /// Every ENI slot of the instance type is used: only a pod's end frees an IP.
    InstanceIpLimit = "instance_ip_limit", "no pod IP left: instance type's ENI and IP limit reached";
    /// Addresses are there but all still cooling.
    CoolingDown = "cooling_down", "no pod IP left: released IPs are cooling down";
    /// No reachable subnet has a free address.
    SubnetExhausted = "subnet_exhausted", "no pod IP left: no free IP in any subnet of the node";
    /// Addresses are free in the subnet but no aligned /28.
    SubnetFragmented = "subnet_fragmented", "no pod IP left: no free /28 prefix in any subnet of the node";
    /// ipamd waits 120 s after EC2 refused for want of addresses.
    IpamdBackOff = "ipamd_back_off", "no pod IP left: ipamd is backing off after EC2 refused addresses";
    /// Cordoned: ipamd does not grow the pool.
    Cordoned = "cordoned", "no pod IP left: node is cordoned and its pool does not grow";
    /// The pool holds max-pods addresses and does not grow.
    MaxPods = "max_pods", "no pod IP left: pool already holds max-pods IPs";
    /// Every free address is spoken for by pods that are on their way.
    Claimed = "claimed", "no pod IP left: free IPs are claimed by pods on their way";
    /// Warm-pool targets keep the pool where it is.
    PoolNotGrowing = "pool_not_growing", "no pod IP left: warm-pool targets keep the pool from growing";
    /// `DISABLE_NETWORK_RESOURCE_PROVISIONING` or IMDS-only: ipamd never allocates.
    ProvisioningDisabled = "provisioning_disabled", "no pod IP left: ipamd's provisioning is disabled";
    /// A pod of the node asked the CNI for an address and got none, and still has none.
    AssignFailed = "assign_failed", "no pod IP left: CNI failed to assign one to a pod of this node";
    /// Every branch ENI of the node is used or cooling.
    BranchEniLimit = "branch_eni_limit", "no branch ENI left: limit of the instance type reached";
    /// Every Windows pod address is used.
    WindowsIpLimit = "windows_ip_limit", "no pod IP left: Windows node's primary ENI is full";
    /// Neither the tables nor EC2 nor observation know the instance type.
    UnknownInstanceType = "unknown_instance_type", "pod IP capacity unknown: instance type has no known limits";
    /// The node is not in our state.
    UnknownNode = "unknown_node", "pod IP capacity unknown: node not seen yet";
    /// Our state is older than allowed.
    StaleState = "stale_state", "pod IP capacity unknown: cluster state is stale";
    /// The subnet's free addresses are not known.
    UnknownSubnet = "unknown_subnet", "pod IP capacity unknown: subnet not seen yet";
    /// Many nodes, not all for the same reason.
    Several = "several", "no pod IP left: several reasons, headroom-extender explain tells them";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
