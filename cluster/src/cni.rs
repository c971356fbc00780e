//! CNINode, ENIConfig, the aws-node DaemonSet and ConfigMap amazon-vpc-cni -> domain events.

use std::sync::Arc;

use headroom_capacity::settings::{CniSettings, ControllerSettings};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ApiResource;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::event::{CniNode, EniConfig, Event};
use crate::object::Object;

/// CNINode, VPC resource controller `apis/vpcresources/v1alpha1`.
pub(crate) type RawCniNode = Object<CniNodeSpec, IgnoredAny>;
/// ENIConfig, CNI `pkg/apis/crd/v1alpha1`.
pub(crate) type RawEniConfig = Object<EniConfigSpec, IgnoredAny>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CniNodeSpec {
    features: Option<Vec<Feature>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Feature {
    name: String,
    value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EniConfigSpec {
    subnet: Option<String>,
}

pub(crate) fn cni_node_resource() -> ApiResource {
    resource("vpcresources.k8s.aws", "CNINode", "cninodes")
}

pub(crate) fn eni_config_resource() -> ApiResource {
    resource("crd.k8s.amazonaws.com", "ENIConfig", "eniconfigs")
}

fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: group.to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: format!("{group}/v1alpha1"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

pub(crate) fn cni_node(raw: RawCniNode) -> Option<Event> {
    let features = raw.spec.features.unwrap_or_default();
    let custom = features.iter().find(|feature| feature.name == "CustomNetworking");
    Some(Event::CniNodeApplied(CniNode {
        name: raw.metadata.name?.into(),
        security_groups_for_pods: features.iter().any(|feature| feature.name == "SecurityGroupsForPods"),
        eni_config: custom.and_then(|feature| feature.value.as_deref()).map(Arc::from),
    }))
}

pub(crate) fn eni_config(raw: RawEniConfig) -> Option<Event> {
    Some(Event::EniConfigApplied(EniConfig { name: raw.metadata.name?.into(), subnet: raw.spec.subnet.map(Arc::from) }))
}

/// The environment of container `aws-node`; a variable without a literal value (`valueFrom`) counts as unset, since only kubelet
/// resolves it.
pub(crate) fn settings(raw: DaemonSet) -> Option<Event> {
    let containers = raw.spec.template.spec?.containers;
    let env = containers.into_iter().find(|container| container.name == "aws-node")?.env.unwrap_or_default();
    let literal = env.iter().filter_map(|var| Some((var.name.as_str(), var.value.as_deref()?)));
    let (settings, problems) = CniSettings::from_env(literal);
    Some(Event::CniSettings { settings: Box::new(settings), problems })
}

pub(crate) fn controller_settings(raw: ConfigMap) -> Option<Event> {
    let data = raw.data.unwrap_or_default();
    let settings = ControllerSettings::from_data(|key| data.get(key).map(String::as_str));
    Some(Event::ControllerSettings(settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_features_of_a_cninode() {
        let raw = json!({
            "apiVersion": "vpcresources.k8s.aws/v1alpha1", "kind": "CNINode", "metadata": {"name": "n1"},
            "spec": {"features": [{"name": "SecurityGroupsForPods"}, {"name": "CustomNetworking", "value": "zone-a"}]},
        });
        let expected = CniNode { name: "n1".into(), security_groups_for_pods: true, eni_config: Some("zone-a".into()) };
        assert_eq!(cni_node(serde_json::from_value(raw).unwrap()), Some(Event::CniNodeApplied(expected)));
    }

    #[test]
    fn takes_the_settings_from_the_container_named_aws_node() {
        let container = |name: &str, env: serde_json::Value| json!({"name": name, "image": "x", "env": env});
        let raw = json!({"metadata": {"name": "aws-node"}, "spec": {"selector": {}, "template": {"spec": {"containers": [
            container("aws-eks-nodeagent", json!([{"name": "WARM_IP_TARGET", "value": "9"}])),
            container("aws-node", json!([
                {"name": "WARM_IP_TARGET", "value": "4"},
                {"name": "MY_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ])),
        ]}}}});
        match settings(serde_json::from_value(raw).unwrap()) {
            Some(Event::CniSettings { settings, .. }) => assert_eq!(settings.warm_ip_target, Some(4)),
            other => panic!("{other:?}"),
        }
    }
}
