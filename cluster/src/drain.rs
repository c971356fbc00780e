//! Empties a node: marks it, evicts its pods, and takes the mark back.
//!
//! A node that is being emptied carries one mark in three places (taint, cordon, annotation) that are written and taken back together
//! by one update of the node. So there is no state between the two, whoever dies when, and whoever comes next finds all there is to know
//! on the node itself.

use headroom_capacity::time::Time;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams, Preconditions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;

use crate::connect::Client;
use crate::pages::{MOST_PAGES, Pages};
pub use crate::tenant::{Disruption, Owner, Tenant};
use crate::volume;

/// Key of the taint (effect `NoSchedule`) and of the annotation.
pub const MARK: &str = "headroom.dev/scale-in";

/// What the annotation says of a scale-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was begun, milliseconds since the epoch.
    pub began_at_ms: u64,
    /// The plan that asked for it.
    pub generation: u64,
    /// The instance that is to end: a node's name may pass to another.
    pub instance: String,
    /// When its termination was asked for last, written before it is; `None` while it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate_sent_at_ms: Option<u64>,
}

impl Mark {
    /// When it was begun.
    #[must_use]
    pub const fn began_at(&self) -> Time {
        Time::from_millis(self.began_at_ms)
    }

    /// As [`mark`] wrote it; `None` for a text of another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Mark> {
        serde_json::from_str(text).ok()
    }
}

/// A node as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What it bears.
    pub bears: Bears,
    /// `spec.providerID`: a name may pass to another instance, and kubelet keeps the annotations of the node that it finds.
    pub provider_id: Option<String>,
}

/// What a node bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bears {
    /// No mark.
    Nothing,
    /// A mark.
    Mark(Mark),
    /// A mark of another form: that of another version, or somebody's hand.
    Unreadable,
}

/// Why the API server did not do it.
#[derive(Debug, Error)]
pub enum DrainError {
    /// The node is gone.
    #[error("node {0} is gone")]
    NoNode(String),
    /// Somebody else changed the node meanwhile.
    #[error("node {0} was changed by somebody else meanwhile")]
    Conflict(String),
    /// It refused or did not answer.
    #[error("failed to {what}; RBAC must allow {verbs}")]
    Failed {
        /// What.
        what: String,
        /// What it takes.
        verbs: &'static str,
        /// The client's error.
        source: Box<kube::Error>,
    },
    /// A list that does not end.
    #[error("the list of {0} does not come to its end")]
    Endless(&'static str),
}

/// What became of an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// It is on its way out.
    Yes,
    /// It was gone already, or its name is another's.
    Gone,
    /// A PodDisruptionBudget does not allow it at the moment; the API server's words.
    NotNow(String),
}

/// The pods of a node, finished ones included.
///
/// # Errors
/// What the client reports; RBAC: `list` on `pods`.
pub async fn tenants(client: &Client, node: &str) -> Result<Vec<Tenant>, DrainError> {
    let pods = Api::<core::Pod>::all(client.clone());
    let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let pods = pages(pods, params, "pods").await?;
    Ok(pods.into_iter().filter_map(Tenant::of).collect())
}

/// Says of the pods that have to leave which are [pinned](Tenant::pinned) by a volume, as their claims and PersistentVolumes are now. One
/// that is not there or may not be read pins.
///
/// # Errors
/// What else the client reports; RBAC: `get` on `persistentvolumeclaims` and `persistentvolumes`.
pub async fn pin(client: &Client, tenants: &mut [Tenant]) -> Result<(), DrainError> {
    volume::pin(client, tenants).await
}

/// Pods with a label, wherever they run, each with its node and whether it is Ready.
///
/// # Errors
/// As [`tenants`].
pub async fn labelled(
    client: &Client,
    namespace: &str,
    selector: &str,
) -> Result<Vec<(Option<String>, bool)>, DrainError> {
    let pods = Api::<core::Pod>::namespaced(client.clone(), namespace);
    let pods = pages(pods, ListParams::default().labels(selector), "pods").await?;
    let ready = |status: Option<core::PodStatus>| {
        let conditions = status.and_then(|status| status.conditions).unwrap_or_default();
        conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True")
    };
    let standing = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(standing.map(|pod| (pod.spec.and_then(|spec| spec.node_name), ready(pod.status))).collect())
}

/// Every PodDisruptionBudget.
///
/// # Errors
/// What the client reports; RBAC: `list` on `poddisruptionbudgets.policy`.
pub async fn disruptions(client: &Client) -> Result<Vec<Disruption>, DrainError> {
    let budgets = Api::<PodDisruptionBudget>::all(client.clone());
    let budgets = pages(budgets, ListParams::default(), "poddisruptionbudgets").await?;
    Ok(budgets.into_iter().filter_map(Disruption::of).collect())
}

async fn pages<K>(api: Api<K>, params: ListParams, kind: &'static str) -> Result<Vec<K>, DrainError>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let failed = |source| DrainError::Failed {
        what: format!("list {kind}"),
        verbs: "list on pods and on poddisruptionbudgets.policy",
        source: Box::new(source),
    };
    let mut pages = Pages::of(api, params);
    let mut all = Vec::new();
    for _ in 0..MOST_PAGES {
        all.extend(pages.next().await.map_err(failed)?);
        if !pages.more() {
            return Ok(all);
        }
    }
    Err(DrainError::Endless(kind))
}

