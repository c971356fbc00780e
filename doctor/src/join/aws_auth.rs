//! ConfigMap `kube-system/aws-auth`, as aws-iam-authenticator reads it.

use serde::{Deserialize, Serialize};

use super::role::RoleArn;

/// What `aws-auth` says of one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsAuth {
    /// The entries of `mapRoles` whose ARN ends in the role's or the instance profile's name, in their order.
    pub entries: Vec<MapRole>,
    /// The line of `mapRoles` that is no valid YAML, or 0 where the line is not known; `None` where all is valid. The
    /// authenticator then takes no entry at all (`ParseMap` in aws-iam-authenticator, `pkg/mapper/configmap/configmap.go`).
    pub broken_at: Option<u64>,
}

/// An entry of `mapRoles`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRole {
    /// `rolearn`.
    #[serde(default)]
    pub rolearn: String,
    /// `username`.
    #[serde(default)]
    pub username: String,
    /// `groups`.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl AwsAuth {
    /// Reads the value of the key `mapRoles`, empty where there is no such key, and keeps what may be meant for `role` or for the
    /// instance profile of that name.
    #[must_use]
    pub fn read(map_roles: &str, role: &str, profile: Option<&str>) -> AwsAuth {
        // `isSkippable` of the authenticator's configmap.go.
        if ["", "``", "\"\""].contains(&map_roles.trim()) {
            return AwsAuth { entries: Vec::new(), broken_at: None };
        }
        let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_lowercase();
        let wanted: Vec<String> = std::iter::once(role).chain(profile).map(name).collect();
        match serde_saphyr::from_str::<Option<Vec<MapRole>>>(map_roles) {
            Ok(all) => {
                let entries = all.unwrap_or_default().into_iter();
                AwsAuth {
                    entries: entries.filter(|entry| wanted.contains(&name(&entry.rolearn))).collect(),
                    broken_at: None,
                }
            }
            Err(error) => {
                AwsAuth { entries: Vec::new(), broken_at: Some(error.location().map_or(0, |location| location.line())) }
            }
        }
    }

    /// The entry that counts for a role: of several with its ARN the last (`saveMap` in the same file), compared in lower case.
    #[must_use]
    pub fn entry_of(&self, role: &RoleArn<'_>) -> Option<&MapRole> {
        let known_as = role.known_as();
        self.entries.iter().rev().find(|entry| entry.rolearn.eq_ignore_ascii_case(&known_as))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/nodes";

    #[test]
    fn only_entries_of_that_name_are_kept() {
        let text = "- rolearn: arn:aws:iam::111122223333:role/admin\n  username: admin\n  groups: [system:masters]\n\
                    - rolearn: arn:aws:iam::111122223333:role/x/Nodes\n  username: n\n  groups:\n  - system:nodes\n\
                    - rolearn: arn:aws:iam::111122223333:instance-profile/workers\n  more: 1\n\
                    - sso: {permissionSetName: x}\n";
        let read = AwsAuth::read(text, ROLE, Some("arn:aws:iam::111122223333:instance-profile/workers"));
        let arns: Vec<&str> = read.entries.iter().map(|entry| entry.rolearn.as_str()).collect();
        let expected = ["arn:aws:iam::111122223333:role/x/Nodes", "arn:aws:iam::111122223333:instance-profile/workers"];
        assert_eq!((arns.as_slice(), read.broken_at), (expected.as_slice(), None));
        assert_eq!(read.entries[0].groups, ["system:nodes"]);
    }

    #[test]
    fn what_is_no_list_is_broken_at_its_line() {
        let read = |text| AwsAuth::read(text, ROLE, None);
        assert_eq!(read("- rolearn: a\n  groups: [x\n- y: :\n").broken_at.map(|line| line > 0), Some(true));
        assert!(read("rolearn: a").broken_at.is_some());
        for text in ["", " \n", "\"\"", "``", "[]"] {
            assert_eq!(read(text), AwsAuth { entries: vec![], broken_at: None }, "{text:?}");
        }
    }

    #[test]
    fn the_last_of_two_counts_and_case_does_not() {
        let text = "- {rolearn: 'arn:aws:iam::111122223333:role/nodes', username: a}\n\
                    - {rolearn: 'ARN:aws:iam::111122223333:role/NODES', username: b}\n";
        let read = AwsAuth::read(text, ROLE, None);
        let role = RoleArn::parse(ROLE).unwrap();
        assert_eq!(read.entry_of(&role).map(|entry| entry.username.as_str()), Some("b"));
    }
}
