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
        "uncordon it, or set AWS_MANAGE_ENIS_NON_SCHEDULABLE; what is bound to it goes elsewhere when it is deleted";
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
    NoFreeAddress = "no_free_address",
        "ipamd had no address to give when a pod asked for one",
        "where no other cause is named, kubelet tries again within seconds; keep more addresses warm (WARM_IP_TARGET), and run doctor node";
    NoSubnetForPods = "no_subnet_for_pods",
        "No subnet of the node's zone may give addresses to pods",
        "tag a subnet kubernetes.io/role/cni=1, or take kubernetes.io/role/cni=0 away from the node's own";
    EniConfigMissing = "eni_config_missing",
        "Custom networking is on, and the node has no ENIConfig",
        "create the ENIConfig that the node's label or annotation names, or one for its zone (ENI_CONFIG_LABEL_DEF)";
    EniAttachFailed = "eni_attach_failed",
        "An ENI could not be attached, or did not show on the instance afterwards",
        "look for ENIs that something else attached, and for the API's error before it; where it goes on, replace the node";
    PodNetworkFailed = "pod_network_failed",
        "The CNI had an address and could not set up the pod's network",
        "look at the error in plugin.log; restart aws-node on the node, and replace the node where it goes on";
    NetworkPolicyAgentDown = "network_policy_agent_down",
        "The network policy agent does not answer, and the pod's network is not set up without it",
        "look at the container aws-eks-nodeagent of its aws-node pod, or set NETWORK_POLICY_ENFORCING_MODE to standard";
    CniVersionsDiffer = "cni_versions_differ",
        "The CNI's plugin and ipamd are of different versions",
        "restart the node's aws-node pod: it installs the plugin anew; give both containers the same version";
    CniStateUnreadable = "cni_state_unreadable",
        "ipamd cannot read back which pod has which address",
        "replace the node; if that cannot be, drain it, remove /var/run/aws-node/ipam.json and restart aws-node";

    // Joining: `join` and the logs of kubelet and cloud-init.
    InstanceNotRunning = "instance_not_running",
        "The instance is not running",
        "start or replace the instance";
    StillStarting = "still_starting",
        "The instance has not had the time to join",
        "wait some minutes and ask again";
    MetadataOff = "metadata_off",
        "The instance metadata service is turned off",
        "turn it on: every bootstrap and kubelet read region, name and credentials there";
    InstanceProfileMissing = "instance_profile_missing",
        "The instance has no role, so that it has no credentials to join with",
        "give the launch template an instance profile with the node role";
    OtherVpc = "other_vpc",
        "The instance is in another VPC than the cluster",
        "launch nodes in the cluster's VPC";
    ClusterNotActive = "cluster_not_active",
        "The cluster is not active",
        "wait until EKS says ACTIVE, or look at the cluster's health issues";
    UnauthorizedNode = "unauthorized_node",
        "The API server does not know the node's role",
        "name the node role in the ConfigMap aws-auth or make an access entry for it";
    RoleArnMismatch = "role_arn_mismatch",
        "aws-auth means the node's role and names it by an ARN that never matches",
        "name the role's ARN without a path, not the instance profile's";
    RoleMappingIncomplete = "role_mapping_incomplete",
        "aws-auth names the node's role, but not as a node",
        "give it the username system:node:{{EC2PrivateDNSName}} and the groups system:bootstrappers and system:nodes";
    AwsAuthBroken = "aws_auth_broken",
        "aws-auth cannot be read, so that none of its entries count",
        "correct the YAML of mapRoles";
    AccessEntryWrong = "access_entry_wrong",
        "The node role's access entry is not one of nodes",
        "replace it by an entry of type EC2_LINUX or EC2_WINDOWS";
    BootstrapNotRun = "bootstrap_not_run",
        "Nothing makes the instance join: its user data calls no bootstrap",
        "give the launch template user data that calls the image's bootstrap for this cluster";
    BootstrapMismatch = "bootstrap_mismatch",
        "The user data calls a bootstrap that the image does not have",
        "use the user data of the image's family, or an image of the user data's";
    BootstrapIncomplete = "bootstrap_incomplete",
        "The bootstrap lacks what it cannot do without",
        "give it the cluster's name, endpoint and certificate authority";
    BootstrapWrongCluster = "bootstrap_wrong_cluster",
        "The bootstrap joins another cluster",
        "correct the cluster's name and endpoint in the user data";
    KubeletFlagRefused = "kubelet_flag_refused",
        "kubelet ends at once because of a flag or a label that it does not take",
        "take the flag or label out of the user data";
    KubeletSkew = "kubelet_skew",
        "kubelet's version is not supported by the control plane's",
        "use an image of the control plane's version";
    EndpointUnreachable = "endpoint_unreachable",
        "The instance has no way to the API server",
        "enable private access to the endpoint, or give the subnet a way to the internet";
    AwsUnreachable = "aws_unreachable",
        "The instance has no way to the AWS services that a node needs",
        "give the subnet a way to the internet, or the VPC endpoints of these services";
    VpcDnsOff = "vpc_dns_off",
        "The VPC does not resolve the names that nodes need",
        "turn on enableDnsSupport and enableDnsHostnames";
    ApiPortBlocked = "api_port_blocked",
        "A security group blocks the way from the node to the API server",
        "give the instance the cluster security group, or let TCP 443 through";
    KubeletPortBlocked = "kubelet_port_blocked",
        "A security group blocks the way from the control plane to kubelet: logs, exec and metrics do not work",
        "give the instance the cluster security group, or let TCP 10250 through";
    DnsPortBlocked = "dns_port_blocked",
        "A security group blocks DNS between nodes: pods do not reach CoreDNS",
        "give all nodes the cluster security group, or let TCP and UDP 53 through between them";
    ClusterTagWrong = "cluster_tag_wrong",
        "The instance's tag does not say that it belongs to the cluster",
        "tag it kubernetes.io/cluster/<name> = owned, and with no other cluster";
    SubnetTagMissing = "subnet_tag_missing",
        "The subnet lacks the tag that a control plane up to 1.18 needs",
        "tag it kubernetes.io/cluster/<name> = shared";
    JoinUnexplained = "join_unexplained",
        "What keeps the instance from joining cannot be seen from outside",
        "read the log of kubelet and of the bootstrap on the instance";

    // What only logs tell: kubelet, containerd, Cluster Autoscaler.
    NodeNotRegistered = "node_not_registered",
        "kubelet has not found its own Node object",
        "see why it cannot register: run doctor join for the instance";
    BootstrapDenied = "bootstrap_denied",
        "The instance's role may not make a call that joining needs",
        "give the role AmazonEKSWorkerNodePolicy (eks:DescribeCluster, ec2:DescribeInstances)";
    BootstrapFailed = "bootstrap_failed",
        "A script of the user data, or nodeadm, ended with an error",
        "read what stands before it in /var/log/cloud-init-output.log or journalctl -u nodeadm-config -u nodeadm-run";
    MetadataUnreachable = "metadata_unreachable",
        "Instance metadata does not answer",
        "turn the instance's metadata endpoint on; give HttpPutResponseHopLimit 2 where a pod asks, and let 169.254.169.254 through";
    ApiCertificate = "api_certificate",
        "The API server's certificate is not signed by the CA that the node was given",
        "give the bootstrap this cluster's certificate authority and endpoint; they are another cluster's";
    ClockWrong = "clock_wrong",
        "The machine's clock is off, or a certificate has run out",
        "set the clock (chrony with 169.254.169.123); where it is right, renew the certificate: replace the node";
    KubeletSetup = "kubelet_setup",
        "kubelet refuses the machine as it is set up",
        "turn swap off or set failSwapOn: false, and give kubelet and containerd the same cgroup driver";
    RuntimeDown = "runtime_down",
        "containerd does not answer kubelet",
        "look at journalctl -u containerd; a full disk and a broken config.toml are usual; restart it or replace the node";
    PauseImage = "pause_image",
        "The pause image cannot be had, and no pod starts without it",
        "let the node reach ECR (endpoints ecr.api, ecr.dkr and S3, or NAT), give its role AmazonEC2ContainerRegistryPullOnly, and keep the image from being collected";
    SandboxStuck = "sandbox_stuck",
        "containerd is still busy with an earlier try of the same pod",
        "see why the first try hangs: disk or CPU of the node, or the CNI; restart containerd where it does not end";
    DiskFull = "disk_full",
        "The node's disk is full",
        "make the volume larger, and find out what fills it: images, logs, emptyDir";
    ServiceUnreachable = "service_unreachable",
        "The API server cannot be reached by its Service address",
        "see that kube-proxy runs on the node and that its node reaches the endpoint; the security group must let pods out to port 443";
    AwsDns = "aws_dns",
        "The name of an AWS endpoint does not resolve",
        "let the pod reach its nameserver or set dnsPolicy: Default; ndots:5 asks for four names more, dnsConfig with ndots 1 does not; headroom-advisor probe tells who does not answer";
    AwsBlocked = "aws_blocked",
        "The name of an AWS endpoint resolves, and nothing answers the connection",
        "look for what drops port 443: security group, network ACL, route to a NAT gateway; or create an interface endpoint whose security group admits the nodes; headroom-advisor probe tells which";
    AwsRefused = "aws_refused",
        "The connection to an AWS endpoint fails at once: refused, no route, or no such name",
        "give the subnet a route (NAT gateway, interface endpoint), and see that no proxy or firewall refuses; headroom-advisor probe tells which";
    AwsTls = "aws_tls",
        "TLS to an AWS endpoint fails",
        "take the intercepting proxy out of the path or give the image its CA, and put CA certificates into the image; headroom-advisor probe tells which";
    AwsCredentials = "aws_credentials",
        "There are no credentials for AWS",
        "for IRSA: the IAM OIDC provider of the cluster, the role's trust policy and the annotation of the ServiceAccount; else Pod Identity or the instance's role";
    AwsDenied = "aws_denied",
        "The role may not make an AWS call",
        "allow the action that the message names in the role's policy, and see service control policies";
    AwsThrottled = "aws_throttled",
        "AWS throttles the account's calls",
        "find out who spends the account's rate (CloudTrail), and lengthen the periods of what polls: --scan-interval of Cluster Autoscaler";
    AutoscalerStuck = "autoscaler_stuck",
        "Cluster Autoscaler cannot read its Auto Scaling groups, and neither scales out nor in meanwhile",
        "do away with the cause that is named before it; where there is none, headroom-advisor probe tells whether AWS can be reached from there";
    AutoscalerSlow = "autoscaler_slow",
        "A loop of Cluster Autoscaler takes longer than its calls to AWS should",
        "run headroom-advisor probe where it runs: 30 s a try is a connection that nobody answers";
    AutoscalerGroupFailed = "autoscaler_group_failed",
        "Auto Scaling could not launch what Cluster Autoscaler asked for",
        "read the status message of the scaling activity; where it is addresses, see subnet_empty";
    AutoscalerApi = "autoscaler_api",
        "Cluster Autoscaler cannot work with the API server",
        "see that its pod reaches the API server, and that its ClusterRole has what the message names";
    ClusterDns = "cluster_dns",
        "CoreDNS gets no answer from whom it forwards to",
        "let CoreDNS's nodes reach the VPC resolver (UDP and TCP port 53), spread CoreDNS over nodes (1024 packets/s an ENI), or use NodeLocal DNSCache";
    DnsLoop = "dns_loop",
        "CoreDNS forwards to itself and stops",
        "let kubelet's resolvConf name a file with real nameservers: /run/systemd/resolve/resolv.conf";
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