/// A node as it is now; `None` where it is gone.
///
/// # Errors
/// What the client reports; RBAC: `get` on `nodes`.
pub async fn look(client: &Client, node: &str) -> Result<Option<Look>, DrainError> {
    let found = Api::<core::Node>::all(client.clone()).get_opt(node).await.map_err(|source| DrainError::Failed {
        what: format!("read node {node}"),
        verbs: "get on nodes",
        source: Box::new(source),
    })?;
    Ok(found.map(|node| {
        let text = node.metadata.annotations.and_then(|mut all| all.remove(MARK));
        let bears = match text {
            None => Bears::Nothing,
            Some(text) => Mark::parse(&text).map_or(Bears::Unreadable, Bears::Mark),
        };
        Look { bears, provider_id: node.spec.and_then(|spec| spec.provider_id) }
    }))
}

/// Cordons and taints a node and writes the mark on it, in one update; a mark that is there is written anew.
///
/// # Errors
/// [`DrainError::Conflict`] when somebody else was faster, or has cordoned the node; what the client reports. RBAC: `get` and `patch` on
/// `nodes`.
pub async fn mark(client: &Client, node: &str, mark: &Mark) -> Result<(), DrainError> {
    let text = serde_json::to_string(mark).expect("numbers and texts");
    change(client, node, |taints| {
        if !taints.iter().any(is_ours) {
            let (key, effect) = (MARK.to_owned(), "NoSchedule".to_owned());
            taints.push(core::Taint { key, effect, ..core::Taint::default() });
        }
        (true, Some(text.clone()))
    })
    .await
}

/// Takes the mark back and uncordons the node, in one update. A node that is gone or bears no mark needs none.
///
/// # Errors
/// As [`mark`], but for a node that is gone.
pub async fn unmark(client: &Client, node: &str) -> Result<(), DrainError> {
    let unmarked = change(client, node, |taints| {
        taints.retain(|taint| !is_ours(taint));
        (false, None)
    });
    match unmarked.await {
        Err(DrainError::NoNode(_)) => Ok(()),
        other => other,
    }
}

fn is_ours(taint: &core::Taint) -> bool {
    taint.key == MARK
}

/// One update that names the version that it replaces, so that no taint which somebody adds meanwhile is lost.
async fn change(
    client: &Client,
    node: &str,
    write: impl Fn(&mut Vec<core::Taint>) -> (bool, Option<String>),
) -> Result<(), DrainError> {
    let nodes = Api::<core::Node>::all(client.clone());
    let failed = |source: kube::Error| match &source {
        kube::Error::Api(status) if status.code == 404 => DrainError::NoNode(node.to_owned()),
        kube::Error::Api(status) if status.code == 409 => DrainError::Conflict(node.to_owned()),
        _ => DrainError::Failed {
            what: format!("change taints of node {node}"),
            verbs: "get and patch on nodes",
            source: Box::new(source),
        },
    };
    let found = nodes.get(node).await.map_err(failed)?;
    let spec = found.spec.unwrap_or_default();
    let mut taints = spec.taints.unwrap_or_default();
    let (cordoned, annotation) = write(&mut taints);
    let had = found.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(MARK));
    if annotation.is_none() && !had {
        return Ok(());
    }
    // Somebody else's cordon would be taken back with our mark.
    if annotation.is_some() && !had && spec.unschedulable == Some(true) {
        return Err(DrainError::Conflict(node.to_owned()));
    }
    let patch = json!({
        "metadata": {"resourceVersion": found.metadata.resource_version, "annotations": {MARK: annotation}},
        // What is null is removed (RFC 7386).
        "spec": {"taints": Some(taints).filter(|all| !all.is_empty()), "unschedulable": cordoned.then_some(true)},
    });
    nodes.patch(node, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(failed)?;
    Ok(())
}

/// Asks for a pod to be evicted, which its PodDisruptionBudget may refuse.
///
/// # Errors
/// What the client reports; RBAC: `create` on `pods/eviction`.
pub async fn evict(client: &Client, pod: &Tenant) -> Result<Evicted, DrainError> {
    let pods = Api::<core::Pod>::namespaced(client.clone(), &pod.namespace);
    let uid = Preconditions { uid: Some(pod.uid.as_str().to_owned()), resource_version: None };
    let delete = DeleteParams { preconditions: Some(uid), ..DeleteParams::default() };
    let params = EvictParams { delete_options: Some(delete), ..EvictParams::default() };
    match pods.evict(&pod.name, &params).await {
        Ok(_) => Ok(Evicted::Yes),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Evicted::Gone),
        Err(kube::Error::Api(status)) if status.code == 429 => Ok(Evicted::NotNow(status.message.clone())),
        Err(source) => Err(DrainError::Failed {
            what: format!("evict pod {}", pod.full_name()),
            verbs: "create on pods/eviction",
            source: Box::new(source),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_whoever_comes_next_has_to_know() {
        let mark = Mark { began_at_ms: 5, generation: 2, instance: "i-1".into(), terminate_sent_at_ms: None };
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!(Mark::parse(&text), Some(mark));
        assert_eq!(Mark::parse("yes"), None);
    }
}
