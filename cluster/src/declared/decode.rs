//! Objects of apps/v1, autoscaling/v2 and batch/v1 -> [`Declared`]. Everything else that they hold is skipped.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::{Autoscaler, CronJob, Declared, Surge, Workload};
use crate::event::Event;
use crate::kind::Kind;
use crate::object::{Object, full_name};
use crate::pod;
use crate::ties::Labels;

/// What a Deployment without `maxSurge` has (k/k `pkg/apis/apps/v1/defaults.go`, `SetDefaults_Deployment`).
const DEPLOYMENT_SURGE: Surge = Surge::Percent(25);

/// The label of a HorizontalPodAutoscaler that KEDA made (KEDA `controllers/keda/hpa.go`, `newHPAForScaledObject`).
const KEDA: (&str, &str) = ("app.kubernetes.io/managed-by", "keda-operator");

impl<'de> Deserialize<'de> for Surge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Surge, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum IntOrString {
            Int(u32),
            Text(String),
        }
        match IntOrString::deserialize(deserializer)? {
            IntOrString::Int(pods) => Ok(Surge::Pods(pods)),
            IntOrString::Text(text) => {
                let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
                percent
                    .map(Surge::Percent)
                    .ok_or_else(|| D::Error::custom(format!("maxSurge: '{text}' is no percentage")))
            }
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Template {
    spec: TemplateSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TemplateSpec {
    host_network: bool,
}

/// `spec.strategy` of a Deployment, `spec.updateStrategy` of a DaemonSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Strategy {
    r#type: Option<String>,
    rolling_update: Option<RollingUpdate>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RollingUpdate {
    max_surge: Option<Surge>,
}

impl Strategy {
    /// `unset` is the default of the kind. Only rolling updates surge.
    fn surge(self, unset: Surge) -> Surge {
        match self.r#type.as_deref() {
            None | Some("RollingUpdate") => self.rolling_update.and_then(|update| update.max_surge).unwrap_or(unset),
            Some(_) => Surge::Pods(0),
        }
    }
}

pub(crate) type RawDeployment = Object<DeploymentSpec, DeploymentStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeploymentSpec {
    replicas: Option<u32>,
    paused: bool,
    strategy: Strategy,
    template: Template,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeploymentStatus {
    observed_generation: i64,
    replicas: u32,
    updated_replicas: u32,
}

pub(crate) fn deployment(raw: RawDeployment) -> Option<Event> {
    let Object { metadata, spec, status } = raw;
    let status = status.unwrap_or_default();
    // A paused one goes on scaling, and makes no pods of its new revision (k/k `pkg/controller/deployment/sync.go`, `sync`).
    let rolls =
        !spec.paused && (unseen(&metadata, status.observed_generation) || status.updated_replicas < status.replicas);
    workload(
        Kind::Deployment,
        Workload {
            name: name(metadata)?,
            host_network: spec.template.spec.host_network,
            wanted: spec.replicas.unwrap_or(1),
            current: status.replicas,
            surge: spec.strategy.surge(DEPLOYMENT_SURGE),
            rolls,
            placement: None,
        },
    )
}

pub(crate) type RawStatefulSet = Object<StatefulSetSpec, StatefulSetStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StatefulSetSpec {
    replicas: Option<u32>,
    template: Template,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StatefulSetStatus {
    replicas: u32,
}

/// A new pod has the name of an old one, so that no two revisions of it are there at once.
pub(crate) fn stateful_set(raw: RawStatefulSet) -> Option<Event> {
    workload(
        Kind::StatefulSet,
        Workload {
            name: name(raw.metadata)?,
            host_network: raw.spec.template.spec.host_network,
            wanted: raw.spec.replicas.unwrap_or(1),
            current: raw.status.unwrap_or_default().replicas,
            surge: Surge::Pods(0),
            rolls: false,
            placement: None,
        },
    )
}

pub(crate) type RawDaemonSet = Object<DaemonSetSpec, DaemonSetStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DaemonSetSpec {
    update_strategy: Strategy,
    template: PodTemplate,
}

/// Read as a pod is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodTemplate {
    spec: pod::PodSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DaemonSetStatus {
    observed_generation: i64,
    desired_number_scheduled: u32,
    updated_number_scheduled: u32,
}

pub(crate) fn daemon_set(raw: RawDaemonSet) -> Option<Event> {
    let Object { metadata, spec, status } = raw;
    let status = status.unwrap_or_default();
    let wanted = status.desired_number_scheduled;
    let rolls = unseen(&metadata, status.observed_generation) || status.updated_number_scheduled < wanted;
    let template = spec.template.spec;
    workload(
        Kind::DaemonSet,
        Workload {
            name: name(metadata)?,
            host_network: template.on_host(),
            wanted,
            current: wanted,
            surge: spec.update_strategy.surge(Surge::Pods(0)),
            rolls,
            placement: Some(template.scheduling("", &Labels::new()).0),
        },
    )
}

pub(crate) type RawAutoscaler = Object<AutoscalerSpec, AutoscalerStatus>;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoscalerSpec {
    max_replicas: u32,
    min_replicas: Option<u32>,
    scale_target_ref: Target,
}

#[derive(Clone, Debug, Deserialize)]
struct Target {
    kind: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AutoscalerStatus {
    current_replicas: u32,
    desired_replicas: u32,
}

pub(crate) fn autoscaler(raw: RawAutoscaler) -> Option<Event> {
    let Object { metadata, spec: AutoscalerSpec { max_replicas, min_replicas, scale_target_ref }, status } = raw;
    let (key, value) = KEDA;
    let keda = metadata.labels.as_ref().is_some_and(|labels| labels.get(key).is_some_and(|manager| manager == value));
    let status = status.unwrap_or_default();
    let target = full_name(metadata.namespace.as_deref(), &scale_target_ref.name);
    Some(Event::DeclaredApplied(Declared::Autoscaler(Autoscaler {
        name: name(metadata)?,
        target_kind: scale_target_ref.kind.into(),
        target,
        most: max_replicas,
        from_zero: keda || min_replicas == Some(0),
        current: status.current_replicas.max(status.desired_replicas),
    })))
}

pub(crate) type RawCronJob = Object<CronJobSpec, IgnoredAny>;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CronJobSpec {
    #[serde(default)]
    suspend: bool,
    #[serde(default)]
    concurrency_policy: Option<String>,
    job_template: JobTemplate,
}

#[derive(Clone, Debug, Deserialize)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JobSpec {
    parallelism: Option<u32>,
    completions: Option<u32>,
    suspend: bool,
    template: Template,
}

pub(crate) fn cron_job(raw: RawCronJob) -> Option<Event> {
    let CronJobSpec { suspend, concurrency_policy, job_template: JobTemplate { spec: job } } = raw.spec;
    let none = suspend || job.suspend || job.template.spec.host_network;
    // k/k `pkg/controller/job/job_controller.go`, `manageJob`: never more active pods than completions that are left.
    let at_once = job.parallelism.unwrap_or(1).min(job.completions.unwrap_or(u32::MAX));
    Some(Event::DeclaredApplied(Declared::CronJob(CronJob {
        name: name(raw.metadata)?,
        pods: if none { 0 } else { at_once },
        overlaps: concurrency_policy.as_deref() != Some("Forbid"),
    })))
}

fn workload(kind: Kind, workload: Workload) -> Option<Event> {
    Some(Event::DeclaredApplied(Declared::Workload(kind, workload)))
}

fn name(metadata: ObjectMeta) -> Option<Arc<str>> {
    Some(full_name(metadata.namespace.as_deref(), &metadata.name?))
}

/// The controller has not looked at the spec as it is.
fn unseen(metadata: &ObjectMeta, observed_generation: i64) -> bool {
    metadata.generation.is_some_and(|generation| generation > observed_generation)
}

#[cfg(test)]
mod tests;
