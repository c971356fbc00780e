//! What can be wrong, as a closed set.

use serde::{Serialize, Serializer};

/// One row a cause, so that none can lack its label or its remedy.
macro_rules! causes {
    ($($name:ident = $label:literal, $meaning:literal, $remedy:literal;)*) => {
        /// What can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $(#[doc = $meaning] $name,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Cause] = &[$(Cause::$name,)*];

            /// The key in JSON and the heading in the documents; stable.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Cause::$name => $label,)* }
            }

            /// What it means, in a sentence without a full stop.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Cause::$name => $meaning,)* }
            }

            /// What to do where nothing more is known.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Cause::$name => $remedy,)* }
            }
        }
    };
}

// In three parts, by who can find them out.
causes! {
    // Addresses: `pod`, `node` and the CNI's log.
    SubnetEmpty = "subnet_empty",
        "The subnet has no free address",
        "add a subnet to the node group or use custom networking, and give back what is not used: leaked ENIs, warm pools that are too large";
    SubnetFragmented = "subnet_fragmented",
        "The subnet has free addresses and no free /28 for prefix delegation",
        "reserve a block for prefixes (create-subnet-cidr-reservation, type prefix), use a subnet of their own for the nodes, or turn ENABLE_PREFIX_DELEGATION off";
    InstanceLimit = "instance_limit",
        "The instance has attached all the addresses that its type takes",
        "move pods to another node, use a larger instance type or prefix delegation, and set max-pods to what the node has addresses for";
    EniLimit = "eni_limit",
        "The node may attach no more ENIs, although its type takes more",
        "raise MAX_ENI, or detach the ENIs that ipamd does not manage";
    MaxPods = "max_pods",
        "The node has as many pods as kubelet admits",
        "move pods to another node or, where the node has addresses left, raise max-pods";
    MaxPodsTooHigh = "max_pods_too_high",
        "kubelet admits more pods than the node has addresses for",
        "set max-pods to the value for the instance type and the CNI's settings, and replace the nodes";
    MaxPodsTooLow = "max_pods_too_low",
        "kubelet admits fewer pods than the node has addresses for",
        "set max-pods to the value for the instance type and the CNI's settings, and replace the nodes";
    CoolingDown = "cooling_down",
        "The node's free addresses were released a moment ago and are not handed out again yet",
        "wait: kubelet tries again; where rollouts are large, keep more addresses warm (WARM_IP_TARGET) or lower IP_COOLDOWN_PERIOD";
    IpamdBackOff = "ipamd_back_off",
        "ipamd waits 120 s after EC2 had too few addresses in the subnet",
        "wait: it asks again by itself; if the subnet is full then too, see subnet_empty";
    PoolGrowing = "pool_growing",
        "ipamd is attaching more addresses",
        "wait: it takes seconds; where bursts are large, keep more addresses warm (WARM_IP_TARGET)";
    PoolNotGrowing = "pool_not_growing",
        "The warm-pool targets keep ipamd from attaching more",
        "set WARM_IP_TARGET to 1 or more, or take MINIMUM_IP_TARGET away";
    ProvisioningDisabled = "provisioning_disabled",
        "ipamd was told to attach nothing",
        "take DISABLE_NETWORK_RESOURCE_PROVISIONING and ENABLE_IMDS_ONLY_MODE away, or see to whatever attaches addresses instead";
    NodeCordoned = "node_cordoned",
        "The node is cordoned, and ipamd attaches nothing to it",
        "uncordon it, delete the pod so that it goes elsewhere, or set AWS_MANAGE_ENIS_NON_SCHEDULABLE";
    AddressesClaimed = "addresses_claimed",
        "The free addresses are for pods that are on their way",
        "wait: the pod is tried again when they have arrived";
    BranchEniLimit = "branch_eni_limit",
        "The node has all the branch ENIs that its type takes",
        "move pods with security groups of their own to other nodes, or use a larger instance type";
    BranchEniPending = "branch_eni_pending",
        "The pod waits for its branch ENI",
        "look at the events of the VPC resource controller on the pod, and whether the subnet has a free address";
    PodEniOff = "pod_eni_off",
        "The pod needs a branch ENI, and the node has none to give",
        "set ENABLE_POD_ENI=true and use an instance type that takes a trunk ENI, or take its SecurityGroupPolicy away";
    WindowsIpLimit = "windows_ip_limit",
        "The Windows node has given away all addresses of its primary ENI",
        "move pods to another node, or set enable-windows-prefix-delegation";
    CniDown = "cni_down",
        "The CNI does not answer on the node",
        "look at its aws-node pod: kubectl -n kube-system logs, previous logs too, and describe";
    NodeNotReady = "node_not_ready",
        "The node is not ready",
        "look at kubelet's log on the node, or replace it";
    Ec2Throttled = "ec2_throttled",
        "EC2 throttles the account's calls, those of ipamd among them",
        "start fewer nodes at once, give MINIMUM_IP_TARGET beside a small WARM_IP_TARGET, or ask AWS for a higher rate";
    Ec2Denied = "ec2_denied",
        "ipamd may not call EC2",
        "give aws-node's role the policy AmazonEKS_CNI_Policy";
    UnknownInstanceType = "unknown_instance_type",
        "Nobody knows how many addresses the instance type takes",
        "allow ec2:DescribeInstanceTypes, or raise the CNI and Headroom to versions that know the type";
    SettingNotTaken = "setting_not_taken",
        "ipamd does not take a setting at its word",
        "correct the variable in the aws-node DaemonSet";
    LeakedEnis = "leaked_enis",
        "ENIs that are attached to nothing hold addresses",
        "delete them, or let the advisor: leaks.action";
    ExtenderUnsure = "extender_unsure",
        "Headroom kept the pod back because it could not tell",
        "headroom-extender explain tells what it lacks";
    OtherTrouble = "other_trouble",
        "What is wrong with the pod is not its address",
        "see what its events say: kubectl describe pod";
    NotRead = "not_read",
        "Something could not be looked at",
        "give what reads the permission, and try again";

    // Joining: `join` and the logs of kubelet and cloud-init.

    // What only logs tell: kubelet, containerd, Cluster Autoscaler.
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
