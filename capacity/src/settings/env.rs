//! ipamd's own reading of its environment, variable by variable.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CniSettings, SettingProblem};

pub(super) fn read<'a>(env: impl IntoIterator<Item = (&'a str, &'a str)>) -> (CniSettings, Vec<SettingProblem>) {
    let mut env = Env { values: env.into_iter().collect(), problems: Vec::new() };
    let default = CniSettings::default();
    let settings = CniSettings {
        warm_eni_target: env
            .count("WARM_ENI_TARGET", 0, "ipamd takes its default, 1")
            .unwrap_or(default.warm_eni_target),
        // 0 is how ipamd spells "unset" for these two (`noWarmIPTarget`, `noMinimumIPTarget`).
        warm_ip_target: env.count("WARM_IP_TARGET", 0, "ipamd takes it for unset").filter(|target| *target > 0),
        minimum_ip_target: env.count("MINIMUM_IP_TARGET", 0, "ipamd takes it for unset").filter(|target| *target > 0),
        warm_prefix_target: env
            .count("WARM_PREFIX_TARGET", 0, "ipamd takes its default, 0")
            .unwrap_or(default.warm_prefix_target),
        prefix_delegation: env.flag("ENABLE_PREFIX_DELEGATION", default.prefix_delegation),
        custom_networking: env.flag_or_empty("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", default.custom_networking),
        pod_eni: env.flag("ENABLE_POD_ENI", default.pod_eni),
        ipv6: env.flag("ENABLE_IPv6", default.ipv6),
        max_eni: env.count("MAX_ENI", 1, "ipamd takes the instance type's limit"),
        subnet_discovery: env.flag_or_empty("ENABLE_SUBNET_DISCOVERY", default.subnet_discovery),
        manage_untagged_enis: env.flag("MANAGE_UNTAGGED_ENI", default.manage_untagged_enis),
        manage_enis_non_schedulable: env
            .flag_or_empty("AWS_MANAGE_ENIS_NON_SCHEDULABLE", default.manage_enis_non_schedulable),
        ip_cooldown: env.cooldown(default.ip_cooldown),
        provisioning_disabled: env.flag("DISABLE_NETWORK_RESOURCE_PROVISIONING", false)
            | env.flag("ENABLE_IMDS_ONLY_MODE", false),
        multi_nic: env.flag("ENABLE_MULTI_NIC", default.multi_nic),
        eni_config_label: env.text("ENI_CONFIG_LABEL_DEF").unwrap_or(default.eni_config_label),
        eni_config_annotation: env.text("ENI_CONFIG_ANNOTATION_DEF").unwrap_or(default.eni_config_annotation),
        cluster_name: env.text("CLUSTER_NAME"),
    };
    env.check_combinations(&settings);
    (settings, env.problems)
}

struct Env<'a> {
    values: BTreeMap<&'a str, &'a str>,
    problems: Vec<SettingProblem>,
}

impl Env<'_> {
    fn problem(&mut self, variable: &str, effect: &str) {
        let value = self.values.get(variable).copied().unwrap_or_default().to_owned();
        self.problems.push(SettingProblem { variable: variable.to_owned(), value, effect: effect.to_owned() });
    }

    /// An empty value is as good as none (CNI `pkg/eniconfig`, `awsutils` for the cluster's name).
    fn text(&self, variable: &str) -> Option<String> {
        self.values.get(variable).filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
    }

    /// CNI `utils.GetBoolAsStringEnvVar`: an empty value is a wrong one.
    fn flag(&mut self, variable: &str, default: bool) -> bool {
        let Some(value) = self.values.get(variable) else { return default };
        parse_bool(value).unwrap_or_else(|| {
            self.problem(variable, &format!("not a boolean: ipamd takes its default, {default}"));
            default
        })
    }

    /// CNI `ipamd.parseBoolEnvVar`: an empty value is none.
    fn flag_or_empty(&mut self, variable: &str, default: bool) -> bool {
        if self.values.get(variable).is_some_and(|value| value.is_empty()) {
            return default;
        }
        self.flag(variable, default)
    }

    /// `strconv.Atoi`, not below `least` (CNI `getWarmENITarget` and its siblings, `getMaxENI`). What is larger than any
    /// node's count is cut to `u32::MAX`.
    fn count(&mut self, variable: &str, least: i64, otherwise: &str) -> Option<u32> {
        let value = self.values.get(variable)?;
        match value.parse::<i64>() {
            Ok(count) if count >= least => Some(u32::try_from(count).unwrap_or(u32::MAX)),
            Ok(_) => {
                self.problem(variable, &format!("below {least}: {otherwise}"));
                None
            }
            Err(_) => {
                self.problem(variable, &format!("not a whole number: {otherwise}"));
                None
            }
        }
    }

    /// CNI `datastore.getCooldownPeriod`: seconds; a negative period never holds an address back.
    fn cooldown(&mut self, default: Duration) -> Duration {
        const VARIABLE: &str = "IP_COOLDOWN_PERIOD";
        let Some(value) = self.values.get(VARIABLE) else { return default };
        match value.parse::<i64>() {
            Ok(secs) => u64::try_from(secs).map(Duration::from_secs).unwrap_or_else(|_| {
                self.problem(VARIABLE, "below 0: ipamd reuses an address at once");
                Duration::ZERO
            }),
            Err(_) => {
                self.problem(VARIABLE, "not a whole number: ipamd takes its default, 30 s");
                default
            }
        }
    }

    fn check_combinations(&mut self, settings: &CniSettings) {
        // CNI README, MINIMUM_IP_TARGET: with WARM_IP_TARGET at 0 the test for a low pool looks at the total alone.
        if settings.minimum_ip_target.is_some() && settings.warm_ip_target.is_none() && !settings.ipv6 {
            self.problem(
                "MINIMUM_IP_TARGET",
                "without WARM_IP_TARGET the pool stops growing at this number of addresses: set WARM_IP_TARGET to 1 or more",
            );
        }
        // CNI `isConfigValid`. `isIPv4Enabled` takes what is not a boolean for false.
        let ipv4 = self.values.get("ENABLE_IPv4").map(|value| parse_bool(value) == Some(true));
        match (settings.ipv6, ipv4) {
            (true, Some(true)) => self.problem("ENABLE_IPv6", "together with ENABLE_IPv4: ipamd does not start"),
            (false, Some(false)) => self.problem("ENABLE_IPv4", "without ENABLE_IPv6: ipamd does not start"),
            _ => {}
        }
        if settings.ipv6 && !settings.prefix_delegation {
            self.problem("ENABLE_IPv6", "without ENABLE_PREFIX_DELEGATION: ipamd does not start");
        }
        if settings.ipv6 && settings.custom_networking {
            self.problem("ENABLE_IPv6", "together with AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: ipamd does not start");
        }
    }
}

/// Go's `strconv.ParseBool`.
pub(super) fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
