//! What Kubernetes knows of an instance that is to join: its Node, and ConfigMap `kube-system/aws-auth`.

use k8s_openapi::api::core::v1 as core;
use kube::Api;
use kube::api::ListParams;
use thiserror::Error;

use crate::connect::Client;
use crate::pages::{MOST_PAGES, Pages};

/// A node, as far as it tells whether an instance has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its name.
    pub name: String,
    /// Condition `Ready` is `True`.
    pub ready: bool,
    /// That condition's message; empty where there is none.
    pub message: String,
}

/// Why it could not be read.
#[derive(Debug, Error)]
pub enum JoiningError {
    /// The API server refused or did not answer.
    #[error("failed to read {what} ({source}); RBAC must allow {verbs}")]
    Failed {
        /// What.
        what: &'static str,
        /// What it takes.
        verbs: &'static str,
        /// The client's error.
        source: Box<kube::Error>,
    },
    /// A list that does not end.
    #[error("the list of nodes does not come to its end")]
    Endless,
}

/// The node whose `spec.providerID` ends in the instance's ID; `None` while there is none.
///
/// # Errors
/// What the client reports; RBAC: `list` on `nodes`.
pub async fn node_of(client: &Client, instance: &str) -> Result<Option<Joined>, JoiningError> {
    let mut nodes = Pages::of(Api::<core::Node>::all(client.clone()), ListParams::default());
    for _ in 0..MOST_PAGES {
        let page = nodes.next().await.map_err(|source| JoiningError::Failed {
            what: "the nodes",
            verbs: "list on nodes",
            source: Box::new(source),
        })?;
        if let Some(node) = page.into_iter().find(|node| is_of(node, instance)) {
            return Ok(Some(joined(node)));
        }
        if !nodes.more() {
            return Ok(None);
        }
    }
    Err(JoiningError::Endless)
}

fn is_of(node: &core::Node, instance: &str) -> bool {
    let id = node.spec.as_ref().and_then(|spec| spec.provider_id.as_deref());
    id.and_then(|id| id.rsplit('/').next()) == Some(instance)
}

fn joined(node: core::Node) -> Joined {
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
    Joined {
        name: node.metadata.name.unwrap_or_default(),
        ready: ready.as_ref().is_some_and(|ready| ready.status == "True"),
        message: ready.and_then(|ready| ready.message).unwrap_or_default(),
    }
}

/// The key `mapRoles` of `aws-auth`, empty where it has none; `None` where there is no such ConfigMap.
///
/// # Errors
/// What the client reports; RBAC: `get` on `configmaps` in `kube-system`, which may be limited to the name `aws-auth`.
pub async fn map_roles(client: &Client) -> Result<Option<String>, JoiningError> {
    let maps = Api::<core::ConfigMap>::namespaced(client.clone(), "kube-system");
    let found = maps.get_opt("aws-auth").await.map_err(|source| JoiningError::Failed {
        what: "ConfigMap kube-system/aws-auth",
        verbs: "get on configmaps in kube-system",
        source: Box::new(source),
    })?;
    Ok(found.map(|map| map.data.and_then(|mut data| data.remove("mapRoles")).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_s_node_is_known_by_its_provider_id() {
        let node = |id: &str| core::Node {
            spec: Some(core::NodeSpec { provider_id: Some(id.to_owned()), ..Default::default() }),
            ..Default::default()
        };
        assert!(is_of(&node("aws:///us-west-2a/i-1"), "i-1"));
        for other in ["aws:///us-west-2a/i-11", "i", "", "aws:///us-west-2a/i-1/x"] {
            assert!(!is_of(&node(other), "i-1"), "{other}");
        }
        assert!(!is_of(&core::Node::default(), "i-1"));
    }
}
