//! One look at objects as they are, for whoever diagnoses: no watch, and nothing is cut away here.

use std::time::Duration;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use thiserror::Error;
use tokio::time::timeout;

use crate::connect::Client;
use crate::pages::Pages;
use crate::watch::chain;

/// A page that does not come is not waited for longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// core/v1 Pod.
    Pods,
    /// core/v1 Node.
    Nodes,
    /// core/v1 Event.
    Events,
    /// apps/v1 DaemonSet.
    DaemonSets,
}

/// Which of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Their namespace; `None` for all.
    pub namespace: Option<String>,
    /// A field selector, empty for none: `spec.nodeName=n1`.
    pub fields: String,
    /// A label selector, empty for none.
    pub labels: String,
    /// Most of them.
    pub most: usize,
}

/// Objects that were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// In the API server's order.
    pub objects: Vec<Value>,
    /// There are more than were asked for.
    pub more: bool,
}

/// The API server refused or did not answer.
#[derive(Debug, Error)]
pub enum LookError {
    /// No answer in time.
    #[error("no answer to a list of {0} within {DEADLINE:?}")]
    Timeout(&'static str),
    /// It refused, or was not reached.
    #[error("failed to list {what}: {why}")]
    Failed {
        /// What was asked for.
        what: &'static str,
        /// The client's message, with every cause.
        why: String,
    },
}

impl Look {
    const fn plural(self) -> &'static str {
        match self {
            Look::Pods => "pods",
            Look::Nodes => "nodes",
            Look::Events => "events",
            Look::DaemonSets => "daemonsets",
        }
    }

    fn resource(self) -> ApiResource {
        let (group, kind) = match self {
            Look::Pods => ("", "Pod"),
            Look::Nodes => ("", "Node"),
            Look::Events => ("", "Event"),
            Look::DaemonSets => ("apps", "DaemonSet"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), self.plural())
    }
}

/// Lists them, page by page.
///
/// RBAC: `list` on the resource.
///
/// # Errors
/// [`LookError`], with the page that did not come.
pub async fn look(client: &Client, what: Look, which: &Which) -> Result<Found, LookError> {
    let resource = what.resource();
    let api: Api<DynamicObject> = match &which.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let mut pages = Pages::of(api, ListParams::default().fields(&which.fields).labels(&which.labels));
    let mut found = Found::default();
    loop {
        let failed = |error: kube::Error| LookError::Failed { what: what.plural(), why: chain(&error) };
        let page = timeout(DEADLINE, pages.next()).await.map_err(|_| LookError::Timeout(what.plural()))?;
        // An object of a list becomes the JSON that it was made from.
        found.objects.extend(page.map_err(failed)?.iter().filter_map(|object| serde_json::to_value(object).ok()));
        if found.objects.len() >= which.most {
            found.more = pages.more() || found.objects.len() > which.most;
            found.objects.truncate(which.most);
            return Ok(found);
        }
        if !pages.more() {
            return Ok(found);
        }
    }
}
