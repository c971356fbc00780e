//! The node: kubelet, containerd, and what runs before them.

use crate::cause::Cause;
use crate::log::row::{Component, Figure, Row, Weight};

const fn kubelet(cause: Cause, fragments: &'static [&'static str]) -> Row {
    Row::new(Component::Kubelet, cause, fragments)
}

const fn containerd(cause: Cause, fragments: &'static [&'static str]) -> Row {
    Row::new(Component::Containerd, cause, fragments)
}

const fn bootstrap(cause: Cause, fragments: &'static [&'static str]) -> Row {
    Row::new(Component::Bootstrap, cause, fragments)
}

/// `Unauthorized` in texts that are not the API server's: of EC2 and of image registries.
const ELSEWHERE: &[&str] =
    &["UnauthorizedOperation", "401 Unauthorized", "unauthorized: authentication required", "failed to authorize"];

/// The role of a new node group is mapped a moment after its first nodes are there, seconds.
const MAPPED: i64 = 60;
/// A node without its CNI yet: aws-node's image is pulled and started, seconds.
const CNI_STARTS: i64 = 90;
/// kubelet before it has registered, seconds.
const REGISTERS: i64 = 60;

pub(super) const KUBELET: &[Row] = &[
    // The API server's 401, `metav1.StatusReasonUnauthorized`, in pkg/kubelet/kubelet_node_status.go tryRegisterWithAPIServer,
    // client-go tools/cache/reflector.go, component-helpers apimachinery/lease/controller.go.
    kubelet(Cause::UnauthorizedNode, &["Unable to register node", "with API server", "Unauthorized"])
        .unless(ELSEWHERE)
        .weighs(Weight::Passing(MAPPED)),
    kubelet(Cause::UnauthorizedNode, &["reflector.go:", "Unauthorized"])
        .unless(ELSEWHERE)
        .weighs(Weight::Passing(MAPPED)),
    kubelet(Cause::UnauthorizedNode, &["ensure lease exists", "Unauthorized"])
        .unless(ELSEWHERE)
        .weighs(Weight::Passing(MAPPED)),
    kubelet(Cause::UnauthorizedNode, &["kubelet", "Unauthorized"]).unless(ELSEWHERE).weighs(Weight::Passing(MAPPED)),
    kubelet(Cause::UnauthorizedNode, &["Unauthorized"]).unless(ELSEWHERE).weighs(Weight::Pasted),
    // Forbidden there, and the NodeRestriction admission plugin's text (plugin/pkg/admission/noderestriction).
    kubelet(Cause::RoleMappingIncomplete, &["Unable to register node", "with API server", "forbidden"]),
    kubelet(Cause::RoleMappingIncomplete, &["ensure lease exists", "is forbidden: User"]),
    kubelet(Cause::RoleMappingIncomplete, &["is not allowed to modify node"]),
    // Go's net/http with the endpoint's name, which ends so for every cluster.
    kubelet(Cause::EndpointUnreachable, &[".eks.amazonaws.com", "dial tcp"])
        .tells(Figure::Host)
        .weighs(Weight::Passing(REGISTERS)),
    kubelet(Cause::EndpointUnreachable, &[".eks.amazonaws.com", "TLS handshake timeout"])
        .tells(Figure::Host)
        .weighs(Weight::Passing(REGISTERS)),
    kubelet(Cause::EndpointUnreachable, &[".eks.amazonaws.com", "Client.Timeout exceeded while awaiting headers"])
        .tells(Figure::Host)
        .weighs(Weight::Passing(REGISTERS)),
    kubelet(Cause::ApiCertificate, &[".eks.amazonaws.com", "x509: certificate signed by unknown authority"]),
    // Go's crypto/x509 CertificateInvalidError.
    kubelet(Cause::ClockWrong, &["x509: certificate has expired or is not yet valid"]),
    // pkg/kubelet/kubelet.go and kubelet_node_status.go: updateNodeStatus, syncNodeStatus.
    kubelet(Cause::NodeNotRegistered, &["Error getting node", "not found"]).weighs(Weight::Starting(120)),
    kubelet(Cause::NodeNotRegistered, &["Error getting the current node from lister"]).weighs(Weight::Starting(120)),
    kubelet(Cause::NodeNotRegistered, &["kubelet.go:", "] node ", "not found"]).weighs(Weight::Starting(120)),
    // pkg/kubelet/kubelet.go updateRuntimeUp, with the runtime's own reason; dockershim's text before 1.24.
    kubelet(Cause::CniDown, &["NetworkPluginNotReady"]).weighs(Weight::Starting(CNI_STARTS)),
    kubelet(Cause::CniDown, &["cni config uninitialized"]).weighs(Weight::Starting(CNI_STARTS)),
    // The readiness probe of aws-node, `grpc-health-probe -addr=:50051`.
    kubelet(Cause::CniDown, &["failed to connect service", ":50051"]).weighs(Weight::Passing(CNI_STARTS)),
    // cmd/kubelet/app/server.go NewKubeletCommand; pkg/kubelet/cm/container_manager_linux.go.
    kubelet(Cause::KubeletFlagRefused, &["failed to parse kubelet flag"]),
    kubelet(Cause::KubeletFlagRefused, &["failed to load kubelet config file"]),
    kubelet(Cause::KubeletFlagRefused, &["failed to validate kubelet configuration"]),
    kubelet(Cause::KubeletSetup, &["running with swap on is not supported"]),
    kubelet(Cause::KubeletSetup, &["misconfiguration: kubelet cgroup driver"]),
    // cri-client pkg/remote_runtime.go over the socket; pkg/kubelet/pleg/generic.go Healthy; pkg/kubelet/runtime.go.
    kubelet(Cause::RuntimeDown, &["containerd.sock", "connection refused"]).weighs(Weight::Starting(60)),
    kubelet(Cause::RuntimeDown, &["containerd.sock", "no such file or directory"]).weighs(Weight::Starting(60)),
    kubelet(Cause::RuntimeDown, &["container runtime is down"]).weighs(Weight::Starting(60)),
    kubelet(Cause::RuntimeDown, &["PLEG is not healthy: pleg was last seen active"]).weighs(Weight::Passing(300)),
    // pkg/kubelet/lifecycle/predicate.go.
    kubelet(Cause::MaxPods, &["Node didn't have enough resource: pods"]),
    // pkg/kubelet/eviction/eviction_manager.go synchronize; the kernel's ENOSPC.
    kubelet(Cause::DiskFull, &["attempting to reclaim", "ephemeral-storage"]),
    kubelet(Cause::DiskFull, &["no space left on device"]),
];

