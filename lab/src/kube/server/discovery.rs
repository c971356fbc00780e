//! What is served, in the words of both discovery formats, and the version.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::json_response;
use crate::kube::error::ApiError;
use crate::kube::resource::{Access, RESOURCES, Resource};

/// Media type of aggregated discovery (KEP-3352).
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub(super) async fn version() -> Response {
    let info = json!({
        "major": "1",
        "minor": "35",
        "gitVersion": "v1.35.0-headroom-lab",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2025-12-17T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    });
    json_response(StatusCode::OK, &info)
}

pub(super) async fn core(headers: HeaderMap) -> Response {
    if wants_aggregated(&headers) {
        return aggregated(&[""]);
    }
    let versions = json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] });
    json_response(StatusCode::OK, &versions)
}

pub(super) async fn groups(headers: HeaderMap) -> Response {
    let names = group_names();
    if wants_aggregated(&headers) {
        return aggregated(&names);
    }
    let groups: Vec<Value> = names.into_iter().filter_map(group_object).collect();
    json_response(StatusCode::OK, &json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
}

pub(super) async fn group(Path(group): Path<String>) -> Result<Response, ApiError> {
    let mut object = group_object(&group).ok_or_else(ApiError::no_such_path)?;
    object["kind"] = "APIGroup".into();
    object["apiVersion"] = "v1".into();
    Ok(json_response(StatusCode::OK, &object))
}

pub(super) async fn core_resources(Path(version): Path<String>) -> Result<Response, ApiError> {
    resource_list("", &version)
}

pub(super) async fn resources(Path((group, version)): Path<(String, String)>) -> Result<Response, ApiError> {
    resource_list(&group, &version)
}

/// The named groups in the table's order; each has one version.
fn group_names() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        RESOURCES.iter().map(|resource| resource.group).filter(|group| !group.is_empty()).collect();
    names.dedup();
    names
}

fn of_group(group: &str) -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().copied().filter(move |resource| resource.group == group)
}

fn group_object(group: &str) -> Option<Value> {
    let first = of_group(group).next().filter(|_| !group.is_empty())?;
    let version = json!({ "groupVersion": first.api_version(), "version": first.version });
    Some(json!({ "name": group, "versions": [version], "preferredVersion": version }))
}

fn verbs(resource: &Resource) -> &'static [&'static str] {
    match resource.access {
        Access::Full => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        Access::ReadOnly => &["get", "list", "watch"],
        Access::Review => &["create"],
    }
}

/// Group, version and kind of what a subresource takes, and its verbs.
fn subresource(resource: &Resource, name: &str) -> (Value, &'static [&'static str]) {
    let kind = |group: &str, version: &str, kind: &str| json!({ "group": group, "version": version, "kind": kind });
    match name {
        "binding" => (kind("", "v1", "Binding"), &["create"]),
        "eviction" => (kind("policy", "v1", "Eviction"), &["create"]),
        _ => (kind(resource.group, resource.version, resource.kind), &["get", "patch", "update"]),
    }
}

fn resource_list(group: &str, version: &str) -> Result<Response, ApiError> {
    let mut resources = Vec::new();
    for resource in of_group(group).filter(|resource| resource.version == version) {
        resources.push(json!({
            "name": resource.plural,
            "singularName": resource.kind.to_lowercase(),
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": verbs(resource),
            "shortNames": resource.short_names,
        }));
        for name in resource.subresources {
            let (mut entry, verbs) = subresource(resource, name);
            entry["name"] = format!("{}/{name}", resource.plural).into();
            entry["singularName"] = "".into();
            entry["namespaced"] = resource.namespaced.into();
            entry["verbs"] = verbs.into();
            resources.push(entry);
        }
    }
    if resources.is_empty() {
        return Err(ApiError::no_such_path());
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let list =
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources });
    Ok(json_response(StatusCode::OK, &list))
}

fn wants_aggregated(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|media_type| {
        let has = |parameter: &str| media_type.split(';').any(|part| part.trim() == parameter);
        has("as=APIGroupDiscoveryList") && has("v=v2")
    })
}

fn aggregated(groups: &[&str]) -> Response {
    let items: Vec<Value> = groups.iter().map(|group| aggregated_group(group)).collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    });
    ([(header::CONTENT_TYPE, AGGREGATED)], list.to_string()).into_response()
}

fn aggregated_group(group: &str) -> Value {
    let version = of_group(group).next().map_or("", |resource| resource.version);
    let resources: Vec<Value> = of_group(group).map(aggregated_resource).collect();
    json!({
        "metadata": { "name": group, "creationTimestamp": null },
        "versions": [{ "version": version, "freshness": "Current", "resources": resources }],
    })
}

fn aggregated_resource(resource: &Resource) -> Value {
    let subresources = resource.subresources.iter().map(|name| {
        let (kind, verbs) = subresource(resource, name);
        json!({ "subresource": name, "responseKind": kind, "verbs": verbs })
    });
    json!({
        "resource": resource.plural,
        "responseKind": { "group": resource.group, "version": resource.version, "kind": resource.kind },
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.kind.to_lowercase(),
        "verbs": verbs(resource),
        "shortNames": resource.short_names,
        "subresources": subresources.collect::<Vec<_>>(),
    })
}
