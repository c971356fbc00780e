//! A pod and what was said about it.

use headroom_capacity::verdict;
use serde::{Deserialize, Serialize};

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was made, milliseconds of the Unix epoch.
    pub created_at_ms: u64,
    /// The node that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// `status.reason`, where kubelet has ended it: `Evicted`, `OutOfpods`, `NodeAffinity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What kind of address it needs.
    pub demand: Demand,
    /// Its addresses.
    #[serde(default)]
    pub ips: Vec<String>,
    /// Condition `Ready`.
    #[serde(default)]
    pub ready: bool,
    /// It is being deleted.
    #[serde(default)]
    pub deleting: bool,
    /// Condition `PodScheduled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Condition>,
    /// Condition `PodReadyToStartContainers`: it has a sandbox with a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<bool>,
    /// Names of `spec.schedulingGates`.
    #[serde(default)]
    pub gates: Vec<String>,
    /// The reasons for which its containers wait: `ContainerCreating`, `ImagePullBackOff`, `CrashLoopBackOff`.
    #[serde(default)]
    pub waiting: Vec<String>,
    /// The resource controller has given it a branch ENI (annotation `vpc.amazonaws.com/pod-eni`).
    #[serde(default)]
    pub branch_eni: bool,
    /// What Kubernetes' events say of it, the latest first.
    #[serde(default)]
    pub events: Vec<Event>,
}

impl Pod {
    /// `default/web-1`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// What kind of address a pod needs ([`verdict::Demand`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// None: it is on the host's network.
    HostNetwork,
    /// One of the node's pool.
    #[default]
    PodIp,
    /// A branch ENI.
    BranchEni,
    /// One of a Windows node's.
    WindowsIp,
}

impl From<Demand> for verdict::Demand {
    fn from(demand: Demand) -> verdict::Demand {
        match demand {
            Demand::HostNetwork => verdict::Demand::None,
            Demand::PodIp => verdict::Demand::PodIp,
            Demand::BranchEni => verdict::Demand::BranchEni,
            Demand::WindowsIp => verdict::Demand::WindowsIp,
        }
    }
}

impl From<verdict::Demand> for Demand {
    fn from(demand: verdict::Demand) -> Demand {
        match demand {
            verdict::Demand::None => Demand::HostNetwork,
            verdict::Demand::PodIp => Demand::PodIp,
            verdict::Demand::BranchEni => Demand::BranchEni,
            verdict::Demand::WindowsIp => Demand::WindowsIp,
        }
    }
}

/// A condition of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// `status` is `True`.
    pub holds: bool,
    /// `reason`.
    #[serde(default)]
    pub reason: String,
    /// `message`.
    #[serde(default)]
    pub message: String,
}

/// A Kubernetes event. Of reasons other than [`Event::TOLD`] the message is left out: it may quote a container's command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// `reason`.
    pub reason: String,
    /// `message`, cut to [`Event::LONGEST`] bytes.
    #[serde(default)]
    pub message: String,
    /// How often it was said.
    pub count: u32,
    /// When it was said last, milliseconds of the Unix epoch.
    pub last_at_ms: u64,
}

impl Event {
    /// The reasons whose messages are kept: those by which kube-scheduler, kubelet and the resource controller speak of nodes and of
    /// the network.
    pub const TOLD: [&str; 8] = [
        "BranchAllocationFailed",
        "FailedCreatePodSandBox",
        "FailedScheduling",
        "NetworkNotReady",
        "NotTriggerScaleUp",
        "ResourceAllocated",
        "SecurityGroupRequested",
        "TriggeredScaleUp",
    ];
    /// Most of a message that is kept, in bytes.
    pub const LONGEST: usize = 2048;
}
