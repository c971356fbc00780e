//! The VPC CNI's settings as the aws-node DaemonSet's environment gives them.

mod controller;
mod env;

pub use controller::ControllerSettings;

use std::time::Duration;

/// Effective settings of ipamd on Linux. Defaults are the code's, not the shipped manifest's
/// (CNI `pkg/ipamd/ipamd.go`): the manifest sets `WARM_ENI_TARGET=1` and `WARM_PREFIX_TARGET=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CniSettings {
    /// `WARM_ENI_TARGET`, default 1.
    pub warm_eni_target: u32,
    /// `WARM_IP_TARGET`; `None` where unset or not positive.
    pub warm_ip_target: Option<u32>,
    /// `MINIMUM_IP_TARGET`; `None` where unset or not positive.
    pub minimum_ip_target: Option<u32>,
    /// `WARM_PREFIX_TARGET`, default 0.
    pub warm_prefix_target: u32,
    /// `ENABLE_PREFIX_DELEGATION`, default false.
    pub prefix_delegation: bool,
    /// `AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG`, default false.
    pub custom_networking: bool,
    /// `ENABLE_POD_ENI`, default false.
    pub pod_eni: bool,
    /// `ENABLE_IPv6`, default false.
    pub ipv6: bool,
    /// `MAX_ENI`; `None` where unset or below 1.
    pub max_eni: Option<u32>,
    /// `ENABLE_SUBNET_DISCOVERY`, default true.
    pub subnet_discovery: bool,
    /// `MANAGE_UNTAGGED_ENI`, default true.
    pub manage_untagged_enis: bool,
    /// `AWS_MANAGE_ENIS_NON_SCHEDULABLE`, default false: a cordoned node's pool does not change.
    pub manage_enis_non_schedulable: bool,
    /// `IP_COOLDOWN_PERIOD`, default 30 s, 0 allowed.
    pub ip_cooldown: Duration,
    /// `DISABLE_NETWORK_RESOURCE_PROVISIONING` or `ENABLE_IMDS_ONLY_MODE`: ipamd never allocates.
    pub provisioning_disabled: bool,
    /// `ENABLE_MULTI_NIC`, default false.
    pub multi_nic: bool,
    /// `ENI_CONFIG_LABEL_DEF`, default `k8s.amazonaws.com/eniConfig`.
    pub eni_config_label: String,
    /// `ENI_CONFIG_ANNOTATION_DEF`, default `k8s.amazonaws.com/eniConfig`.
    pub eni_config_annotation: String,
    /// `CLUSTER_NAME`, where set.
    pub cluster_name: Option<String>,
}

impl Default for CniSettings {
    fn default() -> Self {
        CniSettings {
            warm_eni_target: 1,
            warm_ip_target: None,
            minimum_ip_target: None,
            warm_prefix_target: 0,
            prefix_delegation: false,
            custom_networking: false,
            pod_eni: false,
            ipv6: false,
            max_eni: None,
            subnet_discovery: true,
            manage_untagged_enis: true,
            manage_enis_non_schedulable: false,
            ip_cooldown: Duration::from_secs(30),
            provisioning_disabled: false,
            multi_nic: false,
            eni_config_label: "k8s.amazonaws.com/eniConfig".to_owned(),
            eni_config_annotation: "k8s.amazonaws.com/eniConfig".to_owned(),
            cluster_name: None,
        }
    }
}

/// A variable that ipamd does not take at its word: what it does instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// The environment variable.
    pub variable: String,
    /// Its value.
    pub value: String,
    /// What ipamd does with it, in one sentence.
    pub effect: String,
}

impl CniSettings {
    /// Reads the environment of container `aws-node`; of a name given twice the last value counts, as in a container. A value
    /// that ipamd would replace by its default is replaced here too and reported, and so are combinations that ipamd acts
    /// on otherwise than they read.
    pub fn from_env<'a>(env: impl IntoIterator<Item = (&'a str, &'a str)>) -> (CniSettings, Vec<SettingProblem>) {
        env::read(env)
    }

    /// The name of the ENIConfig that a node's new ENIs take their subnet from, by the node's labels and annotations; `None`
    /// without custom networking (CNI `pkg/eniconfig`, `GetNodeSpecificENIConfigName`). It need not exist.
    pub fn eni_config<'a>(
        &self,
        label: impl Fn(&str) -> Option<&'a str>,
        annotation: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<&'a str> {
        self.custom_networking.then(|| {
            label("vpc.amazonaws.com/externalEniConfig")
                .or_else(|| annotation(&self.eni_config_annotation))
                .or_else(|| label(&self.eni_config_label))
                .unwrap_or("default")
        })
    }

    /// What the manifest and the Helm chart of the CNI set (`config/master/aws-k8s-cni.yaml`): a node that nobody tuned.
    #[must_use]
    pub fn shipped() -> CniSettings {
        CniSettings { warm_prefix_target: 1, ..CniSettings::default() }
    }
}
