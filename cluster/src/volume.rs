//! Whether a pod's volumes can follow it to another node.

use futures::future::try_join_all;
use k8s_openapi::api::core::v1 as core;
use kube::Api;

use crate::connect::Client;
use crate::drain::DrainError;
use crate::node::{REGION_LABELS, ZONE_LABELS};
use crate::tenant::Tenant;

/// Sets [`Tenant::pinned`] of the pods that have to leave. A claim or volume that is not there or may not be read pins as well.
///
/// # Errors
/// What else the client reports.
pub(crate) async fn pin(client: &Client, tenants: &mut [Tenant]) -> Result<(), DrainError> {
    let leave = tenants.iter_mut().filter(|pod| pod.must_leave() && !pod.deleting && !pod.claims.is_empty());
    try_join_all(leave.map(|pod| async move {
        for claim in &pod.claims {
            if let Some(why) = pins(client, &pod.namespace, claim).await? {
                pod.pinned = Some(format!("claim {claim}: {why}"));
                break;
            }
        }
        Ok(())
    }))
    .await
    .map(drop)
}

async fn pins(client: &Client, namespace: &str, claim: &str) -> Result<Option<String>, DrainError> {
    let claims = Api::<core::PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    let claim = match read(claims, "persistentvolumeclaims", claim).await? {
        Ok(claim) => claim,
        Err(why) => return Ok(Some(why)),
    };
    let Some(volume) = claim.spec.and_then(|spec| spec.volume_name).filter(|name| !name.is_empty()) else {
        return Ok(Some("it has no volume".to_owned()));
    };
    let found = read(Api::<core::PersistentVolume>::all(client.clone()), "persistentvolumes", &volume).await?;
    Ok(match found {
        Ok(found) => keeps(&found.spec.unwrap_or_default()).map(|why| format!("volume {volume} {why}")),
        Err(why) => Some(why),
    })
}

/// The object, or why it cannot be known.
async fn read<K>(api: Api<K>, kind: &str, name: &str) -> Result<Result<K, String>, DrainError>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    match api.get(name).await {
        Ok(found) => Ok(Ok(found)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Err(format!("{kind} {name} is not there"))),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            Ok(Err(format!("{kind} {name} may not be read; RBAC must allow get on {kind}")))
        }
        Err(source) => Err(DrainError::Failed {
            what: format!("read {kind} {name}"),
            verbs: "get on persistentvolumeclaims and persistentvolumes",
            source: Box::new(source),
        }),
    }
}

/// Why the volume is out of reach of other nodes of its zone; `None` where it is not.
fn keeps(volume: &core::PersistentVolumeSpec) -> Option<String> {
    if volume.local.is_some() || volume.host_path.is_some() {
        return Some("is on a disk of its node".to_owned());
    }
    let required = volume.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
    let terms = required.map(|required| &required.node_selector_terms).into_iter().flatten();
    let (mut labels, mut fields) = (Vec::new(), Vec::new());
    for term in terms {
        labels.extend(term.match_expressions.iter().flatten());
        fields.extend(term.match_fields.iter().flatten());
    }
    // By these it is within reach of other nodes of its zone.
    let zonal = |key: &str| ZONE_LABELS.contains(&key) || REGION_LABELS.contains(&key);
    let other = labels.into_iter().find(|one| !zonal(&one.key)).or(fields.first().copied());
    other.map(|one| format!("is bound to nodes by {}", one.key))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn kept(spec: Value) -> Option<String> {
        keeps(&serde_json::from_value(spec).unwrap())
    }

    fn affine(kind: &str, keys: &[&str]) -> Value {
        let by: Vec<Value> = keys.iter().map(|key| json!({"key": key, "operator": "In", "values": ["x"]})).collect();
        json!({"required": {"nodeSelectorTerms": [{kind: by}]}})
    }

    #[test]
    fn a_volume_of_a_zone_or_of_the_network_does_not_keep_its_pod() {
        let ebs = json!({"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"});
        for key in ZONE_LABELS.into_iter().chain(REGION_LABELS) {
            assert_eq!(kept(json!({"csi": ebs, "nodeAffinity": affine("matchExpressions", &[key])})), None, "{key}");
        }
        assert_eq!(kept(json!({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}})), None);
    }

    #[test]
    fn a_volume_on_a_disk_of_its_node_or_bound_to_it_does() {
        let host = "kubernetes.io/hostname";
        let lvm = json!({"driver": "topolvm.io", "volumeHandle": "v"});
        for (spec, named) in [
            (json!({"local": {"path": "/mnt"}, "nodeAffinity": affine("matchExpressions", &[host])}), "disk"),
            (json!({"hostPath": {"path": "/mnt"}}), "disk"),
            (
                json!({"csi": lvm, "nodeAffinity": affine("matchExpressions", &[ZONE_LABELS[0], "topology.topolvm.io/node"])}),
                "topolvm",
            ),
            (json!({"csi": lvm, "nodeAffinity": affine("matchExpressions", &[host])}), host),
            (json!({"csi": lvm, "nodeAffinity": affine("matchFields", &["metadata.name"])}), "metadata.name"),
        ] {
            let why = kept(spec.clone());
            assert!(why.as_ref().is_some_and(|why| why.contains(named)), "{why:?} {spec}");
        }
    }
}
