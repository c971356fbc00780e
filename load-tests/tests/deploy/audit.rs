//! What was asked of kube-apiserver, and what the manifests let be asked.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::manifests::{NAMESPACE, Variant, items, text};

/// One call, as the audit log has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    verb: String,
    group: String,
    /// With its subresource.
    resource: String,
    namespace: String,
    name: String,
    /// kube-scheduler's and not of what runs beside it under the same account.
    by_kube_scheduler: bool,
}

/// All calls of a ServiceAccount.
///
/// # Panics
/// When one was refused.
pub(crate) fn calls(log: &Path, account: &str) -> BTreeSet<Call> {
    let user = format!("system:serviceaccount:{NAMESPACE}:{account}");
    let log = std::fs::read_to_string(log).unwrap();
    let mut calls = BTreeSet::new();
    for line in log.lines() {
        // The last one may be half written.
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        if text(&event, "/user/username") != user {
            continue;
        }
        assert_ne!(event["responseStatus"]["code"], 403, "{account} may not: {line}");
        if event["objectRef"].is_null() {
            continue;
        }
        let of = |key: &str| text(&event["objectRef"], key).to_owned();
        let subresource = of("/subresource");
        let resource = of("/resource");
        calls.insert(Call {
            verb: text(&event, "/verb").to_owned(),
            group: of("/apiGroup"),
            resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
            namespace: of("/namespace"),
            name: of("/name"),
            by_kube_scheduler: text(&event, "/userAgent").starts_with("kube-scheduler/"),
        });
    }
    assert!(!calls.is_empty(), "{account} has asked for nothing");
    calls
}

/// What the roles of `variant` that are bound to `account` grant and no call of `calls` has used: `verb group/resource [name] in role`.
/// Kubernetes' own roles are left out.
pub(crate) fn unused(variant: &Variant, account: &str, calls: &BTreeSet<Call>) -> BTreeSet<String> {
    let mut unused = BTreeSet::new();
    let bindings = variant.of_kind("RoleBinding").chain(variant.of_kind("ClusterRoleBinding"));
    for binding in bindings.filter(|binding| text(binding, "/subjects/0/name") == account) {
        let role = text(binding, "/roleRef/name");
        if role.starts_with("system:") {
            continue;
        }
        let namespace = text(binding, "/metadata/namespace");
        let kind = text(binding, "/roleRef/kind");
        let role = variant
            .of_kind(kind)
            .find(|object| text(object, "/metadata/name") == role && text(object, "/metadata/namespace") == namespace)
            .unwrap_or_else(|| panic!("{binding} binds nothing"));
        // One pod, one account, two programs.
        let of_kube_scheduler = account == "headroom-scheduler" && !text(role, "/metadata/name").ends_with("-extender");
        let made: Vec<&Call> = calls
            .iter()
            .filter(|call| call.by_kube_scheduler == of_kube_scheduler)
            .filter(|call| namespace.is_empty() || call.namespace == namespace)
            .collect();
        for grant in grants(role) {
            if !made.iter().any(|call| grant.allows(call)) {
                unused.insert(format!("{grant} in {}", text(role, "/metadata/name")));
            }
        }
    }
    unused
}

struct Grant<'a> {
    verb: &'a str,
    group: &'a str,
    resource: &'a str,
    /// Empty where it is for all.
    name: &'a str,
}

impl Grant<'_> {
    fn allows(&self, call: &Call) -> bool {
        (self.verb, self.group, self.resource) == (&*call.verb, &*call.group, &*call.resource)
            && (self.name.is_empty() || self.name == call.name)
    }
}

impl std::fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Grant { verb, group, resource, name } = self;
        let dot = if group.is_empty() { "" } else { "." };
        let space = if name.is_empty() { "" } else { " " };
        write!(f, "{verb} {resource}{dot}{group}{space}{name}")
    }
}

/// Each verb on each resource, one by one.
fn grants(role: &Value) -> Vec<Grant<'_>> {
    let mut grants = Vec::new();
    for rule in items(role, "rules") {
        let texts = |key| items(rule, key).iter().filter_map(Value::as_str);
        let names: Vec<&str> = texts("resourceNames").collect();
        for verb in texts("verbs") {
            for group in texts("apiGroups") {
                for resource in texts("resources") {
                    let grant = |name| Grant { verb, group, resource, name };
                    if names.is_empty() {
                        grants.push(grant(""));
                    }
                    grants.extend(names.iter().map(|name| grant(name)));
                }
            }
        }
    }
    grants
}
