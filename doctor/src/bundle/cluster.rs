//! What is one for the cluster.

use std::collections::BTreeMap;

use headroom_capacity::settings::{CniSettings, SettingProblem};
use serde::{Deserialize, Serialize};

/// The DaemonSet `kube-system/aws-node`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cni {
    /// The environment of its container `aws-node`, as far as it bears on addresses ([`Cni::VARIABLES`]).
    pub env: BTreeMap<String, String>,
    /// `status.desiredNumberScheduled`.
    pub wanted: u32,
    /// `status.numberReady`.
    pub ready: u32,
    /// The tag of the container's image: `v1.23.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Cni {
    /// The variables that are kept: those that [`CniSettings::from_env`] reads, and no other.
    pub const VARIABLES: [&str; 20] = [
        "AWS_MANAGE_ENIS_NON_SCHEDULABLE",
        "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
        "CLUSTER_NAME",
        "DISABLE_NETWORK_RESOURCE_PROVISIONING",
        "ENABLE_IMDS_ONLY_MODE",
        "ENABLE_IPv4",
        "ENABLE_IPv6",
        "ENABLE_MULTI_NIC",
        "ENABLE_POD_ENI",
        "ENABLE_PREFIX_DELEGATION",
        "ENABLE_SUBNET_DISCOVERY",
        "ENI_CONFIG_ANNOTATION_DEF",
        "ENI_CONFIG_LABEL_DEF",
        "IP_COOLDOWN_PERIOD",
        "MANAGE_UNTAGGED_ENI",
        "MAX_ENI",
        "MINIMUM_IP_TARGET",
        "WARM_ENI_TARGET",
        "WARM_IP_TARGET",
        "WARM_PREFIX_TARGET",
    ];

    /// What ipamd makes of them, and the values that it does not take at their word.
    #[must_use]
    pub fn settings(&self) -> (CniSettings, Vec<SettingProblem>) {
        CniSettings::from_env(self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// An Auto Scaling group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// Least, wanted and most instances.
    pub size: (u32, u32, u32),
}
