//! Query parameters.

use std::time::Duration;

use serde::Deserialize;

use crate::kube::error::ApiError;
use crate::kube::resource::Resource;
use crate::kube::selector::Selector;

/// The parameters of `metav1.ListOptions` and of the write options that are served; others are ignored, as the
/// apiserver does. All are text, so that a value that is none is refused in its words and not in axum's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Params {
    watch: String,
    label_selector: String,
    field_selector: String,
    resource_version: String,
    resource_version_match: String,
    timeout_seconds: String,
    allow_watch_bookmarks: String,
    send_initial_events: String,
    limit: String,
    #[serde(rename = "continue")]
    pub(super) continue_token: String,
    pub(super) grace_period_seconds: String,
    pub(super) dry_run: Option<String>,
    pub(super) field_manager: String,
}

/// From where a list or a watch wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// `resourceVersion` unset.
    Newest,
    /// `resourceVersion=0`.
    Any,
    /// A revision.
    Revision(u64),
}

impl Params {
    pub(super) fn watch(&self) -> Result<bool, ApiError> {
        flag("watch", &self.watch).map(|flag| flag.unwrap_or(false))
    }

    pub(super) fn bookmarks(&self) -> Result<bool, ApiError> {
        flag("allowWatchBookmarks", &self.allow_watch_bookmarks).map(|flag| flag.unwrap_or(false))
    }

    /// Whether a watch begins with the objects that are there; `None` leaves it to `resourceVersion`.
    pub(super) fn send_initial_events(&self) -> Result<Option<bool>, ApiError> {
        let send = flag("sendInitialEvents", &self.send_initial_events)?;
        if send.is_some() && self.resource_version_match != "NotOlderThan" {
            let message = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
                sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(ApiError::new(422, "Invalid", message));
        }
        Ok(send)
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, ApiError> {
        number("timeoutSeconds", &self.timeout_seconds).map(|seconds| seconds.map(Duration::from_secs))
    }

    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        let limit = number("limit", &self.limit)?.filter(|limit| *limit > 0);
        Ok(limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    pub(super) fn start(&self) -> Result<Start, ApiError> {
        Ok(match number("resourceVersion", &self.resource_version)? {
            None => Start::Newest,
            Some(0) => Start::Any,
            Some(revision) => Start::Revision(revision),
        })
    }

    /// Whether the list must be as it was at `resourceVersion`, not newer.
    pub(super) fn exact(&self) -> bool {
        self.resource_version_match == "Exact"
    }

    pub(super) fn grace_period_seconds(&self) -> Result<Option<u64>, ApiError> {
        number("gracePeriodSeconds", &self.grace_period_seconds)
    }

    /// Whether every object of the collection is meant.
    pub(super) fn selects_all(&self) -> bool {
        self.label_selector.is_empty() && self.field_selector.is_empty()
    }

    pub(super) fn selector(&self, resource: &Resource, namespace: Option<&str>) -> Result<Selector, ApiError> {
        let scope = namespace.map_or_else(Selector::default, Selector::namespace);
        scope.with_labels(&self.label_selector)?.with_fields(resource, &self.field_selector)
    }
}

fn flag(name: &str, text: &str) -> Result<Option<bool>, ApiError> {
    match text {
        "" => Ok(None),
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        _ => Err(ApiError::bad_request(format!("{name} must be true or false, not {text:?}"))),
    }
}

fn number(name: &str, text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().map_err(|_| ApiError::bad_request(format!("{name} must be a number, not {text:?}")))?;
    Ok(Some(number))
}
