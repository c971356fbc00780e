//! What a cluster with the VPC CNI has before its first node: CRDs, namespaces, DaemonSets, ENIConfigs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result};
use headroom_lab::kube::resource::{CNI_NODES, CONFIG_MAPS, DAEMON_SETS, ENI_CONFIGS, NAMESPACES};
use headroom_lab::kube::selector::Selector;
use headroom_lab::kube::{Object, Resource, Store, object};
use kube::Client;
use serde_json::{Value, json};

use super::lane::{self, Outcome};
use super::lock;

/// kube-apiserver makes its namespaces soon after it is ready, and serves a CRD soon after it was created.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// Writes all of it; the UIDs that owners of pods have in the lab, each with the one they have on the server.
pub(super) async fn write(client: &Client, store: &Mutex<Store>) -> Result<HashMap<String, String>> {
    for resource in [&CNI_NODES, &ENI_CONFIGS] {
        create(client, &CRDS, crd(resource)).await?;
    }
    let mut owners = HashMap::new();
    for resource in [&NAMESPACES, &DAEMON_SETS, &CONFIG_MAPS, &ENI_CONFIGS] {
        let objects: Vec<Object> = lock(store).list(resource, &Selector::default()).cloned().collect();
        for object in objects {
            let made = create(client, resource, Value::clone(&object)).await?;
            owners.insert(object::uid(&object).to_owned(), made);
        }
    }
    // Nodes come at once, and each with its CNINode.
    let probe =
        json!({ "apiVersion": CNI_NODES.api_version(), "kind": CNI_NODES.kind, "metadata": { "name": "probe" } });
    create(client, &CNI_NODES, probe.clone()).await?;
    lane::delete(client, &CNI_NODES, &probe).await?;
    Ok(owners)
}

/// Creates the object and gives its UID; one that is there already is as good.
async fn create(client: &Client, resource: &Resource, object: Value) -> Result<String> {
    let what = || format!("{} '{}'", resource.kind, object::name(&object));
    for _ in 1..TRIES {
        match lane::create(client, resource, &object).await.with_context(what)? {
            Outcome::Done(made) => return Ok(object::uid(&made).to_owned()),
            Outcome::Conflict => return Ok(String::new()),
            Outcome::Missing => tokio::time::sleep(PAUSE).await,
        }
    }
    anyhow::bail!("{}: not found for {} s, its namespace or its CRD is not there", what(), (TRIES * PAUSE).as_secs())
}

/// The lab's table has no CustomResourceDefinitions: it serves those two resources without.
static CRDS: Resource = Resource {
    group: "apiextensions.k8s.io",
    plural: "customresourcedefinitions",
    version: "v1",
    kind: "CustomResourceDefinition",
    namespaced: false,
    short_names: &[],
    subresources: &[],
    fields: &[],
    access: headroom_lab::kube::resource::Access::Full,
    custom: false,
    unconditional_update: true,
};

/// As the CNI's and the resource controller's manifests define them, any fields allowed.
fn crd(resource: &Resource) -> Value {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": CRDS.api_version(),
        "kind": CRDS.kind,
        "metadata": { "name": resource.qualified() },
        "spec": {
            "group": resource.group,
            "scope": "Cluster",
            "names": {
                "kind": resource.kind, "listKind": format!("{}List", resource.kind),
                "plural": resource.plural, "singular": resource.kind.to_lowercase(),
            },
            "versions": [{
                "name": resource.version, "served": true, "storage": true, "schema": { "openAPIV3Schema": schema },
            }],
        },
    })
}
