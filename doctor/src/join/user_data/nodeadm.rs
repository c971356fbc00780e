//! nodeadm's NodeConfig (amazon-eks-ami, `nodeadm/api/v1alpha1/nodeconfig_types.go`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Bootstrap, Given, Kind, Kubelet};

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeConfig {
    kind: String,
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    cluster: Option<Cluster>,
    kubelet: Option<KubeletOptions>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Cluster {
    name: Option<String>,
    api_server_endpoint: Option<String>,
    certificate_authority: Option<IgnoredAny>,
    cidr: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KubeletOptions {
    config: Option<BTreeMap<String, serde_json::Value>>,
    flags: Option<Vec<String>>,
}

/// What a NodeConfig says; `None` for another kind of object.
pub(super) fn node_config(text: &str) -> Option<Bootstrap> {
    let Ok(config) = serde_saphyr::from_str::<NodeConfig>(text) else {
        // It may be written by a script, or be a template that is not filled in.
        let unread = (Given::Computed, Given::Computed);
        return Some(bootstrap(unread.0, unread.1, (true, true), Kubelet::default()));
    };
    if config.kind != "NodeConfig" {
        return None;
    }
    let (cluster, options) = (config.spec.cluster.unwrap_or_default(), config.spec.kubelet.unwrap_or_default());
    let mut kubelet = Kubelet::default();
    for flag in options.flags.unwrap_or_default() {
        kubelet.add(&flag);
    }
    let max_pods = options.config.and_then(|mut config| config.remove("maxPods")).and_then(|value| value.as_u64());
    kubelet.max_pods = max_pods.and_then(|max| u32::try_from(max).ok()).or(kubelet.max_pods);
    let given = (cluster.certificate_authority.is_some(), cluster.cidr.is_some());
    Some(bootstrap(Given::name(cluster.name), Given::url(cluster.api_server_endpoint), given, kubelet))
}

fn bootstrap(cluster: Given, endpoint: Given, (ca, cidr): (bool, bool), kubelet: Kubelet) -> Bootstrap {
    Bootstrap { kind: Kind::Nodeadm, cluster, endpoint, certificate_authority: ca, service_cidr: cidr, kubelet }
}
