//! What the watches tell.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use headroom_capacity::binding::{Allocatable, Requests};
use headroom_capacity::budget::NodeKind;
use headroom_capacity::ids::PodUid;
use headroom_capacity::settings::{CniSettings, ControllerSettings, SettingProblem};
use headroom_capacity::time::Time;
use headroom_capacity::verdict::{Demand, Reason};

use crate::declared::Declared;
use crate::kind::Kind;
use crate::placement::Placement;
use crate::ties::{Labels, Ties};

/// Something that changed in the cluster, or in our view of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A node is there or changed.
    NodeApplied(Box<Node>),
    /// A node is gone, by name.
    NodeDeleted(Arc<str>),
    /// A pod is there or changed.
    PodApplied(Box<Pod>),
    /// A pod is gone.
    PodDeleted(PodUid),
    /// A CNINode is there or changed.
    CniNodeApplied(CniNode),
    /// A CNINode is gone, by name.
    CniNodeDeleted(Arc<str>),
    /// An ENIConfig is there or changed.
    EniConfigApplied(EniConfig),
    /// An ENIConfig is gone, by name.
    EniConfigDeleted(Arc<str>),
    /// A CSINode is there or changed.
    CsiNodeApplied {
        /// The node's name.
        name: Arc<str>,
        /// `allocatable.count` of driver `ebs.csi.aws.com`: the volumes that it can have attached for pods. `None` where the driver is
        /// not on the node or sets no limit.
        ebs_volumes: Option<u32>,
    },
    /// A CSINode is gone, by name.
    CsiNodeDeleted(Arc<str>),
    /// aws-node's settings, and what ipamd makes of the values it does not accept.
    CniSettings {
        /// The effective settings.
        settings: Box<CniSettings>,
        /// Values that ipamd replaces.
        problems: Vec<SettingProblem>,
    },
    /// What ConfigMap `amazon-vpc-cni` says; the defaults once it is gone. Where there never was one, nothing is told.
    ControllerSettings(ControllerSettings),
    /// kubelet could not create a pod's sandbox.
    SandboxFailed(SandboxFailure),
    /// An object that declares how many pods there may be is there or changed.
    DeclaredApplied(Declared),
    /// Such an object is gone.
    DeclaredDeleted {
        /// Its kind.
        kind: Kind,
        /// `namespace/name`.
        name: Arc<str>,
    },
    /// An object could not be decoded and was skipped; what was known of it stays.
    Undecodable {
        /// Its kind.
        kind: Kind,
        /// `namespace/name`, or the name alone where there is no namespace.
        object: String,
        /// The decoder's message.
        error: String,
    },
    /// The list of this kind is complete; sent again after each new list.
    Synced {
        /// The kind.
        kind: Kind,
        /// The API server does not serve the kind: its CRD is not installed, or the version is not known to it.
        absent: bool,
    },
    /// The watch failed and will be tried again after a pause.
    WatchFailed {
        /// The kind.
        kind: Kind,
        /// What failed.
        class: ErrorClass,
        /// The client's message.
        error: String,
    },
    /// A watch that had failed runs again.
    WatchRecovered(Kind),
}

/// What of a watch failed: a closed set for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The initial list.
    List,
    /// The start of a watch.
    Start,
    /// The running watch's connection.
    Stream,
    /// The API server ended the watch with an error, 410 Gone for one.
    Server,
    /// An object could not be decoded.
    Decode,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [ErrorClass; 5] =
        [ErrorClass::List, ErrorClass::Start, ErrorClass::Stream, ErrorClass::Server, ErrorClass::Decode];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            ErrorClass::List => "list",
            ErrorClass::Start => "start",
            ErrorClass::Stream => "stream",
            ErrorClass::Server => "server",
            ErrorClass::Decode => "decode",
        }
    }
}