pub(super) const CONTAINERD: &[Row] = &[
    // internal/cri/server/cni_conf_syncer.go; containerd logs it at each of its own starts, and kubelet repeats it.
    containerd(Cause::CniDown, &["cni plugin not initialized"]).weighs(Weight::Starting(CNI_STARTS)),
    // internal/cri/server/sandbox_run.go RunPodSandbox.
    containerd(Cause::PauseImage, &["failed to get sandbox image"]).weighs(Weight::Passing(60)),
    containerd(Cause::SandboxStuck, &["failed to reserve sandbox name"]).weighs(Weight::Passing(60)),
    // runc libcontainer/cgroups/systemd.
    containerd(Cause::KubeletSetup, &["expected cgroupsPath to be of format"]),
];

pub(super) const BOOTSTRAP: &[Row] = &[
    // files/bootstrap.sh; nodeadm/internal/configprovider/mime.go ParseMultipart.
    bootstrap(Cause::BootstrapNotRun, &["CLUSTER_NAME is not defined"]),
    bootstrap(Cause::BootstrapNotRun, &["could not find NodeConfig within UserData"]),
    // cloud-init cloudinit/handlers/__init__.py: user data that is neither a script nor MIME.
    bootstrap(Cause::BootstrapNotRun, &["Unhandled non-multipart (text/x-not-multipart) userdata"])
        .weighs(Weight::Hint),
    // nodeadm/internal/api/validation.go ValidateNodeConfig.
    bootstrap(Cause::BootstrapIncomplete, &["is missing in cluster configuration"]),
    // EKS's answers to DescribeCluster, of bootstrap.sh and nodeadm.
    bootstrap(Cause::BootstrapWrongCluster, &["No cluster found for name"]).tells(Figure::After("for name")),
    bootstrap(Cause::BootstrapDenied, &["not authorized to perform: eks:DescribeCluster"]),
    bootstrap(Cause::BootstrapDenied, &["Command failed", "UnauthorizedOperation"]).tells(Figure::After("perform: ")),
    // nodeadm/internal/cli/main.go; the ERR trap of files/bootstrap.sh; cloudinit/config/cc_scripts_user.py; systemd.
    bootstrap(Cause::BootstrapFailed, &["nodeadm", "fatal", "Command failed"]),
    bootstrap(Cause::BootstrapFailed, &["Exited with error on line"]).tells(Figure::After("on line ")),
    bootstrap(Cause::BootstrapFailed, &["Failed to run module scripts"]),
    bootstrap(Cause::BootstrapFailed, &["nodeadm-", "Failed with result"]),
    // aws-sdk-go v1 aws/ec2metadata, v2 feature/ec2/imds; pkg/awsutils/awsutils.go New; files/bootstrap.sh.
    bootstrap(Cause::MetadataUnreachable, &["EC2MetadataRequestError"]).weighs(Weight::Passing(60)),
    bootstrap(Cause::MetadataUnreachable, &["operation error ec2imds"]).weighs(Weight::Passing(60)),
    bootstrap(Cause::MetadataUnreachable, &["Failed to retrieve region data from instance metadata"]),
    bootstrap(Cause::MetadataUnreachable, &["Failed to get token:"]).weighs(Weight::Passing(60)),
    bootstrap(Cause::MetadataUnreachable, &["169.254.169.254", "i/o timeout"]).weighs(Weight::Passing(60)),
];
