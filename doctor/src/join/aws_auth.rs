//! ConfigMap `kube-system/aws-auth`, as aws-iam-authenticator reads it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_saphyr::DuplicateKeyPolicy;

use super::role::RoleArn;

/// What `aws-auth` says of one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsAuth {
    /// The entries of `mapRoles` whose ARN ends in the role's or the instance profile's name, in their order.
    pub entries: Vec<MapRole>,
    /// The line of `mapRoles` that is no valid YAML, or 0 where the line is not known or the whole is no list; `None` where it is
    /// one. The authenticator then takes no entry at all (`ParseMap` in aws-iam-authenticator,
    /// `pkg/mapper/configmap/configmap.go`). A field of another type costs no more than that field: Go's `json.Unmarshal` reads on
    /// past it, and `startLoadConfigMap` saves what was read.
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
        let broken = |line| AwsAuth { entries: Vec::new(), broken_at: Some(line) };
        let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
        match serde_saphyr::from_str_with_options(map_roles, options) {
            Ok(Value::Array(all)) => {
                let entries = all.iter().map(MapRole::of).filter(|entry| wanted.contains(&name(&entry.rolearn)));
                AwsAuth { entries: entries.collect(), broken_at: None }
            }
            Ok(Value::Null) => AwsAuth { entries: Vec::new(), broken_at: None },
            Ok(_) => broken(0),
            Err(error) => broken(error.location().map_or(0, |location| location.line())),
        }
    }

    /// The entry that counts for a role: of several with its ARN the last (`saveMap` in the same file), compared in lower case.
    #[must_use]
    pub fn entry_of(&self, role: &RoleArn<'_>) -> Option<&MapRole> {
        let known_as = role.known_as();
        self.entries.iter().rev().find(|entry| entry.rolearn.eq_ignore_ascii_case(&known_as))
    }
}

impl MapRole {
    /// As Go's `json.Unmarshal` fills a struct: what is null or of another type stays empty.
    fn of(entry: &Value) -> MapRole {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let Some(fields) = entry.as_object() else { return MapRole::default() };
        MapRole {
            rolearn: field(fields, "rolearn").map(text).unwrap_or_default(),
            username: field(fields, "username").map(text).unwrap_or_default(),
            groups: field(fields, "groups").and_then(Value::as_array).into_iter().flatten().map(text).collect(),
        }
    }
}

/// A field by its name in any case. The authenticator turns YAML into JSON first, whose keys are sorted, and the last that fits
/// counts.
fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let fitting = fields.iter().filter(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
    fitting.max_by_key(|(key, _)| key.as_str()).map(|(_, value)| value)
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
        for text in ["", " \n", "\"\"", "``", "[]", "null", "# nobody"] {
            assert_eq!(read(text), AwsAuth { entries: vec![], broken_at: None }, "{text:?}");
        }
    }

    #[test]
    fn a_field_that_does_not_fit_costs_no_other() {
        let node = |entry: &str| {
            let text = format!("{entry}\n- {{rolearn: '{ROLE}', username: node, groups: [system:nodes]}}\n");
            let read = AwsAuth::read(&text, ROLE, None);
            assert_eq!(read.broken_at, None, "{text}");
            assert_eq!(
                read.entries.last().map(|entry| entry.groups.as_slice()),
                Some(&["system:nodes".to_owned()][..])
            );
            read.entries.len()
        };
        for other in [
            "- rolearn: arn:aws:iam::111122223333:role/admin\n  username: a\n  groups:",
            "- rolearn:\n  username:\n  groups: ~",
            "- rolearn: 7\n  username: true\n  groups: system:masters",
            "- groups: [1, ~, {a: b}]\n  7: x",
            "-",
            "- some text",
            "- [a, b]",
        ] {
            assert_eq!(node(other), 1, "{other}");
        }
        assert_eq!(node(&format!("- rolearn: {ROLE}\n  groups: [1, system:nodes]")), 2);
    }

    #[test]
    fn keys_are_read_in_any_case_and_the_last_of_two_counts() {
        let entry = |fields: &str| {
            let read = AwsAuth::read(&format!("- {fields}\n"), ROLE, None);
            assert_eq!((read.entries.len(), read.broken_at), (1, None), "{fields}");
            let MapRole { username, groups, .. } = read.entries[0].clone();
            (username, groups.join(" "))
        };
        let found = |username: &str, groups: &str| (username.to_owned(), groups.to_owned());
        assert_eq!(entry(&format!("{{roleARN: '{ROLE}', UserName: node, GROUPS: [a, b]}}")), found("node", "a b"));
        let twice = format!("{{rolearn: x, rolearn: '{ROLE}', username: a, username: b, groups: [a], groups: [b]}}");
        assert_eq!(entry(&twice), found("b", "b"));
        // Sorted, capitals come first.
        assert_eq!(entry(&format!("{{rolearn: '{ROLE}', username: a, Username: b}}")), found("a", ""));
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
