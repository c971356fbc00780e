//! Kinds that are watched.

/// One kind of object that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// core/v1 Node.
    Node,
    /// core/v1 Pod.
    Pod,
    /// vpcresources.k8s.aws/v1alpha1 CNINode.
    CniNode,
    /// crd.k8s.amazonaws.com/v1alpha1 ENIConfig.
    EniConfig,
    /// apps/v1 DaemonSet kube-system/aws-node.
    AwsNode,
    /// core/v1 Event with reason `FailedCreatePodSandBox`.
    SandboxEvent,
    /// core/v1 ConfigMap kube-system/amazon-vpc-cni.
    AmazonVpcCni,
    /// apps/v1 Deployment.
    Deployment,
    /// apps/v1 StatefulSet.
    StatefulSet,
    /// apps/v1 DaemonSet, of all namespaces.
    DaemonSet,
    /// autoscaling/v2 HorizontalPodAutoscaler.
    HorizontalPodAutoscaler,
    /// batch/v1 CronJob.
    CronJob,
    /// storage.k8s.io/v1 CSINode.
    CsiNode,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 13] = [
        Kind::Node,
        Kind::Pod,
        Kind::CniNode,
        Kind::EniConfig,
        Kind::AwsNode,
        Kind::SandboxEvent,
        Kind::AmazonVpcCni,
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::HorizontalPodAutoscaler,
        Kind::CronJob,
        Kind::CsiNode,
    ];
    /// Those that bear on the addresses of pods that are there.
    pub const PRESENT: [Kind; 7] =
        [Kind::Node, Kind::Pod, Kind::CniNode, Kind::EniConfig, Kind::AwsNode, Kind::SandboxEvent, Kind::AmazonVpcCni];
    /// Those that declare how many pods there may be. An API server or RBAC may refuse them.
    pub const DECLARED: [Kind; 5] =
        [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::HorizontalPodAutoscaler, Kind::CronJob];

    /// The metric label, also used in logs and by `/readyz`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Node => "node",
            Kind::Pod => "pod",
            Kind::CniNode => "cninode",
            Kind::EniConfig => "eniconfig",
            Kind::AwsNode => "aws_node",
            Kind::SandboxEvent => "sandbox_event",
            Kind::AmazonVpcCni => "amazon_vpc_cni",
            Kind::Deployment => "deployment",
            Kind::StatefulSet => "statefulset",
            Kind::DaemonSet => "daemonset",
            Kind::HorizontalPodAutoscaler => "horizontalpodautoscaler",
            Kind::CronJob => "cronjob",
            Kind::CsiNode => "csinode",
        }
    }

    /// Whether a cluster need not serve the kind: it comes from a CRD, or [may be refused](Kind::may_be_refused).
    #[must_use]
    pub const fn is_optional(self) -> bool {
        matches!(self, Kind::CniNode | Kind::EniConfig) || self.may_be_refused()
    }

    /// Whether all goes on without the permission to watch it.
    #[must_use]
    pub const fn may_be_refused(self) -> bool {
        self.is_declared() || matches!(self, Kind::CsiNode)
    }

    /// Whether it is one of [`Kind::DECLARED`].
    #[must_use]
    pub const fn is_declared(self) -> bool {
        match self {
            Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => true,
            Kind::HorizontalPodAutoscaler | Kind::CronJob => true,
            Kind::Node | Kind::Pod | Kind::CniNode | Kind::EniConfig => false,
            Kind::AwsNode | Kind::SandboxEvent | Kind::AmazonVpcCni | Kind::CsiNode => false,
        }
    }
}
