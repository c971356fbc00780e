//! The VPC CNI: ipamd, and the plugin that the container runtime calls.

use crate::cause::Cause;
use crate::log::row::{Component, Figure, Row, Weight};

const fn ipamd(cause: Cause, fragments: &'static [&'static str]) -> Row {
    Row::new(Component::Ipamd, cause, fragments)
}

const fn plugin(cause: Cause, fragments: &'static [&'static str]) -> Row {
    Row::new(Component::CniPlugin, cause, fragments)
}

const SUBNET: Figure = Figure::Id("subnet-");

/// aws-node starts again with each of its updates; meanwhile the plugin finds nobody, seconds.
const RESTART: i64 = 60;

pub(super) const IPAMD: &[Row] = &[
    // EC2's error codes; pkg/ipamd/ipamd.go containsInsufficientCIDRsOrSubnetIPs names both.
    ipamd(Cause::SubnetEmpty, &["InsufficientFreeAddressesInSubnet"]).tells(SUBNET),
    ipamd(Cause::SubnetFragmented, &["InsufficientCidrBlocks"]).tells(SUBNET),
    // What CreateNetworkInterface says with prefixes; amazon-vpc-cni-k8s issue 3105.
    ipamd(Cause::SubnetFragmented, &["aren't sufficient free Ipv4 addresses or prefixes"]).tells(SUBNET),
    // eks-node-monitoring-agent monitors/networking/monitor.go: its event for the former of the codes.
    ipamd(Cause::SubnetEmpty, &["IPAMDNoIPs"]),
    // pkg/ipamd/ipamd.go increaseDatastorePool, tryAllocateENI.
    ipamd(Cause::IpamdBackOff, &["subnet doesn't seem to have enough IPs/Prefixes"]),
    ipamd(Cause::IpamdBackOff, &["Recently we had InsufficientCidr error hence will wait"]),
    // increaseIPPool before 1.5: the number is GetENILimit's; increaseDatastorePool since.
    ipamd(Cause::InstanceLimit, &["Skipping increase IPPOOL due to max ENI already attached"])
        .tells(Figure::Last)
        .weighs(Weight::Hint),
    ipamd(Cause::InstanceLimit, &["Skipping ENI allocation as the", "max ENI limit is already reached"])
        .weighs(Weight::Hint),
    // pkg/ipamd/datastore/data_store.go ErrNoAvailableIPInDataStore, AssignPodIPv4Address; without "/Prefix" before 1.9.
    ipamd(Cause::NoFreeAddress, &["no available IP/Prefix addresses"]),
    ipamd(Cause::NoFreeAddress, &["no available IP addresses"]),
    // GetENILimit before 1.6, pkg/awsutils/awsutils.go FetchInstanceTypeLimits and pkg/ipamd/ipamd.go New since.
    ipamd(Cause::UnknownInstanceType, &["unknown instance type"]).tells(Figure::After("unknown instance type")),
    ipamd(Cause::UnknownInstanceType, &["Failed to get ENI limits from file:vpc_ip_limits or EC2 for"])
        .tells(Figure::After("or EC2 for")),
    ipamd(Cause::UnknownInstanceType, &["Failed calling DescribeInstanceTypes for"])
        .tells(Figure::After("DescribeInstanceTypes for")),
    // pkg/awsutils/awsutils.go createENI.
    ipamd(Cause::NoSubnetForPods, &["no valid subnets available for ENI creation"]),
    // pkg/ipamd/ipamd.go nodeInit, tryAllocateENI; pkg/eniconfig/eniconfig.go MyENIConfig.
    ipamd(Cause::EniConfigMissing, &["No ENIConfig could be found for this node"]),
    ipamd(Cause::EniConfigMissing, &["error while retrieving eniconfig"]),
    ipamd(Cause::EniConfigMissing, &["Failed to get pod ENI config"]),
    // pkg/awsutils/awsutils.go attachENI, awsGetFreeDeviceNumber, WaitForENIAndIPsAttached; EC2's error code.
    ipamd(Cause::EniAttachFailed, &["AttachmentLimitExceeded"]),
    ipamd(Cause::EniAttachFailed, &["no available device number"]),
    ipamd(Cause::EniAttachFailed, &["giving up trying to retrieve ENIs from metadata service"])
        .weighs(Weight::Passing(300)),
    // EC2's error codes; pkg/awsutils/awsutils.go checkAPIErrorAndBroadcastEvent, with the event on the aws-node pod.
    ipamd(Cause::Ec2Denied, &["MissingIAMPermissions"]),
    ipamd(Cause::Ec2Denied, &["UnauthorizedOperation"])
        .unless(&["Command failed", "Failed to generate AWS EC2 Instance Types"])
        .tells(Figure::After("perform: ")),
    ipamd(Cause::Ec2Throttled, &["RequestLimitExceeded"]).weighs(Weight::Passing(60)),
    // pkg/ipamd/ipamd.go isConfigValid, getEnvInt; cmd/aws-vpc-cni/main.go.
    ipamd(Cause::SettingNotTaken, &["hence falling back to default (secondary IP) mode"]).weighs(Weight::Hint),
    ipamd(Cause::SettingNotTaken, &["VPC CNI currently does not support dual stack mode"]),
    ipamd(Cause::SettingNotTaken, &["IPv4 and IPv6 are both disabled"]),
    ipamd(Cause::SettingNotTaken, &["IPv6 is supported only in Prefix Delegation mode"]),
    ipamd(Cause::SettingNotTaken, &["Setting WARM_PREFIX_TARGET = 0 is not supported"]),
    ipamd(Cause::SettingNotTaken, &["AWS_VPC_K8S_CNI_VETHPREFIX cannot be"]),
    ipamd(Cause::SettingNotTaken, &["IP_COOLDOWN_PERIOD MUST be a valid positive integer"]),
    ipamd(Cause::SettingNotTaken, &["; using default: ", "Failed to parse"]).weighs(Weight::Hint),
    // pkg/ipamd/rpc_handler.go AddNetwork; pkg/ipamd/ipamd.go askForTrunkENIIfNeeded.
    ipamd(Cause::PodEniOff, &["No trunk ENI found, cannot add a pod ENI"]),
    ipamd(Cause::PodEniOff, &["No slot available for a trunk ENI to be attached"]),
    ipamd(Cause::CniVersionsDiffer, &["Rejecting AddNetwork request"]).weighs(Weight::Passing(RESTART)),
    // pkg/ipamd/datastore/data_store.go ReadBackingStore.
    ipamd(Cause::CniStateUnreadable, &["failed ipam state recovery from backing store"]),
    ipamd(Cause::CniStateUnreadable, &["failed normalize checkpoint data with veth check"]),
    // cmd/aws-k8s-agent/main.go _main, cmd/aws-vpc-cni/main.go _main.
    ipamd(Cause::CniDown, &["aws-k8s-agent", "Initialization failure"]),
    ipamd(Cause::CniDown, &["Timed out waiting for IPAM daemon to start"]),
    ipamd(Cause::ServiceUnreachable, &["Failed to check API server connectivity"]),
    // Go's net with the Service `kubernetes` of EKS's two ranges; kube-proxy starts beside aws-node.
    ipamd(Cause::ServiceUnreachable, &["dial tcp 10.100.0.1:443"]).weighs(Weight::Starting(RESTART)),
    ipamd(Cause::ServiceUnreachable, &["dial tcp 172.20.0.1:443"]).weighs(Weight::Starting(RESTART)),
    ipamd(Cause::ServiceUnreachable, &["Proceeding without API server connectivity"]).weighs(Weight::Hint),
    // pkg/awsutils/awsutils.go CleanUpLeakedENIs, AllocENI.
    ipamd(Cause::LeakedEnis, &["Failed to clean up leaked ENI"]).tells(Figure::Id("eni-")).weighs(Weight::Hint),
    ipamd(Cause::LeakedEnis, &["Failed to delete newly created untagged ENI"]).weighs(Weight::Hint),
];

