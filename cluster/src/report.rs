//! Kubernetes events: what was done to a node, a pod or a group, where `kubectl describe` shows it.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::connect::Client;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A node, by name.
    Node(Arc<str>),
    /// A pod.
    Pod {
        /// `namespace/name`.
        name: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
    },
    /// What has no object of its own, such as an Auto Scaling group: the advisor's ConfigMap stands for it.
    Note {
        /// Namespace of the ConfigMap.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// Writes events; those that repeat within six minutes are counted up in one object, as kube's recorder does.
#[derive(Clone)]
pub struct Reports(Recorder);

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reports").finish()
    }
}

impl Reports {
    /// In the name of `controller`, for example `headroom-advisor`.
    #[must_use]
    pub fn new(client: &Client, controller: &str, instance: &str) -> Reports {
        let reporter = Reporter { controller: controller.to_owned(), instance: Some(instance.to_owned()) };
        Reports(Recorder::new(client.clone(), reporter))
    }

    /// Writes one. `reason` is one word, `note` at most 1 kB of it is kept (events.k8s.io/v1 `Event`).
    ///
    /// # Errors
    /// What the client reports; RBAC: `create` and `patch` on `events.events.k8s.io`.
    pub async fn write(
        &self,
        about: &About,
        warning: bool,
        reason: &str,
        action: &str,
        note: &str,
    ) -> Result<(), kube::Error> {
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(note.chars().take(1000).collect()),
            action: action.to_owned(),
            secondary: None,
        };
        self.0.publish(&event, &reference(about)).await
    }
}

fn reference(about: &About) -> ObjectReference {
    let object = |kind: &str, namespace: Option<&str>, name: &str, uid: Option<&str>| ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some(kind.to_owned()),
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    };
    match about {
        // kubectl describe finds events of a node by its name in place of a UID, as kubelet writes them.
        About::Node(name) => object("Node", None, name, Some(name)),
        About::Pod { name, uid } => {
            let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
            object("Pod", Some(namespace), name, Some(uid))
        }
        About::Note { namespace, name } => object("ConfigMap", Some(namespace), name, None),
    }
}
