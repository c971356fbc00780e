//! The ARN of a node role.

/// `arn:aws:iam::111122223333:role/some/path/name` in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleArn<'a> {
    whole: &'a str,
    /// `arn:aws:iam::111122223333:role`.
    head: &'a str,
    /// `name`.
    pub name: &'a str,
}

impl<'a> RoleArn<'a> {
    /// Its parts; `None` for what is no role's ARN.
    #[must_use]
    pub fn parse(arn: &'a str) -> Option<RoleArn<'a>> {
        let (head, path) = arn.split_once('/')?;
        let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
        (head.starts_with("arn:") && head.ends_with(":role")).then_some(RoleArn { whole: arn, head, name })
    }

    /// With the path that it has: what an access entry names (EKS user guide, "Create access entries").
    #[must_use]
    pub const fn whole(&self) -> &'a str {
        self.whole
    }

    /// Without a path: what the API server sees of it, as STS says `assumed-role/name/session` (aws-iam-authenticator,
    /// `pkg/arn/arn.go`, `Canonicalize`), and so the only form that `aws-auth` can match (EKS user guide, "Nodes fail to join cluster").
    #[must_use]
    pub fn known_as(&self) -> String {
        format!("{}/{}", self.head, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_left_out() {
        let role = RoleArn::parse("arn:aws:iam::111122223333:role/development/apps/my-role").unwrap();
        assert_eq!((role.name, role.known_as().as_str()), ("my-role", "arn:aws:iam::111122223333:role/my-role"));
        for arn in ["", "my-role", "arn:aws:iam::1:instance-profile/a", "arn:aws:iam::1:role/"] {
            assert_eq!(RoleArn::parse(arn), None, "{arn}");
        }
    }
}
