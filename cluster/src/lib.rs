//! Kubernetes as Headroom sees it: watches in, trimmed domain events out; a pod's metrics, on demand; and a few writes, which
//! ask for a pod to be retried, decide who of several leads, empty a node, and tell people what was done.
//!
//! ```text
//! Node, Pod, CNINode, ENIConfig,       ┌─ node  ─┐
//! DaemonSet kube-system/aws-node,  ───>│  pod    │
//! ConfigMap kube-system/amazon-vpc-cni,│  cni    │──> Event ──> whoever keeps the state
//! Events FailedCreatePodSandBox        │         │
//! Deployment, StatefulSet, DaemonSet,  └declared ┘
//! HorizontalPodAutoscaler, CronJob, CSINode
//! ```
//!
//! This is the only crate that knows kube-rs. An object is cut down to the fields that decide about pod IPs as soon as it is
//! decoded; managedFields, container lists and image lists never reach a channel. Deletions that happened while a watch was down
//! are found by comparing lists and reported like any other, so that a consumer only ever applies events.
//!
//! # RBAC
//!
//! | verbs | resources | scope | for |
//! |---|---|---|---|
//! | list, watch | `nodes`, `pods`, `events` | cluster | [`watch`] |
//! | list, watch | `cninodes.vpcresources.k8s.aws`, `eniconfigs.crd.k8s.amazonaws.com` | cluster | [`watch`] |
//! | list, watch | `csinodes.storage.k8s.io` | cluster | [`watch`], which goes on without; unless [`watch_kinds`] leaves it out |
//! | list, watch | `daemonsets.apps` | namespace `kube-system` | [`watch`] |
//! | list, watch | `configmaps`, which may be limited to the name `amazon-vpc-cni` | namespace `kube-system` | [`watch`], unless [`watch_kinds`] leaves it out |
//! | list, watch | `deployments.apps`, `statefulsets.apps`, `daemonsets.apps`, `horizontalpodautoscalers.autoscaling`, `cronjobs.batch` | cluster | [`watch`]; may be refused, see [`Kind::DECLARED`] |
//! | list | `pods` | cluster | [`autoscaler_pods`] |
//! | list | `pods`, `nodes`, `events` | cluster | [`look()`] |
//! | list | `daemonsets.apps` | namespace `kube-system` | [`look()`] |
//! | patch | `pods` | cluster | [`request_retry`] |
//! | get | `pods/proxy` | namespace `kube-system` | [`pod_metrics`], only with the advisor's `cni_metrics_helper_names` and `doctor` |
//! | get, create, update | `leases.coordination.k8s.io` | the Lease's namespace | [`elect`] |
//! | list | `poddisruptionbudgets.policy` | cluster | [`drain`], unless the advisor only observes |
//! | get, patch | `nodes` | cluster | [`drain`], only where the advisor acts |
//! | create | `pods/eviction` | cluster | [`drain`], only where the advisor acts |
//! | get, create, patch | `configmaps` | the Lease's namespace | [`Note`], only where the advisor acts or has acted |
//! | list | `nodes` | cluster | [`node_of`], only for the doctor |
//! | get | `configmaps`, which may be limited to the name `aws-auth` | namespace `kube-system` | [`map_roles`], only for the doctor |
//! | create, patch | `events.events.k8s.io` | cluster | [`Reports`], unless the advisor only observes |

mod autoscaler;
mod cni;
mod connect;
mod csi;
mod declared;
pub mod drain;
mod event;
mod joining;
mod kind;
mod lease;
mod look;
mod node;
mod note;
mod object;
mod pages;
mod placement;
mod pod;
mod protobuf;
mod proxy;
mod quantity;
mod report;
mod retry;
mod sandbox;
mod tally;
mod tenant;
mod ties;
mod volume;
mod watch;

pub use autoscaler::{AutoscalerPod, autoscaler_pods};
pub use connect::{Client, ConnectError, connect};
pub use declared::{Autoscaler, CronJob, Declared, Surge, Workload};
pub use event::{CniNode, EniConfig, ErrorClass, Event, Node, Pod, SandboxFailure, Taint};
pub use joining::{Joined, JoiningError, map_roles, node_of};
pub use kind::Kind;
pub use lease::{Candidate, Leadership, elect};
pub use look::{Found, Look, LookError, Which, look};
pub use node::{REGION_LABELS, ZONE_LABEL, ZONE_LABELS};
pub use note::{Note, NoteError};
pub use placement::{Looks, Placement};
pub use pod::{demand, failure_fingerprint};
pub use proxy::{PodMetricsError, pod_metrics};
pub use report::{About, Reports};
pub use retry::{RETRY_ANNOTATION, RetryError, request_retry};
pub use tally::Tally;
pub use ties::{HostPort, Labels, PodTerm, Selector, Spread, Ties};
pub use watch::{Watch, watch, watch_kinds};