pub(super) const PLUGIN: &[Row] = &[
    // cmd/routed-eni-cni-plugin/cni.go add; kubelet's and containerd's lines and the pod's event carry it.
    plugin(Cause::NoFreeAddress, &["failed to assign an IP address to container"]),
    plugin(Cause::CniDown, &["failed to connect to backend server"]).weighs(Weight::Passing(RESTART)),
    plugin(Cause::CniDown, &["Error received from AddNetwork gRPC call"]).weighs(Weight::Passing(RESTART)),
    plugin(Cause::PodNetworkFailed, &["add command: failed to setup network"]),
    plugin(Cause::PodNetworkFailed, &["Failed SetupPodNetwork"]),
    plugin(Cause::NetworkPolicyAgentDown, &["add cmd: failed to setup network policy"])
        .weighs(Weight::Passing(RESTART)),
    plugin(Cause::NetworkPolicyAgentDown, &["Failed to connect to network policy agent"])
        .weighs(Weight::Passing(RESTART)),
    // amazon-vpc-resource-controller-k8s pkg/utils/events.go: events on the pod and on the node.
    plugin(Cause::BranchEniPending, &["BranchAllocationFailed"]).weighs(Weight::Hint),
    plugin(Cause::PodEniOff, &["TrunkENICreationFailed"]),
    plugin(Cause::PodEniOff, &["NodeTrunkFailedInit"]),
    plugin(Cause::EniConfigMissing, &["EniConfigNameNotFound"]),
];