/// A node, without anything that does not bear on pod IPs.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// Label `node.kubernetes.io/instance-type`.
    pub instance_type: Option<Arc<str>>,
    /// Label `topology.kubernetes.io/zone`.
    pub zone: Option<Arc<str>>,
    /// `spec.providerID`, for example `aws:///eu-west-1a/i-0123456789abcdef0`.
    pub provider_id: Option<Arc<str>>,
    /// Who gives its pods their addresses.
    pub kind: NodeKind,
    /// `status.capacity.pods`; 0 where kubelet has not reported yet.
    pub max_pods: u32,
    /// `status.allocatable["vpc.amazonaws.com/pod-eni"]`.
    pub pod_enis: Option<u32>,
    /// `status.allocatable["vpc.amazonaws.com/PrivateIPv4Address"]`.
    pub windows_ips: Option<u32>,
    /// `status.allocatable`, the rest of it that pods use up.
    pub allocatable: Allocatable,
    /// What is in `status.allocatable` beside these: what device plugins give, huge pages, ephemeral storage.
    pub extended: BTreeMap<String, u64>,
    /// `spec.unschedulable`: cordoned.
    pub unschedulable: bool,
    /// Condition Ready is True: the CNI plugin is installed, which aws-node does when ipamd answers.
    pub ready: bool,
    /// Label `vpc.amazonaws.com/has-trunk-attached=true`, from before CNINode.
    pub trunk_label: bool,
    /// All labels: `ENI_CONFIG_LABEL_DEF` may name any of them.
    pub labels: BTreeMap<String, String>,
    /// Annotations whose value could name an ENIConfig: `ENI_CONFIG_ANNOTATION_DEF` may name any of them.
    pub annotations: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// The mark of a scale-in that was begun on it, as [`mark`](crate::drain::mark) wrote it.
    pub scale_in: Option<Arc<str>>,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, empty where it has none.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl Node {
    /// [`CniSettings::eni_config`] by this node's labels and annotations.
    #[must_use]
    pub fn eni_config(&self, settings: &CniSettings) -> Option<&str> {
        let label = |key: &str| self.labels.get(key).map(String::as_str);
        settings.eni_config(label, |key| self.annotations.get(key).map(String::as_str))
    }
}

/// A pod, likewise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.uid`.
    pub uid: PodUid,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.resourceVersion`, 0 where it is not a number.
    pub resource_version: u64,
    /// `spec.nodeName`.
    pub node: Option<Arc<str>>,
    /// `status.nominatedNodeName`.
    pub nominated_node: Option<Arc<str>>,
    /// `spec.priority`, 0 where unset.
    pub priority: i32,
    /// What kind of address it needs.
    pub demand: Demand,
    /// What else it takes of its node.
    pub requests: Requests,
    /// `status.podIP`.
    pub ip: Option<IpAddr>,
    /// Its sandbox is torn down for good, although `status.podIP` stays: it is Succeeded or Failed, or it is being deleted and the CNI
    /// has taken its address back, which only `ANNOTATE_POD_IP` tells.
    pub terminal: bool,
    /// `metadata.deletionTimestamp` is set; it keeps its address until it is gone.
    pub deleting: bool,
    /// Condition `PodScheduled` is False, a scheduling attempt failed: the condition's [fingerprint](crate::failure_fingerprint).
    pub schedule_failure: Option<u64>,
    /// While it waits for a node: why the extender kept it from one, by the first of [`Reason::ALL`] that the condition's message
    /// holds.
    pub shortage: Option<Reason>,
    /// Which nodes it may be on.
    pub placement: Placement,
    /// And by the pods that are there.
    pub ties: Ties,
    /// `metadata.labels`, by which other pods' ties are about it.
    pub labels: Labels,
}

impl Pod {
    /// Whether `status.podIP` is set.
    #[must_use]
    pub fn has_ip(&self) -> bool {
        self.ip.is_some()
    }
}

impl Node {
    /// A Ready node of which nothing else is known, for those who make one up.
    #[must_use]
    pub fn ready(name: &str, kind: NodeKind, max_pods: u32) -> Node {
        Node {
            name: name.into(),
            instance_type: None,
            zone: None,
            provider_id: None,
            kind,
            max_pods,
            pod_enis: None,
            windows_ips: None,
            allocatable: Allocatable::default(),
            extended: BTreeMap::new(),
            unschedulable: false,
            ready: true,
            trunk_label: false,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            taints: Vec::new(),
            scale_in: None,
        }
    }
}

/// A CNINode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CniNode {
    /// The node's name.
    pub name: Arc<str>,
    /// Feature `SecurityGroupsForPods`: a trunk ENI is attached or asked for.
    pub security_groups_for_pods: bool,
    /// Feature `CustomNetworking`: the ENIConfig's name.
    pub eni_config: Option<Arc<str>>,
}

/// An ENIConfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EniConfig {
    /// Its name.
    pub name: Arc<str>,
    /// `spec.subnet`.
    pub subnet: Option<Arc<str>>,
}

/// kubelet's `FailedCreatePodSandBox`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxFailure {
    /// The pod.
    pub pod: PodUid,
    /// The reporting kubelet's node, where the event names it.
    pub node: Option<Arc<str>>,
    /// When it was last seen, milliseconds since the Unix epoch.
    pub at: Time,
    /// The CNI had no address to assign, as far as its message tells.
    pub ip_cause: bool,
    /// kubelet's message.
    pub message: Arc<str>,
}
