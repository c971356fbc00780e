//! The VPC resource controller's reading of ConfigMap `kube-system/amazon-vpc-cni`.

use std::time::Duration;

use super::env::parse_bool;

/// What the ConfigMap decides about addresses. ipamd on Linux does not read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerSettings {
    /// `enable-windows-ipam` and `enable-windows-prefix-delegation` are both true (`pkg/condition/conditions.go`,
    /// `IsWindowsPrefixDelegationEnabled`), default false.
    pub windows_prefix_delegation: bool,
    /// `branch-eni-cooldown`: how long a branch ENI is kept after its pod, default 60 s, at least 30 s
    /// (`pkg/provider/branch/cooldown/cooldown.go`).
    pub branch_cooldown: Duration,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        ControllerSettings { windows_prefix_delegation: false, branch_cooldown: Duration::from_secs(60) }
    }
}

impl ControllerSettings {
    /// The controller's cool-down of Windows addresses (`pkg/provider/ip`), which nothing changes.
    pub const WINDOWS_COOLDOWN: Duration = Duration::from_secs(30);
    const LEAST_BRANCH_COOLDOWN: Duration = Duration::from_secs(30);

    /// Reads the ConfigMap's data; `get` gives the value of a key. What the controller cannot read it takes for absent.
    pub fn from_data<'a>(get: impl Fn(&str) -> Option<&'a str>) -> ControllerSettings {
        let on = |key| get(key).and_then(parse_bool) == Some(true);
        // A period below zero is below the least one too.
        let cooldown = get("branch-eni-cooldown").and_then(|secs| secs.parse::<i64>().ok());
        let cooldown = cooldown.map(|secs| Duration::from_secs(u64::try_from(secs).unwrap_or(0)));
        ControllerSettings {
            windows_prefix_delegation: on("enable-windows-ipam") && on("enable-windows-prefix-delegation"),
            branch_cooldown: cooldown.map_or(ControllerSettings::default().branch_cooldown, |period| {
                period.max(Self::LEAST_BRANCH_COOLDOWN)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[(&str, &'static str)]) -> (bool, u64) {
        let settings =
            ControllerSettings::from_data(|key| data.iter().find(|(name, _)| *name == key).map(|(_, value)| *value));
        (settings.windows_prefix_delegation, settings.branch_cooldown.as_secs())
    }

    #[test]
    fn prefixes_for_windows_need_windows_addresses() {
        assert_eq!(read(&[]), (false, 60));
        assert!(!read(&[("enable-windows-prefix-delegation", "true")]).0);
        assert!(read(&[("enable-windows-ipam", "true"), ("enable-windows-prefix-delegation", "True")]).0);
        assert!(!read(&[("enable-windows-ipam", "yes"), ("enable-windows-prefix-delegation", "true")]).0);
    }

    #[test]
    fn the_cooldown_of_a_branch_eni_has_a_least_value_and_a_default() {
        let cooldown = |text| read(&[("branch-eni-cooldown", text)]).1;
        assert_eq!(["120", "29", "-1", "1m", ""].map(cooldown), [120, 30, 30, 60, 60]);
    }
}
