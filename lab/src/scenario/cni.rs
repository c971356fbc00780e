//! The VPC CNI in a scenario.

use std::collections::BTreeMap;

use headroom_capacity::settings::{CniSettings, SettingProblem};
use schemars::JsonSchema;
use serde::Deserialize;

/// The VPC CNI.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CniSpec {
    /// Environment of container `aws-node`; what is not given is as in the manifest that the CNI ships.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// ENIConfig objects, for custom networking.
    #[serde(default)]
    pub eni_configs: Vec<EniConfigSpec>,
}

/// One ENIConfig.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EniConfigSpec {
    /// Its name: the zone's, where `ENI_CONFIG_LABEL_DEF` is `topology.kubernetes.io/zone`.
    pub name: String,
    /// The subnet that pod ENIs are made in.
    pub subnet: String,
    /// Security groups.
    #[serde(default)]
    pub security_groups: Vec<String>,
}

impl CniSpec {
    /// The environment of `aws-node`: the shipped manifest's (CNI `config/master/aws-k8s-cni.yaml`, as far as it bears on
    /// addresses), overridden by the file's.
    #[must_use]
    pub fn effective_env(&self, cluster_name: &str) -> BTreeMap<String, String> {
        let shipped = [
            ("WARM_ENI_TARGET", "1"),
            ("WARM_PREFIX_TARGET", "1"),
            ("ENABLE_PREFIX_DELEGATION", "false"),
            ("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "false"),
            ("ENABLE_POD_ENI", "false"),
            ("ENABLE_IPv4", "true"),
            ("ENABLE_IPv6", "false"),
            ("ENABLE_SUBNET_DISCOVERY", "true"),
            ("CLUSTER_NAME", cluster_name),
        ];
        let mut env: BTreeMap<_, _> = shipped.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        env.extend(self.env.clone());
        env
    }

    /// What ipamd makes of that environment.
    #[must_use]
    pub fn settings(&self, cluster_name: &str) -> CniSettings {
        self.read(cluster_name).0
    }

    /// Variables that ipamd does not take at their word.
    #[must_use]
    pub fn problems(&self, cluster_name: &str) -> Vec<SettingProblem> {
        self.read(cluster_name).1
    }

    fn read(&self, cluster_name: &str) -> (CniSettings, Vec<SettingProblem>) {
        let env = self.effective_env(cluster_name);
        CniSettings::from_env(env.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}
