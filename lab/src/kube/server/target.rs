//! What a path is about.

use crate::kube::resource::Resource;

/// A path under `/api` or `/apis`, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) resource: &'static Resource,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

impl Target {
    /// `None` for a path that no resource is at.
    pub(super) fn parse(path: &str) -> Option<Target> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match *segments.as_slice() {
            ["api", version, ref rest @ ..] => ("", version, rest),
            ["apis", group, version, ref rest @ ..] => (group, version, rest),
            _ => return None,
        };
        match *rest {
            // A namespace's own subresources look like resources in it: /namespaces/{name}/status.
            ["namespaces", namespace, plural, ref rest @ ..] if plural != "status" => {
                let resource = Resource::find(group, version, plural).filter(|resource| resource.namespaced)?;
                Self::within(resource, Some(namespace), rest)
            }
            [plural, ref rest @ ..] => {
                let resource = Resource::find(group, version, plural)?;
                let in_all_namespaces = resource.namespaced && !rest.is_empty();
                (!in_all_namespaces).then(|| Self::within(resource, None, rest))?
            }
            [] => None,
        }
    }

    fn within(resource: &'static Resource, namespace: Option<&str>, rest: &[&str]) -> Option<Target> {
        let (name, subresource) = match *rest {
            [] => (None, None),
            [name] => (Some(name), None),
            [name, subresource] if resource.subresources.contains(&subresource) => (Some(name), Some(subresource)),
            _ => return None,
        };
        Some(Target {
            resource,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        })
    }

    /// Name in the path, empty for a collection.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Namespace in the path, empty for the cluster.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::resource::{DEPLOYMENTS, NAMESPACES, NODES, PODS};

    #[test]
    fn paths() {
        let cases = [
            ("/api/v1/pods", &PODS, None, None, None),
            ("/api/v1/namespaces/a/pods", &PODS, Some("a"), None, None),
            ("/api/v1/namespaces/a/pods/p/binding", &PODS, Some("a"), Some("p"), Some("binding")),
            ("/api/v1/namespaces/a", &NAMESPACES, None, Some("a"), None),
            ("/api/v1/namespaces/a/status", &NAMESPACES, None, Some("a"), Some("status")),
            ("/api/v1/nodes/n.internal/status", &NODES, None, Some("n.internal"), Some("status")),
            ("/apis/apps/v1/namespaces/a/deployments/d", &DEPLOYMENTS, Some("a"), Some("d"), None),
        ];
        for (path, resource, namespace, name, subresource) in cases {
            let target = Target::parse(path).unwrap();
            let parts = (target.namespace.as_deref(), target.name.as_deref(), target.subresource.as_deref());
            assert_eq!((target.resource, parts), (resource, (namespace, name, subresource)), "{path}");
        }
        for path in [
            "/",
            "/api/v1/things",
            "/api/v1/pods/p",
            "/api/v1/namespaces/a/nodes",
            "/api/v1/namespaces/a/pods/p/exec",
            "/api/v1/deployments",
            "/apis/apps/v1beta1/deployments",
            "/logs",
        ] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }
}
